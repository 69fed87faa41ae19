"""What comes in many small pieces: texts, kept at their own cost, and objects that hold some."""

import re
from typing import Any, Final, Optional

from meshapi_core._json_kinds import is_array, is_object

__all__ = [
    "PIECES",
    "GrowingObject",
    "GrowingText",
    "SurrogateBuffer",
    "hold_back",
    "hold_back_member",
    "join_surrogates",
]

PIECES = 16
"""Pieces are joined whenever this many have gathered, so that a long response costs its text and
not one str object per token. A str of a few letters takes 60 bytes: 64 of them would be the most of
what an open stream keeps."""


class GrowingText:
    """Pieces of text that grow without quadratic copying."""

    __slots__ = ("blocks", "pieces")

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.pieces: list[str] = []

    def add(self, piece: str) -> None:
        """Append the next piece."""
        pieces = self.pieces
        pieces.append(piece)
        if len(pieces) >= PIECES:
            self.join()

    def join(self) -> None:
        """Put the pieces together; called by `add` when there are many."""
        blocks, block = self.blocks, "".join(self.pieces)
        self.pieces.clear()
        # Each block is longer than all that follow it, so there are few, and none is copied more
        # often than its length can double.
        while blocks and len(blocks[-1]) <= len(block):
            block = blocks.pop() + block
        blocks.append(block)

    def clear(self) -> None:
        """Forget all of it."""
        self.blocks.clear()
        self.pieces.clear()

    def value(self) -> Optional[str]:
        """Return the whole text; None where there is none."""
        return join_surrogates("".join(self.blocks + self.pieces)) or None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def join_surrogates(text: str) -> str:
    """Return a text in which the two halves of a character are one, and a lone half is U+FFFD.

    JSON has what is beyond the first 65,536 characters, such as an emoji, as two escapes; a
    stream may be cut between them.

    Source: https://www.rfc-editor.org/rfc/rfc8259 section 7
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateBuffer:
    """Gives out the pieces of a text with whole characters only.

    A first half at the end of a piece is held back, and comes with the next one.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def whole(self, piece: str) -> str:
        """Return the next piece, with what was held back before."""
        if piece.isascii() and not self.held:
            return piece
        text = self.held + piece
        self.held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return join_surrogates(text[:-1] if self.held else text)


def hold_back(
    piece: Any, name: str, surrogates: dict[Any, SurrogateBuffer], key: Any = None
) -> None:
    """Take half a character off the end of a text that is given out; the next one brings it.

    Args:
        piece: an object that is about to be given out.
        name: of its field with the next piece of a text.
        surrogates: what is held back now, of this text and of others.
        key: which text it is, where the name does not tell.
    """
    text = getattr(piece, name)
    key = name if key is None else key
    if text and (surrogates or not text.isascii()):
        known = surrogates.pop(key, None) or SurrogateBuffer()
        setattr(piece, name, known.whole(text))
        if known.held:
            surrogates[key] = known


def hold_back_member(piece: dict[str, Any], surrogates: dict[Any, SurrogateBuffer]) -> None:
    """Do what `hold_back` does with the texts of an object that is given out."""
    for name in _GROWING.intersection(piece):
        text = piece[name]
        key = name, piece.get("index")
        if isinstance(text, str) and (key in surrogates or not text.isascii()):
            known = surrogates.pop(key, None) or SurrogateBuffer()
            piece[name] = known.whole(text)
            if known.held:
                surrogates[key] = known


_GROWING: Final = frozenset(
    "arguments content data input reasoning reasoning_text summary text thinking transcript".split()
)
"""Members of objects that come in pieces whose text is a piece of the whole, and not the whole."""


class GrowingObject:
    """A JSON object whose members come with many pieces, whatever they are called.

    Lists get longer, objects are merged, texts that are known to grow (`_GROWING`) are put
    together; of anything else the last value stays, and null says nothing.
    """

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}

    def add(self, piece: dict[str, Any]) -> None:
        """Take note of the next piece."""
        for name, value in piece.items():
            if value is not None:
                self._members[name] = _grown(name, self._members.get(name), value)

    def value(self) -> dict[str, Any]:
        """Return all of it; what comes later does not change it."""
        return {name: _copied(value) for name, value in self._members.items()}


def _grown(name: str, known: Any, value: Any) -> Any:
    if is_object(value):
        inner = known if isinstance(known, GrowingObject) else GrowingObject()
        inner.add(value)
        return inner
    if is_array(value):
        # A list of our own, as it gets longer.
        grown = known if is_array(known) else []
        grown += value
        return grown
    if isinstance(value, str) and name in _GROWING:
        text = known if isinstance(known, GrowingText) else GrowingText()
        text.add(value)
        return text
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, GrowingText):
        return value.value() or ""
    if isinstance(value, GrowingObject):
        return value.value()
    return value[:] if is_array(value) else value
