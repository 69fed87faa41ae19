"""A realtime session: connect, talk, reconnect. No I/O, no clock, no randomness.

Theory of operation. A session is a series of connections. `RealtimeConnection` handles what happens
on each of them; this module decides whether and when to reconnect, and what to send first. It is
driven like a call: the host asks `next_action` what to do, does it, and reports the result, until
`next_action` raises:

    CONNECTING ──due──▶ UPGRADING ──101──────────────────────────▶ OPEN
      ▲  │ ▲              │ ├─Response or Failure, final─▶ OVER     │ │
      │  │ └──────────────┘ (to be retried; interrupted)            │ │
      │  └──────out of time──────────────────────────────▶ OVER ◀───┘ │
      └────────────lost, to be reconnected────────────────────────────┘
                                                   (lost for good; closed by this side: anywhere)

    session = RealtimeExchange(call, config, Reconnect(), now=now(), random_bytes=os.urandom)
    while True:
        action = session.next_action(now())          # raises when the session is over
        if isinstance(action, Wait): sleep(action.seconds)
        elif isinstance(action, GetToken): session.token(action.source())
        elif isinstance(action, Send):
            session.receive(send(action.request), now())     # a Response, or a Failure
        else:                                        # a RealtimeConnected: there is a connection
            if action.first is not None: send_text(action.first)
            ...                                      # talk, until the connection returns a Closed
            session.lost(closed, now())

A host that upgrades with `RealtimeConnection.connect`, or with its own WebSocket, calls `connected`
instead of passing on the 101. It does so once the connection `is_open`; by then `next_event` may
have returned the first message. If an error comes instead, it reports `Failure(error, stage)`.

- The first connection is made like any call: with the retries of the configuration, and its errors.
  Later ones follow the rules of `Reconnect`. When no attempts are left, the error describes the end
  of the last connection, and its `__cause__` says why there is no new one.
- Each `Send` is followed by exactly one `receive` or `connected`. After a `Wait` the host asks
  again; if it asks too early, it gets the rest of the wait.
- A host that stopped what it was doing (it was cancelled, or its caller's time limit ran out) calls
  `interrupted`. Between two attempts that changes nothing; an attempt that was under way does not
  count. The host asks again when the session is needed.
- The host tells `memory` what is sent and received. The count of attempts starts anew once a
  connection has brought a response.
- The same end may be reported twice. After the end of the session, and after `close`, anything may
  be reported, and changes nothing but the error: other tasks may still be at work then.
- Misuse (a `Send` without its result, an end without a connection) raises `ExchangeUsageError`.
- Times are seconds on any clock that never goes back; `now` is always an argument.
"""

from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Optional, Union

from msgspec import Struct

from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError, RealtimeConnectionClosed
from meshapi_core.failures import failure_of
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import ExchangeUsageError, Send, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.realtime.attempts import Attempts
from meshapi_core.realtime.call import RealtimeCall
from meshapi_core.realtime.events import Reconnected
from meshapi_core.realtime.options import Reconnect
from meshapi_core.realtime.waits import no_message, not_sent
from meshapi_core.websocket.closing import CLOSED_BY_US, Closed, as_error

__all__ = ["RealtimeConnected", "RealtimeExchange", "error_code_of"]


class SessionState(Enum):
    """The states of a session."""

    CONNECTING = "connecting"
    UPGRADING = "upgrading"
    OPEN = "open"
    OVER = "over"


class SessionInput(Enum):
    """What can happen to a session: it is asked for an action, or told about an event."""

    ASK = "next_action"
    TOKEN = "token"
    CONNECTED = "a valid 101, or connected"
    REPEATABLE = "a response or failure that the retry policy retries"
    FINAL = "any other response or failure"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    LOST_AGAIN = "lost, with an end that is known"
    CLOSE = "close"


