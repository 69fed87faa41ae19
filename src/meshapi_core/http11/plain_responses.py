"""Plain responses, read without h11. Nearly all responses are plain.

Theory of operation. A strict grammar says what is plain:

- a whole head: HTTP/1.1, a final status that has a body, headers of a name, a colon, one
  blank and visible characters, lines that end in CRLF, and exactly one of a Content-Length of
  digits and `Transfer-Encoding: chunked`;
- a body of that length; or chunks, each a size in one to eight hexadecimal digits, CRLF, its data
  and CRLF; and at the end a chunk of no size and an empty line.

Every HTTP parser reads such a response the same way, so no other check is needed. Anything else is
NOT_PLAIN, and so is an input that ends before the response: from the byte where it differs h11
reads on, with all its checks and error messages (`h11_responses`). `remainder` says where that is:

    HEAD ──a plain head──▶ LENGTH or CHUNKS ──the last byte──▶ END
      └──────────┬───────────────┘
             NOT_PLAIN: remainder()

A grammar that is too strict costs time. One that is too loose may give a caller another caller's
response. So a rare form is NOT_PLAIN. `fuzz/fuzz_plain.py` compares all of this with h11.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 2.2, 4, 5, 6.3, 7.1)
"""

import re
from enum import Enum
from typing import Final, Optional, Union

from msgspec import Struct

from meshapi_core.headers import Headers
from meshapi_core.http11.heads import MAX_FIELDS, MAX_HEAD_SIZE, ResponseHead
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["NOT_PLAIN", "NotPlain", "PlainResponse", "Remainder"]


class NotPlain(Enum):
    """The type of `NOT_PLAIN`: what comes next is not plain, and h11 must read on."""

    NOT_PLAIN = "NOT_PLAIN"


NOT_PLAIN: Final = NotPlain.NOT_PLAIN

# RFC 9112, section 4. No 1xx: interim responses are h11's.
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t -~\x80-\xff]*(?=\r\n)")
# RFC 9112, section 5: a header line. With the line end before it, so that the search has one place
# to try for each line.
_FIELD = re.compile(
    rb"\r\n([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([!-~\x80-\xff][\t -~\x80-\xff]*)(?=\r\n)"
)
# Headers about the end of the message or of the connection, for lines in lower case.
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|connection): ([^\r]*)")
# RFC 9112, section 7.1, without extensions. Eight digits: no chunk is larger than 4 GiB.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_LINE_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,8}\r?")

# RFC 9112, section 6.3: these end with their head, whatever their headers say.
_WITHOUT_BODY = frozenset({b"204", b"304"})
# A length that fits into a float, and so into whatever number another parser uses.
_MAX_DIGITS = 15


class _State(Enum):
    HEAD = "no head yet"
    LENGTH = "in a body with a length, or at the end of any body"
    CHUNKS = "in a chunked body"
    END = "END_OF_BODY has been returned"


_HEAD_STATE, _LENGTH, _CHUNKS, _END = _State


class Remainder(Struct, frozen=True):
    """Where a response stopped being plain.

    Fields:
        head, begun: a head and the beginning of a body that put another parser in the state of
            this one; empty if no head has been read.
        data: what has been received and not read.
        closed: whether the input ended after that.
    """

    head: bytes
    begun: bytes
    data: bytes
    closed: bool


