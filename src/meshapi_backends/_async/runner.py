"""Runs calls: makes a machine for each, and a host that drives it."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from meshapi_backends._async.connections import AsyncPools
from meshapi_backends._async.host import AsyncHost
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._async.transports import AsyncTransport
from meshapi_backends._guards import RECORDERS
from meshapi_backends._listening import INFO, found_logger
from meshapi_backends._scopes import Calls
from meshapi_core import AnyCall, Limits, MeshAPIConfig, PipeCall, StreamCall
from meshapi_core.endpoints import Flow, ItemFlow

if TYPE_CHECKING:
    from meshapi_backends._async.chunk_stream import AsyncChunkStream
    from meshapi_backends._async.flows import AsyncFlowItems
    from meshapi_backends._watching import AsyncWatch

R = TypeVar("R")
T = TypeVar("T")


class AsyncCallRunner:
    """Runs calls over a transport.

    Args:
        config: the configuration of the client.
        transport: a transport, or our own connections.
        network: returns the network of the running program, for its clock and its sleep.
        watches: the first of them is told what each call does; if there is none, only the log. They
            may be added and removed at any time.
    """

    # Found once `logging` has been loaded: a program that has not loaded it does not log.
    _logger: Any = None
    _is_recorded = False

    def __init__(
        self,
        config: MeshAPIConfig,
        transport: Union[AsyncTransport, AsyncPools],
        network: Callable[[], AsyncNetwork],
        watches: "Sequence[AsyncWatch]" = (),
    ) -> None:
        self._config = config
        self._transport: Any = transport
        self._network = network
        self._has_pipes = isinstance(transport, AsyncPools)
        self._watches = watches

    async def run(self, call: AnyCall[T], /) -> T:
        """Return the result of a call."""
        return await self.host(call).result()

    def once(self) -> "AsyncCallRunner":
        """Return a runner whose calls have one attempt each, and are otherwise the same."""
        config = self._config.with_one_attempt()
        return type(self)(config, self._transport, self._network, self._watches)

    def _recorded(self) -> "AsyncCallRunner":
        """Return a runner whose calls pass through a recorder, below the client's middleware."""
        # Imported on first use: only tests record.
        from meshapi_backends._async.middleware import AsyncMiddlewareTransport

        recorder, config = RECORDERS[-1], self._config
        if config.source is not None and not recorder.records:
            config = config.changed({"token": recorder.token})
        below, functions = self._transport, (recorder.middleware["AsyncMiddleware"],)
        if isinstance(below, AsyncMiddlewareTransport):
            below, functions = below.transport, (*below.middleware, *functions)
        transport: Any = AsyncMiddlewareTransport(functions, below, self._network)
        runner = type(self)(config, transport, self._network, self._watches)
        runner._is_recorded = True
        return runner

    @property
    def limits(self) -> Optional[Limits]:
        """The limits of the client's own connections; None if others open them."""
        found: object = getattr(self._transport, "limits", None)
        return found if isinstance(found, Limits) else None

    async def run_flow(self, flow: Flow[T], /) -> T:
        """Return the result of a flow, whose steps are done one after the other."""
        # Imported on first use: few calls are flows.
        from meshapi_backends._async.flows import AsyncFlowSteps

        steps = AsyncFlowSteps(flow, self, self._network, self._calls, self._config)
        return await steps.result()

    def open_flow(self, flow: ItemFlow[T, R], /) -> "AsyncFlowItems[T, R]":
        """Return the items of a flow; no step is done yet."""
        from meshapi_backends._async.flows import AsyncFlowItems, AsyncFlowSteps

        steps = AsyncFlowSteps(flow, self, self._network, self._calls, self._config)
        return AsyncFlowItems(steps)

    def open(self, call: StreamCall[T], /) -> "AsyncChunkStream[T]":
        """Return the stream of a call; nothing is sent yet."""
        # Imported on first use: many programs do not stream.
        from meshapi_backends._async.chunk_stream import AsyncChunkStream

        # To the machine, the items of a stream are its chunks; other calls have one item.
        make_host: Any = partial(self.host, call)
        if self._watches:
            from meshapi_backends._watching import AsyncWatch

            make_host = partial(self.host, call, AsyncWatch.first(self._watches).at_this_place())
        return AsyncChunkStream(make_host)

    def _calls(self) -> Calls:
        """The calls that closing the client ends."""
        transport = self._transport
        if self._has_pipes:
            transport = transport.connections()
        calls: Calls = getattr(transport, "calls", None) or Calls()
        return calls

    def host(self, call: AnyCall[T], watch: "Optional[AsyncWatch]" = None) -> AsyncHost[T]:
        """Return the host of a call, which makes it, or gives it up from elsewhere."""
        if RECORDERS and not self._is_recorded:
            return self._recorded().host(call, watch)
        network = self._network()
        now, unix_time = network.now(), time.time()
        # Asked for each call, because logging may be configured at any time.
        logger = self._logger
        if logger is None and "logging" in modules:
            logger = self._logger = found_logger()
        if self._watches or (logger is not None and logger.isEnabledFor(INFO)):
            from meshapi_backends._async.watched import watched_host

            return watched_host(
                call,
                self._config,
                self._transport,
                network,
                watch,
                self._watches,
                now=now,
                unix_time=unix_time,
            )
        if self._has_pipes:
            pipes = PipeCall(
                call, self._config, now=now, random_bytes=os.urandom, unix_time=unix_time
            )
            return AsyncPipeHost(pipes, self._transport, network)
        # Imported on first use: few programs inject an HTTP client.
        from meshapi_backends._async.client_host import AsyncClientHost
        from meshapi_core import ClientCall

        client = ClientCall(
            call, self._config, now=now, random_bytes=os.urandom, unix_time=unix_time
        )
        return AsyncClientHost(client, self._transport, network)
