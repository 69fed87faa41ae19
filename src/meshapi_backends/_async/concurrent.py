"""Does the steps of flows that have several calls under way. See `meshapi_core.flows.concurrent`.

How calls run at the same time differs from network to network: `_networks/asyncio_calls.py`,
`trio_calls.py` and `blocking_calls.py`.

What runs knows nothing of the flow and its program. So a program that drops a run in the middle,
without closing it, drops an `AsyncConcurrentSteps`, whose finaliser ends the calls.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Optional

from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._failures import TransportError
from meshapi_backends._files import most_files
from meshapi_backends._networks.concurrent import AsyncCallsUnderWay
from meshapi_backends._scopes import Calls, Scope
from meshapi_core import Limits
from meshapi_core.flows import (
    EndCalls,
    Ends,
    GetLimits,
    GetMostFiles,
    NextEnds,
    StartCalls,
    StartPull,
)


class AsyncConcurrentSteps:
    """Does these steps for one flow.

    Args:
        runner: of the client; see `AsyncCallRunner`.
        network: of the running program.
        calls: returns the calls that closing the client ends.
        scope: of the flow: its end ends the waits.
    """

    _calls: Optional[Calls] = None

    def __init__(
        self, runner: Any, network: AsyncNetwork, calls: Callable[[], Calls], scope: Scope
    ) -> None:
        self._runner = runner
        self._network = network
        self._find_calls = calls
        self._scope = scope
        make_host = runner.once().host
        # A network with a clock of its own knows when a pause of that clock is over.
        on_clock = getattr(network, "on_clock", None)
        self._under_way = (
            AsyncCallsUnderWay(make_host)
            if on_clock is None
            else on_clock(AsyncCallsUnderWay, make_host)
        )
        scope.wake_by(self._under_way.wake)

    async def do(self, step: Any) -> Any:
        """Do one step, and return what the flow is sent."""
        return await self._acts[type(step)](self, step)

    async def _get_limits(self, step: GetLimits) -> Optional[Limits]:
        limits: Optional[Limits] = self._runner.limits
        return limits

    async def _get_most_files(self, step: GetMostFiles) -> Optional[int]:
        return most_files()

    async def _start_calls(self, step: StartCalls) -> None:
        self._check()
        self._under_way.start(step.calls)

    async def _start_pull(self, step: StartPull) -> None:
        self._check()
        self._under_way.pull(step.source)

    async def _next_ends(self, step: NextEnds) -> Ends:
        self._check()
        under_way = self._under_way
        if under_way.has_ends or step.seconds == 0:
            await under_way.turn()
        else:
            await under_way.wait(step.seconds)
        self._check()
        return Ends(self._network.now(), under_way.take(step.most))

    def _check(self) -> None:
        """Raise the error with which the flow or the client was closed."""
        if self._calls is None:
            try:
                self._calls = self._find_calls()
            except TransportError as exc:
                raise exc.failure.error from None
        # Each time, as other waits of the flow take it out again.
        self._calls.add(self._scope)
        if self._scope.failure is not None:
            raise self._scope.failure.error

    async def _end_calls(self, step: EndCalls) -> None:
        await self._under_way.end()

    async def leave(self) -> None:
        """End what is under way. Harmless twice."""
        if self._calls is not None:
            self._calls.discard(self._scope)
        await self._under_way.end()

    def __del__(self) -> None:
        # A finaliser may run in any thread, in the middle of anything.
        if self._calls is not None:
            self._calls.discard(self._scope)
            self._under_way.abandon()

    _acts: ClassVar[dict[type, Callable[[Any, Any], Awaitable[Any]]]] = {
        EndCalls: _end_calls,
        GetLimits: _get_limits,
        GetMostFiles: _get_most_files,
        NextEnds: _next_ends,
        StartCalls: _start_calls,
        StartPull: _start_pull,
    }