# (state, input) -> the states it may lead to. A pair that is not listed is misuse by the host.
# CONNECTING stays while a wait is not over, and goes to OVER when the time for the upgrade is.
TRANSITIONS: dict[tuple[SessionState, SessionInput], frozenset[SessionState]] = {
    (SessionState.CONNECTING, SessionInput.ASK): frozenset(
        {SessionState.CONNECTING, SessionState.UPGRADING, SessionState.OVER}
    ),
    (SessionState.CONNECTING, SessionInput.TOKEN): frozenset({SessionState.CONNECTING}),
    (SessionState.CONNECTING, SessionInput.INTERRUPTED): frozenset({SessionState.CONNECTING}),
    (SessionState.CONNECTING, SessionInput.LOST_AGAIN): frozenset({SessionState.CONNECTING}),
    (SessionState.CONNECTING, SessionInput.CLOSE): frozenset({SessionState.OVER}),
    (SessionState.UPGRADING, SessionInput.CONNECTED): frozenset({SessionState.OPEN}),
    (SessionState.UPGRADING, SessionInput.REPEATABLE): frozenset({SessionState.CONNECTING}),
    (SessionState.UPGRADING, SessionInput.FINAL): frozenset({SessionState.OVER}),
    (SessionState.UPGRADING, SessionInput.INTERRUPTED): frozenset(
        {SessionState.CONNECTING, SessionState.OVER}
    ),
    (SessionState.UPGRADING, SessionInput.LOST_AGAIN): frozenset({SessionState.UPGRADING}),
    (SessionState.UPGRADING, SessionInput.CLOSE): frozenset({SessionState.OVER}),
    (SessionState.OPEN, SessionInput.ASK): frozenset({SessionState.OPEN}),
    (SessionState.OPEN, SessionInput.INTERRUPTED): frozenset(
        {SessionState.CONNECTING, SessionState.OVER}
    ),
    (SessionState.OPEN, SessionInput.LOST): frozenset({SessionState.CONNECTING, SessionState.OVER}),
    (SessionState.OPEN, SessionInput.LOST_AGAIN): frozenset({SessionState.OPEN}),
    (SessionState.OPEN, SessionInput.CLOSE): frozenset({SessionState.OVER}),
    **{(SessionState.OVER, what): frozenset({SessionState.OVER}) for what in SessionInput},
}


class RealtimeConnected(Struct, frozen=True):
    """There is a connection: talk, and report `lost` when it has ended.

    Fields:
        event: a message to give to the program before those of the connection; None on the first
            connection.
        first: the text to send before anything else, which configures the session as it was; None
            if there is nothing to configure.
    """

    event: Optional[Reconnected] = None
    first: Optional[str] = None


def error_code_of(exc: Exception) -> str:
    """Return the error code for the end of a connection that broke with a host's exception."""
    return failure_of(exc, "response").error.error_code


