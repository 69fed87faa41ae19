# Generated from _async/runner.py by `python tests/house/mirror.py --write`: edit that file.
"""Runs calls: asks the exchange what to do, does it, tells it what came of it."""

import random
import time
from collections.abc import Iterator, Callable
from types import TracebackType
from typing import Generic, Optional, TypeVar, Union

from typing_extensions import Self

from meshapi_backends._sync.transports import (
    Clock,
    Network,
    Response,
    Transport,
)
from meshapi_backends._closing import Closes
from meshapi_backends._failures import TransportError, timeout_error
from meshapi_backends._sources import Uploads, check_source
from meshapi_core import (
    END_OF_STREAM,
    MAX_BODY_SIZE,
    NEED_DATA,
    AnyCall,
    BodyDecoder,
    BodyPace,
    EndOfStream,
    Exchange,
    Failure,
    FileSource,
    Flow,
    Headers,
    MeshAPIConfig,
    MeshAPIError,
    Reply,
    ResponseDecodeError,
    Send,
    StreamCall,
    Timeout,
    Wait,
    find_request_id,
)

T = TypeVar("T")

# Not the program's own random numbers: these repeat where it seeds them, or forks, and an
# idempotency key must never.
_random = random.SystemRandom().random

# Bytes of an error answer that are read: more than any envelope, less than a flood.
_MAX_ERROR_SIZE = 64 * 1024

# Seconds to wait for the end of a body whose stream is complete: it follows within a packet or
# two where the server sends it at all, and gives the connection back in good order.
_DRAIN_TIME = 0.1


class Runner:
    """Runs calls over a transport.

    Args:
        config: the gateway.
        transport: sends requests.
        network: gives the network of the running program: its clock and its sleep.
    """

    def __init__(
        self,
        config: MeshAPIConfig,
        transport: Transport,
        network: Callable[[], Network],
    ) -> None:
        self._config = config
        self._transport = transport
        self._network = network

    def run(self, call: AnyCall[T], /) -> T:
        """The call's answer."""
        network = self._network()
        exchange = Exchange(call, self._config, now=network.now(), random=_random)
        uploads = Uploads()
        try:
            while True:
                action = exchange.next_action(network.now())
                if isinstance(action, Send):
                    self._send(exchange, action, uploads, network)
                elif isinstance(action, Wait):
                    network.sleep(action.seconds)
                else:
                    return action.value
        finally:
            uploads.close()

    def run_flow(self, flow: Flow[T], /) -> T:
        """The flow's result, each of its calls run in turn."""
        try:
            call = next(flow)
            while True:
                try:
                    answer = None
                    if isinstance(call, FileSource):
                        check_source(call)
                    else:
                        answer = self.run(call)
                except Exception as exc:
                    call = flow.throw(exc)
                else:
                    call = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    def open(self, call: StreamCall[T], /) -> "ChunkStream[T]":
        """The call's stream; nothing is sent yet."""
        return ChunkStream(self, call)

    def _send(
        self, exchange: Exchange[T], send: Send, uploads: Uploads, network: Network
    ) -> None:
        request = uploads.opened(send.request)
        try:
            answer = self._transport.send(
                request, timeout=send.timeout, deadline=send.deadline, fresh=send.fresh
            )
            reply = _read_reply(answer, MAX_BODY_SIZE, send.timeout, network)
        except TransportError as exc:
            exchange.receive(_with_cause(exc), network.now())
        else:
            exchange.receive(reply, network.now())

    def begin(self, call: StreamCall[T], /) -> "OpenStream[T]":
        """Send a stream's request and read the head of its answer."""
        network = self._network()
        exchange = Exchange(call, self._config, now=network.now(), random=_random)
        decoder, send, answer = self.read_head(exchange, network)
        return OpenStream(decoder, answer, send.timeout, send.deadline, network)

    def read_head(
        self, exchange: Exchange[T], clock: Clock
    ) -> tuple[T, Send, Response]:
        """What the call makes of the head of its answer; the body is still to be read.

        An exchange that waits, because the clock has raised something, can be given again.
        """
        answer = send = None
        uploads = Uploads()
        try:
            while True:
                action = exchange.next_action(clock.now())
                if isinstance(action, Send):
                    send = action
                    answer = self._send_for_head(exchange, send, uploads, clock)
                elif isinstance(action, Wait):
                    clock.sleep(action.seconds)
                else:
                    break
        except BaseException:
            if answer is not None:
                answer.abort()
            raise
        finally:
            uploads.close()
        assert answer is not None
        assert send is not None
        return action.value, send, answer

    def _send_for_head(
        self,
        exchange: Exchange[T],
        send: Send,
        uploads: Uploads,
        clock: Clock,
    ) -> Optional[Response]:
        request = uploads.opened(send.request)
        try:
            answer = self._transport.send(
                request, timeout=send.timeout, deadline=send.deadline, fresh=send.fresh
            )
            if answer.status < 300:
                exchange.receive(_reply(answer, b""), clock.now())
                return answer
            reply = _read_reply(answer, _MAX_ERROR_SIZE, send.timeout, clock)
        except TransportError as exc:
            exchange.receive(_with_cause(exc), clock.now())
        else:
            exchange.receive(reply, clock.now())
        return None


