"""One answer on its way in, from its head on: what `PipeCall` and `ClientCall` have in common.

The body comes from a source, as `HTTP11Connection.next_event` gives it: pieces, then END_OF_BODY,
and NEED_DATA in between. What becomes of it:

- a stream that was asked for, and granted, goes to its decoder, and `next_event` gives its items;
- any other body is put together, up to a limit, and goes to the exchange as a `Reply`. Of an
  error's body the first `MAX_ERROR_SIZE` bytes are enough.

And by when more of it must come: `until`, from the table in `pace`.
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union, cast

from typing_extensions import TypeAlias

from meshapi_core.calls import MAX_BODY_SIZE, MAX_ERROR_SIZE, too_large
from meshapi_core.errors import APIConnectionError
from meshapi_core.failures import Phase
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.machines.exchange import Done, Exchange, Send
from meshapi_core.machines.pace import BodyPace
from meshapi_core.messages import Failure, Reply
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal
from meshapi_core.signals import (
    END_OF_BODY,
    NEED_DATA,
    EndOfBody,
    EndOfStream,
    NeedData,
)

__all__ = ["DRAIN_TIME", "Incoming", "Source", "earliest"]

T = TypeVar("T")

Source: TypeAlias = Callable[[], Union[bytes, EndOfBody, NeedData]]
"""Gives the body of an answer, piece by piece."""

DRAIN_TIME = 0.1
"""Seconds to wait for the end of a body whose stream is complete: it follows within a packet or
two where the server sends it at all, and gives the connection back in good order."""


class Incoming(Generic[T]):
    """One answer whose head has come.

    Args:
        exchange: is told what came of it.
        send: what was sent.
        status, headers: of the answer.
        received_at: when its head came, in Unix seconds.
        streaming: whether its body is a stream, if it is a good answer.
        source: gives the body; raises APIConnectionError where that breaks off.
        now: the time.

    Raises:
        MeshAPIError: it is a stream that can't be read.
    """

    def __init__(
        self,
        exchange: "Exchange[Any]",
        send: Send,
        status: int,
        headers: Headers,
        received_at: Optional[float],
        source: Source,
        now: float,
        *,
        streaming: bool,
    ) -> None:
        self.status = status
        self.headers = headers
        self.cut = False
        """Whether the end of the input may have cut the body off; see `Reply.cut`."""
        self.ended = False
        """Whether all of the body has been taken from the source."""
        self.decoder: Optional[BodyDecoder[T]] = None
        self._exchange = exchange
        self._send = send
        self._received_at = received_at
        self._source = source
        # The limits: of the next bytes of a stream, of its next item, and of a whole body.
        self._next_until: Optional[float] = None
        self.idle_until: Optional[float] = None
        """When the next item of a stream is late; None where it is not waited for."""
        self._waiting = self._end_told = False
        self._pieces: list[bytes] = []
        self._size = self._paced = 0
        if streaming and 200 <= status <= 299:
            exchange.receive(Reply(status, headers, b"", received_at), now)
            done = cast("Done[BodyDecoder[T]]", exchange.next_action(now))
            self.decoder = done.value
        else:
            # Made when it is needed: most bodies come with their heads.
            self._began = now
            self._pace: Optional[BodyPace] = None
            self._limit = MAX_BODY_SIZE if 200 <= status <= 299 else MAX_ERROR_SIZE

    def next_event(self, now: float) -> Union[T, NeedData, EndOfBody, EndOfStream]:
        """An item; or what is missing, or over.

        NEED_DATA: more of the body, by `until`. END_OF_BODY, once: the body has been read, and
        its connection is not needed any more; ask the exchange, or here again for what a stream
        still has. END_OF_STREAM: there are no more items, and the rest of the body says nothing.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        if self.decoder is None:
            return self._whole(now)
        return self._streamed(self.decoder, now)

    def next_chunk(self, decoder: BodyDecoder[T]) -> Union[T, NeedData, EndOfStream]:
        """What the decoder makes of what has come, without a look at the time.

        Where the body ends, `next_event` is to be asked.
        """
        while True:
            event = decoder.next_event()
            if event is not NEED_DATA or self.ended:
                return event
            try:
                piece = self._source()
            except APIConnectionError as exc:
                decoder.receive_failure(Failure(exc, "reply"))
                continue
            if piece is NEED_DATA:
                return NEED_DATA
            self._waiting = False
            if piece is not END_OF_BODY:
                decoder.receive_data(piece)
                # Error trackers show the locals of what raises, and a server may quote a secret.
                del piece
                continue
            self._feed(decoder, piece)
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

    def _streamed(
        self, decoder: BodyDecoder[T], now: float
    ) -> Union[T, NeedData, EndOfBody, EndOfStream]:
        event = NEED_DATA if self.ended else self.next_chunk(decoder)
        if self.ended and not self._end_told:
            self._end_told = True
            return END_OF_BODY
        if self.ended:
            event = decoder.next_event()
        if event is NEED_DATA:
            self._wait(now)
        else:
            self.idle_until = None
        return event

    def _wait(self, now: float) -> None:
        timeout = self._send.timeout
        if not self._waiting:
            self._waiting = True
            self._next_until = None if timeout.read is None else now + timeout.read
        if self.idle_until is None and timeout.idle is not None:
            # From here: the time that the caller took for the last item is not the stream's.
            self.idle_until = now + timeout.idle

    def _whole(self, now: float) -> Union[NeedData, EndOfBody]:
        while True:
            try:
                piece = self._source()
            except APIConnectionError as exc:
                self._break_off(Failure(exc, "reply"), now)
                return END_OF_BODY
            if piece is NEED_DATA:
                if self._pace is None:
                    self._pace = BodyPace(self._send.timeout.read, self._began, status=self.status)
                self._pace.receive(self._size - self._paced, now)
                self._paced = self._size
                return NEED_DATA
            if piece is END_OF_BODY:
                self.ended = True
                break
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self._limit:
                if 200 <= self.status <= 299:
                    error = too_large(self.status, self.headers)
                    raise conceal(error, self._exchange.secrets)
                break
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._exchange.receive(
            Reply(self.status, self.headers, body, self._received_at, self.cut), now
        )
        return END_OF_BODY

    @property
    def until(self) -> Optional[float]:
        """When it is too late for the bytes that are waited for; None is never."""
        deadline = self._send.deadline
        if self.decoder is None:
            return earliest(None if self._pace is None else self._pace.until, deadline)
        return earliest(earliest(self._next_until, self.idle_until), deadline)

    @property
    def last_until(self) -> Optional[float]:
        """When it is too late also for what came while nobody could look."""
        return earliest(self.idle_until, self._send.deadline)

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit it is that is over, and whether that is because the whole call's is."""
        deadline, idle = self._send.deadline, self.idle_until
        late = deadline is not None and now >= deadline
        if idle is not None and now >= idle and (deadline is None or idle < deadline):
            return "idle", False
        return "read", late

    def receive_failure(self, failure: Failure, now: float) -> None:
        """Take note that the body will not go on; `next_event`, or the exchange, tells the rest.

        What had come before is taken first: it may have been all.

        Raises:
            MeshAPIError: the call has failed for good.
        """
        if self.decoder is not None:
            if not self._take_rest(self.decoder):
                self.decoder.receive_failure(failure)
        elif self._whole(now) is NEED_DATA:
            self._break_off(failure, now)

    def _take_rest(self, decoder: BodyDecoder[T]) -> bool:
        """Give the decoder what has come, and return whether that was to the end."""
        while not self.ended:
            try:
                piece = self._source()
            except APIConnectionError:
                return False
            if piece is NEED_DATA:
                return False
            self._feed(decoder, piece)
        return True

    def _feed(self, decoder: BodyDecoder[T], piece: Union[bytes, EndOfBody]) -> None:
        if piece is not END_OF_BODY:
            decoder.receive_data(piece)
            return
        self.ended = True
        if self.cut:
            decoder.receive_cut()
        else:
            decoder.receive_data(b"")

    def _break_off(self, failure: Failure, now: float) -> None:
        if failure.interrupted and not 200 <= self.status <= 299:
            # It has said no: that is known, and what it said about it is not waited for.
            reply = Reply(self.status, self.headers, b"".join(self._pieces), self._received_at)
            self._exchange.receive(reply, now)
            return
        # The head had come: whoever looks into it can find the request by its id.
        error = failure.error
        error.status, error.headers = self.status, self.headers
        error.request_id = find_request_id(self.headers)
        self._exchange.receive(failure, now)


def earliest(one: Optional[float], other: Optional[float]) -> Optional[float]:
    """The earlier of two times; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
