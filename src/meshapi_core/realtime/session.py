"""A realtime session: connect, talk, connect again. No I/O, no clock, no randomness.

Theory of operation. A session is one connection after another. What happens on each of them is
`RealtimeConnection`'s business; here is decided whether there is another one, when, and what is
said on it first. It is driven like a call: a host asks `next_action` what to do, does it, and
tells what came of it, until it gets an error:

    CONNECTING ──due──▶ UPGRADING ──101──────────────────────────▶ OPEN
      ▲  │ ▲              │ ├─Response or Failure, final─▶ OVER     │ │
      │  │ └──────────────┘ (one to be repeated; interrupted)       │ │
      │  └──────out of time──────────────────────────────▶ OVER ◀───┘ │
      └────────────lost, and to be connected again────────────────────┘
                                                   (lost for good; closed by this side: anywhere)

    session = RealtimeExchange(call, config, Reconnect(), now=now(), random_bytes=os.urandom)
    while True:
        action = session.next_action(now())          # raises when the session is over
        if isinstance(action, Wait): sleep(action.seconds)
        elif isinstance(action, Send):
            session.receive(send(action.request), now())     # a Response, say the 101; a Failure
        else:                                        # a RealtimeConnected: the connection stands
            if action.first is not None: send_text(action.first)
            ...                                      # talk, until it ends by a Closed
            session.lost(closed, now())

Who upgrades by `RealtimeConnection.connect` (or by a WebSocket of its own) says `connected` instead
of showing the 101, when the connection `is_open` (`next_event` may have given its first message by
then), and reports the error that comes instead as `Failure(error, stage)`.

- The first connection is made with the retries of the configuration, as any call; its error is
  that of any call. Later ones are made by the rules of `Reconnect`; when these are used up, the
  error is how the last connection ended, with the reason why there is no other as its cause.
- `Send` is answered by exactly one `receive` or `connected`. `Wait` is answered by asking again;
  asking earlier gets the rest of the wait. A host that broke off what it was doing (cancelled, its
  caller's time is over) says `interrupted`: between two attempts nothing changes by that, and an
  attempt that was under way counts for nothing. It asks again when somebody wants the session.
- What is sent and received is told to `memory`. The attempts count anew when a connection has
  brought a response.
- An end that was told already may be told again. After the end of the session, and after `close`,
  everything may be told, and changes nothing but the error: others may still be at work then.
- A local mistake (Send not answered, an end without a connection) raises `ExchangeUsageError`.
- Times are seconds on any clock that does not go back; `now` is an argument everywhere.
"""

from collections.abc import Callable
from enum import Enum
from typing import Optional, Union

from msgspec import Struct

from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError, RealtimeConnectionClosed
from meshapi_core.failures import failure_of
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
    """Where a session stands."""

    CONNECTING = "connecting"
    UPGRADING = "upgrading"
    OPEN = "open"
    OVER = "over"


class SessionInput(Enum):
    """What can happen to a session: it is asked, or it is told something."""

    ASK = "next_action"
    CONNECTED = "a 101 that is right, or connected"
    REPEATABLE = "a reply or failure that the retry policy repeats"
    FINAL = "any other reply or failure"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    LOST_AGAIN = "lost, with an end that was told already"
    CLOSE = "close"


