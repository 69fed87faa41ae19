"""An attempt through an HTTP client: one request, and how much of its response has arrived.

This module also has the one step that a `ClientCall` takes before the head of a response, and the
handling of its failure: the client itself does the rest of what a `PipeCall` does there.
"""

from collections import deque
from typing import Optional, Union

from msgspec import structs

from meshapi_core.bodies import PIECE
from meshapi_core.config import Timeout
from meshapi_core.errors import APITimeoutError
from meshapi_core.failures import Phase, timed_out
from meshapi_core.machines.actions import Abort, ReadBody, SendRequest
from meshapi_core.machines.common_steps import explained
from meshapi_core.machines.exchange import Send
from meshapi_core.machines.lifecycle import Failing, Lifecycle, Step
from meshapi_core.machines.states import CallState
from meshapi_core.machines.timer import earliest
from meshapi_core.messages import Failure, Stage
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["FAILINGS", "STEPS", "ClientAttempt", "attempt_of"]

_PHASES: dict[str, Phase] = {"connect": "connect", "pool": "pool"}


class ClientAttempt:
    """One request through the client, and its response. It is the source of the body: it keeps the
    pieces that have come."""

    under_way = False
    """Whether there is a request or a response to give up."""
    answered = False
    """Whether the head of a response has come."""
    reused = False
    """Whether its connection had served another request before."""
    tells = False
    """Whether the client reports when a request has been sent."""
    told_stage: Optional[Stage] = None
    """How far it got, where the host knows that."""
    ended = False
    """Whether the body has ended."""
    began = 0.0
    """When the request was first given to the host."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self.told_stage or ("response" if self.answered else "request")

    def phase(self, state: CallState) -> Phase:
        """Which limit applies."""
        return "read"

    def told_phase(self, state: CallState) -> Optional[Phase]:
        """The phase that an exception of the host is about; None where only its class says so."""
        return _PHASES.get(self.stage)

    def silence(self, now: float) -> float:
        """Seconds since the request was given to the host."""
        return now - self.began

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that ran out."""
        if self.answered or self.tells:
            return timed_out(phase, timeout)
        # The limit was the sum of all phases, and the client does not say which one it was in.
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
        """The action for a response that has been read as far as it is wanted, or None."""
        # The connection is the client's. A body read to its end needs nothing, any other an Abort.
        return self.give_up()

    def give_up(self) -> Optional[Abort]:
        """The action for a request or response that nobody will read on, or None."""
        return None if not self.under_way or (self.answered and self.ended) else Abort()

    def let_go(self) -> None:
        """Note that the client raised: a request is over by that, a response is still to close."""
        self.under_way = self.answered and self.under_way


def attempt_of(life: Lifecycle) -> ClientAttempt:
    """The attempt of a `ClientCall`."""
    assert isinstance(life.attempt, ClientAttempt)
    return life.attempt


def _send(life: Lifecycle, now: float) -> Optional[SendRequest]:
    send, attempt = life.send, attempt_of(life)
    # Whoever asks again gets the same request, and the limit runs on.
    if not attempt.under_way:
        if send.deadline is not None and now >= send.deadline:
            # The exchange has checked this, but opening the files took time since.
            life.expire(now)
            return None
        attempt.began = now
        life.timer.until = _head_limit(life, now)
        attempt.under_way = True
    return SendRequest(
        request=life.request,
        timeout=_timeout_of(send),
        fresh=send.fresh,
        attempt=send.attempt,
        until=life.timer.until,
    )


def _head_limit(life: Lifecycle, now: float) -> Optional[float]:
    # From here to the head, a client without phases may take as long as all our phases together.
    timeout, deadline = life.send.timeout, life.send.deadline
    head = earliest(timeout.read, life.send.answer_within)
    # Without a limit for the head itself, no sum can be one.
    if head is None:
        return deadline
    limits = (timeout.pool, timeout.connect, timeout.write, head)
    left = sum(limit for limit in limits if limit is not None)
    if timeout.write is not None:
        # `write` is the limit of one piece; the sum above has it once.
        left += timeout.write * (len(life.request.body) // PIECE)  # type: ignore[arg-type]
    if life.send.answer_within is not None and head == life.send.answer_within:
        life.answer_until = now + left
    return earliest(now + left, deadline)


def _timeout_of(send: Send) -> Timeout:
    """The limits of the phases, for a client that has phases."""
    timeout, within = send.timeout, send.answer_within
    if within is None:
        return timeout
    return structs.replace(timeout, read=earliest(timeout.read, within))


def _is_unanswered(send: Send, failure: Failure) -> bool:
    """Whether the limit that the client ran into was `Send.answer_within`."""
    within, read = send.answer_within, send.timeout.read
    is_less = within is not None and (read is None or within < read)
    return is_less and getattr(failure.error, "phase", "") == "read"


def _send_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    if failure.timed_out and life.limit(now)[1]:
        # The client ran into a limit of its own, or into ours for this action: but the call is out
        # of time, and the error says that. Such an error is not retried.
        cause, error = failure.error.__cause__, life.out_of_time(now).error
        failure = structs.replace(failure, error=error)
        error.__cause__ = cause
    elif failure.timed_out and _is_unanswered(life.send, failure):
        failure = explained(failure, life.unanswered())
    life.fail_attempt(failure, now)


STEPS: dict[CallState, Step] = {CallState.SENDING: _send}

FAILINGS: dict[CallState, Failing] = {CallState.SENDING: _send_failed}
