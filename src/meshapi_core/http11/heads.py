"""The head of a response, with checks of it and of its first bytes that h11 does not make.

h11 waits for the end of a line, however little the bytes before it look like HTTP. It also accepts
heads that other parsers read differently, after which a connection must not be used again.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 2.2, 5.2, 6.3)
"""

import re
from collections.abc import Iterable
from typing import Optional

from msgspec import Struct

from meshapi_core.errors import ProtocolError
from meshapi_core.headers import Headers

__all__ = [
    "MAX_FIELDS",
    "MAX_HEAD_SIZE",
    "ResponseHead",
    "begins_as_http",
    "is_plain_head",
    "is_plain_interim",
]

MAX_HEAD_SIZE = 64 * 1024
"""The most bytes of a response head. RFC 9112 leaves the limit to the client; curl allows 300 KiB,
http.client 64 KiB for each line."""

MAX_FIELDS = 100
"""The most headers in one head, as in http.client."""


class ResponseHead(Struct, frozen=True):
    """Status and headers of the final response: 2xx to 5xx, or a 101 that was asked for."""

    status: int
    headers: Headers


# A head that all parsers read alike. RFC 9112: no bare LF as a line end, which some accept (section
# 2.2), no white space before a colon (5.1), no folded line (5.2). And no control character, and no
# version that does not exist yet.
_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.[01] [\t -~\x80-\xff]*\r\n"
    rb"(?:[!#-9;-~]+:[\t -~\x80-\xff]*\r\n)*\r\n"
)
_LENGTH_FIELD = b"\ncontent-length:"
_CODING_FIELD = b"\ntransfer-encoding:"
_FRAMING_FIELDS = frozenset({b"content-length", b"transfer-encoding"})
_CHUNKED_FIELD = re.compile(_CODING_FIELD + rb"[\t ]*chunked\r")

_FIRST_BYTES = b"HTTP/"
# As many bytes as it takes to know each of the others by: the head of an HTTP/2 frame.
_ENOUGH = 9
_HTTP2 = (
    "the server speaks only HTTP/2 here, and this client needs HTTP/1.1: over https, an SSL context"
    " of your own must offer it, by context.set_alpn_protocols(['http/1.1'])"
)
_TLS = "the server speaks TLS at this port: use https:// in its URL"
# How other protocols begin. HTTP/2 (RFC 9113, section 3.4): the first frame of a server is
# SETTINGS, or GOAWAY, on stream 0. TLS (RFC 8446, section 5.1): a record of an alert or handshake.
_OTHERS = (
    (re.compile(rb"\x00\x00.[\x04\x07][\x00\x01]\x00{4}|PRI \* ", re.DOTALL), _HTTP2),
    (re.compile(rb"[\x15\x16]\x03[\x00-\x04]"), _TLS),
)


def begins_as_http(received: bytearray) -> bool:
    """Whether these bytes begin as an HTTP/1.1 head may; False if it takes more to tell.

    A server that speaks another protocol may be waiting for us, while we wait for a line end.

    Raises:
        ProtocolError: they are something else. The message names it, if it is known.
    """
    # Also where fewer than five bytes have come, or none.
    if _FIRST_BYTES.startswith(received[:5]):
        return True
    error = _other_protocol(received)
    if error is not None:
        raise error
    if len(received) < _ENOUGH and b"\n" not in received:
        return False
    start = bytes(received[:_ENOUGH])
    raise ProtocolError(
        f"the response is not HTTP/1.1: it begins with {start!r}", error_code="bad_response"
    )


def _other_protocol(received: bytearray) -> Optional[ProtocolError]:
    for begins, message in _OTHERS:
        if begins.match(received):
            return ProtocolError(message, error_code="bad_response")
    return None


def is_plain_head(received: bytearray, size: int) -> bool:
    """Whether all parsers read the first `size` bytes, a head, alike, and agree where its body
    ends."""
    if not _PLAIN_HEAD.fullmatch(received, 0, size):
        return False
    head = received[:size].lower()
    _, found, rest = head.partition(_LENGTH_FIELD)
    if found and (b"," in rest.partition(b"\n")[0] or _LENGTH_FIELD in rest):
        # RFC 9110, section 8.6: a list of equal lengths, or a repeated header, may be read as one
        # length, as h11 does, or refused, as others do.
        return False
    # RFC 9112, section 6.3: with any other coding, or another spelling, parsers may not see chunks.
    return _CODING_FIELD not in head or _CHUNKED_FIELD.search(head) is not None


def is_plain_interim(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether no parser takes an interim response for a final one, or for one with a body."""
    # RFC 9110, sections 8.6 and 15.2: a 1xx has no body, and must not have a length.
    return not any(
        name in _FRAMING_FIELDS or (name == b"connection" and b"close" in value.lower())
        for name, value in fields
    )