class PlainResponse:
    """One response, as long as it is plain."""

    __slots__ = ("_data", "_in_chunk", "_left", "_state", "closed")

    # Always these: interim responses and a 101 are not plain. See `H11Response`.
    interim = 0
    trailing_data = b""

    def __init__(self) -> None:
        self._state = _HEAD_STATE
        self._data: Union[bytes, bytearray] = b""
        self.closed = False
        # Bytes still to come: of the body, or of the data of the chunk whose size was read.
        self._left = 0
        self._in_chunk = False

    @property
    def is_clean_end(self) -> bool:
        """Whether the response has ended, and nothing has come after it."""
        # RFC 9112, section 6.3: surplus bytes must not be taken for another response.
        return self._state is _END and not self._data and not self.closed

    def receive_data(self, data: bytes) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        if not data:
            self.closed = True
        elif self.closed:
            raise RuntimeError("bytes were received after the end of the input")
        elif not self._data:
            self._data = data
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += data

    def next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData, NotPlain]:
        """The head, then pieces of the body, then END_OF_BODY; or NEED_DATA. Or NOT_PLAIN, for
        ever."""
        data = self._data
        if not isinstance(data, bytes):
            data = self._data = bytes(data)
        state = self._state
        if state is _CHUNKS:
            return self._next_of_chunks(data)
        if state is _LENGTH:
            return self._next_of_length(data)
        return END_OF_BODY if state is _END else self._head(data)

    def _head(self, data: bytes) -> Union[ResponseHead, NeedData, NotPlain]:
        if not data and not self.closed:
            return NEED_DATA
        # A head that has not come whole is h11's. Most come in one piece, and none is searched
        # twice. (Without an end, `find` makes this 1, where no status line fits.)
        end = data.find(b"\r\n\r\n") + 2
        status_line = _STATUS_LINE.match(data, 0, end)
        if status_line is None or end + 2 > MAX_HEAD_SIZE:
            return NOT_PLAIN
        # From the end of the status line to that of the last field.
        lines = data[status_line.end() : end]
        fields = _FIELD.findall(lines)
        # The search skips what is no header line. So what it found, joined, must be all there is.
        again = b"\r\n".join((b"", *map(b": ".join, fields), b""))
        # Blanks before a line end are not part of the value (RFC 9112, section 5.1): h11 cuts them.
        if again != lines or b" \r" in lines or b"\t\r" in lines or len(fields) > MAX_FIELDS:
            return NOT_PLAIN
        status, length = status_line[1], _body_length(lines)
        if length is None or status in _WITHOUT_BODY:
            return NOT_PLAIN
        self._state = _CHUNKS if length < 0 else _LENGTH
        self._left = max(length, 0)
        self._data = data[end + 2 :]
        return ResponseHead(int(status), Headers(fields))

    def _next_of_length(self, data: bytes) -> Union[bytes, EndOfBody, NeedData, NotPlain]:
        left = self._left
        if not left:
            self._state = _END
            return END_OF_BODY
        if not data:
            return NOT_PLAIN if self.closed else NEED_DATA
        if len(data) <= left:
            self._left = left - len(data)
            self._data = b""
            return data
        # What is left over stays in `_data`, where `is_clean_end` finds it.
        self._left = 0
        self._data = data[left:]
        return data[:left]

    def _next_of_chunks(self, data: bytes) -> Union[bytes, EndOfBody, NeedData, NotPlain]:
        """All data of the chunks that have come, as one piece."""
        pieces: list[bytes] = []
        place = 0
        while True:
            if self._in_chunk:
                end = place + self._left
                if piece := data[place:end]:
                    pieces.append(piece)
                if len(data) < end + 2:
                    # The rest has not come, or only a byte of the line end: wait for it.
                    self._left -= len(piece)
                    place += len(piece)
                    break
                if data[end : end + 2] != b"\r\n":
                    # RFC 9112, section 7.1: the size was wrong, or the line end is missing. The
                    # data before it is returned; the next call then says NOT_PLAIN.
                    self._left = 0
                    place = end
                    break
                place = end + 2
                self._in_chunk = False
            line = _SIZE_LINE.match(data, place)
            if line is None:
                break
            size = int(line[1], 16)
            if not size:
                # The last chunk, plain only without trailers. If its empty line has not come yet,
                # both stay in `_data` until it has.
                if data[line.end() : line.end() + 2] == b"\r\n":
                    # The body is complete, as one with a length of which no byte is left.
                    self._state = _LENGTH
                    self._left = 0
                    place = line.end() + 2
                break
            self._in_chunk = True
            self._left = size
            place = line.end()
        self._data = data[place:]
        if pieces:
            return b"".join(pieces)
        if self._state is _LENGTH:
            return self._next_of_length(self._data)
        return NEED_DATA if self._may_go_on(self._data) else NOT_PLAIN

    def _may_go_on(self, data: bytes) -> bool:
        """Whether these bytes of a chunked body, which complete nothing, may still become plain."""
        if self.closed:
            return False
        if self._in_chunk:
            # No data, or the CR of the line end without its LF.
            return not data or (not self._left and data == b"\r")
        if _SIZE_LINE_BEGUN.fullmatch(data):
            return True
        # The last chunk, without the whole of the empty line after it.
        line = _SIZE_LINE.match(data)
        return line is not None and not int(line[1], 16) and data[line.end() :] in (b"", b"\r")

    def remainder(self) -> Remainder:
        """Where h11 must read on."""
        head = begun = b""
        # The caller has had the real head: this one only brings h11 into the same state.
        if self._state is _CHUNKS:
            head = b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n"
            # A chunk that lacks its line end; or more, if the input has ended in the middle of it.
            begun = b"1\r\nx" if self._in_chunk else b""
        elif self._state is not _HEAD_STATE:
            head = b"HTTP/1.1 200 \r\ncontent-length: %d\r\n\r\n" % self._left
        return Remainder(head, begun, bytes(self._data), self.closed)


def _body_length(lines: bytes) -> Optional[int]:
    """How many bytes the body has by these headers, -1 if it is chunked; None if not plain."""
    length: Optional[int] = None
    for name, value in _FRAMING.findall(lines.lower()):
        # The default of HTTP/1.1, said aloud. Any other Connection header may end the connection.
        if name == b"connection" and value == b"keep-alive":
            continue
        # RFC 9112, section 6.3: a second length, or a length next to chunks, may hide a response.
        if length is not None:
            return None
        if name == b"content-length" and value.isdigit() and len(value) <= _MAX_DIGITS:
            length = int(value)
        elif name == b"transfer-encoding" and value == b"chunked":
            length = -1
        else:
            return None
    return length
