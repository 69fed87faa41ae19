"""An `Exchange` that notes its attempts, the heads of responses, and retries."""

from collections import deque
from collections.abc import Callable
from typing import Any, Optional, TypeVar, Union

from msgspec.structs import force_setattr

from meshapi_core.calls import AnyCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import Done, Exchange, ExchangeState, Send, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.observing.notices import (
    AttemptStarted,
    CallInfo,
    Notice,
    ResponseStarted,
    RetryPlanned,
)
from meshapi_core.redaction import conceal
from meshapi_core.retries import Outcome

__all__ = ["ObservedExchange"]

T = TypeVar("T")


class ObservedExchange(Exchange[T]):
    """An exchange that notes what it does. It decides exactly as any other.

    Args:
        call, config, now, random_bytes: as for `Exchange`.

    Attributes:
        notices: what has not been told yet.
        about: the call.
    """

    response: Optional[Response] = None
    """The last response, if it was read whole."""
    attempt_began: Optional[float] = None
    """When the present attempt began; None if none is under way."""
    _head_noted = False
    # A 401 after which another token is asked for: the error, the time, and what the attempt took.
    _refused: Optional[tuple[MeshAPIError, float, float]] = None

    def __init__(
        self,
        call: AnyCall[T],
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        super().__init__(call, config, now=now, random_bytes=random_bytes)
        self.notices: deque[Notice] = deque()
        self.about = CallInfo.of(call, self.request, now, self.secrets)

    @property
    def facts(self) -> dict[str, Any]:
        """The fields that all notices have in common, but for the time."""
        return {
            "about": self.about,
            "attempt": self.attempts,
            "most_attempts": max(self.attempts, self._policy.max_retries + self._renewals + 1),
        }

    def seconds(self, now: float) -> Optional[float]:
        """Seconds since the present attempt began; None if none is under way."""
        if self._refused is not None:
            return self._refused[2]
        return None if self.attempt_began is None else now - self.attempt_began

    def next_action(self, now: float) -> Union[Send, Wait, Done[T], GetToken]:
        """Return what to do next; see `Exchange`."""
        action = super().next_action(now)
        if isinstance(action, Send):
            self.response, self._head_noted = None, False
            resent = self.attempt_began is not None
            if self.attempt_began is None:
                self.attempt_began = now
            self.notices.append(
                AttemptStarted(**self.facts, at=now, request=action.request, resent=resent)
            )
        return action

    def token(self, value: object) -> None:
        """Take what the source of the last `GetToken` returned; see `Exchange`."""
        super().token(value)
        # The same object for all notices, so that it stays the key of mappings.
        force_setattr(self.about, "secrets", self.secrets)
        if self._refused is not None and self.state is ExchangeState.READY:
            # Not before: with the same token again, there is no further attempt.
            error, at, seconds = self._refused
            self._note_retry(error, at, seconds, at, new_token=True)

    def receive_head(self, status: int, headers: Headers, now: float) -> None:
        """Note the head of a response, before all of it has come."""
        self._head_noted = True
        self.notices.append(
            ResponseStarted(
                **self.facts,
                at=now,
                status=status,
                headers=headers,
                seconds=self.seconds(now) or 0.0,
            )
        )

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the outcome of the last `Send`; see `Exchange`."""
        if isinstance(event, Response):
            if not self._head_noted:
                self.receive_head(event.status, event.headers, now)
            self.response = event
        super().receive(event, now)
        token = self._token
        if self.state is ExchangeState.TOKEN and token is not None and token.refusal is not None:
            self._refused = (token.refusal, now, self.seconds(now) or 0.0)

    def _retry_or_fail(self, error: MeshAPIError, outcome: Outcome, now: float) -> None:
        super()._retry_or_fail(error, outcome, now)
        if self.state is ExchangeState.WAITING:
            self._note_retry(error, now, self.seconds(now) or 0.0, self._due)

    def _note_retry(
        self, error: MeshAPIError, at: float, seconds: float, due: float, *, new_token: bool = False
    ) -> None:
        self.notices.append(
            RetryPlanned(
                **self.facts,
                at=at,
                # Nobody raises this one, so nothing else has cleaned it.
                error=conceal(error, self.secrets),
                response=self.response,
                seconds=seconds,
                wait=due - at,
                new_token=new_token,
            )
        )
        self.attempt_began = self._refused = None
