"""A response from its head on: who gets its body, and when the next bytes of it are due.

- A `StreamedResponse` was asked for as a stream, and is a 2xx: its body goes to a decoder, and
  `next_event` returns the items.
- A `WholeResponse` is any other: its body is put together, up to a limit, and goes to the exchange.
  Of an error's body the first `MAX_ERROR_SIZE` bytes are enough.

The body comes from a source, as `HTTP11Connection.next_event` returns it: pieces, then END_OF_BODY,
and NEED_DATA in between. The table in `pace` says when more of it is due.
"""

from collections.abc import Callable
from typing import Generic, Optional, TypeVar, Union

from msgspec import structs
from typing_extensions import Protocol, TypeAlias

from meshapi_core.calls import MAX_BODY_SIZE, MAX_ERROR_SIZE, too_large
from meshapi_core.errors import APIConnectionError
from meshapi_core.failures import Phase
from meshapi_core.headers import find_request_id
from meshapi_core.machines.exchange import Send
from meshapi_core.machines.pace import BodyPace
from meshapi_core.machines.timer import earliest
from meshapi_core.messages import SUCCESS, Failure, Response
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, EndOfStream, NeedData

__all__ = ["DRAIN_TIME", "Source", "StreamedResponse", "WholeResponse"]

T = TypeVar("T")

Source: TypeAlias = Callable[[], Union[bytes, EndOfBody, NeedData]]
"""Returns the body of a response, piece by piece; raises APIConnectionError if it breaks off."""


class Receiver(Protocol):
    """What a whole response goes to: an `Exchange`, or a session in its place."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may show."""
        ...

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the response, or the reason why it is not whole."""
        ...


DRAIN_TIME = 0.1
"""Seconds to wait for the end of a body whose stream is complete. If the server sends that end at
all, it follows within a packet or two, and the connection can be kept."""


class WholeResponse:
    """A response that the exchange gets when all of its body has come.

    Args:
        head: the response, without its body.
        exchange: gets the response, or the failure.
        send: what was sent.
        source: returns the body.
        now: the time.
    """

    decoder: None = None
    """Always None: the body is not a stream."""

    cut = False
    """Whether the end of the input may have cut the body off; see `Response.cut`."""

    answer_until: Optional[float] = None
    """When all of it is late, by `Send.answer_within`; None is never."""

    def __init__(
        self, head: Response, exchange: Receiver, send: Send, source: Source, now: float
    ) -> None:
        self.head = head
        self._exchange = exchange
        self._send = send
        self._source = source
        self._limit = MAX_BODY_SIZE if head.status in SUCCESS else MAX_ERROR_SIZE
        self._pieces: list[bytes] = []
        self._size = self._paced = 0
        # Made on first use: most bodies come with their heads.
        self._began = now
        self._pace: Optional[BodyPace] = None

    def next_event(self, now: float) -> Union[NeedData, EndOfBody]:
        """NEED_DATA: more of the body is due by `until`. END_OF_BODY: the exchange has it.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        while True:
            try:
                piece = self._source()
            except APIConnectionError as exc:
                # Over, if not well: the exchange has the failure, and says what follows.
                self._break_off(Failure(exc, "response"), now)
                return END_OF_BODY
            if piece is NEED_DATA:
                self._keep_pace(now)
                return NEED_DATA
            if piece is END_OF_BODY:
                break
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self._limit:
                # Past the exchange: a retry would bring the same, and be billed again.
                if self.head.status in SUCCESS:
                    error = too_large(self.head.status, self.head.headers)
                    raise conceal(error, self._exchange.secrets)
                # An error's beginning says enough. The end of this body has not been read, so the
                # connection cannot be kept.
                break
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        # Their memory is for what is made of the body, which may be as much.
        pieces.clear()
        head = self.head
        response = Response(
            head.status, head.headers, body, head.received_at, self.cut, proxy=head.proxy
        )
        self._exchange.receive(response, now)
        return END_OF_BODY

    def _keep_pace(self, now: float) -> None:
        # It counts bytes of the body, as the source returns them. Chunk sizes, extensions and
        # trailers, which come on the same connection, do not restart the limit.
        if self._pace is None:
            self._pace = BodyPace(self._send.timeout.read, self._began, status=self.head.status)
        self._pace.receive(self._size - self._paced, now)
        self._paced = self._size

    @property
    def until(self) -> Optional[float]:
        """When the next bytes of the body are late; None is never."""
        until = earliest(None if self._pace is None else self._pace.until, self._send.deadline)
        return until if self.answer_until is None else earliest(until, self.answer_until)

    @property
    def last_until(self) -> Optional[float]:
        """When it is too late even for what arrived while the host was interrupted."""
        return self._send.deadline

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which phase the response is in, and whether the whole call is out of time."""
        deadline = self._send.deadline
        return "read", deadline is not None and now >= deadline

    def receive_failure(self, failure: Failure, now: float) -> None:
        """Tell the exchange that the body will not go on.

        Before that, take what has come: it may be the whole body.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        if self.next_event(now) is NEED_DATA:
            self._break_off(failure, now)

    def _break_off(self, failure: Failure, now: float) -> None:
        head = self.head
        if head.status not in SUCCESS and failure.stage == "response" and not failure.timed_out:
            # The status says that the gateway refused. The caller gets that error, with as much of
            # its body as has come. A server that refuses a request before it has read all of it
            # often closes the connection, so that a reset overtakes the body.
            self._exchange.receive(structs.replace(head, body=b"".join(self._pieces)), now)
            return
        # The head has come, so the error can name the request ID, which support asks for.
        error = failure.error
        error.status, error.headers = head.status, head.headers
        error.request_id = find_request_id(head.headers)
        self._exchange.receive(failure, now)


