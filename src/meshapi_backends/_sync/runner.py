# Generated from _async/runner.py by `python tests/house/mirror.py --write`: edit that file.
"""Runs calls: asks the exchange what to do, does it, tells it what came of it."""

import os
import time
from collections.abc import Iterator, Callable
from types import TracebackType
from typing import Generic, Optional, TypeVar, Union, cast

from typing_extensions import Self

from meshapi_backends._sync.pool import PooledResponse
from meshapi_backends._sync.transports import (
    Clock,
    Network,
    Response,
    Transport,
)
from meshapi_backends._closing import Closes
from meshapi_backends._failures import (
    TransportError,
    client_closed,
    interrupted,
    stream_closed,
    timeout_error,
)
from meshapi_backends._scopes import Calls, Ended, Scope
from meshapi_backends._sources import Uploads, check_source
from meshapi_core import (
    END_OF_STREAM,
    MAX_BODY_SIZE,
    NEED_DATA,
    AnyCall,
    BodyDecoder,
    BodyPace,
    Done,
    EndOfStream,
    Exchange,
    Failure,
    FileSource,
    Flow,
    Headers,
    MeshAPIConfig,
    MeshAPIError,
    Reply,
    Request,
    ResponseDecodeError,
    Send,
    StreamCall,
    StreamInterruptedError,
    Timeout,
    Wait,
    find_request_id,
)

T = TypeVar("T")

# Bytes of an error answer that are read: more than any envelope, less than a flood.
_MAX_ERROR_SIZE = 64 * 1024

# Seconds to wait for the end of a body whose stream is complete: it follows within a packet or
# two where the server sends it at all, and gives the connection back in good order.
_DRAIN_TIME = 0.1

_INTERRUPTED = "a read of this stream was interrupted"


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
        exchange = Exchange(call, self._config, now=network.now(), random_bytes=os.urandom)
        uploads = Uploads()
        try:
            while True:
                action = exchange.next_action(network.now())
                if isinstance(action, Send):
                    self._send(exchange, action, uploads, network)
                elif isinstance(action, Wait):
                    self.clock().sleep(action.seconds)
                else:
                    return action.value
        except Ended as exc:
            raise exc.failure.error from None
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
            try:
                reply = _read_reply(answer, MAX_BODY_SIZE, send.timeout, network)
            except BaseException:
                # Nobody goes on with a whole answer that was interrupted.
                answer.abort()
                raise
        except TransportError as exc:
            exchange.receive(_with_cause(exc), network.now())
        else:
            exchange.receive(reply, network.now())

    def head_reader(self, call: StreamCall[T], /) -> "HeadReader[BodyDecoder[T]]":
        """What sends a stream's request and reads the head of its answer."""
        clock = self.clock()
        exchange = Exchange(call, self._config, now=clock.now(), random_bytes=os.urandom)
        return HeadReader(self._transport, exchange, clock)

    def clock(self) -> "CallClock":
        """The clock of the running program, whose sleep ends with the transport."""
        return CallClock(self._network(), self._transport)


