"""What a stream has brought so far, and whether it is complete.

A chunk decoder hands every chunk to an accumulator. It keeps text and tool calls, not chunks: a
thousand open streams must not each hold a list of everything they ever received.
"""

from typing import Any, Optional, TypeVar

from typing_extensions import Protocol

from meshapi_core.texts import PIECES, GrowingText
from meshapi_core.types.chat import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionChunkDelta,
    ChatCompletionMessage,
    ChatCompletionResponse,
    ToolCall,
    ToolCallChunk,
    ToolCallFunction,
    UsageInfo,
)

T_contra = TypeVar("T_contra", contravariant=True)

# The parts of a spoken answer that come piece by piece; the others (id, expires_at) come whole.
_SPOKEN = ("data", "transcript")


class Accumulator(Protocol[T_contra]):
    """Follows one stream."""

    def add(self, chunk: T_contra) -> None:
        """Take note of the next chunk."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the stream could end here without being cut off."""
        ...

    def partial(self) -> Any:
        """What has arrived, put together; None where nothing has."""
        ...


class _Choice:
    __slots__ = (
        "annotations",
        "audio",
        "calls",
        "content",
        "finish_reason",
        "reasoning",
        "reasoning_details",
        "refusal",
        "role",
        "spoken",
    )

    def __init__(self) -> None:
        self.role = "assistant"
        self.content = GrowingText()
        self.reasoning = GrowingText()
        self.refusal = GrowingText()
        self.calls: dict[int, _Call] = {}
        self.reasoning_details: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.audio: dict[str, Any] = {}
        self.spoken: dict[str, GrowingText] = {}
        self.finish_reason: Optional[str] = None

    def add(self, delta: ChatCompletionChunkDelta) -> None:
        if delta.content:
            # `GrowingText.add` without the call: most deltas are this and no more.
            pieces = self.content.pieces
            pieces.append(delta.content)
            if len(pieces) >= PIECES:
                self.content.join()
        if delta.role:
            self.role = delta.role
        if delta.reasoning_content:
            self.reasoning.add(delta.reasoning_content)
        if delta.refusal:
            self.refusal.add(delta.refusal)
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._add_call(call)
        if delta.reasoning_details:
            self.reasoning_details += delta.reasoning_details
        if delta.annotations:
            self.annotations += delta.annotations
        if delta.audio:
            self._add_audio(delta.audio)

    def _add_call(self, chunk: ToolCallChunk) -> None:
        index = chunk.index
        if index is None:
            # Some gateways leave the index out: a new id starts a call, anything else goes on
            # with the last one.
            last = max(self.calls, default=-1)
            starts = chunk.id and (last < 0 or self.calls[last].id != chunk.id)
            index = last + 1 if starts or last < 0 else last
        call = self.calls.get(index)
        if call is None:
            call = self.calls[index] = _Call()
        call.add(chunk)

    def _add_audio(self, audio: dict[str, Any]) -> None:
        for name, value in audio.items():
            if name in _SPOKEN and isinstance(value, str):
                self.spoken.setdefault(name, GrowingText()).add(value)
            elif value is not None:
                self.audio[name] = value

    def message(self) -> ChatCompletionMessage:
        calls = [self.calls[index].value() for index in sorted(self.calls)]
        spoken = {name: text.value() or "" for name, text in self.spoken.items()}
        return ChatCompletionMessage(
            role=self.role,
            content=self.content.value(),
            tool_calls=calls or None,
            audio={**self.audio, **spoken} or None,
            reasoning_content=self.reasoning.value(),
            # Copies: what arrives later does not change an answer that was given out.
            reasoning_details=self.reasoning_details[:] or None,
            refusal=self.refusal.value(),
            annotations=self.annotations[:] or None,
        )


class _Call:
    __slots__ = ("arguments", "id", "name", "thought_signature")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = GrowingText()
        self.thought_signature: Optional[str] = None

    def add(self, chunk: ToolCallChunk) -> None:
        if chunk.id:
            self.id = chunk.id
        if chunk.thought_signature:
            self.thought_signature = chunk.thought_signature
        if chunk.function is not None:
            if chunk.function.name:
                self.name = chunk.function.name
            if chunk.function.arguments:
                self.arguments.add(chunk.function.arguments)

    def value(self) -> ToolCall:
        function = ToolCallFunction(name=self.name, arguments=self.arguments.value() or "")
        return ToolCall(
            id=self.id,
            type="function",
            function=function,
            thought_signature=self.thought_signature,
        )


class ChatAccumulator:
    """Puts a chat stream together; complete when every choice has begun and finished.

    Args:
        choices: how many were asked for; a stream that is cut off before the second of two has
            begun is not complete.
    """

    __slots__ = (
        "_asked",
        "_choices",
        "_cost",
        "_first",
        "_system_fingerprint",
        "_unfinished",
        "_usage",
    )

    def __init__(self, choices: int = 1) -> None:
        self._asked = max(choices, 1)
        self._first: Optional[ChatCompletionChunk] = None
        self._choices: dict[int, _Choice] = {}
        self._unfinished = 0
        self._usage: Optional[UsageInfo] = None
        self._cost: Optional[str] = None
        self._system_fingerprint: Optional[str] = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take note of the next chunk."""
        if self._first is None:
            self._first = chunk
        for part in chunk.choices:
            choice = self._choices.get(part.index)
            if choice is None:
                choice = self._choices[part.index] = _Choice()
                self._unfinished += 1
            choice.add(part.delta)
            if part.finish_reason:
                if choice.finish_reason is None:
                    self._unfinished -= 1
                choice.finish_reason = part.finish_reason
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.cost is not None:
            self._cost = chunk.cost
        if chunk.system_fingerprint is not None:
            self._system_fingerprint = chunk.system_fingerprint

    @property
    def complete(self) -> bool:
        """Whether a finish reason has come for every choice, those asked for at the least."""
        return not self._unfinished and len(self._choices) >= self._asked

    def partial(self) -> Optional[ChatCompletionResponse]:
        """The answer as far as it came, in the shape of a whole one."""
        first = self._first
        if first is None:
            return None
        choices = [
            ChatCompletionChoice(
                index=index, message=choice.message(), finish_reason=choice.finish_reason
            )
            for index, choice in sorted(self._choices.items())
        ]
        return ChatCompletionResponse(
            id=first.id,
            object="chat.completion",
            created=first.created,
            model=first.model,
            choices=choices,
            usage=self._usage,
            cost=self._cost,
            system_fingerprint=self._system_fingerprint,
        )
