"""What servers write between the fields of an event stream: JSON, errors, its end, words.

The standard ignores lines that are no field. But servers end a stream with an error, or send all of
a response, without `data:` in front of it, and proxies write sentences.
"""

from enum import Enum
from typing import Final, Optional

from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError

__all__ = ["BARE", "BareLineKind", "BareLines"]

BARE: Final = b"\n"
"""The type of an event that is JSON without a field; no field can hold a line end."""

_MAX_TEXT: Final = 1024
"""Bytes that are kept of the last lines which are no field: enough for a sentence."""

_MAX_TRIES: Final = 8 * 1024
"""Bytes up to which JSON without a field is parsed at every line that could end it; every usual
error is shorter."""

_END_MARK: Final = b"[DONE]"


class BareLineKind(Enum):
    """What a line that is no field is."""

    NOTHING = "a piece of JSON that goes on, or words"
    ERROR = "a field of the name `error`"
    EVENT = "what makes JSON whole, or the end of the stream"


class BareLines:
    """The lines that are no field, gathered until they are JSON.

    Attributes:
        end_mark: The line which is an event by itself: what ends a stream; None where nothing does.
        json: JSON without a field, from its first line on.
        words: The last of the lines that are neither a field nor JSON; at most 1 KiB.
    """

    __slots__ = ("_retry_size", "end_mark", "json", "text")

    def __init__(self) -> None:
        self.end_mark: Optional[bytes] = _END_MARK
        self.json = bytearray()
        self.text = b""
        # The size from which on it is tried again whether the JSON is whole: twice that of the
        # last time where it is long, or it would be parsed as often as it has lines.
        self._retry_size = 0

    def read(self, name: bytes, line: bytes, value: bytes) -> BareLineKind:
        """Take a line that is no field.

        Args:
            name, value: what is before and behind its colon.
            line: all of it.
        """
        mark = self.end_mark
        if mark and line.strip() == mark:
            self.json[:] = mark
            return BareLineKind.EVENT
        if mark and line.endswith(mark):
            # Of a server that ends its JSON without a line end; the JSON says enough.
            line = line[: line.rfind(b"data:")]
        if self.json:
            self.json += b"\n" + line
        elif line.lstrip()[:1] in (b"{", b"["):
            self.json += line
            self._retry_size = 0
        elif name == b"error" and value:
            return BareLineKind.ERROR
        else:
            self.text = (self.text + b"\n" + line[:_MAX_TEXT])[-_MAX_TEXT:]
            return BareLineKind.NOTHING
        could_end = line.rstrip()[-1:] in (b"}", b"]")
        return BareLineKind.EVENT if could_end and self._is_whole() else BareLineKind.NOTHING

    def drop(self) -> None:
        """Take what looked like the beginning of JSON for words."""
        self.text = bytes(self.json[:_MAX_TEXT])
        self.json.clear()

    def take(self) -> bytes:
        """Return the JSON, or the end mark, and forget it."""
        data = bytes(self.json)
        self.json.clear()
        return data

    def finish(self) -> bool:
        """Return whether the JSON is whole, now that no more comes; else it is words."""
        if not self.json:
            return False
        self._retry_size = 0
        whole = self._is_whole()
        if not whole:
            self.drop()
        return whole

    def _is_whole(self) -> bool:
        if len(self.json) < self._retry_size:
            return False
        if len(self.json) > _MAX_TRIES:
            self._retry_size = 2 * len(self.json)
        try:
            parse(bytes(self.json))
        except ResponseDecodeError:
            return False
        return True
