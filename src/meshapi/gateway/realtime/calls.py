"""A response of a realtime session that calls tools: an item for each call."""

from collections.abc import Iterator
from typing import Any, Optional

from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.content.tool_calls import fragments
from meshapi.gateway.realtime.actions import Plan
from meshapi.gateway.realtime.events import Event, event
from meshapi.gateway.realtime.items import call_item
from meshapi.gateway.realtime.response import Response, Step


def response_to(plan: Plan) -> Response:
    """The response that was planned: calls of tools, or a message."""
    return _CallsResponse(plan) if plan.calls else Response(plan)


class _CallsResponse(Response):
    """The calls, one after the other; each begins with its first fragment of arguments."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.steps = [
            Step(fragment, b"", number)
            for number, call in enumerate(plan.calls)
            for fragment in fragments(call.arguments)
        ]
        self._arguments = ""

    def opening(self) -> Iterator[Event]:
        yield event("response.created", response=self._response("in_progress"))

    def play(self, step: Step) -> Iterator[Event]:
        if step.call >= len(self.items):
            if self.items:
                yield from self._complete("completed")
            self._arguments = ""
            yield from self._begin(call_item(self._plan.calls[step.call]))
        self._arguments += step.word
        self._text += step.word
        yield self._event("function_call_arguments.delta", **self._place, delta=step.word)

    def closing(self, status: str, details: Optional[dict[str, Any]] = None) -> Iterator[Event]:
        if self.items:
            yield from self._complete(status)
        yield self._done(status, details)

    @property
    def _place(self) -> dict[str, Any]:
        item = self.items[-1]
        index = len(self.items) - 1
        return {"item_id": item.id, "output_index": index, "call_id": item.body["call_id"]}

    def _complete(self, status: str) -> Iterator[Event]:
        """The events that end the call under way."""
        item = self.items[-1]
        ended = "completed" if status == "completed" else "incomplete"
        # Not in place: the events before share the body.
        item.body = {**item.body, "arguments": self._arguments, "status": ended}
        item.written = count_words(self._arguments)
        said = {"name": item.body["name"], "arguments": self._arguments}
        yield self._event("function_call_arguments.done", **self._place, **said)
        yield from self._end()
