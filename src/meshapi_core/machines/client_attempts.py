"""An attempt through an HTTP client: one request, and its response as far as it has come.

And the one step of a `ClientCall` before the head of a response, with what it means that it failed:
the client does all that a `PipeCall` does between the two.
"""

from collections import deque
from typing import Optional, Union

from msgspec import structs

from meshapi_core.bodies import PIECE
from meshapi_core.config import Timeout
from meshapi_core.errors import APITimeoutError
from meshapi_core.failures import Phase, timed_out
from meshapi_core.machines.actions import Abort, ReadBody, SendRequest
from meshapi_core.machines.lifecycle import Failing, Lifecycle, Step
from meshapi_core.machines.states import CallState
from meshapi_core.machines.timer import earliest
from meshapi_core.messages import Failure, Stage
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["FAILINGS", "STEPS", "ClientAttempt", "attempt_of"]

_PHASES: dict[str, Phase] = {"connect": "connect", "pool": "pool"}


class ClientAttempt:
    """One request through the client, and its response: a source for the body, as far as it
    came."""

    under_way = False
    """Whether there is a request or a response to give up."""
    answered = False
    """Whether the head of a response has come."""
    reused = False
    """Whether its connection had served before."""
    tells = False
    """Whether the client tells when a request has been sent."""
    told_stage: Optional[Stage] = None
    """How far it came, where the host knows better."""
    ended = False
    """Whether the body has ended."""
    began = 0.0

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self.told_stage or ("response" if self.answered else "request")

    def phase(self, state: CallState) -> Phase:
        """Which limit holds."""
        return "read"

    def told_phase(self, state: CallState) -> Optional[Phase]:
        """The same, for an exception of the host's."""
        return _PHASES.get(self.stage)

    def silence(self, now: float) -> float:
        """Seconds since it was given out."""
        return now - self.began

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that is over."""
        if self.answered or self.tells:
            return timed_out(phase, timeout)
        # Nobody knows which phase it was.
        return APITimeoutError(
            "connecting, sending the request and waiting for the response took longer than"
            f" {now - self.began:.3g} s in all; to allow more time, pass timeout=Timeout(...)",
            phase=phase,
        )

    def reading(self, until: Optional[float]) -> ReadBody:
        """The action that reads."""
        return ReadBody(until=until)

    def receive_body(self, data: bytes) -> None:
        """Take a piece of the body; `b""` is its end."""
        if data:
            self._pieces.append(data)
        else:
            self.ended = True

    def next_event(self) -> Union[bytes, EndOfBody, NeedData]:
        """The next piece of the body."""
        if self._pieces:
            return self._pieces.popleft()
        return END_OF_BODY if self.ended else NEED_DATA

    def give_back(self) -> Optional[Abort]:
        """The response has been read as far as it is wanted."""
        return self.give_up()

    def give_up(self) -> Optional[Abort]:
        """Nothing more will be read."""
        return None if not self.under_way or (self.answered and self.ended) else Abort()

    def let_go(self) -> None:
        """A request that failed is over; a response that did is still to be closed."""
        self.under_way = self.answered and self.under_way


def attempt_of(life: Lifecycle) -> ClientAttempt:
    """The attempt of a `ClientCall`."""
    assert isinstance(life.attempt, ClientAttempt)
    return life.attempt


def _send(life: Lifecycle, now: float) -> Optional[SendRequest]:
    send, attempt = life.send, attempt_of(life)
    if not attempt.under_way:
        if send.deadline is not None and now >= send.deadline:
            # Opening its files took all the time.
            life.expire(now)
            return None
        attempt.began = now
        life.timer.until = _head_limit(life, now)
        attempt.under_way = True
    return SendRequest(
        request=life.request, timeout=send.timeout, fresh=send.fresh, until=life.timer.until
    )


def _head_limit(life: Lifecycle, now: float) -> Optional[float]:
    # A client that has no limits of its own has the sum of ours.
    timeout, deadline = life.send.timeout, life.send.deadline
    if timeout.read is None:
        return deadline
    limits = (timeout.pool, timeout.connect, timeout.write, timeout.read)
    left = sum(limit for limit in limits if limit is not None)
    if timeout.write is not None:
        left += timeout.write * (len(life.request.body) // PIECE)  # type: ignore[arg-type]
    return earliest(now + left, deadline)


def _send_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    if failure.timed_out and life.limit(now)[1]:
        # No phase of its own, but the whole call took too long, as is known here.
        cause, error = failure.error.__cause__, life.out_of_time(now).error
        failure = structs.replace(failure, error=error)
        error.__cause__ = cause
    life.fail_attempt(failure, now)


STEPS: dict[CallState, Step] = {CallState.SENDING: _send}

FAILINGS: dict[CallState, Failing] = {CallState.SENDING: _send_failed}
