"""What servers write between the fields of an event stream: JSON, errors, the end mark, plain text.

The standard ignores lines that are not fields. But some servers send an error that ends the stream,
or a whole response, without `data:` in front of it, and proxies write sentences.
"""

from enum import Enum
from typing import Final, Optional

from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError

__all__ = ["BARE", "BareLineKind", "BareLines"]

BARE: Final = b"\n"
"""The type of an event that is JSON without a field. No field can have this value, as it is a line
end."""

_MAX_TEXT: Final = 1024
"""Bytes that are kept of the last lines of plain text: enough for a sentence."""

_MAX_TRIES: Final = 8 * 1024
"""Bytes up to which JSON without a field is parsed again at every line that could end it. Nearly
every error is shorter."""

_END_MARK: Final = b"[DONE]"


class BareLineKind(Enum):
    """What a line that is not a field stands for."""

    NOTHING = "a part of unfinished JSON, or plain text"
    ERROR = "a field with the name `error`"
    EVENT = "the last line of some JSON, or the end mark of the stream"


class BareLines:
    """Collects the lines that are not fields, until they are complete JSON.

    Attributes:
        end_mark: The line that is an event by itself and ends the stream; None if there is none.
        json: The lines of the JSON so far, which stands without a field.
        text: The last lines that are neither fields nor JSON; at most 1 KiB.
    """

    __slots__ = ("_retry_size", "end_mark", "json", "text")

    def __init__(self) -> None:
        self.end_mark: Optional[bytes] = _END_MARK
        self.json = bytearray()
        self.text = b""
        # The size at which to parse the JSON again. For long JSON it doubles each time; parsing it
        # at every line would take quadratic time.
        self._retry_size = 0

    def read(self, name: bytes, line: bytes, value: bytes) -> BareLineKind:
        """Take a line that is not a field, and return what it stands for.

        Args:
            name, value: The line before and after its colon.
            line: The whole line.
        """
        mark = self.end_mark
        if mark and line.strip() == mark:
            self.json[:] = mark
            return BareLineKind.EVENT
        if mark and line.endswith(mark):
            # The server wrote no line end between its JSON and `data: [DONE]`. The end mark may go,
            # as the JSON is an event by itself.
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
        """Keep what looked like the beginning of JSON as plain text."""
        self.text = bytes(self.json[:_MAX_TEXT])
        self.json.clear()

    def take(self) -> bytes:
        """Return the JSON or the end mark, and clear it."""
        data = bytes(self.json)
        self.json.clear()
        return data

    def finish(self) -> bool:
        """Return whether the JSON is complete at the end of the input; if not, keep it as text."""
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
