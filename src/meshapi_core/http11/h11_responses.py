"""Responses that are not plain, read by h11, with checks for what h11 leaves open.

h11 judges the grammar. This module adds what a careful client needs besides:

- limits: on the bytes of a head, however it is cut into pieces, on the number of its headers, and
  on the bytes of interim (1xx) responses, of chunk extensions and of trailers; and a check of the
  status;
- a note of whatever other parsers read differently, so that the connection is not used again
  (`is_clean_end`): Transfer-Encoding and Content-Length together, a repeated length, lines that end
  in a bare LF, folded headers, control characters, chunk extensions of odd form, lengths where
  there is no body;
- the end of HTTP on the connection, where a request asked for that by an Upgrade header and got a
  101: its head is the last event before END_OF_BODY, and what follows it is `trailing_data`;
- a hint at what the server speaks, where its first bytes are not HTTP/1.1.

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
"""Bytes of all interim responses before the final one. This is room for 2,000 of them, from a
server that works for long and sends one every few seconds. A flood reaches it at once."""

_SWITCHING = re.compile(rb"HTTP/1\.[01] 101\b")
_SWITCHING_PROTOCOLS = 101
# How h11's messages begin if it is not clear where the body ends (RFC 9112, section 6.3). Only
# their beginning counts: what follows quotes the server.
_BAD_FRAMING = re.compile("(bad|conflicting|multiple|Only) (Content-Length|Transfer-Encoding)")

# In place of a plain request, which h11 has not seen. Only HEAD and CONNECT (RFC 9112, section 6.3)
# and an Upgrade (RFC 9110, section 7.8) change how a response is read, and none of these is plain.
_ANY_REQUEST = h11.Request(method="GET", target="/", headers=[("host", "localhost")])


def sending(request: Request) -> "Optional[tuple[SecretBytes, H11Response]]":
    """Return the head of a request, and the reader of its response; None if h11 refuses it."""
    # No local variable may hold the headers, which have the token: h11 raises through this frame,
    # and error trackers show the locals of frames.
    connection = _new_connection()
    body = request.body
    assert isinstance(body, (bytes, OpenBody)), "open a StreamedBody before you send it"
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
    except (h11.LocalProtocolError, UnicodeEncodeError):
        return None
    if len(body):
        # h11 only asks for its length; the pieces are written by the caller.
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
    """Return the reader for the rest of a response that has stopped being plain."""
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
    # This limits incomplete heads only. A head that arrives whole is for `_check_head` to judge.
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
        # What was received since the last interim head, until the final head is whole.
        self._unread = bytearray()

    def take_over(self, head: bytes, begun: bytes) -> None:
        """Take the state of having read this head, and this beginning of a body, already."""
        self._in_head = False
        # The head is made up (`PlainResponse.remainder`): only its framing matters. Its events are
        # dropped, because the caller has had the real ones.
        self._h11.receive_data(head + begun)
        while self._h11.next_event() is not h11.NEED_DATA:
            pass
        if b"chunked" in head:
            self._chunked = ChunkedFraming()
            self._chunked.receive_data(begun)

    @property
    def is_clean_end(self) -> bool:
        """Whether the response has ended, all parsers read it alike, and nothing followed it."""
        # h11 goes on from DONE to MUST_CLOSE after `Connection: close` and HTTP/1.0 (RFC 9112,
        # section 9.3). The last line is for bytes after the response, and for an input that ended.
        connection = self._h11
        return (
            self._clean
            and connection.our_state is h11.DONE
            and connection.their_state is h11.DONE
            and connection.trailing_data == (b"", False)
        )

    @property
    def trailing_data(self) -> bytes:
        """What was received after a 101: the first bytes of the other protocol."""
        return bytes(self._h11.trailing_data[0])

    def receive_data(self, data: bytes) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        # h11 does not say what it took each byte for, so the bytes are followed here as well.
        if self._in_head:
            self._unread += data
        elif self._chunked is not None and not self._ended:
            self._chunked.receive_data(data)
        self._h11.receive_data(data)

    def next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        """The head, then pieces of the body (never empty), then END_OF_BODY; or NEED_DATA.

        Raises:
            APIConnectionError: the bytes are not an acceptable response, or end too early.
        """
        while True:
            # The first bytes are not HTTP, but too few to say what they are: wait for more, unless
            # the input has ended. Only then does h11 judge them.
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
                    # RFC 9110, section 7.8. h11 accepts a 101 only if the request asked for it.
                    self._ended = True
                    return self._head(event)
                # RFC 9110, section 15.2: any number of them may come before the final response.
                self._count_interim(event)
            elif self._in_head:
                # ConnectionClosed: the input ended without a head.
                raise _disconnected()
            else:
                # EndOfMessage. Only now is it known where the trailers end.
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
        # Outside of the handler, so that h11's error is not its context. The frames of that error
        # hold half-made objects whose repr raises, which breaks reports that show locals.
        raise error

    def _translated(self, exc: h11.RemoteProtocolError) -> APIConnectionError:
        received, closed = self._h11.trailing_data
        # A head that breaks off is a lost connection, whatever h11 says about half of a line.
        if closed and self._in_head:
            return _disconnected()
        # RFC 9112, section 8: fewer bytes than the Content-Length, or no last chunk.
        if closed and "closed connection" in str(exc):
            return _truncated()
        if not self._in_head:
            return _body_error(exc)
        # h11 documents this name, and only leaves it out of its `__all__`.
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
        # RFC 9110, section 15: valid statuses are 100 to 599. h11 accepts up to 999.
        if status not in FINAL and status != _SWITCHING_PROTOCOLS:
            raise ProtocolError(
                f"the response has the status {status}, which is not an HTTP status",
                error_code="bad_response",
            )
        names = dict(fields)
        if b"transfer-encoding" in names:
            # RFC 9112, section 6.3: Transfer-Encoding wins, but a response with both may be an
            # attempt at splitting it. So it is read, and the connection closed after it.
            if b"content-length" in names:
                self._clean = False
            # `_check_head` has left what came after the head: the beginning of the body.
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
        """Judge a head and its bytes, forget the bytes, and return how many there were."""
        # Whatever h11 has not read yet comes after this head.
        size = len(self._unread) - len(self._h11.trailing_data[0])
        if size > MAX_HEAD_SIZE:
            raise _head_too_large()
        # RFC 9110, section 2.5: any 1.x can be read as 1.1, whose minor version only adds to it.
        if not head.http_version.startswith(b"1."):
            version = head.http_version.decode("ascii")
            raise ProtocolError(
                f"expected an HTTP/1.1 response, got HTTP/{version}", error_code="bad_response"
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
    # h11 limits only what is incomplete. A head that it refuses must not fare better for having
    # come in one large piece.
    if exc.error_status_hint == 431 or size > MAX_HEAD_SIZE:
        return _head_too_large()
    well_framed = not _BAD_FRAMING.match(str(exc))
    return _not_http(exc, "bad_response" if well_framed else "framing")


def _body_error(exc: h11.RemoteProtocolError) -> ProtocolError:
    return _framing_too_large() if exc.error_status_hint == 431 else _not_http(exc, "framing")


def _not_http(exc: h11.RemoteProtocolError, code: str) -> ProtocolError:
    # h11 quotes what it could not read, however long that is.
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
