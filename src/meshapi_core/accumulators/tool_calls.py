"""The tool calls of a streamed message: which piece belongs to which call.

A piece belongs to a call by its index, where it has one; then by its id; then by its place:

- At an index goes on the call that was last there. Another id there is another call, also one
  that has been there before. Where there are no ids, another name is another call, and so is
  a second name in one delta.
- Without an index goes on the call with the same id. A new id is a new call, but for one that
  comes late: for the last call, which has none yet.
- Without both goes on the last call; where one delta has several such pieces, each goes on
  the call in its place of the delta before.
"""

from typing import Any, Optional, cast

from meshapi_core.growing import GrowingObject, GrowingText, SurrogateBuffer, hold_back
from meshapi_core.types.chat import ToolCall, ToolCallChunk, ToolCallFunction

__all__ = ["ToolCalls"]


class _Call:
    __slots__ = (
        "arguments",
        "extra",
        "function_extra",
        "surrogates",
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
        self.surrogates: dict[str, SurrogateBuffer] = {}

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
            if chunk.function.__dict__ or self.surrogates:
                self.function_extra.add(chunk.function.model_extra)
                hold_back(chunk.function, "arguments", self.surrogates)
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


class ToolCalls:
    """The tool calls of one message, put together of their pieces."""

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
