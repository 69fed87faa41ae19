"""A realtime session: connect, talk, connect again. No I/O, no clock, no randomness.

Theory of operation. A session is one connection after another. What happens on each of them is
`RealtimeConnection`'s business; here is decided whether there is another one, when, and what is
said on it first. It is driven like a call: a host asks `next_action` what to do, does it, and
tells what came of it, until it gets an error:

    CONNECTING ──due──▶ UPGRADING ──101──────────────────────────▶ OPEN
      ▲  │ ▲              │ ├───Reply or Failure, final──▶ OVER     │ │
      │  │ └──────────────┘ (one to be repeated; interrupted)       │ │
      │  └──────out of time──────────────────────────────▶ OVER ◀───┘ │
      └────────────lost, and to be connected again────────────────────┘
                                                   (lost for good; closed by this side: anywhere)

    session = RealtimeExchange(call, config, Reconnect(), now=now(), random_bytes=os.urandom)
    while True:
        action = session.next_action(now())          # raises when the session is over
        if isinstance(action, Wait): sleep(action.seconds)
        elif isinstance(action, Send):
            session.receive(send(action.request), now())     # a Reply, such as the 101; a Failure
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
  brought an answer.
- An end that was told already may be told again. After the end of the session, and after `close`,
  everything may be told, and changes nothing but the error: others may still be at work then.
- A local mistake (Send not answered, an end without a connection) raises `ExchangeUsageError`.
- Times are seconds on any clock that does not go back; `now` is an argument everywhere.
"""

from collections.abc import Callable
from enum import Enum
from typing import Optional, Union

from msgspec import Struct
from msgspec.structs import replace

from meshapi_core.calls import AnyCall, PlainCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import (
    APIStatusError,
    APITimeoutError,
    MeshAPIError,
    ProtocolError,
    RealtimeConnectionClosed,
)
from meshapi_core.headers import Headers
from meshapi_core.machines.exchange import Exchange, ExchangeState, ExchangeUsageError, Send, Wait
from meshapi_core.messages import Failure, Reply, Request
from meshapi_core.randomness import number
from meshapi_core.realtime import RealtimeCall, RealtimeMemory, Reconnect, Reconnected
from meshapi_core.redaction import conceal
from meshapi_core.retries import Outcome, RetryPolicy
from meshapi_core.websocket import CLOSED_BY_US, Closed, as_error, check_upgrade

__all__ = ["RealtimeConnected", "RealtimeExchange"]

_SWITCHED = 101


