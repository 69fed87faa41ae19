"""A response on its way in, from its head on: whose its body is, and until when it must come.

- A `StreamedResponse` was asked for as a stream, and granted: its body goes to a decoder, and
  `next_event` gives its items.
- A `WholeResponse` is any other: its body is put together, up to a limit, and goes to the exchange.
  Of an error's body the first `MAX_ERROR_SIZE` bytes are enough.

The body comes from a source, as `HTTP11Connection.next_event` gives it: pieces, then END_OF_BODY,
and NEED_DATA in between. By when more of it must come, the table in `pace` says.
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
"""Gives the body of a response, piece by piece; raises APIConnectionError where it breaks off."""


class Receiver(Protocol):
    """What a whole response goes to: an `Exchange`, or what stands for a session."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error shows."""
        ...

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the response, or why it is not whole."""
        ...


DRAIN_TIME = 0.1
"""Seconds to wait for the end of a body whose stream is complete: it follows within a packet or
two where the server sends it at all, and gives the connection back in good order."""


class WholeResponse:
    """A response that the exchange gets when all of its body has come.

    Args:
        head: the response, without its body.
        exchange: is told what came of it.
        send: what was sent.
        source: gives the body.
        now: the time.
    """

    decoder: None = None
    """There is none."""

    cut = False
    """Whether the end of the input may have cut the body off; see `Response.cut`."""

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
        # Made when it is needed: most bodies come with their heads.
        self._began = now
        self._pace: Optional[BodyPace] = None

    def next_event(self, now: float) -> Union[NeedData, EndOfBody]:
        """NEED_DATA: more of the body, by `until`. END_OF_BODY: the exchange has got it.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        while True:
            try:
                piece = self._source()
            except APIConnectionError as exc:
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
                if self.head.status in SUCCESS:
                    error = too_large(self.head.status, self.head.headers)
                    raise conceal(error, self._exchange.secrets)
                break
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        # Their memory is for what is made of the body, which may be as much.
        pieces.clear()
        head = self.head
        response = Response(head.status, head.headers, body, head.received_at, self.cut)
        self._exchange.receive(response, now)
        return END_OF_BODY

    def _keep_pace(self, now: float) -> None:
        if self._pace is None:
            self._pace = BodyPace(self._send.timeout.read, self._began, status=self.head.status)
        self._pace.receive(self._size - self._paced, now)
        self._paced = self._size

    @property
    def until(self) -> Optional[float]:
        """When it is too late for the bytes that are waited for; None is never."""
        return earliest(None if self._pace is None else self._pace.until, self._send.deadline)

    @property
    def last_until(self) -> Optional[float]:
        """When it is too late also for what came while nobody could look."""
        return self._send.deadline

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit it is that is over, and whether that is because the whole call's is."""
        deadline = self._send.deadline
        return "read", deadline is not None and now >= deadline

    def receive_failure(self, failure: Failure, now: float) -> None:
        """Tell the exchange that the body will not go on.

        What had come before is taken first: it may have been all.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        if self.next_event(now) is NEED_DATA:
            self._break_off(failure, now)

    def _break_off(self, failure: Failure, now: float) -> None:
        head = self.head
        if failure.interrupted and head.status not in SUCCESS:
            # It has said no: that is known, and what it said about it is not waited for.
            self._exchange.receive(structs.replace(head, body=b"".join(self._pieces)), now)
            return
        # The head had come: whoever looks into it can find the request by its id.
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
        source: gives the body.
    """

    cut = False
    """Whether the end of the input may have cut the body off; see `Response.cut`."""

    ended = False
    """Whether all of the body has been taken from the source."""

    idle_until: Optional[float] = None
    """When the next item is late; None where it is not waited for."""

    # When the next bytes are late, and whether they are waited for.
    _next_until: Optional[float] = None
    _waiting = False
    _end_told = False

    def __init__(self, head: Response, decoder: BodyDecoder[T], send: Send, source: Source) -> None:
        self.head = head
        self.decoder = decoder
        self._send = send
        self._source = source

    def next_event(self, now: float) -> Union[T, NeedData, EndOfBody, EndOfStream]:
        """An item; or what is missing, or over.

        NEED_DATA: more of the body, by `until`. END_OF_BODY, once: the body has been read, and
        its connection is not needed any more; ask again for what the stream still has.
        END_OF_STREAM: there are no more items, and the rest of the body says nothing.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        event = NEED_DATA if self.ended else self.next_chunk()
        if self.ended:
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
        """What the decoder makes of what has come, without a look at the time.

        Where the body ends, `next_event` is to be asked.
        """
        decoder = self.decoder
        while True:
            event = decoder.next_event()
            if event is not NEED_DATA or self.ended:
                return event
            try:
                piece = self._source()
            except APIConnectionError as exc:
                decoder.receive_failure(Failure(exc, "response"))
                continue
            if piece is NEED_DATA:
                return NEED_DATA
            self._waiting = False
            if piece is not END_OF_BODY:
                decoder.receive_data(piece)
                # Error trackers show the locals of what raises, and a server may quote a secret.
                del piece
                continue
            self._end()
            return NEED_DATA

    def skip(self) -> bool:
        """Pass over what has come of the body, and return whether that was the rest of it."""
        try:
            while True:
                piece = self._source()
                if piece is END_OF_BODY or piece is NEED_DATA:
                    return piece is END_OF_BODY
        except APIConnectionError:
            # It broke off, which is an end, too.
            return True

    def _wait(self, now: float) -> None:
        timeout = self._send.timeout
        if not self._waiting:
            self._waiting = True
            self._next_until = None if timeout.read is None else now + timeout.read
        if self.idle_until is None and timeout.idle is not None:
            # From here: the time that the caller took for the last item is not the stream's.
            self.idle_until = now + timeout.idle

    @property
    def until(self) -> Optional[float]:
        """When it is too late for the bytes that are waited for; None is never."""
        return earliest(self._next_until, self.last_until)

    @property
    def last_until(self) -> Optional[float]:
        """When it is too late also for what came while nobody could look."""
        return earliest(self.idle_until, self._send.deadline)

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit it is that is over, and whether that is because the whole call's is."""
        deadline, idle = self._send.deadline, self.idle_until
        if idle is not None and now >= idle and (deadline is None or idle < deadline):
            return "idle", False
        return "read", deadline is not None and now >= deadline

    def receive_failure(self, failure: Failure, now: float) -> None:
        """Tell the decoder that the body will not go on.

        What had come before is taken first: it may have been all.
        """
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
        self.ended = True
        if self.cut:
            self.decoder.receive_cut()
        else:
            self.decoder.receive_data(b"")
