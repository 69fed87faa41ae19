"""One response of the model while its events arrive.

The same content comes several times: as deltas, as the whole part, in the item, and in
`response.done`. Each of these is a level; a higher one replaces what the lower ones brought, so
events that are missing or out of order change nothing if a higher level comes. Audio comes as
deltas alone.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from collections.abc import Mapping
from typing import Any, Optional

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.turns.values import RealtimeToolCall

__all__ = ["MOST_SIZE", "OpenTurn", "Room"]

# Audio that is not handed on while it arrives: 23 minutes of PCM16 at 24 kHz. A session of half an
# hour cannot have much more, and a response is limited to 4096 model tokens, a few minutes.
MOST_SIZE = 64 * 1024 * 1024
# No response has more than a few parts; each costs memory, however short it is.
_MOST_PARTS = 1024

DELTA, DONE, PART, ITEM, RESPONSE = range(5)

TEXT, TRANSCRIPT, ARGUMENTS = "text", "transcript", "arguments"

DELTAS = {
    "response.output_text.delta": TEXT,
    "response.text.delta": TEXT,
    "response.output_audio_transcript.delta": TRANSCRIPT,
    "response.audio_transcript.delta": TRANSCRIPT,
    "response.function_call_arguments.delta": ARGUMENTS,
}
"""The kind of what a delta adds to. The field is `delta`."""

DONES = {
    "response.output_text.done": TEXT,
    "response.text.done": TEXT,
    "response.output_audio_transcript.done": TRANSCRIPT,
    "response.audio_transcript.done": TRANSCRIPT,
    "response.function_call_arguments.done": ARGUMENTS,
}
"""The kind of what an event ends, which is also the name of the field that has it whole."""


class Room:
    """What all open turns may still hold, in bytes and characters."""

    def __init__(self, left: int = MOST_SIZE) -> None:
        self.left = left


class _Text:
    __slots__ = ("level", "pieces", "size")

    def __init__(self) -> None:
        self.level = DELTA
        self.pieces: list[str] = []
        self.size = 0


class _Call:
    __slots__ = ("call_id", "name")

    def __init__(self) -> None:
        self.name = self.call_id = ""


class OpenTurn:
    """One response of the model while its events arrive.

    Args:
        room: is shared by all open turns.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0
        self.is_cut = False
        # By the item's and the part's position in the response, and the kind of text.
        self._texts: dict[tuple[int, int, str], _Text] = {}
        self._calls: dict[int, _Call] = {}
        self._audio: dict[tuple[int, int], bytearray] = {}

    def add_delta(self, event: Mapping[str, Any], kind: str) -> str:
        """Add a delta, and return it; "" if it does not count."""
        delta = event.get("delta")
        place = _place(event, kind)
        if not isinstance(delta, str) or place is None:
            return ""
        if kind == ARGUMENTS:
            self._name_call(place[0], event)
        text = self._text(place)
        if text is None or text.level > DELTA:
            return ""
        fits = delta[: self._take(len(delta))]
        if fits:
            text.pieces.append(fits)
            text.size += len(fits)
        return delta

    def add_audio(self, event: Mapping[str, Any], audio: bytes) -> None:
        """Add decoded audio."""
        place = _place(event, "audio")
        if place is None:
            return
        part = self._audio.get(place[:2])
        if part is None:
            if len(self._audio) >= _MOST_PARTS:
                self.is_cut = True
                return
            part = self._audio[place[:2]] = bytearray()
        part += audio[: self._take(len(audio))]

    def end_text(self, event: Mapping[str, Any], kind: str) -> None:
        """Take the whole text of a part, or the whole arguments of a call."""
        place = _place(event, kind)
        if place is None:
            return
        if kind == ARGUMENTS:
            self._name_call(place[0], event)
        self._replace(place, event.get(kind), DONE)

    def end_part(self, event: Mapping[str, Any]) -> None:
        """Take a whole part of a message."""
        place = _place(event, TEXT)
        if place is not None:
            self._take_part(place[0], place[1], event.get("part"), PART)

    def add_item(self, event: Mapping[str, Any], level: int) -> None:
        """Take an item, which is whole if the level says so."""
        place = _place(event, ARGUMENTS)
        if place is not None:
            self._take_item(place[0], event.get("item"), level)

    def end(self, response: Mapping[str, Any]) -> None:
        """Take the items of `response.done`."""
        output = response.get("output")
        for index, item in enumerate(output if is_array(output) else ()):
            self._take_item(index, item, RESPONSE)

    def text(self, kind: str) -> str:
        """The text of one kind, in the order of its parts."""
        places = sorted(place for place in self._texts if place[2] == kind)
        return "".join(piece for place in places for piece in self._texts[place].pieces)

    def audio(self) -> bytes:
        """The audio, in the order of its parts."""
        return b"".join(self._audio[place] for place in sorted(self._audio))

    def tool_calls(self) -> tuple[RealtimeToolCall, ...]:
        """The calls of functions that have a name and an ID."""
        return tuple(
            RealtimeToolCall(name=call.name, call_id=call.call_id, arguments=self._arguments(index))
            for index, call in sorted(self._calls.items())
            if call.name and call.call_id
        )

    def leave(self) -> None:
        """Give the room back. Harmless twice."""
        self._room.left += self._held
        self._held = 0

    def _take_item(self, index: int, item: Any, level: int) -> None:
        if not is_object(item):
            return
        if item.get("type") == "function_call":
            self._name_call(index, item)
            if level > DELTA:
                self._replace((index, 0, ARGUMENTS), item.get("arguments"), level)
        elif level > DELTA:
            content = item.get("content")
            for position, part in enumerate(content if is_array(content) else ()):
                self._take_part(index, position, part, level)

    def _take_part(self, index: int, position: int, part: Any, level: int) -> None:
        if is_object(part):
            for kind in (TEXT, TRANSCRIPT):
                if isinstance(part.get(kind), str):
                    self._replace((index, position, kind), part[kind], level)

    def _replace(self, place: tuple[int, int, str], whole: Any, level: int) -> None:
        if not isinstance(whole, str):
            return
        text = self._text(place)
        if text is None or text.level > level:
            return
        self._room.left += text.size
        self._held -= text.size
        fits = whole[: self._take(len(whole))]
        text.pieces, text.size, text.level = [fits], len(fits), level

    def _text(self, place: tuple[int, int, str]) -> Optional[_Text]:
        text = self._texts.get(place)
        if text is None:
            if len(self._texts) >= _MOST_PARTS:
                self.is_cut = True
                return None
            text = self._texts[place] = _Text()
        return text

    def _name_call(self, index: int, said: Mapping[str, Any]) -> None:
        call = self._calls.get(index)
        if call is None:
            if len(self._calls) >= _MOST_PARTS:
                self.is_cut = True
                return
            call = self._calls[index] = _Call()
        call.name = call.name or _short(said.get("name"))
        call.call_id = call.call_id or _short(said.get("call_id"))

    def _arguments(self, index: int) -> str:
        text = self._texts.get((index, 0, ARGUMENTS))
        return "" if text is None else "".join(text.pieces)

    def _take(self, size: int) -> int:
        """Return how much of this size there is room for, and take it."""
        taken = max(0, min(size, self._room.left))
        self._room.left -= taken
        self._held += taken
        self.is_cut = self.is_cut or taken < size
        return taken


def _place(event: Mapping[str, Any], kind: str) -> Optional[tuple[int, int, str]]:
    """Where an event belongs; None if its positions are no positions."""
    index = event.get("output_index", 0)
    position = 0 if kind == ARGUMENTS else event.get("content_index", 0)
    if type(index) is not int or type(position) is not int or index < 0 or position < 0:
        return None
    return index, position, kind


# A name has at most 64 characters, and an ID not many more.
_LONGEST_NAME = 1024


def _short(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else ""
