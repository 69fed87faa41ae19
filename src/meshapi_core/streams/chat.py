"""Turns the chunks of a chat completion into events.

A machine without states: each chunk becomes the deltas that it has, and the end of the stream the
events that have something whole. Those are made from the whole response, which the stream puts
together anyway, so that no text is kept twice; only the parts of tool calls must be told apart
here, to say which call a delta belongs to.

Whole things come at the end and not with the finish reason of their choice, because some gateways
send more of a choice after it.
"""

from typing import Any, Optional

from meshapi_core.accumulators.tool_calls import ToolCalls
from meshapi_core.streams.events import (
    ChatEvent,
    CompletionDone,
    ContentDelta,
    ContentDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ToolCallDelta,
    ToolCallDone,
    UsageDone,
)
from meshapi_core.types.chat import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionResponse,
    ToolCallChunk,
    ToolCallFunctionChunk,
)

__all__ = ["ChatEvents", "text_of"]


def text_of(event: ChatEvent) -> str:
    """Return the text that an event adds to the first choice."""
    return event.text if isinstance(event, ContentDelta) and event.choice == 0 else ""


class ChatEvents:
    """Turns the chunks of one stream into events: `receive` each chunk, then `end`."""

    def __init__(self) -> None:
        self._calls: dict[int, ToolCalls] = {}

    def resume(self, so_far: Optional[ChatCompletionResponse]) -> None:
        """Take note of the tool calls that began in chunks that were read in another way."""
        for choice in [] if so_far is None else so_far.choices:
            begun = choice.message.tool_calls or []
            known = self._calls.get(choice.index)
            if begun and (known is None or len(known.order()) < len(begun)):
                calls = self._calls[choice.index] = ToolCalls()
                for index, call in enumerate(begun):
                    named = ToolCallFunctionChunk(name=call.function.name)
                    calls.add([ToolCallChunk(index=index, id=call.id, function=named)])

    def receive(self, chunk: ChatCompletionChunk) -> list[ChatEvent]:
        """Return the deltas of a chunk, which must be as the stream returned it."""
        events: list[ChatEvent] = []
        for part in chunk.choices:
            delta, choice = part.delta, part.index
            if delta.reasoning_content:
                events.append(ReasoningDelta(text=delta.reasoning_content, choice=choice))
            if delta.content:
                events.append(ContentDelta(text=delta.content, choice=choice))
            if delta.refusal:
                events.append(RefusalDelta(text=delta.refusal, choice=choice))
            if delta.tool_calls:
                events += self._parts(choice, delta.tool_calls)
        return events

    def end(self, response: ChatCompletionResponse) -> list[ChatEvent]:
        """Return the events at the end of the stream, whose chunks make up this response."""
        events: list[ChatEvent] = []
        for choice in response.choices:
            events += self._whole(choice)
        if response.usage is not None:
            events.append(UsageDone(usage=response.usage))
        events.append(CompletionDone(response=response))
        return events

    def _parts(self, choice: int, parts: list[ToolCallChunk]) -> list[ChatEvent]:
        calls = self._calls.setdefault(choice, ToolCalls())
        events: list[ChatEvent] = []
        for part, (index, id_, name) in zip(parts, calls.follow(parts)):
            arguments = (part.function.arguments if part.function is not None else None) or ""
            events.append(
                ToolCallDelta(arguments=arguments, id=id_, name=name, index=index, choice=choice)
            )
        return events

    def _whole(self, choice: ChatCompletionChoice) -> list[ChatEvent]:
        message, at = choice.message, choice.index
        events: list[ChatEvent] = []
        if message.reasoning_content:
            events.append(ReasoningDone(text=message.reasoning_content, choice=at))
        if message.text:
            events.append(ContentDone(text=message.text, choice=at))
        if message.refusal:
            events.append(RefusalDone(text=message.refusal, choice=at))
        wholes: list[Any] = message.tool_calls or []
        calls = self._calls.get(at)
        order = [] if calls is None else calls.order()
        if len(order) != len(wholes):
            # The last chunks were read in another way.
            order = [*range(len(wholes))]
        done = sorted(zip(order, wholes), key=lambda pair: pair[0])
        events += [ToolCallDone(tool_call=call, index=index, choice=at) for index, call in done]
        return events
