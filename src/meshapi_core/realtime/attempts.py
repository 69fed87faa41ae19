"""The attempts to connect a session: what makes them, how many there are, and how far apart.

The first connection is a call like any other: it has the retries of the configuration. Each later
one is a series of attempts by the rules of `Reconnect`. Until a connection brings a response, a
series goes on where the last one stopped: they share the number of attempts, and the waits keep
growing (`RealtimeMemory.failures`).
"""

from collections.abc import Callable
from typing import Optional, Union

from msgspec.structs import replace

from meshapi_core.calls import AnyCall, PlainCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIStatusError, MeshAPIError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.machines.exchange import Exchange, ExchangeState, Send, Wait
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
    """The attempts of one session. For its arguments see `RealtimeExchange`.

    Attributes:
        memory: is told what is sent and received.
        made: attempts since the connection was lost, without those that were broken off.
        error: why there is to be no other attempt; None before that.
    """

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
        # What makes the attempts of this series; else when the next one begins, and by which rules.
        self._exchange: Optional[Exchange[Response]] = None
        self._due = now
        self._rules: Optional[Reconnect] = None
        self._exchange = self._new_exchange(now)

    def next_action(self, now: float) -> Union[Send, Wait]:
        """What to do for a connection.

        Raises:
            MeshAPIError: there is nothing that could be done.
        """
        if self._exchange is None:
            if now < self._due:
                return Wait(self._due - now)
            self._exchange = self._new_exchange(now)
        action = self._exchange.next_action(now)
        assert isinstance(action, (Send, Wait))
        return action

    def receive(self, event: Union[Response, Failure], now: float) -> bool:
        """Take what the last `Send` brought; whether that is a connection.

        Where it is none, `error` says whether there is to be another attempt.
        """
        exchange = self._exchange
        assert exchange is not None
        wrong = _wrong_upgrade(event, exchange.request)
        if wrong is not None:
            # Without its frames, which hold what the server quotes of the request.
            self.error = conceal(wrong.with_traceback(None), exchange.secrets)
            return False
        if isinstance(event, Failure) and isinstance(event.error, APIStatusError):
            event = _Refused.of(event.error)
        exchange.receive(event, now)
        if exchange.state is ExchangeState.FAILED:
            self.error = _error_of(exchange, now)
        return exchange.state is ExchangeState.DONE

    def connected(self, *, again: bool) -> None:
        """The last attempt brought a connection: the first one, or another in its place."""
        assert self._exchange is not None
        attempts, self._exchange = self._exchange.attempts, None
        self.made += attempts
        # Until it has brought a response, a connection in the place of another counts as a failure.
        self.memory.failures = self.memory.failures + attempts if again else 0

    def broken_off(self) -> None:
        """This side broke off an attempt, which counts for nothing."""
        assert self._exchange is not None
        before, self._exchange = self._exchange.attempts - 1, None
        self.made += before
        self.memory.failures += before

    def unused(self) -> None:
        """This side gave up a connection before it was used: it counts for nothing."""
        self.made = max(0, self.made - 1)
        self.memory.failures = max(0, self.memory.failures - 1)

    def follow(self, closed: Optional[Closed], now: float) -> bool:
        """Plan the attempts after such an end; False where there are to be none.

        Args:
            closed: the end; None where there was no connection yet, and so none to wait for.
        """
        delay = 0.0 if closed is None else self._delay(closed, number(self._random_bytes))
        if delay is None:
            return False
        self._due = now + delay
        self._rules = None if closed is None else self._reconnect
        return True

    def is_last(self, closed: Closed) -> bool:
        """Whether no attempt is to follow such an end."""
        return self._delay(closed, 0.0) is None

    def _delay(self, closed: Closed, random: float) -> Optional[float]:
        """Seconds until there is to be another connection; None where there is to be none."""
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
        config = replace(self._config, retry=policy)
        return Exchange(self._call, config, now=now, random_bytes=self._random_bytes)

    def _policy(self, rules: Optional[Reconnect], max_retries: int) -> RetryPolicy:
        own = None if rules is None else rules.retry
        return replace(own or self._config.retry_policy, max_retries=max(0, max_retries))


def _error_of(exchange: Exchange[Response], now: float) -> MeshAPIError:
    # A frame of its own: that of `receive` holds what the server quotes of the request.
    try:
        exchange.next_action(now)
    except MeshAPIError as exc:
        return exc
    raise AssertionError("an exchange that has failed raises its error")


def _wrong_upgrade(event: Union[Response, Failure], request: Request) -> Optional[MeshAPIError]:
    """The error of a 101 that is none for this request: a server would answer so again."""
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
    """A response of which only the error is known that somebody has made of it."""

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

    def read(self, response: Response) -> Response:
        return self.call.read(response)

    def refusal(self, response: Response) -> APIStatusError:
        return response.error if isinstance(response, _Refused) else self.call.refusal(response)