class RealtimeExchange:
    """One session, over as many connections as it takes.

    Args:
        call: the upgrade.
        config: the gateway, the time limits, and the retries of the first connection.
        reconnect: the rules for reconnecting; None does not reconnect.
        now: the time at which the session begins.
        random_bytes: `os.urandom` or the like; for the jitter of the waits, and the keys of the
            upgrades.

    Attributes:
        memory: the host tells it what is sent (`note_sent`) and received (`note_received`).
    """

    _attempts_class: ClassVar[type[Attempts]] = Attempts

    def __init__(
        self,
        call: RealtimeCall,
        config: MeshAPIConfig,
        reconnect: Optional[Reconnect] = None,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.state = SessionState.CONNECTING
        self._attempts = self._attempts_class(
            call, config, reconnect, now=now, random_bytes=random_bytes
        )
        self.memory = self._attempts.memory
        # The present connection, the end of the last one, and the end of the one before.
        self._connected: Optional[RealtimeConnected] = None
        self._closed: Optional[Closed] = None
        self._closed_before: Optional[Closed] = None
        # Why there is no connection, and who on this side wanted no more.
        self._refused: Optional[MeshAPIError] = None
        self._client_closed = False
        self._closed_by_program = False

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected, GetToken]:
        """Return what to do next.

        Raises:
            RealtimeConnectionClosed: the session is over, even if its end was normal (see
                `Closed.error`). If reconnecting failed, `__cause__` says why.
            MeshAPIError: the first connection could not be made.
            ExchangeUsageError: the result of the last `Send` was not reported.
        """
        self._check(SessionInput.ASK)
        if self.state is SessionState.OPEN:
            assert self._connected is not None
            return self._connected
        if self.state is SessionState.CONNECTING:
            try:
                action = self._attempts.next_action(now)
            except MeshAPIError as exc:
                self._give_up(SessionInput.ASK, exc)
            else:
                if isinstance(action, Send):
                    self._move(SessionInput.ASK, SessionState.UPGRADING)
                return action
        error = self.error
        assert error is not None
        raise error

    def token(self, value: object) -> None:
        """Take what the `source` of the last `GetToken` returned.

        Raises:
            ExchangeUsageError: no token was asked for.
        """
        if (self.state, SessionInput.TOKEN) not in TRANSITIONS:
            del value
            self._check(SessionInput.TOKEN)
        elif self.state is SessionState.CONNECTING:
            self._attempts.token(value)

    @property
    def error(self) -> Optional[MeshAPIError]:
        """The error that `next_action` raises from now on; None while the session goes on."""
        if self.state is not SessionState.OVER:
            return None
        # The error of an attempt stands alone only if no connection was lost before it.
        refused = self._refused
        if refused is not None and self._closed is None:
            return refused
        closed = self._closed or (_NEVER if self._client_closed else CLOSED_BY_US)
        error = as_error(closed)
        if self._client_closed and not closed.clean:
            return RealtimeConnectionClosed(
                closed.code,
                "the client was closed",
                error_code="client_closed",
                request_id=error.request_id,
            )
        if refused is not None:
            # The reason stays as it is: it is what the gateway said.
            error.message += f"; reconnecting failed: {refused.message}"
            error.__cause__ = refused
        return error

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the result of the last `Send`: the response, a 101 or not, or a failure.

        A `Failure` whose error was made from a response (an `APIStatusError`, as
        `RealtimeConnection` raises it) counts as that response.

        Raises:
            ExchangeUsageError: there was no `Send`.
        """
        self._check(SessionInput.FINAL)
        if self.state is SessionState.OVER:
            return
        if self._attempts.receive(event, now):
            self._begin()
        elif self._attempts.error is not None:
            self._give_up(SessionInput.FINAL, self._attempts.error)
        else:
            self._move(SessionInput.REPEATABLE, SessionState.CONNECTING)

    def connected(self, now: float) -> None:
        """Record that the last `Send` brought a connection; the host has checked its 101.

        Raises:
            ExchangeUsageError: there was no `Send`.
        """
        self._check(SessionInput.CONNECTED)
        if self.state is not SessionState.OVER:
            self._begin()

    def interrupted(self, now: float) -> None:
        """Record that the host stopped what it was doing; it asks again if the session goes on.

        Between attempts this changes nothing. An attempt that was under way, or a connection that
        was given up before it was used, does not count: the next attempt comes after its delay.
        """
        self._check(SessionInput.INTERRUPTED)
        if self.state not in (SessionState.UPGRADING, SessionState.OPEN):
            return
        if self._connected is None:
            self._attempts.broken_off()
        else:
            self._attempts.unused()
            self._connected = None
        # The connection was never used, so the end before it is the last one again.
        if self._closed is None:
            self._closed = self._closed_before
        follows = self._attempts.follow(self._closed, now)
        self._move(
            SessionInput.INTERRUPTED, SessionState.CONNECTING if follows else SessionState.OVER
        )

    def lost(self, closed: Closed, now: float) -> None:
        """Record how the connection ended. Reporting the same end twice does no harm.

        Raises:
            ExchangeUsageError: there is no connection.
        """
        # By identity: two connections may well end in equal ways.
        again = closed is self._closed or closed is self._closed_before
        self._check(SessionInput.LOST_AGAIN if again else SessionInput.LOST)
        if again:
            return
        if self.state is SessionState.OVER:
            if self._refused is None and self._connected is not None:
                self._closed, self._connected = closed, None
            return
        self._closed, self._connected = closed, None
        self._attempts.made = 0
        follows = self._attempts.follow(closed, now)
        self._move(SessionInput.LOST, SessionState.CONNECTING if follows else SessionState.OVER)

    def is_last(self, closed: Closed) -> bool:
        """Return whether no connection follows this end. Asking changes nothing.

        Args:
            closed: the end of the present connection, or one that was reported already.
        """
        if self.state is SessionState.OVER:
            return True
        known = closed is self._closed or closed is self._closed_before
        return not known and self._attempts.is_last(closed)

    def close(self, *, by_client: bool = False) -> None:
        """End the session: no attempt follows. Does nothing if it is over already.

        The host still has to close the present connection, and may report its end to `lost`.

        Args:
            by_client: whether the client to which the session belongs was closed; the error then
                says so.
        """
        self._client_closed = self._client_closed or by_client
        self._closed_by_program = self._closed_by_program or not by_client
        self._move(SessionInput.CLOSE, SessionState.OVER)

    # These need no session. They are here for hosts, which have no other access to them.
    no_message = staticmethod(no_message)
    not_sent = staticmethod(not_sent)
    error_code_of = staticmethod(error_code_of)

    def is_normal_end(self, error: MeshAPIError, closed: Optional[Closed]) -> bool:
        """Return whether a loop over the messages ends quietly instead of raising this error.

        Args:
            error: the error that would be raised.
            closed: how the present connection ended; None if it has not.
        """
        if not isinstance(error, RealtimeConnectionClosed):
            return False
        return self._closed_by_program or (closed is not None and closed.is_normal)

    def _begin(self) -> None:
        old, self._closed_before, self._closed = self._closed, self._closed, None
        self._attempts.connected(again=old is not None)
        if old is None:
            self._connected = RealtimeConnected()
        else:
            event = Reconnected(code=old.code, reason=old.reason, attempts=self._attempts.made)
            self._connected = RealtimeConnected(event, self.memory.update())
        self._move(SessionInput.CONNECTED, SessionState.OPEN)

    def _give_up(self, what: SessionInput, error: MeshAPIError) -> None:
        self._refused = error
        self._move(what, SessionState.OVER)

    def _check(self, what: SessionInput) -> None:
        if (self.state, what) not in TRANSITIONS:
            state = self.state.value
            raise ExchangeUsageError(
                f"{what.value}: not allowed now: the session is {state}; call next_action()"
            )

    def _move(self, what: SessionInput, state: SessionState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state


_NEVER = Closed(1006, "the client was closed", error_code="client_closed")
