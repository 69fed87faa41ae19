"""The head of a response, and what it and its first bytes must be like, for what h11 does not tell.

h11 waits for the end of a line, however little the bytes before it look like HTTP. And it takes
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
"""Bytes of a response head (RFC 9112 leaves the limit to the client; curl allows 300 KiB,
http.client 64 KiB a line)."""

MAX_FIELDS = 100
"""Header fields in one head, as in http.client."""


class ResponseHead(Struct, frozen=True):
    """Status line and header fields of the final response: 2xx to 5xx, or 101 where it was
    asked."""

    status: int
    headers: Headers


# A head that all parsers read alike: no line that ends in a bare LF, which some take for the end
# of a field or of the head, no folded field, no control character, and no version to come.
_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.[01] [\t -~\x80-\xff]*\r\n"
    rb"(?:[!#-9;-~]+:[\t -~\x80-\xff]*\r\n)*\r\n"
)
_LENGTH_FIELD = b"\ncontent-length:"
_CODING_FIELD = b"\ntransfer-encoding:"
_FRAMING_FIELDS = frozenset({b"content-length", b"transfer-encoding"})
_CHUNKED_FIELD = re.compile(_CODING_FIELD + rb"[\t ]*chunked\r")

_FIRST_BYTES = b"HTTP/"
# Bytes after which each of the others has shown itself.
_ENOUGH = 9
_HTTP2 = (
    "the server speaks HTTP/2 alone here, and HTTP/1.1 is needed: for https, an ssl_context of"
    " your own has to offer it by context.set_alpn_protocols(['http/1.1'])"
)
_TLS = "the server speaks TLS at this port: use https:// in its URL"
# What others begin with. HTTP/2: the first frame of a server is SETTINGS or GOAWAY, on stream 0.
# TLS: an alert, or a handshake.
_OTHERS = (
    (re.compile(rb"\x00\x00.[\x04\x07][\x00\x01]\x00{4}|PRI \* ", re.DOTALL), _HTTP2),
    (re.compile(rb"[\x15\x16]\x03[\x00-\x04]"), _TLS),
)


def begins_as_http(received: bytearray) -> bool:
    """Whether what has come may be the start of an HTTP/1.1 head; False where more decides.

    Somebody who speaks something else may wait for us just as we wait for the end of a line.

    Raises:
        ProtocolError: it is something else, and what, where that is known.
    """
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
    """Whether all parsers read the head, so many of these bytes, alike, and where its body ends."""
    if not _PLAIN_HEAD.fullmatch(received, 0, size):
        return False
    head = received[:size].lower()
    _, found, rest = head.partition(_LENGTH_FIELD)
    if found and (b"," in rest.partition(b"\n")[0] or _LENGTH_FIELD in rest):
        # h11 gives one length, though it was a list of the same numbers, or repeated.
        return False
    return _CODING_FIELD not in head or _CHUNKED_FIELD.search(head) is not None


def is_plain_interim(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether nobody takes an interim response for the final one, or for one that has a body."""
    return not any(
        name in _FRAMING_FIELDS or (name == b"connection" and b"close" in value.lower())
        for name, value in fields
    )
