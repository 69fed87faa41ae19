"""One HTTP/1.1 connection as a machine: bytes in, events out, and the reverse. No I/O.

Theory of operation. Ask a connection for the bytes of one request, then give it what is received
and ask for the events of the response. While it is `reusable`, start over:

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

Plain requests and responses are written and read by strict grammars of our own (`plain_requests`,
`plain_responses`), as long as every byte is plain. From the first byte that is not, where parsers
could differ, h11 takes over (`h11_responses`), which is slower. In either case:

- surplus bytes after a response never become the response to the next request: they end the
  connection, and so does whatever other parsers read differently;
- request bytes do not show the token when they are printed;
- the first error is final: after it, `next_event` raises the same one again. Bytes that are not
  HTTP/1.1 raise `ProtocolError`, an input that ends too early `APIConnectionError`; `error_code`
  says what went wrong.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 2.2, 6.3, 9.3)
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Optional, Union

from msgspec import Struct
from typing_extensions import Buffer

from meshapi_core._secret import SecretBytes
from meshapi_core.bodies import PIECE, OpenBody, cut
from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.http11.h11_responses import H11Response, going_on, sending
from meshapi_core.http11.heads import ResponseHead
from meshapi_core.http11.plain_requests import plain_head
from meshapi_core.http11.plain_responses import NOT_PLAIN, PlainResponse
from meshapi_core.http11.request_heads import RequestHeads
from meshapi_core.messages import Request
from meshapi_core.signals import END_OF_BODY, EndOfBody, NeedData

__all__ = ["HTTP11Connection", "ResponseHead", "Via"]


class Via(Struct, frozen=True):
    """A proxy that forwards the requests of a connection.

    Fields:
        where: what it is called in errors.
        hint: what to do if it wants credentials, to be appended to an error.
        secrets: what no error about the connection may show.
    """

    where: str
    hint: str
    secrets: tuple[str, ...]


class HTTP11Connection:
    """One connection: send a request, receive its response, and again if `reusable`.

    Args:
        heads: makes the heads of plain requests; see `of_one_client`.
    """

    __slots__ = ("_response", "_begun", "_ended", "_error", "_heads", "answered", "sent", "served")

    via: Optional[Via] = None
    """The proxy that forwards the requests; None if there is none."""

    def __init__(self, heads: Optional[RequestHeads] = None) -> None:
        self._heads = heads
        self.served = 0
        """How many requests this connection has served before the current one."""
        self._error: Optional[APIConnectionError] = None
        self._start()

    def _start(self) -> None:
        self.answered = False
        """Whether any byte of a response to the current request has been received."""
        self.sent = False
        """Whether all pieces of the request have been taken from `send`."""
        self._begun = False
        self._ended = False
        self._response: Union[PlainResponse, H11Response] = PlainResponse()

    @staticmethod
    def of_one_client() -> "Callable[[], HTTP11Connection]":
        """Return a function that makes the connections of one client.

        They share the lines of its heads, which differ little from request to request.
        """
        return partial(HTTP11Connection, RequestHeads())

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: both messages are complete, and nothing is left.

        This counts a piece as sent once it has been taken. If a response comes before the host has
        written the last piece, the host must close the connection.
        """
        # RFC 9112, section 9.3: only after the whole response was read. Beyond that, we reuse it
        # only if no parser on the way can have seen the end of the response elsewhere.
        return self.sent and self._error is None and self._response.is_clean_end

    @property
    def interim(self) -> int:
        """How many interim responses to the current request have been passed over."""
        return self._response.interim

    @property
    def trailing_data(self) -> bytes:
        """What was received after a 101: the first bytes of the other protocol."""
        return self._response.trailing_data

    def send(self, request: Request) -> Iterable[bytes]:
        """Return the bytes of one request, in pieces of about 64 KiB at most.

        A small body is in one piece with the head. Open a `StreamedBody` first
        (`StreamedBody.open`): no file is opened here.

        The pieces are made as they are taken. A response that arrives while `sent` is False is
        early: not all pieces have been taken yet.

        Raises:
            TypeError: the body has not been opened, or is not a body; nothing was sent.
            ProtocolError: the connection cannot take a request now. `desync`: it has received
                bytes that nobody asked for, which must not be taken for the response.
        """
        body = request.body
        if not isinstance(body, (bytes, OpenBody)):
            raise _not_open(body)
        # RFC 9112, section 9.2: bytes that arrive while no request is outstanding are no response.
        # With them taken for one, every later response would go to the wrong request.
        if self.answered:
            raise ProtocolError("the server sent bytes before the request", error_code="desync")
        # No pipelining (RFC 9112, section 9.3.2): one request, then its response, then the next.
        if self._begun or self._error is not None:
            raise _not_now()
        size = len(body)
        head = (self._heads.head if self._heads else plain_head)(request, size)
        if head is None:
            head = self._send_by_h11(request)
        # Only now: what h11 refuses has sent nothing, and leaves the connection as it was.
        self._begun = True
        if isinstance(body, OpenBody):
            return self._pieces(SecretBytes(head), body.pieces())
        if size > PIECE:
            return self._pieces(SecretBytes(head), cut(body))
        self.sent = True
        return (SecretBytes(head + body),)

    def _send_by_h11(self, request: Request) -> SecretBytes:
        sent = sending(request)
        if sent is None:
            raise ProtocolError(
                "the request cannot be sent over HTTP/1.1: its method, its target or a header"
                " has a character that does not belong there",
                error_code="framing",
            )
        head, response = sent
        assert isinstance(self._response, PlainResponse)
        # What h11 sent decides how it reads the response, so it must read all of it. The one thing
        # that may have come already is the end of input.
        if self._response.closed:
            response.receive_data(b"")
        self._response = response
        return head

    def _pieces(self, head: SecretBytes, body: Iterator[bytes]) -> Iterator[bytes]:
        yield head
        # One piece ahead, so that `sent` is True as soon as the last piece has been taken.
        following = next(body, None)
        if following is None:
            self.sent = True
        while following is not None:
            piece, following = following, next(body, None)
            if following is None:
                self.sent = True
            yield SecretBytes(piece)

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input.

        A buffer that is not `bytes` is copied, so it may be used again at once.
        """
        if type(data) is not bytes:
            data = bytes(data)
        if data:
            self.answered = True
        self._response.receive_data(data)

    def next_event(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        """Return the head, then pieces of the body (never empty), then END_OF_BODY; or NEED_DATA.

        Raises:
            ProtocolError: the bytes are not an acceptable HTTP/1.1 response. Its `error_code` is
                bad_response, framing, headers_too_large, too_many_1xx or unexpected_upgrade.
            APIConnectionError: the input ended too early: `disconnected` before a complete head,
                `truncated` within the body.
            After either of these the connection raises the same error for ever.
        """
        if self._error is not None:
            raise self._error
        if self._ended:
            return END_OF_BODY
        try:
            event = self._response.next_event()
            # At most once per response: h11's reader, which takes over here, never returns it.
            if event is NOT_PLAIN:
                event = self._go_on_by_h11()
        except APIConnectionError as exc:
            self._error = exc
            raise
        if event is END_OF_BODY:
            self._ended = True
        return event

    def _go_on_by_h11(self) -> Union[ResponseHead, bytes, EndOfBody, NeedData]:
        assert isinstance(self._response, PlainResponse)
        self._response = response = going_on(self._response.remainder())
        return response.next_event()

    def start_next_cycle(self) -> None:
        """Make the connection ready for the next request. It must be `reusable`.

        Raises:
            ProtocolError: it is not.
        """
        if not self.reusable:
            raise _not_now()
        self.served += 1
        self._start()


def _not_open(body: object) -> TypeError:
    return TypeError(
        f"request.body: expected bytes or an OpenBody, got {type(body).__name__}; open a"
        " StreamedBody first, with body.open(...), and send the request with what it returns"
    )


def _not_now() -> ProtocolError:
    return ProtocolError(
        "this connection cannot take another request: the last one is unfinished or has failed",
        error_code="framing",
    )
