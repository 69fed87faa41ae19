"""Time limits of a WebSocket connection: which one is running, and what to do when it runs out.

Theory of operation. At most one limit runs at a time, so a connection needs one timer:

    OFF ──connect──▶ UPGRADING ──101──▶ TALKING ──silence──▶ PINGED
     │                                  ▲  │  ▲                │  │
     └──upgraded by somebody else───────┘  │  └──any byte──────┘  │
                                           └──close──▶ CLOSING ◀──┘
                                                  (the end, from anywhere: OFF)

- This machine has no clock; the host tells it the time. A phase therefore begins without a time
  (`at` is `-inf`, which asks the host to call at once), and its limit runs from the first `now`
  that the host passes.
- While the connection talks, a tick every `ping_interval` checks whether anything was received
  since the last one. If not, a ping is sent. If nothing is received for `ping_timeout` after that,
  the peer counts as gone.
- Any received byte shows that the peer is alive, not only a pong: a peer that is busy sending may
  get to its pong late.
- A limit of None never runs out.
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
"""Seconds; the default of most WebSocket libraries, and below the idle limits of most proxies."""

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for the response to the upgrade: the default of `Timeout.read`."""

CLOSE_TIMEOUT = 5.0
"""Seconds for the peer's Close after ours. A peer that is still there sends it at once."""


class Phase(Enum):
    """What a connection waits for."""

    OFF = "nothing"
    UPGRADING = "the response to the upgrade"
    TALKING = "the next tick"
    PINGED = "any byte after a ping"
    CLOSING = "the response to a Close"


TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.OFF: frozenset({Phase.UPGRADING, Phase.TALKING, Phase.OFF}),
    Phase.UPGRADING: frozenset({Phase.TALKING, Phase.OFF}),
    Phase.TALKING: frozenset({Phase.PINGED, Phase.CLOSING, Phase.OFF}),
    Phase.PINGED: frozenset({Phase.TALKING, Phase.CLOSING, Phase.OFF}),
    Phase.CLOSING: frozenset({Phase.OFF}),
}


class TimeoutAction(Enum):
    """What to do when a limit has run out."""

    NOT_UPGRADED = "give up the upgrade, unless its response is there"
    TICK = "note that an interval has passed"
    PING = "send a ping"
    GONE = "give up the peer"
    NOT_CLOSED = "give up the connection, unless the response to the Close is there"


class TimeLimits(TypedDict, total=False):
    """The time limits of one connection, in seconds. None means no limit.

    Fields:
        handshake_timeout: for the complete response to the upgrade, counted from `connect`.
        ping_interval: of silence, after which a ping is sent; None sends no pings.
        ping_timeout: for anything to arrive after a ping.
        close_timeout: for the peer's Close after this side has sent its own.
    """

    handshake_timeout: Optional[float]
    ping_interval: Optional[float]
    ping_timeout: Optional[float]
    close_timeout: Optional[float]


class Timeouts:
    """The time limits of one connection. `TimeLimits` describes the arguments.

    Attributes:
        at: the latest time at which to call `due`: `-inf` means at once, `inf` never.
        phase: which limit is running.
        heard: whether anything was received since the last tick. The connection sets it.
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
            # It ticks even without pings, as each tick resets the counters of the flood limits.
            Phase.TALKING: PING_INTERVAL if ping_interval is None else ping_interval,
            Phase.UPGRADING: handshake_timeout,
            Phase.PINGED: ping_timeout,
            Phase.CLOSING: close_timeout,
        }

    @property
    def limit(self) -> Optional[float]:
        """The limit that is running, in seconds; None if there is none."""
        return self._limits[self.phase]

    def begin(self, phase: Phase) -> None:
        """Begin the next phase; its limit runs from the next `now` that is passed to `due`."""
        assert phase in TRANSITIONS[self.phase], (self.phase, phase)
        self.phase = phase
        self.at = inf if phase is Phase.OFF else -inf

    def due(self, now: float) -> Optional[TimeoutAction]:
        """Return what to do now; None if nothing is due.

        The caller does it. After any action but a tick and a ping the phase is over, and the
        caller begins the next one.
        """
        if now < self.at or self.at == inf:
            return None
        if self.at == -inf:
            # The first `now` of this phase: its limit starts here.
            self._run(now)
            return None
        if self.phase is Phase.TALKING:
            return self._tick(now)
        return _DUE[self.phase]

    def _tick(self, now: float) -> TimeoutAction:
        asks = not self.heard and self._ping_interval is not None
        # Without a ping timeout nothing waits for a pong: the pings just keep going out.
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
