"""Responses as h11 reads them: whatever is not plain, and all that h11 by itself leaves open.

h11 judges the grammar. What a careful client wants beside it is here:

- a bound on the bytes of a head however it is cut, on the number of its fields, on the bytes of
  interim (1xx) answers, of chunk extensions and trailers, and a check of the status;
- what other parsers read differently is remembered, so that its connection ends with it
  (`is_clean_end`): Transfer-Encoding and Content-Length together, a length that is said twice,
  lines that end in a bare LF, folded fields, control characters, chunk extensions of odd form,
  lengths where there is no body;
- the end of HTTP on the connection, where a request asked for that by an Upgrade field and got a
  101: its head is the last event but END_OF_BODY, and what came behind it is `trailing_data`;
- a word about who is at the other end, where its first bytes are no HTTP/1.1.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 2.2, 5.2, 6.3, 9.3),
    https://h11.readthedocs.io/en/latest/api.html
"""

import re
from typing import Any, Optional, Union

import h11

from meshapi_core._secret import SecretBytes
from meshapi_core.bodies import OpenBody
from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.http11.chunked import MAX_FRAMING_SIZE, ChunkedFraming
from meshapi_core.http11.heads import (
    MAX_FIELDS,
    MAX_HEAD_SIZE,
    ResponseHead,
    begins_as_http,
    is_plain_head,
    is_plain_interim,
)
from meshapi_core.http11.plain_requests import has_length
from meshapi_core.http11.plain_responses import Remainder
from meshapi_core.messages import FINAL, Request
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["MAX_INTERIM_SIZE", "H11Response", "going_on", "sending"]

MAX_INTERIM_SIZE = 64 * 1024
"""Bytes of all interim responses before the real one. A server that thinks for long sends one every
few seconds, which makes 2,000 of them; a flood is there in no time."""

_SWITCHING = re.compile(rb"HTTP/1\.[01] 101\b")
_SWITCHING_PROTOCOLS = 101
# h11's words for lengths and codings that leave open where the body ends. At the start: further
# on it quotes the server.
_BAD_FRAMING = re.compile("(bad|conflicting|multiple|Only) (Content-Length|Transfer-Encoding)")

# Stands for any request whose response is read like those of all others.
_ANY_REQUEST = h11.Request(method="GET", target="/", headers=[("host", "localhost")])


def sending(request: Request) -> "Optional[tuple[SecretBytes, H11Response]]":
    """Return the head of a request, and what reads its response; None where h11 refuses it."""
    # No local here may hold the fields: h11 raises through this frame.
    connection = _new_connection()
    body = request.body
    assert isinstance(body, (bytes, OpenBody)), "a StreamedBody is opened before it is sent"
    try:
        head = SecretBytes(
            connection.send(
                h11.Request(
                    method=request.method.encode("ascii"),
                    target=request.target.encode("ascii"),
                    headers=_fields(request, len(body)),
                )
            )
        )
    except h11.LocalProtocolError:
        return None
    if len(body):
        # Of it h11 looks at the length alone.
        connection.send_with_data_passthrough(h11.Data(body))  # type: ignore[arg-type]
    connection.send(h11.EndOfMessage())
    return head, H11Response(connection)


def _fields(request: Request, length: int) -> list[tuple[bytes, bytes]]:
    fields = [(b"host", request.origin.authority.encode("ascii"))]
    for name, value in request.headers:
        fields.append((name.encode("ascii"), value.encode("latin-1")))
    if has_length(request, length):
        fields.append((b"content-length", b"%d" % length))
    return fields


def going_on(remainder: Remainder) -> "H11Response":
    """Return what reads the rest of a response that has stopped being plain."""
    connection = _new_connection()
    connection.send(_ANY_REQUEST)
    connection.send(h11.EndOfMessage())
    response = H11Response(connection)
    if remainder.head:
        response.take_over(remainder.head, remainder.begun)
    if remainder.data:
        response.receive_data(remainder.data)
    if remainder.closed:
        response.receive_data(b"")
    return response


def _new_connection() -> h11.Connection:
    # h11 limits only what is incomplete; _check_head judges the rest.
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)


