"""What a machine for turns asks its host to do."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, Union

from msgspec import Struct

from meshapi_core.flows.steps import Flow, ItemFlow, Tell
from meshapi_core.turns.values import RealtimeTurn

__all__ = [
    "RECEIVE",
    "GiveTurn",
    "Hook",
    "Hooks",
    "MakeCalls",
    "SendEvents",
    "TellProgram",
    "TurnAction",
]

Hook = Literal["on_message", "on_audio", "on_text"]


Hooks = Mapping[str, Callable[[Any], object]]


class GiveTurn(Struct, frozen=True):
    """Hand a turn to the program."""

    turn: RealtimeTurn


class TellProgram(Struct, frozen=True):
    """Call a function of the program's.

    Fields:
        hook: which one.
        value: a `RealtimeMessage`, audio or text.
    """

    hook: Hook
    value: Any

    def flow(self, hooks: Hooks) -> Flow[None]:
        """Return a flow that does it, with the functions that the program has."""
        function = hooks.get(self.hook)
        if function is not None:
            yield Tell(function, (self.value,))


class SendEvents(Struct, frozen=True):
    """Send events, one right after the other.

    Fields:
        events: plain dicts.
        queued: call it when they are sure to be sent, even if the wait for that is interrupted.
    """

    events: Sequence[dict[str, Any]]
    queued: Callable[[], None]


class MakeCalls(Struct, frozen=True):
    """Call the functions that a turn asks for.

    Fields:
        make: returns a flow, whose items and result are of no interest; another one each time.
    """

    make: Callable[[], ItemFlow[Any, None]]

    def flow(self, hooks: Hooks) -> ItemFlow[Any, None]:
        """Return a flow that does it; an interrupted one is replaced by another."""
        return self.make()


class _Receive(Enum):
    RECEIVE = "receive"


RECEIVE: Final = _Receive.RECEIVE
"""Receive a message and report it."""

TurnAction = Union[GiveTurn, TellProgram, SendEvents, MakeCalls, Literal[_Receive.RECEIVE]]