class State(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    UPGRADING = "upgrading"
    OPEN = "open"
    OVER = "over"


class Input(Enum):
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
TRANSITIONS: dict[tuple[State, Input], frozenset[State]] = {
    (State.CONNECTING, Input.ASK): frozenset({State.CONNECTING, State.UPGRADING, State.OVER}),
    (State.CONNECTING, Input.INTERRUPTED): frozenset({State.CONNECTING}),
    (State.CONNECTING, Input.LOST_AGAIN): frozenset({State.CONNECTING}),
    (State.CONNECTING, Input.CLOSE): frozenset({State.OVER}),
    (State.UPGRADING, Input.CONNECTED): frozenset({State.OPEN}),
    (State.UPGRADING, Input.REPEATABLE): frozenset({State.CONNECTING}),
    (State.UPGRADING, Input.FINAL): frozenset({State.OVER}),
    (State.UPGRADING, Input.INTERRUPTED): frozenset({State.CONNECTING, State.OVER}),
    (State.UPGRADING, Input.LOST_AGAIN): frozenset({State.UPGRADING}),
    (State.UPGRADING, Input.CLOSE): frozenset({State.OVER}),
    (State.OPEN, Input.ASK): frozenset({State.OPEN}),
    (State.OPEN, Input.INTERRUPTED): frozenset({State.CONNECTING, State.OVER}),
    (State.OPEN, Input.LOST): frozenset({State.CONNECTING, State.OVER}),
    (State.OPEN, Input.LOST_AGAIN): frozenset({State.OPEN}),
    (State.OPEN, Input.CLOSE): frozenset({State.OVER}),
    **{(State.OVER, what): frozenset({State.OVER}) for what in Input},
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
        self.state = State.CONNECTING
        self.memory = RealtimeMemory()
        self._call: AnyCall[Reply] = _Upgrade(call=call)
        self._config = config
        self._reconnect = reconnect
        self._random_bytes = random_bytes
        # The connection that stands, how it ended, and how the one before it did.
        self._connected: Optional[RealtimeConnected] = None
        self._closed: Optional[Closed] = None
        self._closed_before: Optional[Closed] = None
        # Why there is no connection, and whether this side wants none.
        self._refused: Optional[MeshAPIError] = None
        self._client_closed = False
        # Connecting: since when it may be done, by what, and how often it was before that.
        self._due = now
        self._exchange: Optional[Exchange[Reply]] = self._new_exchange(now)
        self._attempts_before = 0
        self._request: Optional[Request] = None

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected]:
        """What to do next.

        Raises:
            RealtimeConnectionClosed: the session is over, also where it ended as it should (see
                `Closed.error`). `__cause__` is why it was not connected again, where that was
                tried.
            MeshAPIError: the first connection could not be made.
            ExchangeUsageError: the last `Send` has not been answered.
        """
        self._check(Input.ASK)
        if self.state is State.OPEN:
            assert self._connected is not None
            return self._connected
        if self.state is State.CONNECTING:
            action = self._go_on(now)
            if action is not None:
                return action
        error = self.error
        assert error is not None
        raise error

    def _go_on(self, now: float) -> Union[None, Send, Wait]:
        """What to do for a connection; None where there is nothing that could be done."""
        if self._exchange is None:
            if now < self._due:
                return Wait(self._due - now)
            self._exchange = self._new_exchange(now)
        try:
            action = self._exchange.next_action(now)
        except MeshAPIError as exc:
            self._give_up(Input.ASK, exc)
            return None
        if isinstance(action, Wait):
            return action
        assert isinstance(action, Send)
        self._request = action.request
        self._move(Input.ASK, State.UPGRADING)
        return action

    @property
    def error(self) -> Optional[MeshAPIError]:
        """What `next_action` raises from now on; None while the session goes on."""
        if self.state is not State.OVER:
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

    def receive(self, event: Union[Reply, Failure], now: float) -> None:
        """Take what the last `Send` brought: the answer, a 101 or another, or why there is none.

        A `Failure` whose error is an answer's (`APIStatusError`, as `RealtimeConnection` raises
        it) is judged as that answer.

        Raises:
            ExchangeUsageError: nothing was sent.
        """
        self._check(Input.FINAL)
        if self.state is State.OVER:
            return
        exchange = self._exchange
        assert exchange is not None
        if isinstance(event, Reply) and event.status == _SWITCHED:
            assert self._request is not None
            try:
                check_upgrade(self._request, event.headers)
            except ProtocolError as exc:
                # Without its frames, which hold what the server quotes of the request.
                self._give_up(Input.FINAL, conceal(exc.with_traceback(None), exchange.secrets))
                return
        elif isinstance(event, Failure) and _is_wrong_upgrade(event.error):
            self._give_up(Input.FINAL, conceal(event.error, exchange.secrets))
            return
        elif isinstance(event, Failure) and isinstance(event.error, APIStatusError):
            event = _Refused.of(event.error)
        exchange.receive(event, now)
        if exchange.state is ExchangeState.DONE:
            self._begin(exchange)
        elif exchange.state is ExchangeState.FAILED:
            self._end_with(exchange, now)
        else:
            self._move(Input.REPEATABLE, State.CONNECTING)

    def _end_with(self, exchange: Exchange[Reply], now: float) -> None:
        # A frame of its own: that of `receive` holds what the server quotes of the request.
        try:
            exchange.next_action(now)
        except MeshAPIError as exc:
            self._give_up(Input.FINAL, exc)

    def connected(self, now: float) -> None:
        """The last `Send` brought a connection, and somebody else has looked at its 101.

        Raises:
            ExchangeUsageError: nothing was sent.
        """
        self._check(Input.CONNECTED)
        if self.state is not State.OVER:
            assert self._exchange is not None
            self._exchange.receive(Reply(_SWITCHED, Headers()), now)
            self._begin(self._exchange)

    def interrupted(self, now: float) -> None:
        """This side broke off what it was doing, and will ask again if the session is to go on.

        Between attempts nothing is lost by that. An attempt, or a connection that was given up
        before it was used, counts for nothing: the next one comes after its delay.
        """
        self._check(Input.INTERRUPTED)
        if self.state not in (State.UPGRADING, State.OPEN):
            return
        if self._connected is None:
            assert self._exchange is not None
            self._attempts_before += self._exchange.attempts - 1
            self.memory.failures += self._exchange.attempts - 1
        else:
            self._attempts_before = max(0, self._attempts_before - 1)
            self.memory.failures = max(0, self.memory.failures - 1)
        self._exchange = self._connected = None
        if self._closed is None:
            self._closed = self._closed_before
        # The first connection has not been lost, so there is nothing to wait for.
        delay = (
            0.0 if self._closed is None else self._delay(self._closed, number(self._random_bytes))
        )
        if delay is not None:
            self._due = now + delay
        self._move(Input.INTERRUPTED, State.OVER if delay is None else State.CONNECTING)

    def lost(self, closed: Closed, now: float) -> None:
        """The connection has ended so. Telling it twice is harmless.

        Raises:
            ExchangeUsageError: there is no connection.
        """
        again = closed is self._closed or closed is self._closed_before
        self._check(Input.LOST_AGAIN if again else Input.LOST)
        if again:
            return
        if self.state is State.OVER:
            if self._refused is None and self._connected is not None:
                self._closed, self._connected = closed, None
            return
        delay = self._delay(closed, number(self._random_bytes))
        self._closed, self._connected = closed, None
        if delay is None:
            self._move(Input.LOST, State.OVER)
            return
        self._attempts_before, self._due = 0, now + delay
        self._move(Input.LOST, State.CONNECTING)

    def is_last(self, closed: Closed) -> bool:
        """Whether a connection that has ended so is not followed by another; asking tells nothing.

        Args:
            closed: the end of the connection that stands, or one that was told already.
        """
        if self.state is State.OVER:
            return True
        known = closed is self._closed or closed is self._closed_before
        return not known and self._delay(closed, 0.0) is None

    def close(self, *, by_client: bool = False) -> None:
        """This side wants no more: no attempt follows. Harmless twice, and after the end.

        The connection that stands is still to be closed; how it ended may be told to `lost`.

        Args:
            by_client: the client that the session belongs to was closed, which the error says.
        """
        self._client_closed = self._client_closed or by_client
        self._move(Input.CLOSE, State.OVER)

    @staticmethod
    def no_message(timeout: Optional[float], kind: str = "") -> APITimeoutError:
        """The error for whoever waited so many seconds for a message; the session goes on.

        Args:
            kind: the only type of message that was wanted; "" for any.
        """
        what = f"message of the type {kind!r}" if kind else "message"
        return APITimeoutError(f"no {what} came within {timeout} s", phase="read")

    @staticmethod
    def not_sent(timeout: Optional[float]) -> APITimeoutError:
        """The error for whoever waited so many seconds while the gateway took nothing in."""
        return APITimeoutError(f"the event could not be sent within {timeout} s", phase="write")

    def _delay(self, closed: Closed, random: float) -> Optional[float]:
        """Seconds until there is to be another connection; None where there is to be none."""
        reconnect, memory = self._reconnect, self.memory
        if reconnect is None or closed.code not in reconnect.codes:
            return None
        policy = self._policy(reconnect, reconnect.attempts)
        if memory.last_error_code in policy.final_codes:
            return None
        return policy.delay(memory.failures, Outcome(method="GET", stage="connect"), random)

    def _new_exchange(self, now: float) -> Exchange[Reply]:
        # The first connection is a call like others.
        reconnect = None if self._closed is None else self._reconnect
        if reconnect is None:
            attempts = self._config.retry_policy.max_retries + 1
        else:
            attempts = reconnect.attempts
        policy = self._policy(reconnect, attempts - self.memory.failures - 1)
        config = replace(self._config, retry=policy)
        return Exchange(self._call, config, now=now, random_bytes=self._random_bytes)

    def _policy(self, reconnect: Optional[Reconnect], max_retries: int) -> RetryPolicy:
        own = None if reconnect is None else reconnect.retry
        return replace(own or self._config.retry_policy, max_retries=max(0, max_retries))

    def _begin(self, exchange: Exchange[Reply]) -> None:
        attempts = self._attempts_before + exchange.attempts
        self._attempts_before = attempts
        old, self._closed_before, self._closed = self._closed, self._closed, None
        if old is None:
            # Connections are counted, and this one is the first.
            self.memory.failures = 0
            self._connected = RealtimeConnected()
        else:
            self.memory.failures += exchange.attempts
            event = Reconnected(code=old.code, reason=old.reason, attempts=attempts)
            self._connected = RealtimeConnected(event, self.memory.update())
        self._exchange = None
        self._move(Input.CONNECTED, State.OPEN)

    def _give_up(self, what: Input, error: MeshAPIError) -> None:
        self._refused = error
        self._move(what, State.OVER)

    def _check(self, what: Input) -> None:
        if (self.state, what) not in TRANSITIONS:
            raise ExchangeUsageError(f"{what.value}: not now, the session is {self.state.value}")

    def _move(self, what: Input, state: State) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state


def _is_wrong_upgrade(error: MeshAPIError) -> bool:
    """Whether a server that answers so would answer so again (see `check_upgrade`)."""
    return isinstance(error, ProtocolError) and error.error_code.startswith("handshake_")


_NEVER = Closed(1006, "the client was closed", error_code="client_closed")


class _Refused(Reply, frozen=True, kw_only=True):
    """An answer of which only the error is known that somebody has made of it."""

    error: APIStatusError

    @classmethod
    def of(cls, error: APIStatusError) -> "_Refused":
        return cls(status=error.status, headers=Headers(error.headers), error=error)


class _Upgrade(PlainCall, frozen=True, kw_only=True):
    """The call, whose refusal may be known already."""

    call: RealtimeCall

    @property
    def method(self) -> str:
        return self.call.method

    @property
    def upgrades(self) -> bool:
        return self.call.upgrades

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        return self.call.request(config, random_bytes)

    def read(self, reply: Reply) -> Reply:
        return self.call.read(reply)

    def refusal(self, reply: Reply) -> APIStatusError:
        return reply.error if isinstance(reply, _Refused) else self.call.refusal(reply)
