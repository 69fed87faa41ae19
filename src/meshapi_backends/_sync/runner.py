# Generated from _async/runner.py by `python tools/mirror.py --write`: edit that file.
"""Runs calls: gives each a machine, and the machine a host."""

import os
import time
from collections.abc import Iterator, Callable
from types import TracebackType
from typing import Any, Generic, Optional, TypeVar, Union

from typing_extensions import Self

from meshapi_backends._sync.hosts import Host, PipeHost
from meshapi_backends._sync.pool import Pools
from meshapi_backends._sync.transports import Network, Transport
from meshapi_backends._closing import Closes
from meshapi_backends._sources import check_source
from meshapi_core import (
    END_OF_STREAM,
    AnyCall,
    FileSource,
    Headers,
    MeshAPIConfig,
    MeshAPIError,
    PipeCall,
    StreamCall,
    StreamInterruptedError,
    find_request_id,
    stream_closed,
)
from meshapi_core.endpoints import Flow

T = TypeVar("T")


class Runner:
    """Runs calls over a transport.

    Args:
        config: the gateway.
        transport: sends requests; or has connections of our own.
        network: gives the network of the running program: its clock and its sleep.
    """

    def __init__(
        self,
        config: MeshAPIConfig,
        transport: Union[Transport, Pools],
        network: Callable[[], Network],
    ) -> None:
        self._config = config
        self._transport: Any = transport
        self._network = network
        self._has_pipes = isinstance(transport, Pools)

    def run(self, call: AnyCall[T], /) -> T:
        """The call's answer."""
        return self._host(call).result()

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

    def stream_host(self, call: StreamCall[T], /) -> Host[T]:
        """What drives a stream; nothing is sent yet."""
        made: Any = self._host(call)
        host: Host[T] = made
        return host

    def _host(self, call: AnyCall[T]) -> Host[T]:
        network = self._network()
        now, unix_time = network.now(), time.time()
        if self._has_pipes:
            pipes = PipeCall(
                call, self._config, now=now, random_bytes=os.urandom, unix_time=unix_time
            )
            return PipeHost(pipes, self._transport, network)
        # Loaded when it is used: few programs bring an HTTP client along.
        from meshapi_backends._sync.client_host import ClientHost
        from meshapi_core import ClientCall

        client = ClientCall(
            call, self._config, now=now, random_bytes=os.urandom, unix_time=unix_time
        )
        return ClientHost(client, self._transport, network)


class ChunkStream(Closes, Generic[T]):
    """The chunks of one streamed answer. See `meshapi_core.Stream`."""

    def __init__(self, runner: Runner, call: StreamCall[T]) -> None:
        self._runner = runner
        self._call = call
        self._host: Optional[Host[T]] = None
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
        decoder = None if self._host is None else self._host.call.decoder
        return Headers() if decoder is None else decoder.headers

    def __repr__(self) -> str:
        is_open = self._host is not None and self._host.call.decoder is not None
        state = "closed" if self._closed else "open" if is_open else "not begun"
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
        # As `_enter`, without a call.
        if self._busy:
            self._enter()
        self._busy = True
        try:
            event = (self._host or self._begin()).next()
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
            (self._host or self._begin()).open()
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
        if self._host is not None:
            self._host.abort(stream_closed())
        self._host = None

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
        if self._host is not None:
            self._host.abort(stream_closed())

    def _begin(self) -> Host[T]:
        if self._error is not None:
            raise self._error
        host = self._host = self._runner.stream_host(self._call)
        if self._closed:
            host.abort(stream_closed())
        return host