class H11Response:
    """One response, read by h11.

    Args:
        connection: one that has sent the request.
    """

    def __init__(self, connection: h11.Connection) -> None:
        self._h11 = connection
        self.interim = 0
        """Interim responses that have been passed over."""
        self._interim_size = 0
        self._chunked: Optional[ChunkedFraming] = None
        self._in_head = True
        self._ended = False
        self._clean = True
        # What was received since the last head, as long as none of the final response is whole.
        self._unread = bytearray()

    def take_over(self, head: bytes, begun: bytes) -> None:
        """Stand behind this head, and so much of a body, as if they had been read here."""
        self._in_head = False
        self._h11.receive_data(head + begun)
        while self._h11.next_event() is not h11.NEED_DATA:
            pass
        if b"chunked" in head:
            self._chunked = ChunkedFraming()
            self._chunked.receive_data(begun)

    @property
    def is_clean_end(self) -> bool:
        """Whether the response has ended, all parsers read it alike, and nothing came after it."""
        connection = self._h11
        return (
            self._clean
            and connection.our_state is h11.DONE
            and connection.their_state is h11.DONE
            and connection.trailing_data == (b"", False)
        )

    @property
    def trailing_data(self) -> bytes:
        """What was received behind a 101: the first bytes of the other protocol."""
        return bytes(self._h11.trailing_data[0])

    def receive_data(self, data: bytes) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        if self._in_head:
            self._unread += data
        elif self._chunked is not None and not self._ended:
            self._chunked.receive_data(data)
        self._h11.receive_data(data)

    def next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        """The head, then pieces of the body (never empty), then END_OF_BODY; or NEED_DATA.

        Raises:
            APIConnectionError: the bytes are no acceptable response, or end too early.
        """
        while True:
            more_decides = self._in_head and not begins_as_http(self._unread)
            if more_decides and not self._h11.trailing_data[1]:
                return NEED_DATA
            event = self._next_h11_event()
            if event is h11.NEED_DATA:
                if self._chunked is not None and self._chunked.size > MAX_FRAMING_SIZE:
                    raise _framing_too_large()
                return NEED_DATA
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.Response):
                return self._head(event)
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == _SWITCHING_PROTOCOLS:
                    # h11 lets it through where the request asked for it, and nowhere else.
                    self._ended = True
                    return self._head(event)
                self._count_interim(event)
            elif self._in_head:
                # The end of input before anything was sent.
                raise _disconnected()
            else:
                self._ended = True
                if self._chunked is not None:
                    self._finish(self._chunked)
                return END_OF_BODY

    def _finish(self, framing: ChunkedFraming) -> None:
        if not framing.finish(len(self._h11.trailing_data[0])):
            self._clean = False
        if framing.size > MAX_FRAMING_SIZE:
            raise _framing_too_large()

    def _next_h11_event(self) -> Any:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as exc:
            error = self._translated(exc)
        # Outside of the handler, so that h11's error is not its context: the half-made objects
        # in h11's frames cannot even be shown, which breaks who reports tracebacks with locals.
        raise error

    def _translated(self, exc: h11.RemoteProtocolError) -> APIConnectionError:
        received, closed = self._h11.trailing_data
        if closed and self._in_head:
            return _disconnected()
        if closed and "closed connection" in str(exc):
            return _truncated()
        if not self._in_head:
            return _body_error(exc)
        # Documented, and left out of h11's `__all__` alone.
        asked = self._h11.our_state is h11.MIGHT_SWITCH_PROTOCOL  # type: ignore[attr-defined]
        if not asked and _SWITCHING.match(self._unread):
            return _unasked_switch()
        return _head_error(exc, len(self._unread) - len(received))

    def _head(self, response: Union[h11.Response, h11.InformationalResponse]) -> ResponseHead:
        self._check_head(response)
        self._in_head = False
        fields = list(response.headers)
        if len(fields) > MAX_FIELDS:
            raise ProtocolError(
                f"the response has {len(fields)} headers; at most {MAX_FIELDS} are read",
                error_code="headers_too_large",
            )
        status = response.status_code
        if status not in FINAL and status != _SWITCHING_PROTOCOLS:
            raise ProtocolError(
                f"the response has the status {status}, which is not an HTTP status",
                error_code="bad_response",
            )
        names = dict(fields)
        if b"transfer-encoding" in names:
            if b"content-length" in names:
                self._clean = False
            self._chunked = ChunkedFraming()
            self._chunked.receive_data(bytes(self._unread))
        self._unread.clear()
        return ResponseHead(status, Headers(response.headers.raw_items()))

    def _count_interim(self, interim: h11.InformationalResponse) -> None:
        self._interim_size += self._check_head(interim)
        self.interim += 1
        if not is_plain_interim(interim.headers):
            self._clean = False
        if self._interim_size > MAX_INTERIM_SIZE:
            raise ProtocolError(
                f"more than {MAX_INTERIM_SIZE} bytes of interim (1xx) responses",
                error_code="too_many_1xx",
            )

    def _check_head(self, head: Union[h11.Response, h11.InformationalResponse]) -> int:
        """Judge a head and the bytes that h11 took for it, and forget these; their number."""
        size = len(self._unread) - len(self._h11.trailing_data[0])
        if size > MAX_HEAD_SIZE:
            raise _head_too_large()
        if not head.http_version.startswith(b"1."):
            version = head.http_version.decode("ascii")
            raise ProtocolError(
                f"expected a response of HTTP/1.1, got HTTP/{version}", error_code="bad_response"
            )
        if not is_plain_head(self._unread, size):
            self._clean = False
        del self._unread[:size]
        return size


def _disconnected() -> APIConnectionError:
    return APIConnectionError(
        "the server closed the connection without a response", error_code="disconnected"
    )


def _truncated() -> APIConnectionError:
    return APIConnectionError(
        "the server closed the connection in the middle of a response", error_code="truncated"
    )


def _unasked_switch() -> ProtocolError:
    return ProtocolError(
        "the server switched protocols (101), which the request did not ask for",
        error_code="unexpected_upgrade",
    )


def _head_error(exc: h11.RemoteProtocolError, size: int) -> ProtocolError:
    # The second half: a head that is refused must not fare better in one large piece.
    if exc.error_status_hint == 431 or size > MAX_HEAD_SIZE:
        return _head_too_large()
    well_framed = not _BAD_FRAMING.match(str(exc))
    return _not_http(exc, "bad_response" if well_framed else "framing")


def _body_error(exc: h11.RemoteProtocolError) -> ProtocolError:
    return _framing_too_large() if exc.error_status_hint == 431 else _not_http(exc, "framing")


def _not_http(exc: h11.RemoteProtocolError, code: str) -> ProtocolError:
    # h11 quotes what it could not read; a whole megabyte of it helps nobody.
    said = str(exc)
    said = said if len(said) <= 200 else said[:200] + "..."
    return ProtocolError(f"the response is not HTTP/1.1: {said}", error_code=code)


def _head_too_large() -> ProtocolError:
    return ProtocolError(
        f"the headers of the response are larger than {MAX_HEAD_SIZE} bytes",
        error_code="headers_too_large",
    )


def _framing_too_large() -> ProtocolError:
    return ProtocolError(
        f"chunk extensions and trailers of the response are larger than {MAX_FRAMING_SIZE} bytes",
        error_code="framing",
    )
