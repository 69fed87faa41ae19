"""The tool calls of a streamed message: decides which part belongs to which call.

A delta has parts of tool calls. A part is assigned to a call by its index if it has one, else by
its ID, else by its position in the delta:

- With an index, it continues the call that was last seen at that index. A different ID means
  another call, perhaps an earlier one with that index and ID. Without IDs, a different name means
  another call, and so does a second name in the same delta.
- With an ID but no index, it continues the call with that ID. A new ID begins a new call, unless
  the last call has no ID yet: then its ID arrived late.
- With neither, it continues the last call. If a delta has several such parts, each continues the
  call at the same position of the delta before.

A part without an index gets the index of its call, for programs that put the calls together
themselves: they go by the index.
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
        """Return whether a part that could continue this call begins another one."""
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
    """The tool calls of one message, put together from their parts."""

    __slots__ = ("_at", "_calls", "_touched")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        # The calls that the last delta continued or began, in the order of its parts.
        self._touched: list[_Call] = []

    def add(self, chunks: list[ToolCallChunk]) -> None:
        """Add all the parts of one delta."""
        touched: list[_Call] = []
        for place, chunk in enumerate(chunks):
            index = cast("Optional[int]", chunk.index)
            call = self._find(chunk, index, place if len(chunks) > 1 else -1, touched)
            if call is None:
                call = self._begin(index)
            if index is None:
                chunk.index = call.place
            else:
                self._at[index] = call
            call.add(chunk)
            touched.append(call)
        self._touched = touched

    def value(self) -> list[ToolCall]:
        """Return the tool calls by index; those without one, in the order in which they began."""
        return [call.value() for call in self._sorted()]

    def follow(self, chunks: list[ToolCallChunk]) -> list[tuple[int, str, str]]:
        """Add all the parts of one delta, and return to which call each belongs.

        Returns:
            For each part, how many calls began before its call, and the ID and the name of that
            call so far.
        """
        self.add(chunks)
        return [(self._calls.index(call), call.id, call.name) for call in self._touched]

    def order(self) -> list[int]:
        """Return for each call of `value()` how many calls began before it."""
        return [*map(self._calls.index, self._sorted())]

    def _sorted(self) -> list[_Call]:
        return sorted(self._calls, key=lambda call: call.place)

    def _begin(self, index: Optional[int]) -> _Call:
        after = max((call.place for call in self._calls), default=-1) + 1
        call = _Call(after if index is None else index)
        self._calls.append(call)
        self._at[call.place] = call
        return call

    def _find(
        self, chunk: ToolCallChunk, index: Optional[int], place: int, touched: list[_Call]
    ) -> Optional[_Call]:
        if index is not None:
            call = self._at.get(index)
            if call is None or not (
                call.is_another(chunk) or self._is_second(chunk, call, touched)
            ):
                return call
            return self._with_id(chunk.id, index)
        if chunk.id:
            known = self._with_id(chunk.id, None)
            if known is not None:
                return known
        call = self._in_place(place)
        if call is None or call in touched or call.is_another(chunk):
            return None
        # Even if the part has an ID: then the ID of the call arrived late.
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
