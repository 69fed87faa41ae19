"""What the turns of a session need of it: see `AsyncTurnHost` of the core."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Optional

from meshapi_backends._async.flows import AsyncFlowSteps
from meshapi_backends._async.realtime.link import Outgoing
from meshapi_backends._async.realtime.link_opener import AsyncLinkOpener
from meshapi_backends._async.realtime.reconnecting_link import AsyncReconnectingLink
from meshapi_core import END_OF_STREAM, MeshAPIError, RealtimeConnection, RealtimeMessage

# The flows of a session make no calls.
_NO_RUNNER: Any = None


class AsyncSessionOfTurns:
    """A session, as turns use it.

    Args:
        receive: returns the next message by a time, or raises its error.
        is_end: whether an error is the normal end of the session.
        link: the session's.
        opener: of its links.
    """

    def __init__(
        self,
        receive: Callable[[Optional[float]], Awaitable[RealtimeMessage]],
        is_end: Callable[[MeshAPIError], bool],
        link: AsyncReconnectingLink,
        opener: AsyncLinkOpener,
    ) -> None:
        self._receive = receive
        self.is_end = is_end
        self._link = link
        self._opener = opener
        self._steps: Optional[AsyncFlowSteps[Any]] = None

    @property
    def closed(self) -> bool:
        return self._link.closed

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._opener.secrets

    def end_of(self, timeout: Optional[float]) -> Optional[float]:
        return None if timeout is None else self._opener.network.now() + timeout

    async def receive_message(self, end: Optional[float]) -> RealtimeMessage:
        return await self._receive(end)

    async def send_events(
        self,
        events: Sequence[Mapping[str, Any]],
        queued: Callable[[], object],
        *,
        in_conversation: bool,
    ) -> bool:
        texts = [RealtimeConnection.encode(event) for event in events]
        for event in events:
            self._opener.exchange.memory.note_sent(event)
        number = self._opener.inbox.taken_from if in_conversation else None
        return await self._link.send(Outgoing(texts, queued, number))

    async def run_flow(self, flow: Generator[Any, Any, object]) -> None:
        opener = self._opener
        steps = AsyncFlowSteps(flow, _NO_RUNNER, lambda: opener.network, lambda: opener.pool.calls)
        self._steps = steps
        if self._link.is_ending:
            steps.wake()
        try:
            while await steps.next() is not END_OF_STREAM:
                pass
        finally:
            self._steps = None

    def wake(self) -> None:
        """End the functions that run, as the session was closed."""
        steps = self._steps
        if steps is not None:
            steps.wake()
