"""Texts that arrive in many small pieces, and JSON objects with such texts."""

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
"""Pieces are joined whenever there are this many, so that a long answer takes the memory of its
text, and not of one str object for each token. A str of a few letters takes 60 bytes: with 64
pieces, they would be most of what an open stream keeps."""


class GrowingText:
    """A text that grows by pieces, without quadratic copying."""

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
        """Join the pieces; `add` calls this when there are many."""
        blocks, block = self.blocks, "".join(self.pieces)
        self.pieces.clear()
        # Each block is longer than the next one, so there are few, and long ones are rarely copied.
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
    """Return a text with its surrogate pairs joined, and lone surrogates replaced by U+FFFD.

    JSON escapes a character beyond the Basic Multilingual Plane, such as an emoji, as a pair of
    surrogates, and a stream may be cut between the two.

    Source: https://www.rfc-editor.org/rfc/rfc8259#section-7
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateBuffer:
    """Makes each piece of a text end with a whole character.

    A high surrogate at the end of a piece is held back, and begins the next piece.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def whole(self, piece: str) -> str:
        """Return the next piece, after what was held back before."""
        if piece.isascii() and not self.held:
            return piece
        text = self.held + piece
        self.held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return join_surrogates(text[:-1] if self.held else text)


def hold_back(
    piece: Any, name: str, surrogates: dict[Any, SurrogateBuffer], key: Any = None
) -> None:
    """Hold back half a character at the end of a piece of text; it begins the next piece.

    Args:
        piece: an object that is about to be returned to the caller.
        name: of the field that has the piece of text.
        surrogates: what is held back at present, of this text and of others.
        key: identifies the text, where the field's name alone does not.
    """
    text = getattr(piece, name)
    key = name if key is None else key
    if text and (surrogates or not text.isascii()):
        known = surrogates.pop(key, None) or SurrogateBuffer()
        setattr(piece, name, known.whole(text))
        if known.held:
            surrogates[key] = known


def hold_back_member(piece: dict[str, Any], surrogates: dict[Any, SurrogateBuffer]) -> None:
    """Do the same as `hold_back` with the growing texts of a JSON object."""
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
"""Members whose text, in an object that arrives in pieces, is a piece of the whole text."""


class GrowingObject:
    """A JSON object that arrives in many pieces, whatever its members are called.

    Lists are extended, objects are merged, and texts that are known to grow (`_GROWING`) are
    joined. Of anything else the last value counts, and null is ignored.
    """

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}

    def add(self, piece: dict[str, Any]) -> None:
        """Merge the next piece into the object."""
        for name, value in piece.items():
            if value is not None:
                self._members[name] = _grown(name, self._members.get(name), value)

    def value(self) -> dict[str, Any]:
        """Return the object so far; later pieces do not change what is returned."""
        return {name: _copied(value) for name, value in self._members.items()}


def _grown(name: str, known: Any, value: Any) -> Any:
    if is_object(value):
        inner = known if isinstance(known, GrowingObject) else GrowingObject()
        inner.add(value)
        return inner
    if is_array(value):
        # A new list, as it will be extended: the piece keeps its own.
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