class StreamedResponse(Generic[T]):
    """A response whose body is a stream.

    Args:
        head: the response, without its body.
        decoder: reads the stream.
        send: what was sent.
        source: returns the body.
    """

    cut = False
    """Whether the end of the input may have cut the body off; see `Response.cut`."""

    ended = False
    """Whether all of the body has been taken from the source."""

    idle_until: Optional[float] = None
    """When the next item is late; None while nobody waits for it."""

    # When the next bytes are late, and whether anybody waits for them.
    _next_until: Optional[float] = None
    _waiting = False
    _end_told = False

    def __init__(self, head: Response, decoder: BodyDecoder[T], send: Send, source: Source) -> None:
        self.head = head
        self.decoder = decoder
        self._send = send
        self._source = source

    def next_event(self, now: float) -> Union[T, NeedData, EndOfBody, EndOfStream]:
        """The next item, or one of these signals.

        NEED_DATA: more of the body is due by `until`. END_OF_BODY, once: the body has been read,
        and the call no longer needs its connection; ask again for the items that are left.
        END_OF_STREAM: there are no more items, and the rest of the body does not matter.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        event = NEED_DATA if self.ended else self.next_chunk()
        if self.ended:
            # The end of the body comes before the last items, which the decoder still has: the
            # connection is free while the caller takes them.
            if not self._end_told:
                self._end_told = True
                return END_OF_BODY
            event = self.decoder.next_event()
        if event is NEED_DATA:
            self._wait(now)
        else:
            self.idle_until = None
        return event

    def next_chunk(self) -> Union[T, NeedData, EndOfStream]:
        """The next item of what has come already, or a signal; needs no time.

        At the end of the body it returns NEED_DATA: ask `next_event`.
        """
        decoder = self.decoder
        while True:
            event = decoder.next_event()
            if event is not NEED_DATA or self.ended:
                return event
            try:
                piece = self._source()
            except APIConnectionError as exc:
                # The decoder judges: items come first, then the error; or the stream's own end was
                # there already, and nothing is missing.
                decoder.receive_failure(Failure(exc, "response"))
                continue
            if piece is NEED_DATA:
                return NEED_DATA
            # Any byte of the body restarts `read`. Only an item restarts `idle`: see `next_event`.
            self._waiting = False
            if piece is not END_OF_BODY:
                decoder.receive_data(piece)
                # Error trackers show the locals of frames, and a server may quote a secret.
                del piece
                continue
            self._end()
            return NEED_DATA

    def skip(self) -> bool:
        """Discard what has come of the body, and return whether the body is over."""
        try:
            while True:
                piece = self._source()
                if piece is END_OF_BODY or piece is NEED_DATA:
                    return piece is END_OF_BODY
        except APIConnectionError:
            # It broke off, which is an end, too. The connection knows that it is not reusable.
            return True

    def _wait(self, now: float) -> None:
        timeout = self._send.timeout
        # Whoever asks again does not get more time: a limit begins with the first wait for it.
        if not self._waiting:
            self._waiting = True
            self._next_until = None if timeout.read is None else now + timeout.read
        if self.idle_until is None and timeout.idle is not None:
            # From now, not from the last item: the caller's own time with that does not count.
            self.idle_until = now + timeout.idle

    @property
    def until(self) -> Optional[float]:
        """When the next bytes of the body are late; None is never."""
        return earliest(self._next_until, self.last_until)

    @property
    def last_until(self) -> Optional[float]:
        """When it is too late even for what arrived while the host was interrupted."""
        return earliest(self.idle_until, self._send.deadline)

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit ran out, and whether that is the whole call's."""
        deadline, idle = self._send.deadline, self.idle_until
        # Where both `idle` and the deadline have passed, the earlier one is the reason.
        if idle is not None and now >= idle and (deadline is None or idle < deadline):
            return "idle", False
        return "read", deadline is not None and now >= deadline

    def receive_failure(self, failure: Failure, now: float) -> None:
        """Tell the decoder that the body will not go on.

        Before that, give it what has come: it may be the whole body.
        """
        # No items are taken here. The decoder keeps them, and `next_event` returns them.
        while not self.ended:
            try:
                piece = self._source()
            except APIConnectionError:
                break
            if piece is NEED_DATA:
                break
            if piece is END_OF_BODY:
                self._end()
            else:
                self.decoder.receive_data(piece)
        else:
            return
        self.decoder.receive_failure(failure)

    def _end(self) -> None:
        # RFC 9112, section 9.8: without TLS's close_notify, a body that lasts until the connection
        # ends may have been truncated. Only a decoder with an end of its own can tell.
        self.ended = True
        if self.cut:
            self.decoder.receive_cut()
        else:
            self.decoder.receive_data(b"")
