"""What a stream has brought so far, and whether it is complete.

A chunk decoder hands every chunk to an accumulator. It keeps text and tool calls, not chunks: a
thousand open streams must not each hold a list of everything they ever received.
"""

from binascii import b2a_base64
from typing import Any, Optional, TypeVar, cast

import msgspec
from typing_extensions import Protocol

from meshapi_core._json_kinds import is_object
from meshapi_core.errors import Base64Error
from meshapi_core.growing import (
    PIECES,
    GrowingObject,
    GrowingText,
    Halves,
    hold_back,
    hold_back_member,
)
from meshapi_core.types._base import attach, number
from meshapi_core.types._base64 import from_base64
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


_TEXTS = ("content", "reasoning_content", "refusal")


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
        "extra",
        "finish_reason",
        "halves",
        "logprobs",
        "reasoning",
        "reasoning_details",
        "refusal",
        "role",
    )

    def __init__(self) -> None:
        self.role = "assistant"
        self.content = GrowingText()
        self.reasoning = GrowingText()
        self.refusal = GrowingText()
        self.calls = _Calls()
        self.reasoning_details: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.audio = GrowingObject()
        self.logprobs = GrowingObject()
        self.extra = GrowingObject()
        self.halves: dict[Any, Halves] = {}
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
            self.calls.add(delta.tool_calls)
        if delta.reasoning_details:
            # The same objects, whose texts are mended below.
            self.reasoning_details += delta.reasoning_details
        if delta.annotations:
            self.annotations += delta.annotations
        if delta.audio:
            self.audio.add(delta.audio)
        # Empty where msgspec read the delta at once: it had nothing odd, and no half characters.
        if delta.__dict__ or self.halves:
            self.extra.add(delta.model_extra)
            for name in _TEXTS:
                hold_back(delta, name, self.halves)
            for detail in delta.reasoning_details or ():
                hold_back_member(detail, self.halves)

    def add_logprobs(self, logprobs: Any) -> None:
        if is_object(logprobs):
            self.logprobs.add(logprobs)

    def message(self) -> ChatCompletionMessage:
        return ChatCompletionMessage(
            role=self.role,
            content=self.content.value(),
            tool_calls=self.calls.value() or None,
            audio=_sound(self.audio.value()) or None,
            reasoning_content=self.reasoning.value(),
            # Copies: what arrives later does not change an answer that was given out.
            reasoning_details=self.reasoning_details[:] or None,
            refusal=self.refusal.value(),
            annotations=self.annotations[:] or None,
            **self.extra.value(),
        )


def _sound(audio: dict[str, Any]) -> dict[str, Any]:
    """Return a spoken answer whose base64 is one text, also where each piece has its padding.

    Readers of base64 stop at the first padding, and the rest would be silence.
    """
    data = audio.get("data")
    if isinstance(data, str) and "=" in data.rstrip("="):
        try:
            sound = from_base64("audio.data", data)
            audio["data"] = b2a_base64(sound, newline=False).decode("ascii")
        except Base64Error:
            # As it came: whoever reads it sees that it is none.
            pass
    return audio


class _Call:
    __slots__ = (
        "arguments",
        "extra",
        "function_extra",
        "halves",
        "id",
        "name",
        "place",
        "thought_signature",
        "type",
    )

    def __init__(self, place: int) -> None:
        self.place = place
        self.id = ""
        self.name = ""
        self.type = "function"
        self.arguments = GrowingText()
        self.thought_signature: Optional[str] = None
        self.extra = GrowingObject()
        self.function_extra = GrowingObject()
        self.halves: dict[str, Halves] = {}

    def is_another(self, chunk: ToolCallChunk) -> bool:
        """Whether a piece that could be the next one of this call begins a call of its own."""
        if chunk.id and self.id:
            return chunk.id != self.id
        name = chunk.function.name if chunk.function is not None else None
        return bool(name and self.name and name != self.name)

    def add(self, chunk: ToolCallChunk) -> None:
        if chunk.id:
            self.id = chunk.id
        if chunk.type:
            self.type = chunk.type
        if chunk.thought_signature:
            self.thought_signature = chunk.thought_signature
        if chunk.function is not None:
            if chunk.function.name:
                self.name = chunk.function.name
            if chunk.function.arguments:
                self.arguments.add(chunk.function.arguments)
            if chunk.function.__dict__ or self.halves:
                self.function_extra.add(chunk.function.model_extra)
                hold_back(chunk.function, "arguments", self.halves)
        if chunk.__dict__:
            self.extra.add(chunk.model_extra)

    def value(self) -> ToolCall:
        function = ToolCallFunction(
            name=self.name,
            arguments=self.arguments.value() or "",
            **self.function_extra.value(),
        )
        return ToolCall(
            id=self.id,
            type=cast("Any", self.type),
            function=function,
            thought_signature=self.thought_signature,
            **self.extra.value(),
        )


