r"""Recognizes chunks that are the same as the one before except for one text.

Nearly all chunks are: from one model token to the next, a server changes a single string. Once such
a chunk has been examined, the bytes before and after its text identify the next one like it, which
then needs no examination. What those bytes contain (a role, an unknown field) has been recorded
already, and what they lack (an error, a finish reason) is not in the next chunk either.

Why this is correct: in JSON without a backslash, every quote begins or ends a string (RFC 8259,
section 7). So the name of a text field followed by a string is a member, wherever it stands. If
there is exactly one, its value is the text that the chunk adds, and any text without quotes and
backslashes in its place makes a chunk that differs in nothing else. The decoder still checks of
every chunk that it is valid JSON.
"""

import re
from collections.abc import Callable
from typing import Final, Generic, Optional, TypeVar

from meshapi_core.growing import PIECES, GrowingText

__all__ = ["ChunkTemplate"]

T = TypeVar("T")

# As numbers: `in` searches for a number with a single memchr.
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C

# No JSON begins with this byte, so no chunk matches.
_NEVER: Final = b"\xff"
_NO_TEXT: Final = GrowingText()

_TEXTS = re.compile(rb'"(?:content|reasoning_content|refusal)"\s*:\s*"([^"]*)"')
_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)

# How many chunks of one stream to learn from. Most streams need two. Some servers put a random
# number into each chunk, and nothing can be learned from those.
_MOST_LESSONS: Final = 16


class ChunkTemplate(Generic[T]):
    """Recognizes chunks that only add one text by the bytes around that text.

    Args:
        growing_text: returns the text to which a chunk adds, as `ChatAccumulator.growing_text`.
    """

    __slots__ = ("_around", "_growing_text", "_head", "_lessons", "_tail", "_text")

    def __init__(self, growing_text: Callable[[T], Optional[GrowingText]]) -> None:
        self._growing_text = growing_text
        self._lessons = _MOST_LESSONS
        self._head = self._tail = _NEVER
        # Bytes of both.
        self._around = len(_NEVER + _NEVER)
        self._text = _NO_TEXT

    def takes(self, data: bytes) -> bool:
        """Return whether a chunk is like the one before; if it is, its text has been added.

        Args:
            data: the chunk, valid JSON.
        """
        text = data.removeprefix(self._head).removesuffix(self._tail)
        if len(data) - len(text) != self._around:
            return False
        if _QUOTE in text or _BACKSLASH in text:
            return False
        pieces = self._text.pieces
        pieces.append(text.decode())
        if len(pieces) >= PIECES:
            self._text.join()
        return True

    def learn(self, data: bytes, chunk: T) -> None:
        """Learn from a chunk that the accumulator has, as the next one may be like it."""
        text = self._growing_text(chunk)
        if text is None or not (self._keeps(data) or self._knows(data, text)):
            self.forget()

    def forget(self) -> None:
        """Match no chunk until the next lesson: something else has come."""
        self._head = _NEVER

    def _keeps(self, data: bytes) -> bool:
        """Return whether this chunk matches the template, except that its text has escapes."""
        return (
            data.startswith(self._head)
            and data.endswith(self._tail)
            and _TEXT.fullmatch(data, len(self._head), len(data) - len(self._tail)) is not None
        )

    def _knows(self, data: bytes, text: GrowingText) -> bool:
        """Return whether chunks like this one can be recognized; make it the template if so."""
        if not self._lessons or _BACKSLASH in data:
            return False
        self._lessons -= 1
        found = list(_TEXTS.finditer(data))
        if len(found) != 1:
            return False
        self._head, self._tail = data[: found[0].start(1)], data[found[0].end(1) :]
        self._around = len(self._head) + len(self._tail)
        self._text = text
        return True
