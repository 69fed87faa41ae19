"""The framing of a chunked body, for what h11 does not report: how large it is, and how odd.

h11 reads the body and refuses what is broken. But it ignores extensions and trailers of any size
and nearly any form, where other parsers may see the end of a line, of a chunk or of the body
elsewhere. `ChunkedFraming` follows the same bytes, with the least work for plain chunks.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

import re
from typing import Final, Optional

MAX_FRAMING_SIZE = 64 * 1024
"""Bytes of the chunk extensions and trailers of one body: as much as a head may have."""

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# RFC 9112, sections 7.1 and 7.1.1: chunk-size [ chunk-ext ], without the optional white space.
# Sixteen digits fill 64 bits, where parsers begin to differ.
_PLAIN_LINE = re.compile(
    rb"[0-9A-Fa-f]{1,16}(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
_PLAIN_TRAILERS = re.compile(rb"(?:" + _TOKEN + rb":[\t -~\x80-\xff]*\r\n)*\r\n")
_WITHOUT_END: Final = 1 << 63
# RFC 9110, section 6.5.1: headers about framing must not be in trailers. A parser that merges them
# into the head would see another end of the body.
_FRAMING_FIELD = re.compile(rb"(?im)^(?:content-length|transfer-encoding):")


class ChunkedFraming:
    """The bytes between the data of a chunked body.

    Attributes:
        size: bytes of extensions and trailers; until `finish`, also of surplus after the body.
    """

    __slots__ = ("_line", "_plain", "_skip", "_trailers", "size")

    def __init__(self) -> None:
        self.size = 0
        self._plain = True
        # Bytes to skip before the next line: the rest of a chunk's data, and its CRLF.
        self._skip = 0
        self._line = bytearray()
        self._trailers: Optional[bytearray] = None

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the body, cut anywhere."""
        if self._trailers is not None:
            # Where the trailers end is h11's to say: until then surplus bytes count as trailers.
            self._trailers += data
            self.size += len(data)
            return
        place = self._skip
        if self._line:
            # Not searched again, except for a CR at the end whose LF comes now.
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
            # A plain line is read right here, because every chunk pays for this.
            if end - place > 16 or not line.isalnum():
                line = self._check_size(line)
            try:
                # int() accepts a sign, and a negative length would loop: hence isalnum().
                length = int(line, 16) if line.isalnum() else -1
            except ValueError:
                length = -1
            if length < 0:
                # h11 refuses the line, so there is nothing more to follow.
                self._skip = _WITHOUT_END
                return
            if not length:
                # The last chunk. Behind it are the trailers, perhaps none, and an empty line.
                self._trailers = bytearray(data[end + 2 :])
                self.size += len(self._trailers)
                return
            # Both CRLFs: that of the size and that of the data, which h11 checks.
            place = end + length + 4
        self._skip = place - size

    def finish(self, surplus: int) -> bool:
        """Whether every parser reads this body, which has ended, in the same way.

        Args:
            surplus: bytes that were received after it.
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
        # Leading zeros count, too: a chunk of one byte may have any number of them.
        self.size += len(line)
        self._plain = self._plain and _PLAIN_LINE.fullmatch(line) is not None
        return line.partition(b";")[0].rstrip(b" \t")
