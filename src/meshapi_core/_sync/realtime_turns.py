# Generated from _async/realtime_turns.py by `python tools/mirror.py --write`: edit that file.
"""The turns of a session, as a program iterates over them: does what the machine says."""

from collections.abc import Iterator
from typing import Optional, Union

from meshapi_core._sync.turn_host import TurnHost
from meshapi_core._closing import Iterated
from meshapi_core.errors import (
    MeshAPIError,
    RealtimeConnectionClosed,
    RealtimeError,
    StreamUsageError,
)
from meshapi_core.realtime import RealtimeExchange, RealtimeOptions
from meshapi_core.turns.actions import GiveTurn, Hooks, MakeCalls, SendEvents, TellProgram
from meshapi_core.turns.machine import TurnMachine
from meshapi_core.turns.values import RealtimeTurn

__all__ = ["RealtimeTurns"]


class RealtimeTurns(Iterated):
    """The model's responses in a session, each put together from its events.

    An iterator: leaving a loop does not use it up, and the next loop continues where it was.

    Args:
        machine: puts them together; belongs to the session, with all that is half-built.
        hooks: functions of the program's.
        host: the session.
    """

    def __init__(self, machine: TurnMachine, hooks: Hooks, host: TurnHost) -> None:
        self._machine = machine
        self._hooks = hooks
        self._host = host

    def __repr__(self) -> str:
        state = "half-built turn" if self._machine.is_open else "no turn begun"
        return f"<{type(self).__name__} {state}>"

    def receive(self, timeout: Optional[float] = None) -> RealtimeTurn:
        """Return the next turn.

        Args:
            timeout: seconds to wait; None waits for ever. Nothing is lost by a timeout. It does not
                cut short functions that the model calls.

        Raises:
            RealtimeError: the gateway sent an error event; the session goes on.
            APITimeoutError: no turn has ended in time; the session goes on.
            RealtimeConnectionClosed: the session is over.
            ToolLoopLimitError: the model asks for more calls than a limit allows; none was made.
            StreamUsageError: another task or thread is already receiving.
            Exception: what `on_audio`, `on_text`, `on_message` or `before_call` raised; what a
                function raised, with `on_tool_error="raise"`.
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
            return self._next_turn(timeout)
        finally:
            machine.is_driven = False

    def _next_turn(self, timeout: Optional[float]) -> RealtimeTurn:
        end = self._host.end_of(timeout)
        while True:
            action = self._machine.next_action()
            if isinstance(action, GiveTurn):
                return action.turn
            if isinstance(action, (TellProgram, MakeCalls)):
                self._run(action)
            else:
                send = action if isinstance(action, SendEvents) else None
                try:
                    self._do(send, end)
                except TimeoutError:
                    raise RealtimeExchange.no_message(timeout, "response.done") from None

    def _run(self, action: Union[TellProgram, MakeCalls]) -> None:
        try:
            self._host.run_flow(action.flow(self._hooks))
        except MeshAPIError:
            # The session was closed meanwhile: what comes next is its end.
            if not self._host.closed:
                raise
            self._machine.lost()

    def _do(self, send: Optional[SendEvents], end: Optional[float]) -> None:
        """Send events, or receive a message."""
        machine, host = self._machine, self._host
        try:
            if send is not None and host.send_events(
                send.events, send.queued, in_conversation=True
            ):
                return
            message = host.receive_message(end)
        except RealtimeError as exc:
            if not machine.refused(exc):
                raise
        except RealtimeConnectionClosed:
            # The turns that it interrupted come first; then this is raised again.
            if not machine.lost():
                raise
        else:
            machine.receive(message, self._hooks)

    def __iter__(self) -> Iterator[RealtimeTurn]:
        return self

    def __next__(self) -> RealtimeTurn:
        try:
            return self.receive()
        except MeshAPIError as exc:
            if self._host.is_end(exc):
                raise StopIteration from None
            raise