class CallClock:
    """A clock by which calls wait for their next attempt: until they are ended.

    Args:
        network: keeps the time.
        transport: ends the waits when it is closed, if it has `calls`.
    """

    def __init__(self, network: Network, transport: Transport) -> None:
        self.network = network
        self._transport = transport

    def now(self) -> float:
        """Seconds on a clock that does not go back."""
        return self.network.now()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Ended: there is nothing to wait for any more.
        """
        try:
            calls: Calls = getattr(self._transport, "calls", None) or Calls()
        except TransportError as exc:
            raise Ended(exc.failure) from None
        waiter = self.network.waiter()
        with calls.waiting() as scope, scope.waiting(waiter.set):
            waiter.wait(seconds)
            scope.check()


class HeadReader(Generic[T]):
    """Sends a request, repeats it as the exchange says, and reads the head of the answer.

    What interrupts it (cancellation, an exception of a signal handler) ends nothing: what has been
    sent is on its way, may be billed, and is never sent a second time because of that. `read` goes
    on where it was, on the same connection; where the transport can't, it raises from then on.

    Args:
        transport: sends.
        exchange: decides; one that waits, because the clock has raised something, can be given to
            another reader.
        clock: tells the time, and waits.
    """

    def __init__(self, transport: Transport, exchange: Exchange[T], clock: Clock) -> None:
        self.clock = clock
        self._transport = transport
        self._exchange = exchange
        self._scope = Scope()
        self._uploads = Uploads()
        self._reading = False
        # What the exchange wants done and has not been told of.
        self._pending: Optional[Send] = None
        self._sent: Optional[Send] = None
        self._answer: Optional[Response] = None
        self._lost: Optional[StreamInterruptedError] = None
        # Seconds for which a connection was waited for before that was interrupted.
        self._waited = 0.0

    def read(self) -> tuple[T, Send, Response]:
        """What the call makes of the head, what was sent, and the answer, still to be read.

        Raises:
            MeshAPIError: there is no answer, or there will be none (StreamInterruptedError).
        """
        if self._lost is not None:
            raise self._lost
        over = self._reading = True
        try:
            with self._scope.running():
                return self._read()
        except Ended as exc:
            raise exc.failure.error from None
        except MeshAPIError:
            raise
        except BaseException:
            over = False
            raise
        finally:
            self._reading = False
            if over or self._scope.failure is not None:
                self._uploads.close()

    def abort(self, failure: Optional[Failure] = None) -> None:
        """End it, and wake whoever reads; `failure` is what that one raises."""
        self._scope.end(failure or client_closed())
        if self._answer is not None:
            self._answer.abort()
        if not self._reading:
            self._uploads.close()

    def _read(self) -> tuple[T, Send, Response]:
        while True:
            self._scope.check()
            if self._pending is None:
                action = self._exchange.next_action(self.clock.now())
                if isinstance(action, Wait):
                    self.clock.sleep(action.seconds)
                    continue
                if isinstance(action, Done):
                    assert self._answer is not None
                    assert self._sent is not None
                    return action.value, self._sent, self._answer
                self._pending = self._sent = action
            self._attempt(self._pending)

    def _attempt(self, send: Send) -> None:
        try:
            answer = self._begin(send)
            if answer.status < 300:
                self._report(_reply(answer, b""))
            else:
                self._report(self._refusal(answer, send.timeout))
        except TransportError as exc:
            self._report(_with_cause(exc))

    def _report(self, outcome: Union[Reply, Failure]) -> None:
        self._pending = None
        if isinstance(outcome, Failure) or outcome.status >= 300:
            # The next attempt has a connection of its own.
            self._answer = None
        self._exchange.receive(outcome, self.clock.now())

    def _begin(self, send: Send) -> Response:
        request = self._uploads.opened(send.request)
        prepare = getattr(self._transport, "prepare", None)
        if prepare is None or request.named_by is not None:
            whole = self._answer = self._send_whole(request, send)
            self._check_wanted(whole)
            return whole
        if self._answer is None:
            self._answer = self._prepared(prepare, request, send)
        answer = cast(PooledResponse, self._answer)
        self._check_wanted(answer)
        try:
            answer.begin(request)
        except TransportError:
            answer.abort()
            raise
        return answer

    def _check_wanted(self, answer: Response) -> None:
        if self._scope.failure is not None:
            # It was still on its way: who ended this has seen no answer to abort.
            answer.abort()
            self._scope.check()

    def _prepared(
        self, prepare: Callable[..., Response], request: Request, send: Send
    ) -> Response:
        """A connection. What interrupts the wait for it starts it anew, but not its limit."""
        began, limits = self.clock.now(), send.timeout
        try:
            if None not in (limits.connect, limits.pool) and self._waited >= (
                (limits.connect or 0) + (limits.pool or 0)
            ):
                late = timeout_error("connect", limits, send.deadline, began)
                raise TransportError(Failure(late, "connect"))
            answer = prepare(request.origin, limits, send.deadline, send.fresh)
        except TransportError:
            self._waited = 0.0
            raise
        except BaseException:
            self._waited += self.clock.now() - began
            raise
        self._waited = 0.0
        return answer

    def _send_whole(self, request: Request, send: Send) -> Response:
        try:
            return self._transport.send(
                request, timeout=send.timeout, deadline=send.deadline, fresh=send.fresh
            )
        except (TransportError, MeshAPIError):
            raise
        except BaseException as exc:
            self._lost = StreamInterruptedError(
                f"{_INTERRUPTED} ({type(exc).__name__}) before the answer began; the request may"
                " have been sent, and is not sent again"
            )
            raise

    def _refusal(self, answer: Response, timeout: Timeout) -> Reply:
        try:
            return _read_reply(answer, _MAX_ERROR_SIZE, timeout, self.clock)
        except (TransportError, GeneratorExit):
            raise
        except BaseException:
            # It has said no: that is known, and what it said about it is not waited for.
            answer.abort()
            self._report(_reply(answer, b""))
            raise


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
        clock: Clock,
    ) -> None:
        self.decoder = decoder
        self._answer = answer
        self._timeout = timeout
        self._deadline = deadline
        self._clock = clock
        self._idle_end: Optional[float] = None
        self._resumable: bool = getattr(answer, "resumable", False)
        self._interrupted = False

    def next(self) -> "Union[T, EndOfStream]":
        """The next chunk, or END_OF_STREAM when the connection has been given back or up."""
        decoder = self.decoder
        if self._interrupted:
            decoder.receive_failure(interrupted(_INTERRUPTED))
        try:
            while True:
                event = decoder.next_event()
                if event is NEED_DATA:
                    self._feed(decoder)
                    continue
                if event is END_OF_STREAM:
                    self._drain()
                self._idle_end = None
                return event
        except MeshAPIError:
            self.abort()
            raise
        except BaseException:
            # Cancelled, or interrupted by a signal: what has come is kept, and the next one goes
            # on. A stream that nobody goes on with is closed by its owner, or with its owner.
            if not self._resumable:
                self._interrupted = True
                self.abort()
            raise

    def abort(self) -> None:
        """Give the rest of the stream up. Harmless twice."""
        self._answer.abort()

    def _feed(self, decoder: BodyDecoder[T]) -> None:
        if self._idle_end is None and self._timeout.idle is not None:
            # From here: the time that the consumer took for the last event is not the stream's.
            self._idle_end = self._clock.now() + self._timeout.idle
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
        now, end = self._clock.now(), self._idle_end
        if end is None or now < end or not failure.timed_out:
            return failure
        if self._deadline is not None and self._deadline <= end:
            return failure
        return Failure(timeout_error("idle", self._timeout, None, now), failure.stage)

    def _drain(self) -> None:
        """Read to the end of the body, if that is near, so that the connection can be reused."""
        until = self._clock.now() + _DRAIN_TIME
        try:
            while self._clock.now() < until and self._answer.read(until):
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
        self._head: Optional[HeadReader[BodyDecoder[T]]] = None
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
        # A loop over what has ended would be an empty one, which looks like an empty answer.
        self._check_open()
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
        self._check_open()
        self._enter()
        try:
            if self._open is None:
                self._begin()
        except MeshAPIError:
            raise
        except BaseException as exc:
            # Nobody will leave a block that was never entered.
            self._give_up(exc)
            raise
        finally:
            self._busy = False
        return self

    def _give_up(self, exc: BaseException) -> None:
        if self._error is None:
            self._error = StreamInterruptedError(
                f"this stream was interrupted ({type(exc).__name__}) while it was being entered"
            )
        if self._head is not None:
            self._head.abort(stream_closed())

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(
                "this stream has ended or was closed: its chunks are given out once; call the"
                " method again for another answer"
            )

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
        """End the stream now, and wake whoever reads it. Harmless twice.

        A loop over it ends; a new one, or a new `with`, raises RuntimeError.
        """
        self._closed = True
        if self._open is not None:
            self._open.abort()
        elif self._head is not None:
            self._head.abort(stream_closed())

    def _begin(self) -> OpenStream[T]:
        if self._error is not None:
            raise self._error
        try:
            if self._head is None:
                self._head = self._runner.head_reader(self._call)
            head = self._head
            if self._closed:
                head.abort(stream_closed())
            decoder, send, answer = head.read()
        except MeshAPIError as exc:
            # For who asks again. What interrupts leaves no trace: then it goes on.
            self._error = exc
            raise
        stream = OpenStream(decoder, answer, send.timeout, send.deadline, head.clock)
        self._open, self._head = stream, None
        if self._closed:
            stream.abort()
        return stream
