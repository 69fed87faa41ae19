"""The framing of a chunked body, for what h11 does not tell: how large it is, and how odd.

h11 reads the body and refuses what is broken. It passes over extensions and trailers of any size
and nearly any form, though, where other parsers see the end of a line, of a chunk or of the body
elsewhere. This follows the same bytes with the least work for plain chunks.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

import re
from typing import Final, Optional

MAX_FRAMING_SIZE = 64 * 1024
"""Bytes of the chunk extensions and trailers of one body: as much as a head may have."""

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# Sixteen digits fill 64 bits, which is where parsers begin to differ.
_PLAIN_LINE = re.compile(
    rb"[0-9A-Fa-f]{1,16}(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
_PLAIN_TRAILERS = re.compile(rb"(?:" + _TOKEN + rb":[\t -~\x80-\xff]*\r\n)*\r\n")
_WITHOUT_END: Final = 1 << 63
_FRAMING_FIELD = re.compile(rb"(?im)^(?:content-length|transfer-encoding):")


class ChunkedFraming:
    """What stands between the data of a chunked body.

    Attributes:
        size: bytes of extensions and trailers; of surplus after the body, too.
    """

    __slots__ = ("_line", "_plain", "_skip", "_trailers", "size")

    def __init__(self) -> None:
        self.size = 0
        self._plain = True
        # Bytes of data and its line end to be passed over before the next line.
        self._skip = 0
        self._line = bytearray()
        self._trailers: Optional[bytearray] = None

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the body, cut anywhere."""
        if self._trailers is not None:
            self._trailers += data
            self.size += len(data)
            return
        place = self._skip
        if self._line:
            searched = len(self._line) - 1
            self._line += data
            if self._line.find(b"\r\n", searched) < 0:
                return
            data = bytes(self._line)
            self._line.clear()
        size = len(data)
        while place < size:
            end = data.find(b"\r\n", place)
            if end < 0:
                self._line += data[place:]
                self._skip = 0
                return
            line = data[place:end]
            # The usual line is read here: it is the cost of every chunk.
            if end - place > 16 or not line.isalnum():
                line = self._check_size(line)
            try:
                # A sign, which int() takes, would lead back to where this line began.
                length = int(line, 16) if line.isalnum() else -1
            except ValueError:
                length = -1
            if length < 0:
                # h11 refuses it: there is nothing to follow any more.
                self._skip = _WITHOUT_END
                return
            if not length:
                self._trailers = bytearray(data[end + 2 :])
                self.size += len(self._trailers)
                return
            place = end + length + 4
        self._skip = place - size

    def finish(self, surplus: int) -> bool:
        """Whether every parser reads the body, which has ended, alike.

        Args:
            surplus: bytes that were received behind it.
        """
        self.size -= surplus
        trailers = self._trailers or b""
        end = len(trailers) - surplus
        return (
            self._plain
            and _PLAIN_TRAILERS.fullmatch(trailers, 0, end) is not None
            and _FRAMING_FIELD.search(trailers, 0, end) is None
        )

    def _check_size(self, line: bytes) -> bytes:
        """The digits of a line that has an extension, blanks, or many zeros."""
        self.size += len(line)
        self._plain = self._plain and _PLAIN_LINE.fullmatch(line) is not None
        return line.partition(b";")[0].rstrip(b" \t")