# (state, input) -> the states it may lead to. What is not here is a local mistake. A wait that is
# not over leaves CONNECTING where it is; an upgrade out of time goes to OVER.
TRANSITIONS: dict[tuple[SessionState, SessionInput], frozenset[SessionState]] = {
    (SessionState.CONNECTING, SessionInput.ASK): frozenset(
        {SessionState.CONNECTING, SessionState.UPGRADING, SessionState.OVER}
    ),
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
    """The connection stands: talk, and tell `lost` when it has ended.

    Fields:
        event: a message of our own for whoever receives, before all that the connection brings;
            None on the first connection.
        first: the text to send before anything else, which configures the session as it was; None
            where there is none.
    """

    event: Optional[Reconnected] = None
    first: Optional[str] = None


def error_code_of(exc: Exception) -> str:
    """What the end of a connection is called that broke with an exception of a host's."""
    return failure_of(exc, "response").error.error_code


class RealtimeExchange:
    """One session on its way, over as many connections as it takes.

    Args:
        call: the upgrade.
        config: the gateway, the time limits, and the retries of the first connection.
        reconnect: whether to connect again when a connection is lost; None does not.
        now: the time at which the session begins.
        random_bytes: `os.urandom`; spreads the waits and makes the keys of the upgrades.

    Attributes:
        memory: is told what is sent (`note_sent`) and received (`note_received`).
    """

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
        self._attempts = Attempts(call, config, reconnect, now=now, random_bytes=random_bytes)
        self.memory = self._attempts.memory
        # The connection that stands, how it ended, and how the one before it did.
        self._connected: Optional[RealtimeConnected] = None
        self._closed: Optional[Closed] = None
        self._closed_before: Optional[Closed] = None
        # Why there is no connection, and whether this side wants none.
        self._refused: Optional[MeshAPIError] = None
        self._client_closed = False
        self._closed_by_program = False

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected]:
        """What to do next.

        Raises:
            RealtimeConnectionClosed: the session is over, also where it ended as it should (see
                `Closed.error`). `__cause__` is why it was not connected again, where that was
                tried.
            MeshAPIError: the first connection could not be made.
            ExchangeUsageError: the last `Send` has not been answered.
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

    @property
    def error(self) -> Optional[MeshAPIError]:
        """What `next_action` raises from now on; None while the session goes on."""
        if self.state is not SessionState.OVER:
            return None
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
            # Not into the reason, which is what the gateway said.
            error.message += f"; connecting again failed: {refused}"
            error.__cause__ = refused
        return error

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take what the last `Send` brought: the response, a 101 or another, or why there is none.

        A `Failure` whose error is a response's (`APIStatusError`, as `RealtimeConnection` raises
        it) is judged as that answer.

        Raises:
            ExchangeUsageError: nothing was sent.
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
        """The last `Send` brought a connection, and somebody else has looked at its 101.

        Raises:
            ExchangeUsageError: nothing was sent.
        """
        self._check(SessionInput.CONNECTED)
        if self.state is not SessionState.OVER:
            self._begin()

    def interrupted(self, now: float) -> None:
        """This side broke off what it was doing, and will ask again if the session is to go on.

        Between attempts nothing is lost by that. An attempt, or a connection that was given up
        before it was used, counts for nothing: the next one comes after its delay.
        """
        self._check(SessionInput.INTERRUPTED)
        if self.state not in (SessionState.UPGRADING, SessionState.OPEN):
            return
        if self._connected is None:
            self._attempts.broken_off()
        else:
            self._attempts.unused()
            self._connected = None
        if self._closed is None:
            self._closed = self._closed_before
        follows = self._attempts.follow(self._closed, now)
        self._move(
            SessionInput.INTERRUPTED, SessionState.CONNECTING if follows else SessionState.OVER
        )

    def lost(self, closed: Closed, now: float) -> None:
        """The connection has ended so. Telling it twice is harmless.

        Raises:
            ExchangeUsageError: there is no connection.
        """
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
        """Whether a connection that has ended so is not followed by another; asking tells nothing.

        Args:
            closed: the end of the connection that stands, or one that was told already.
        """
        if self.state is SessionState.OVER:
            return True
        known = closed is self._closed or closed is self._closed_before
        return not known and self._attempts.is_last(closed)

    def close(self, *, by_client: bool = False) -> None:
        """This side wants no more: no attempt follows. Harmless twice, and after the end.

        The connection that stands is still to be closed; how it ended may be told to `lost`.

        Args:
            by_client: the client that the session belongs to was closed, which the error says.
        """
        self._client_closed = self._client_closed or by_client
        self._closed_by_program = self._closed_by_program or not by_client
        self._move(SessionInput.CLOSE, SessionState.OVER)

    # What a host says with them needs no session; here is where it finds them.
    no_message = staticmethod(no_message)
    not_sent = staticmethod(not_sent)
    error_code_of = staticmethod(error_code_of)

    def is_normal_end(self, error: MeshAPIError, closed: Optional[Closed]) -> bool:
        """Whether a loop over the messages just ends where this error is raised.

        Args:
            closed: how the connection that stands has ended; None where it has not.
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
            raise ExchangeUsageError(f"{what.value}: not now, the session is {self.state.value}")

    def _move(self, what: SessionInput, state: SessionState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state


_NEVER = Closed(1006, "the client was closed", error_code="client_closed")
