"""The attempts to connect a session: how many there are, and how long to wait between them.

The first connection is a call like any other, with the retries of the configuration. Each later
connection is a series of attempts by the rules of `Reconnect`. Until a connection brings a
response, a new series continues where the last one stopped: they share one number of attempts, and
the waits keep growing (`RealtimeMemory.failures`).
"""

from collections.abc import Callable
from typing import Any, ClassVar, Optional, Union

from msgspec.structs import replace

from meshapi_core.calls import AnyCall, PlainCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIStatusError, MeshAPIError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import (
    Exchange,
    ExchangeState,
    ExchangeUsageError,
    Send,
    Wait,
)
from meshapi_core.messages import Failure, Request, Response
from meshapi_core.randomness import number
from meshapi_core.realtime.call import RealtimeCall
from meshapi_core.realtime.memory import RealtimeMemory
from meshapi_core.realtime.options import Reconnect
from meshapi_core.redaction import conceal
from meshapi_core.retries import Outcome, RetryPolicy
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.handshake import check_upgrade

__all__ = ["Attempts"]

_SWITCHED = 101


class Attempts:
    """The attempts of one session. `RealtimeExchange` describes the arguments.

    Attributes:
        memory: records what is sent and received.
        made: attempts since the connection was lost, not counting interrupted ones.
        error: why there will be no further attempt; None while there may be one.
        due: when the next series begins.
    """

    _exchange_class: ClassVar[type[Exchange[Any]]] = Exchange

    def __init__(
        self,
        call: RealtimeCall,
        config: MeshAPIConfig,
        reconnect: Optional[Reconnect],
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.memory = RealtimeMemory()
        self.made = 0
        self.error: Optional[MeshAPIError] = None
        self._call: AnyCall[Response] = _Upgrade(call=call)
        self._config = config
        self._reconnect = reconnect
        self._random_bytes = random_bytes
        # The exchange of the current series; if there is none, when the next series begins, and by
        # which rules.
        self._exchange: Optional[Exchange[Response]] = None
        self.due = now
        self._rules: Optional[Reconnect] = None
        self._exchange = self._new_exchange(now)

    def next_action(self, now: float) -> Union[Send, Wait, GetToken]:
        """Return what the host is to do next to get a connection.

        Raises:
            MeshAPIError: the attempts have failed for good.
        """
        if self._exchange is None:
            if now < self.due:
                return Wait(self.due - now)
            self._exchange = self._new_exchange(now)
        action = self._exchange.next_action(now)
        assert isinstance(action, (Send, Wait, GetToken))
        return action

    def token(self, value: object) -> None:
        """Take what the source of the last `GetToken` returned."""
        if self._exchange is None:
            raise ExchangeUsageError("token: no token was asked for; call next_action()")
        self._exchange.token(value)

    def receive(self, event: Union[Response, Failure], now: float) -> bool:
        """Take the result of the last `Send`; return whether it is a connection.

        If it is not, `error` tells whether there will be another attempt.
        """
        exchange = self._exchange
        assert exchange is not None
        wrong = _wrong_upgrade(event, exchange.request)
        if wrong is not None:
            # Without its traceback, whose frames hold what the server quotes of the request.
            self.error = conceal(wrong.with_traceback(None), exchange.secrets)
            return False
        if isinstance(event, Failure) and isinstance(event.error, APIStatusError):
            event = _Refused.of(event.error)
        exchange.receive(event, now)
        if exchange.state is ExchangeState.FAILED:
            self.error = _error_of(exchange, now)
        return exchange.state is ExchangeState.DONE

    def connected(self, *, again: bool) -> None:
        """Record that the last attempt brought a connection: the first one, or a replacement."""
        assert self._exchange is not None
        attempts, self._exchange = self._exchange.attempts, None
        self.made += attempts
        # A replacement counts as a failure until it has brought a response. Else a server that
        # accepts and drops connections would be reconnected to for ever, without a growing wait.
        self.memory.failures = self.memory.failures + attempts if again else 0

    def broken_off(self) -> None:
        """Record that this side interrupted an attempt, which therefore does not count."""
        assert self._exchange is not None
        before, self._exchange = self._exchange.attempts - 1, None
        self.made += before
        self.memory.failures += before

    def unused(self) -> None:
        """Record that this side gave up a connection before using it; it does not count."""
        self.made = max(0, self.made - 1)
        self.memory.failures = max(0, self.memory.failures - 1)

    def follow(self, closed: Optional[Closed], now: float) -> bool:
        """Plan the attempts that follow an end; return False if there will be none.

        Args:
            closed: the end; None if there was no connection yet: then there is no wait either.
        """
        delay = 0.0 if closed is None else self._delay(closed, number(self._random_bytes))
        if delay is None:
            return False
        self.due = now + delay
        self._rules = None if closed is None else self._reconnect
        return True

    def is_last(self, closed: Closed) -> bool:
        """Return whether no attempt follows this end."""
        return self._delay(closed, 0.0) is None

    def _delay(self, closed: Closed, random: float) -> Optional[float]:
        """Return the seconds to wait before reconnecting; None if there is no reconnecting."""
        reconnect, memory = self._reconnect, self.memory
        if reconnect is None or closed.code not in reconnect.codes:
            return None
        policy = self._policy(reconnect, reconnect.attempts)
        if memory.last_error_code in policy.final_codes:
            return None
        return policy.delay(memory.failures, Outcome(method="GET", stage="connect"), random)

    def _new_exchange(self, now: float) -> Exchange[Response]:
        rules = self._rules
        attempts = self._config.retry_policy.max_retries + 1 if rules is None else rules.attempts
        policy = self._policy(rules, attempts - self.memory.failures - 1)
        # A session that was lost is connected again by its own rules, for as long as they say.
        quota = self._config.retry_quota if rules is None else None
        config = self._config.changed({"retry": policy, "retry_quota": quota})
        return self._exchange_class(self._call, config, now=now, random_bytes=self._random_bytes)

    def _policy(self, rules: Optional[Reconnect], max_retries: int) -> RetryPolicy:
        own = None if rules is None else rules.retry
        return replace(own or self._config.retry_policy, max_retries=max(0, max_retries))


def _error_of(exchange: Exchange[Response], now: float) -> MeshAPIError:
    # A separate function, as the error's traceback must not hold the frame of `receive`: its locals
    # include what the server quotes of the request.
    try:
        exchange.next_action(now)
    except MeshAPIError as exc:
        return exc
    raise AssertionError("an exchange that has failed raises its error")


def _wrong_upgrade(event: Union[Response, Failure], request: Request) -> Optional[MeshAPIError]:
    """Return the error of an invalid 101, which is final: the server would send the same again."""
    if isinstance(event, Response):
        if event.status != _SWITCHED:
            return None
        try:
            check_upgrade(request, event.headers)
        except ProtocolError as exc:
            return exc
        return None
    error = event.error
    if isinstance(error, ProtocolError) and error.error_code.startswith("handshake_"):
        return error
    return None


class _Refused(Response, frozen=True, kw_only=True):
    """A refusal that was turned into an error already; stands for the response."""

    error: APIStatusError

    @classmethod
    def of(cls, error: APIStatusError) -> "_Refused":
        return cls(status=error.status, headers=Headers(error.headers), error=error)


class _Upgrade(PlainCall, frozen=True, kw_only=True):
    """The call, except that its refusal may be an error already."""

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

    def read(self, response: Response) -> Response:
        return self.call.read(response)

    def refusal(self, response: Response) -> APIStatusError:
        return response.error if isinstance(response, _Refused) else self.call.refusal(response)
