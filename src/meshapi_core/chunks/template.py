r"""Chunks that are the one before with another text.

Nearly all of a response is: of one token and the next, a server sends the same but for one string.
Once such a chunk has been looked at, the bytes before and behind its text say of the next one that
it needs no second look. Whatever there is in them (a role, a name that nobody knows) has been taken
note of, and what is not there (an error, a finish reason) is not there again.

Why that is the same: in JSON without a backslash, a quote is the beginning or the end of a string.
So a name of a text with a string behind it is a member, wherever it stands. Where there is one of
these, it is the text that the chunk adds, and any other text without quotes and backslashes in its
place makes a chunk that is the same but for it. Whether it is JSON at all, the decoder says, of
each.
"""

import re
from collections.abc import Callable
from typing import Final, Generic, Optional, TypeVar

from meshapi_core.growing import PIECES, GrowingText

__all__ = ["ChunkTemplate"]

T = TypeVar("T")

# As numbers: `in` looks for these with one memchr.
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C

# No JSON begins so.
_NEVER: Final = b"\xff"
_NO_TEXT: Final = GrowingText()

_TEXTS = re.compile(rb'"(?:content|reasoning_content|refusal)"\s*:\s*"([^"]*)"')
_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)

# Chunks of one stream to be learned from. Most need two; some servers put a random number into
# each, and nothing can be learned from theirs.
_MOST_LESSONS: Final = 16


class ChunkTemplate(Generic[T]):
    """Knows chunks that add one text, and no more, by the bytes around it.

    Args:
        growing_text: says to which text a chunk adds, as `ChatAccumulator.growing_text` does.
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
        """Return whether a chunk is like the one before, and its text has been taken note of.

        Args:
            data: it, JSON.
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
        """Look at a chunk that has been taken note of: the next one may be like it."""
        text = self._growing_text(chunk)
        if text is None or not (self._keeps(data) or self._knows(data, text)):
            self.forget()

    def forget(self) -> None:
        """Take no chunk any more: something else has come."""
        self._head = _NEVER

    def _keeps(self, data: bytes) -> bool:
        """Return whether this chunk is like the one before, but for what its text has in it."""
        return (
            data.startswith(self._head)
            and data.endswith(self._tail)
            and _TEXT.fullmatch(data, len(self._head), len(data) - len(self._tail)) is not None
        )

    def _knows(self, data: bytes, text: GrowingText) -> bool:
        """Return whether chunks like this one can be told by their bytes."""
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
