"""The turns of a session, as a program iterates over them: does what the core's machine says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Optional

from meshapi_backends._networks.functions import AsyncFunctions
from meshapi_backends._telling import AsyncTelling
from meshapi_core import (
    MeshAPIError,
    RealtimeConnectionClosed,
    RealtimeError,
    RealtimeExchange,
    RealtimeMessage,
    RealtimeOptions,
    StreamUsageError,
)
from meshapi_core.flows import RunFunctions
from meshapi_core.realtime.turns import (
    GiveTurn,
    RealtimeTurn,
    SendEvents,
    TellProgram,
    TurnMachine,
)

Hooks = Mapping[str, Optional[Callable[[Any], object]]]


class AsyncRealtimeTurns:
    """The model's responses in a session, each put together from its events.

    An iterator: it is not used up by leaving a loop, and the next loop goes on where it was.

    Args:
        machine: puts them together; belongs to the session, with all that is half-built.
        hooks: functions of the program's.
        receive: waits for the session's next message, for some seconds.
        send: sends events together.
        is_end: whether an error is the normal end of the session.
    """

    def __init__(
        self,
        machine: TurnMachine,
        hooks: Hooks,
        receive: Callable[[Optional[float]], Awaitable[RealtimeMessage]],
        send: Callable[[Sequence[Mapping[str, Any]], Callable[[], object]], Awaitable[None]],
        is_end: Callable[[MeshAPIError], bool],
    ) -> None:
        self._machine = machine
        self._receive = receive
        self._send = send
        self._is_end = is_end
        self._hooks = {name: hook for name, hook in hooks.items() if hook is not None}

    def __repr__(self) -> str:
        state = "half-built turn" if self._machine.is_open else "no turn begun"
        return f"<{type(self).__name__} {state}>"

    async def receive(self, timeout: Optional[float] = None) -> RealtimeTurn:
        """Return the next turn.

        Args:
            timeout: seconds to wait for the next message in each case; functions that the model
                calls take their time. None waits for ever. Nothing is lost by a timeout.

        Raises:
            RealtimeError: the gateway sent an error event; the session goes on.
            APITimeoutError: no message arrived in time; the session goes on.
            RealtimeConnectionClosed: the session is over.
            StreamUsageError: another task or thread is already receiving.
            Exception: what `on_audio`, `on_text` or `on_message` raised.
        """
        machine = self._machine
        RealtimeOptions.check_timeout(timeout)
        if machine.is_driven:
            raise StreamUsageError(
                "another task or thread is already iterating over the turns of this session; do it"
                " in one of them only"
            )
        machine.is_driven = True
        try:
            return await self._next_turn(timeout)
        except TimeoutError:
            raise RealtimeExchange.no_message(timeout) from None
        finally:
            machine.is_driven = False

    async def _next_turn(self, timeout: Optional[float]) -> RealtimeTurn:
        machine = self._machine
        while True:
            action = machine.next_action()
            if isinstance(action, GiveTurn):
                return action.turn
            if isinstance(action, TellProgram):
                hook = self._hooks.get(action.hook)
                if hook is not None:
                    await AsyncTelling.tell(hook, (action.value,))
            elif isinstance(action, RunFunctions):
                await AsyncFunctions.run(action)
            else:
                await self._do(action if isinstance(action, SendEvents) else None, timeout)

    async def _do(self, send: Optional[SendEvents], timeout: Optional[float]) -> None:
        """Send events, or receive a message."""
        machine = self._machine
        try:
            if send is not None:
                await self._send(send.events, send.queued)
                return
            message = await self._receive(timeout)
        except RealtimeError as exc:
            if not machine.refused(exc):
                raise
        except RealtimeConnectionClosed:
            # The turns that it interrupted come first; then this is raised again.
            if not machine.lost():
                raise
        else:
            machine.receive(message, self._hooks)

    def __aiter__(self) -> AsyncIterator[RealtimeTurn]:
        return self

    async def __anext__(self) -> RealtimeTurn:
        try:
            return await self.receive()
        except MeshAPIError as exc:
            if self._is_end(exc):
                raise StopAsyncIteration from None
            raise