def _read_reply(
    answer: Response, limit: int, timeout: Timeout, clock: Clock
) -> Reply:
    try:
        return _reply(answer, _read_body(answer, limit, timeout, clock))
    except TransportError as exc:
        # The head had come: whoever looks into it can find the request by its id.
        error = exc.failure.error
        error.status, error.headers = answer.status, answer.headers
        error.request_id = find_request_id(answer.headers)
        raise


def _read_body(
    answer: Response, limit: int, timeout: Timeout, clock: Clock
) -> bytes:
    error_only = not 200 <= answer.status < 300
    limit = _MAX_ERROR_SIZE if error_only else limit
    pace = BodyPace(timeout.read, clock.now(), status=answer.status)
    body = piece = answer.read(pace.until)
    if not body:
        return b""
    pieces, size = [body], len(body)
    while True:
        pace.receive(len(piece), clock.now())
        piece = answer.read(pace.until)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            answer.abort()
            if error_only:
                break
            raise ResponseDecodeError(
                f"the answer is larger than {limit} bytes",
                status=answer.status,
                error_code="response_too_large",
                request_id=find_request_id(answer.headers),
                headers=answer.headers,
            )
    return body if len(pieces) == 1 else b"".join(pieces)


def _reply(answer: Response, body: bytes) -> Reply:
    return Reply(answer.status, answer.headers, body, time.time(), answer.cut)


def _with_cause(exc: TransportError) -> Failure:
    # What the caller catches tells, by its cause, what the system said.
    error = exc.failure.error
    if exc.__cause__ is not error:
        error.__cause__ = exc.__cause__
    return exc.failure


class OpenStream(Generic[T]):
    """A stream whose answer has begun: feeds the body to the decoder until there is a chunk."""

    def __init__(
        self,
        decoder: BodyDecoder[T],
        answer: Response,
        timeout: Timeout,
        deadline: Optional[float],
        network: Network,
    ) -> None:
        self.decoder = decoder
        self._answer = answer
        self._timeout = timeout
        self._deadline = deadline
        self._network = network
        self._idle_end: Optional[float] = None

    def next(self) -> "Union[T, EndOfStream]":
        """The next chunk, or END_OF_STREAM when the connection has been given back or up."""
        decoder = self.decoder
        self._idle_end = None
        try:
            while True:
                event = decoder.next_event()
                if event is NEED_DATA:
                    self._feed(decoder)
                    continue
                if event is END_OF_STREAM:
                    self._drain()
                return event
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give the rest of the stream up. Harmless twice."""
        self._answer.abort()

    def _feed(self, decoder: BodyDecoder[T]) -> None:
        if self._idle_end is None and self._timeout.idle is not None:
            # From here: the time that the consumer took for the last event is not the stream's.
            self._idle_end = self._network.now() + self._timeout.idle
        try:
            data = self._answer.read(self._idle_end)
            if not data and self._answer.cut:
                decoder.receive_cut()
            else:
                decoder.receive_data(data)
        except TransportError as exc:
            decoder.receive_failure(self._explained(_with_cause(exc)))

    def _explained(self, failure: Failure) -> Failure:
        # The transport saw a read that took too long; whose limit it was is known here.
        now, end = self._network.now(), self._idle_end
        if end is None or now < end or not failure.timed_out:
            return failure
        if self._deadline is not None and self._deadline <= end:
            return failure
        return Failure(timeout_error("idle", self._timeout, None, now), failure.stage)

    def _drain(self) -> None:
        """Read to the end of the body, if that is near, so that the connection can be reused."""
        until = self._network.now() + _DRAIN_TIME
        try:
            while self._network.now() < until and self._answer.read(until):
                pass
        except TransportError:
            pass
        finally:
            self.abort()


class ChunkStream(Closes, Generic[T]):
    """The chunks of one streamed answer. See `meshapi_core.Stream`."""

    def __init__(self, runner: Runner, call: StreamCall[T]) -> None:
        self._runner = runner
        self._call = call
        self._open: Optional[OpenStream[T]] = None
        self._error: Optional[Exception] = None
        self._closed = False
        self._busy = False

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's id of this request; None until the answer has begun, or without one."""
        return find_request_id(self.headers) or None

    @property
    def headers(self) -> Headers:
        """The answer's header fields; empty until it has begun."""
        return Headers() if self._open is None else self._open.decoder.headers

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._open else "not begun"
        return f"<{type(self).__name__} {state}>"

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or was closed."""
        return self._closed

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        self._enter()
        try:
            event = (self._open or self._begin()).next()
        except MeshAPIError:
            # Closed by somebody else while this one was reading: that is no failure.
            if not self.closed:
                raise
            event = END_OF_STREAM
        finally:
            self._busy = False
        if event is END_OF_STREAM:
            self._closed = True
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        if self._closed:
            raise RuntimeError("this stream has been closed")
        self._enter()
        try:
            if self._open is None:
                self._begin()
        finally:
            self._busy = False
        return self

    def _enter(self) -> None:
        # Two readers would send two requests, or lose each other's chunks.
        if self._busy:
            raise RuntimeError("this stream is being read already, by another task or thread")
        self._busy = True

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream now. Harmless twice; iterating afterwards ends at once."""
        self._closed = True
        if self._open is not None:
            self._open.abort()

    def _begin(self) -> OpenStream[T]:
        if self._error is not None:
            raise self._error
        try:
            stream = self._open = self._runner.begin(self._call)
        except Exception as exc:
            # For who asks again. Cancellation leaves no trace: the next one to ask starts anew.
            self._error = exc
            raise
        if self._closed:
            stream.abort()
        return stream