class _Calls:
    """The tool calls of one message, put together of their pieces.

    Whose piece it is says its index, where it has one; then its id; then its place:

    - At an index goes on the call that was last there. Another id there is another call, also one
      that has been there before. Where there are no ids, another name is another call, and so is
      a second name in one delta.
    - Without an index goes on the call with the same id. A new id is a new call, but for one that
      comes late: for the last call, which has none yet.
    - Without both goes on the last call; where one delta has several such pieces, each goes on
      the call in its place of the delta before.
    """

    __slots__ = ("_at", "_calls", "_touched")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        # By the delta before, in the order of its pieces.
        self._touched: list[_Call] = []

    def add(self, chunks: list[ToolCallChunk]) -> None:
        """Take note of all the pieces of one delta."""
        touched: list[_Call] = []
        for place, chunk in enumerate(chunks):
            call = self._find(chunk, place if len(chunks) > 1 else -1, touched)
            if call is None:
                call = self._begin(chunk.index)
            if chunk.index is not None:
                self._at[chunk.index] = call
            call.add(chunk)
            touched.append(call)
        self._touched = touched

    def value(self) -> list[ToolCall]:
        """Return them in the order of their indexes; without, in the order of their beginnings."""
        return [call.value() for call in sorted(self._calls, key=lambda call: call.place)]

    def _begin(self, index: Optional[int]) -> _Call:
        after = max((call.place for call in self._calls), default=-1) + 1
        call = _Call(after if index is None else index)
        self._calls.append(call)
        self._at[call.place] = call
        return call

    def _find(self, chunk: ToolCallChunk, place: int, touched: list[_Call]) -> Optional[_Call]:
        if chunk.index is not None:
            call = self._at.get(chunk.index)
            if call is None or not (
                call.is_another(chunk) or self._is_second(chunk, call, touched)
            ):
                return call
            return self._with_id(chunk.id, chunk.index)
        if chunk.id:
            known = self._with_id(chunk.id, None)
            if known is not None:
                return known
        call = self._in_place(place)
        if call is None or call in touched or call.is_another(chunk):
            return None
        # Also with an id, where that comes late.
        return call

    @staticmethod
    def _is_second(chunk: ToolCallChunk, call: _Call, touched: list[_Call]) -> bool:
        named = chunk.function is not None and chunk.function.name
        return bool(named and not chunk.id) and call in touched

    def _with_id(self, sought: Optional[str], index: Optional[int]) -> Optional[_Call]:
        for call in reversed(self._calls):
            if sought and call.id == sought and index in (None, call.place):
                return call
        return None

    def _in_place(self, place: int) -> Optional[_Call]:
        if place < 0:
            return self._touched[-1] if self._touched else None
        return self._touched[place] if place < len(self._touched) else None


_ROUTING = tuple(name for name in ChatCompletionChunk.__struct_fields__ if name.startswith("x_"))


def _routing(*chunks: ChatCompletionChunk) -> dict[str, Any]:
    """Return what the gateway says of its choice of a model, in the first chunk or in the last."""
    said = ((name, getattr(chunk, name)) for chunk in chunks for name in _ROUTING)
    return {name: value for name, value in said if value is not None}


def _unknown(*chunks: ChatCompletionChunk) -> dict[str, Any]:
    """Return what the first chunk and the last have that has no name here."""
    known = ChatCompletionChunk.__struct_encode_fields__
    said: dict[str, Any] = {}
    for chunk in chunks:
        sent = chunk.raw
        said.update(sent if is_object(sent) else {})
    return {name: value for name, value in said.items() if name not in known}


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
        "_last",
        "_system_fingerprint",
        "_unfinished",
        "_usage",
    )

    def __init__(self, choices: int = 1) -> None:
        self._asked = max(choices, 1)
        self._first: Optional[ChatCompletionChunk] = None
        self._last: Optional[ChatCompletionChunk] = None
        self._choices: dict[int, _Choice] = {}
        self._unfinished = 0
        self._usage: Optional[UsageInfo] = None
        self._cost: Optional[str] = None
        self._system_fingerprint: Optional[str] = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take note of the next chunk."""
        if self._first is None:
            self._first = chunk
        self._last = chunk
        parts = chunk.choices
        if len(parts) > 1:
            # Before the chunk is given out, so that its choices have their index there, too.
            number(parts)
        for part in parts:
            choice = self._choices.get(part.index)
            if choice is None:
                choice = self._choices[part.index] = _Choice()
                self._unfinished += 1
            choice.add(part.delta)
            if part.logprobs:
                choice.add_logprobs(part.logprobs)
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
                index=index,
                message=choice.message(),
                finish_reason=choice.finish_reason,
                logprobs=choice.logprobs.value() or None,
            )
            for index, choice in sorted(self._choices.items())
        ]
        answer = ChatCompletionResponse(
            id=first.id,
            object="chat.completion",
            created=first.created,
            model=first.model,
            choices=choices,
            usage=self._usage,
            cost=self._cost,
            system_fingerprint=self._system_fingerprint,
            **_routing(first, self._last or first),
        )
        unknown = _unknown(first, self._last or first)
        if unknown:
            import json

            sent = {**msgspec.to_builtins(answer), **unknown}
            attach(answer, json.dumps(sent).encode(), "")
        return answer
