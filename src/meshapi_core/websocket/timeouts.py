"""Time on a WebSocket connection: which limit runs, and what is due when it is over.

Theory of operation. Never more than one limit runs, so a connection has one timer:

    OFF ──connect──▶ UPGRADING ──101──▶ TALKING ──silence──▶ PINGED
     │                                  ▲  │  ▲                │  │
     └──upgraded by somebody else───────┘  │  └──any byte──────┘  │
                                           └──close──▶ CLOSING ◀──┘
                                                  (the end, from anywhere: OFF)

- Times are those of the host's clock, and known only when it says them. A phase begins untimed
  (`at` is `-inf`: say the time at once), and its limit runs from the first time that is said.
- While the two talk, a tick every `ping_interval` looks at whether the peer was heard. One that
  was not is asked by a ping, and has gone when it is silent for `ping_timeout` after that.
- Each byte is a sign of life, not only a pong: a peer that is busy sending may answer late.
- A limit of None is never over.
"""

from enum import Enum
from math import inf
from typing import Optional

from typing_extensions import TypedDict

__all__ = [
    "CLOSE_TIMEOUT",
    "HANDSHAKE_TIMEOUT",
    "PING_INTERVAL",
    "PING_TIMEOUT",
    "TimeoutAction",
    "Phase",
    "TimeLimits",
    "Timeouts",
]

PING_INTERVAL = 20.0
PING_TIMEOUT = 20.0
"""Seconds; as with most WebSocket libraries, so below the idle limits of what stands between."""

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for the answer to the upgrade: those of `Timeout.read` where nothing else is said."""

CLOSE_TIMEOUT = 5.0
"""Seconds for the answer to a Close: a peer has it at once, unless it has gone."""


class Phase(Enum):
    """What a connection waits for."""

    OFF = "nothing"
    UPGRADING = "the answer to the upgrade"
    TALKING = "the next tick"
    PINGED = "a sign of life"
    CLOSING = "the answer to a Close"


TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.OFF: frozenset({Phase.UPGRADING, Phase.TALKING, Phase.OFF}),
    Phase.UPGRADING: frozenset({Phase.TALKING, Phase.OFF}),
    Phase.TALKING: frozenset({Phase.PINGED, Phase.CLOSING, Phase.OFF}),
    Phase.PINGED: frozenset({Phase.TALKING, Phase.CLOSING, Phase.OFF}),
    Phase.CLOSING: frozenset({Phase.OFF}),
}


class TimeoutAction(Enum):
    """What is to be done, as a limit is over."""

    NOT_UPGRADED = "the upgrade has failed, unless its response is there"
    TICK = "nothing, but that a while has passed"
    PING = "a ping is to be sent"
    GONE = "the peer has gone"
    NOT_CLOSED = "the connection is over, unless the answer to the Close is there"


class TimeLimits(TypedDict, total=False):
    """The limits of one connection in seconds. None is no limit.

    Fields:
        handshake_timeout: for the whole answer to the upgrade, from `connect` on.
        ping_interval: of silence, after which the peer is asked whether it is there; None does
            not ask.
        ping_timeout: for a sign of life after that.
        close_timeout: for the answer to a Close of this side.
    """

    handshake_timeout: Optional[float]
    ping_interval: Optional[float]
    ping_timeout: Optional[float]
    close_timeout: Optional[float]


class Timeouts:
    """The time limits of one connection; for its arguments see `TimeLimits`.

    Attributes:
        at: when `due` is to be called, at the latest; `-inf` is at once, `inf` never.
        phase: which limit runs.
        heard: to be set whenever something has come.
    """

    def __init__(
        self,
        *,
        handshake_timeout: Optional[float] = HANDSHAKE_TIMEOUT,
        ping_interval: Optional[float] = PING_INTERVAL,
        ping_timeout: Optional[float] = PING_TIMEOUT,
        close_timeout: Optional[float] = CLOSE_TIMEOUT,
    ) -> None:
        self.at = inf
        self.heard = False
        self.phase: Phase = Phase.OFF
        self._ping_interval = ping_interval
        self._limits = {
            Phase.OFF: None,
            # Without pings it ticks all the same: what is counted is counted for a while.
            Phase.TALKING: PING_INTERVAL if ping_interval is None else ping_interval,
            Phase.UPGRADING: handshake_timeout,
            Phase.PINGED: ping_timeout,
            Phase.CLOSING: close_timeout,
        }

    @property
    def limit(self) -> Optional[float]:
        """Seconds of the limit that runs; None where there is none."""
        return self._limits[self.phase]

    def begin(self, phase: Phase) -> None:
        """Go on to the next phase; its limit runs from when the time is said next."""
        assert phase in TRANSITIONS[self.phase], (self.phase, phase)
        self.phase = phase
        self.at = inf if phase is Phase.OFF else -inf

    def due(self, now: float) -> Optional[TimeoutAction]:
        """Return what is to be done now; None where that is nothing.

        Whoever asks does it. All but a tick and a ping end the phase, which `begin` says.
        """
        if now < self.at or self.at == inf:
            return None
        if self.at == -inf:
            self._run(now)
            return None
        if self.phase is Phase.TALKING:
            return self._tick(now)
        return _DUE[self.phase]

    def _tick(self, now: float) -> TimeoutAction:
        asks = not self.heard and self._ping_interval is not None
        if asks and self._limits[Phase.PINGED] is not None:
            self.begin(Phase.PINGED)
        self._run(now)
        return TimeoutAction.PING if asks else TimeoutAction.TICK

    def _run(self, now: float) -> None:
        self.heard = False
        self.at = inf if self.limit is None else now + self.limit


_DUE = {
    Phase.UPGRADING: TimeoutAction.NOT_UPGRADED,
    Phase.PINGED: TimeoutAction.GONE,
    Phase.CLOSING: TimeoutAction.NOT_CLOSED,
}
