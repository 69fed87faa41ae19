"""One HTTP/1.1 connection as a machine: bytes in, events out, and the reverse. No I/O.

A thin layer over h11 that adds what a careful client wants and h11 leaves open:

- request bytes that do not show the token to whoever prints them;
- a bound on the bytes of interim (1xx) answers, of chunk extensions and trailers, and on the
  number of header fields, and a check of the status;
- the decision whether the connection may serve another request (`reusable`): surplus bytes after
  an answer must never become the answer to the next request, so they end the connection, and so
  does whatever other parsers read differently: Transfer-Encoding and Content-Length together, a
  length that is said twice, lines that end in a bare LF, folded fields, control characters,
  chunk extensions of odd form, lengths where there is no body;
- the end of HTTP on the connection, where a request asked for that by an Upgrade field and got a
  101: its head is the last event but END_OF_BODY, and what came behind it is `trailing_data`;
- a word about who is at the other end, where its first bytes are no HTTP/1.1;
- one kind of error, `ProtocolError`, with a code for what went wrong, that is given again to
  whoever asks on after it.

    connection = HTTP11Connection()
    write(connection.send(request))
    while True:
        event = connection.next_event()
        if event is NEED_DATA:
            connection.receive_data(read())      # b"" at the end of input
        elif isinstance(event, ResponseHead): ...
        elif isinstance(event, bytes): ...       # a piece of the body
        else: break                              # END_OF_BODY
    if connection.reusable:
        connection.start_next_cycle()

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 2.2, 5.2, 6.3, 9.3),
    https://h11.readthedocs.io/en/latest/api.html
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

import h11
from msgspec import Struct
from typing_extensions import Buffer

from meshapi_core._chunked import ChunkedFraming
from meshapi_core._heads import begins_as_http, is_plain_head, is_plain_interim
from meshapi_core._secret import SecretBytes
from meshapi_core.bodies import PIECE, OpenBody, cut
from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.messages import FINAL, Request
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["HTTP11Connection", "ResponseHead"]

MAX_HEAD_SIZE = 64 * 1024
"""Bytes of a response head (RFC 9112 leaves the limit to the client; curl allows 300 KiB,
http.client 64 KiB a line)."""

MAX_FIELDS = 100
"""Header fields in one head, as in http.client."""

MAX_INTERIM_SIZE = 64 * 1024
"""Bytes of all interim answers before the real one. A server that thinks for long sends one every
few seconds, which makes 2,000 of them; a flood is there in no time."""

MAX_FRAMING_SIZE = 64 * 1024
"""Bytes of the chunk extensions and trailers of one body: as much as a head may have."""

_SWITCHING = re.compile(rb"HTTP/1\.[01] 101\b")
_SWITCHING_PROTOCOLS = 101
# h11's words for lengths and codings that leave open where the body ends. At the start: further
# on it quotes the server.
_BAD_FRAMING = re.compile("(bad|conflicting|multiple|Only) (Content-Length|Transfer-Encoding)")


class ResponseHead(Struct, frozen=True):
    """Status line and header fields of the final answer: 2xx to 5xx, or 101 where it was asked."""

    status: int
    headers: Headers


class HTTP11Connection:
    """One connection: send a request, receive its answer, and again if `reusable`."""

    def __init__(self) -> None:
        # h11 limits only what is incomplete; _check_head judges the rest.
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        self.served = 0
        """Requests that have been answered before the current one."""
        self._clean = True
        self._error: Optional[APIConnectionError] = None
        self._start()

    def _start(self) -> None:
        self.interim = 0
        """Interim answers to the current request that have been passed over."""
        self._interim_size = 0
        self._chunked: Optional[ChunkedFraming] = None
        self._answered = False
        self._in_head = True
        self._ended = False
        # What was received since the last head, as long as none of the final answer is whole.
        self._unread = bytearray()

    @property
    def answered(self) -> bool:
        """Whether any byte of an answer to the current request has been received."""
        return self._answered

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: all said on both sides, and nothing left over."""
        connection = self._h11
        return (
            self._clean
            and connection.our_state is h11.DONE
            and connection.their_state is h11.DONE
            and connection.trailing_data == (b"", False)
        )

    def send(self, request: Request) -> Iterable[bytes]:
        """The bytes of one request, in pieces of about 64 KiB: head and small body in the first.

        A `StreamedBody` is opened before (`StreamedBody.open`): no file is opened here.

        The pieces are made as they are taken. An answer that arrives before the last one was
        taken (`sent` is still False) is an early one.

        Raises:
            TypeError: the body has not been opened, or is none; nothing was sent.
            ProtocolError: the connection cannot take a request now. `desync`: it has received
                bytes that nobody asked for, which must not be taken for the answer.
        """
        body = request.body
        if not isinstance(body, (bytes, OpenBody)):
            raise _not_open(body)
        if self._answered:
            raise ProtocolError("bytes came before the request was sent", error_code="desync")
        data = self._send_head(request)
        if data is None:
            raise ProtocolError("the connection cannot take a request now", error_code="framing")
        if isinstance(body, OpenBody):
            return self._pieces(data, body.pieces())
        if len(body) > PIECE:
            return self._pieces(data, cut(body))
        if body:
            self._h11.send(h11.Data(body))
        self._h11.send(h11.EndOfMessage())
        return (SecretBytes(data + body),)

    def _send_head(self, request: Request) -> Optional[SecretBytes]:
        # No local here may hold the fields: h11 raises through this frame.
        try:
            return SecretBytes(
                self._h11.send(
                    h11.Request(
                        method=request.method.encode("ascii"),
                        target=request.target.encode("ascii"),
                        headers=_fields(request),
                    )
                )
            )
        except h11.LocalProtocolError:
            return None

    def _pieces(self, head: SecretBytes, body: Iterator[bytes]) -> Iterator[bytes]:
        yield head
        following = next(body, None)
        if following is None:
            self._h11.send(h11.EndOfMessage())
        while following is not None:
            piece, following = following, next(body, None)
            self._h11.send(h11.Data(piece))
            if following is None:
                self._h11.send(h11.EndOfMessage())
            yield SecretBytes(piece)

    @property
    def trailing_data(self) -> bytes:
        """What was received behind a 101: the first bytes of the other protocol."""
        return bytes(self._h11.trailing_data[0])

    @property
    def sent(self) -> bool:
        """Whether all pieces of the request have been taken from `send`."""
        return self._h11.our_state not in (h11.IDLE, h11.SEND_BODY)

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input.

        A buffer that is not `bytes` is copied, so it may be used again at once.
        """
        if type(data) is not bytes:
            data = bytes(data)
        if data:
            self._answered = True
            if self._in_head:
                self._unread += data
            elif self._chunked is not None and not self._ended:
                self._chunked.receive_data(data)
        self._h11.receive_data(data)

    def next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        """The head, then pieces of the body (never empty), then END_OF_BODY; or NEED_DATA.

        Raises:
            ProtocolError: the bytes are no acceptable HTTP/1.1 answer. Its `error_code`:
                bad_response, framing, headers_too_large, too_many_1xx, unexpected_upgrade.
            APIConnectionError: the input ended too early: `disconnected` before a complete head,
                `truncated` within the body.
            After either of these the connection raises the same error for ever.
        """
        if self._error is not None:
            raise self._error
        if self._ended:
            return END_OF_BODY
        try:
            return self._next_event()
        except APIConnectionError as exc:
            self._error = exc
            self._clean = False
            raise

    def _next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        more_decides = self._in_head and not begins_as_http(self._unread)
        if more_decides and not self._h11.trailing_data[1]:
            return NEED_DATA
        while True:
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

    def start_next_cycle(self) -> None:
        """Make the connection ready for the next request; only where it is `reusable`."""
        self._h11.start_next_cycle()
        self.served += 1
        self._start()

    def _head(self, response: Union[h11.Response, h11.InformationalResponse]) -> ResponseHead:
        self._check_head(response)
        self._in_head = False
        fields = list(response.headers)
        if len(fields) > MAX_FIELDS:
            raise ProtocolError(
                f"the answer has {len(fields)} header fields", error_code="headers_too_large"
            )
        status = response.status_code
        if status not in FINAL and status != _SWITCHING_PROTOCOLS:
            raise ProtocolError(f"the answer has the status {status}", error_code="bad_response")
        names = dict(fields)
        if b"transfer-encoding" in names:
            if b"content-length" in names:
                self._clean = False
            self._chunked = ChunkedFraming()
            self._chunked.receive_data(bytes(self._unread))
        self._unread.clear()
        return ResponseHead(status, Headers(fields))

    def _count_interim(self, interim: h11.InformationalResponse) -> None:
        self._interim_size += self._check_head(interim)
        self.interim += 1
        if not is_plain_interim(interim.headers):
            self._clean = False
        if self._interim_size > MAX_INTERIM_SIZE:
            raise ProtocolError(
                f"more than {MAX_INTERIM_SIZE} bytes of interim (1xx) answers",
                error_code="too_many_1xx",
            )

    def _check_head(self, head: Union[h11.Response, h11.InformationalResponse]) -> int:
        """Judge a head and the bytes that h11 took for it, and forget these; their number."""
        size = len(self._unread) - len(self._h11.trailing_data[0])
        if size > MAX_HEAD_SIZE:
            raise _head_too_large()
        if not head.http_version.startswith(b"1."):
            version = head.http_version.decode("ascii")
            raise ProtocolError(f"the answer is HTTP/{version}", error_code="bad_response")
        if not is_plain_head(self._unread, size):
            self._clean = False
        del self._unread[:size]
        return size


def _not_open(body: object) -> TypeError:
    return TypeError(
        f"request.body: expected bytes or an OpenBody, got {type(body).__name__}; open a"
        " StreamedBody first, with body.open(...), and send the request with what it returns"
    )


def _disconnected() -> APIConnectionError:
    return APIConnectionError(
        "the server closed the connection without an answer", error_code="disconnected"
    )


def _truncated() -> APIConnectionError:
    return APIConnectionError(
        "the server closed the connection in the middle of an answer", error_code="truncated"
    )


def _unasked_switch() -> ProtocolError:
    return ProtocolError("the server switched protocols unasked", error_code="unexpected_upgrade")


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
    return ProtocolError(f"the answer is not HTTP/1.1: {said}", error_code=code)


def _head_too_large() -> ProtocolError:
    return ProtocolError(
        f"the head of the answer is larger than {MAX_HEAD_SIZE} bytes",
        error_code="headers_too_large",
    )


def _framing_too_large() -> ProtocolError:
    return ProtocolError(
        f"chunk extensions and trailers of the answer are larger than {MAX_FRAMING_SIZE} bytes",
        error_code="framing",
    )


def _fields(request: Request) -> list[tuple[bytes, bytes]]:
    fields = [(b"host", request.origin.authority.encode("ascii"))]
    for name, value in request.headers:
        fields.append((name.encode("ascii"), value.encode("latin-1")))
    body = request.body
    if body or request.method in ("POST", "PUT", "PATCH"):
        assert isinstance(body, (bytes, OpenBody)), "a StreamedBody is opened before it is sent"
        fields.append((b"content-length", b"%d" % len(body)))
    return fields
