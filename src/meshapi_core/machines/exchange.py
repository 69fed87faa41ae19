"""The life of one call: send, wait, send again, done. No I/O, no clock, no randomness.

Theory of operation. A host asks `next_action` what to do, does it, and tells `receive` what came
of it, until it gets `Done` or an error:

    READY ──Send──▶ SENT ──Response, 2xx───────────────────────▶ DONE
      ▲              │ ├─Response or Failure, final────────────▶ FAILED
      │              │ └─Response or Failure, to be repeated─▶ WAITING ──due──▶ SENT
      └──────────────┘     (after a dead connection, once: READY again, on a fresh one)

- Times are seconds on any clock that does not go back; `now` is an argument everywhere.
- `Send` is answered by exactly one `receive`. `Wait` is answered by asking again, at the earliest
  when it is over; asking earlier gets the rest of the wait.
- `Done` and the error are final, and are given again to whoever asks again.
- What the server quotes of the client's own secrets is in no error: neither in those raised here,
  nor in those of a stream's decoder, which is told the secrets.
- A local mistake (receive without Send, Send not answered) raises `ExchangeUsageError`; it says
  nothing about the server.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Optional, TypeVar, Union, cast

from msgspec import Struct, structs

from meshapi_core._log_safe import one_line
from meshapi_core.calls import MAX_ERROR_SIZE, AnyCall
from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.content_codings import decoded_in_part
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    MeshAPIError,
    ProtocolError,
)
from meshapi_core.failures import timed_out
from meshapi_core.messages import SUCCESS, Failure, Request, Response
from meshapi_core.randomness import drawn, number
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.retries import Outcome, parse_should_retry

T = TypeVar("T")


_SWITCHED = 101


class ExchangeState(Enum):
    """Where an exchange stands."""

    READY = "ready"
    SENT = "sent"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"

    # By identity: that of `Enum` is a function in Python, and tables are looked up all the time.
    __hash__ = object.__hash__


class ExchangeInput(Enum):
    """What can happen to an exchange: it is asked, or it is told something."""

    ASK = "next_action"
    GOOD = "a 2xx reply (or a 101) that can be read"
    REPEATABLE = "a reply or failure that the retry policy repeats"
    DEAD = "a kept-alive connection that was already dead"
    FINAL = "any other reply or failure"

    __hash__ = object.__hash__


# (state, input) -> the states it may lead to. What is not here is a local mistake. A wait that is
# not over leaves WAITING where it is; a call out of time goes to FAILED.
TRANSITIONS: dict[tuple[ExchangeState, ExchangeInput], frozenset[ExchangeState]] = {
    (ExchangeState.READY, ExchangeInput.ASK): frozenset({ExchangeState.SENT, ExchangeState.FAILED}),
    (ExchangeState.SENT, ExchangeInput.GOOD): frozenset({ExchangeState.DONE}),
    (ExchangeState.SENT, ExchangeInput.REPEATABLE): frozenset({ExchangeState.WAITING}),
    (ExchangeState.SENT, ExchangeInput.DEAD): frozenset({ExchangeState.READY}),
    (ExchangeState.SENT, ExchangeInput.FINAL): frozenset({ExchangeState.FAILED}),
    (ExchangeState.WAITING, ExchangeInput.ASK): frozenset(
        {ExchangeState.WAITING, ExchangeState.SENT, ExchangeState.FAILED}
    ),
    (ExchangeState.DONE, ExchangeInput.ASK): frozenset({ExchangeState.DONE}),
    (ExchangeState.FAILED, ExchangeInput.ASK): frozenset({ExchangeState.FAILED}),
}


# Looked up for each call. By the name of its class, a member takes ten times as long up to 3.11.
_READY, _SENT, _WAITING, _DONE, _FAILED = ExchangeState
_ASK, _GOOD, _REPEATABLE, _DEAD, _FINAL = ExchangeInput

# What is wrong where the table has no line: `next_action` in SENT, `receive` in all the others.
_MISUSE = {
    ExchangeState.READY: "nothing has been sent: do the Send that next_action() gives, then tell"
    " what came",
    ExchangeState.SENT: "the last Send has no response: give a Response or a Failure to receive()"
    " first",
    ExchangeState.WAITING: "its last response is known: ask next_action(), which gives a Wait or a"
    " new Send",
    ExchangeState.DONE: "next_action() gives its result, as often as it is asked",
    ExchangeState.FAILED: "next_action() raises its error, as often as it is asked",
}


class ExchangeUsageError(RuntimeError):
    """The host broke the rules of `Exchange`; a mistake in the program, not in the response."""


class Send(Struct, frozen=True):
    """Send this request and report what comes back.

    Fields:
        request: the same value on every attempt.
        timeout: the limits of each phase.
        deadline: the time at which the whole call is over, if it has such a limit; no phase may
            last longer.
        fresh: do not use a kept-alive connection, the last one was dead.
        attempt: counts from 0; a repeat on a fresh connection is the same attempt.
    """

    request: Request
    timeout: Timeout
    deadline: Optional[float] = None
    fresh: bool = False
    attempt: int = 0


class Wait(Struct, frozen=True):
    """Ask again after this many seconds."""

    seconds: float


class Done(Struct, Generic[T], frozen=True):
    """The call's result."""

    value: T


class Exchange(Generic[T]):
    """One call on its way.

    Args:
        call: what to send and how to read the response. For a `StreamCall` the result is the
            `ChunkDecoder` to feed the body to: streams are not repeated once they are open.
        config: the gateway, the time limits and the retry policy.
        now: the time at which the call begins.
        random_bytes: gives so many random bytes: `os.urandom`. The idempotency key of a POST, the
            boundary of a form and the spread of the waits come from it, so that it must not be
            what a program can seed.

    Raises:
        TypeError: `random_bytes` gives something else.
    """

    def __init__(
        self,
        call: AnyCall[T],
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.state: ExchangeState = _READY
        self.attempts = 0
        """How many attempts have begun; a repeat on a fresh connection is the same attempt."""
        self._call = call
        self.streaming = call.streaming
        """Whether the body of a good response goes to the decoder that is the result."""
        self.upgrades = call.upgrades
        """Whether another protocol is asked for, so that a 101 is a good response."""
        self._config = config
        self._policy = config.retry_policy
        self._timeout = config.time_limits
        try:
            is_source = random_bytes(0) == b""
        except TypeError:
            is_source = False
        if not is_source:
            # Many calls draw nothing unless something fails, which is too late to say it.
            drawn(random_bytes, 0)
        self._random_bytes = random_bytes
        self.request = call.request(config, random_bytes)
        """What is sent, on each attempt."""
        self.deadline = None if self._timeout.total is None else now + self._timeout.total
        """When the whole call is over; None is never."""
        self._attempt = 0
        self._fresh = False
        self._met_a_dead_one = False
        self._due = now
        self._done: Optional[Done[T]] = None
        self._error: Optional[MeshAPIError] = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error of this call shows."""
        config = self._config
        return (*config.extras.secrets_with(config.token), *self.request.secrets)

    def next_action(self, now: float) -> Union[Send, Wait, Done[T]]:
        """What to do next.

        Raises:
            MeshAPIError: the call has failed for good.
            ExchangeUsageError: the last `Send` has not been answered.
        """
        if self._done is not None:
            return self._done
        if self._error is not None:
            raise self._error
        if (self.state, _ASK) not in TRANSITIONS:
            self._check(_ASK)
        if self.deadline is not None and now >= self.deadline:
            self._fail(self._out_of_time())
        if self.state is _WAITING and now < self._due:
            return Wait(self._due - now)
        self._move(_ASK, _SENT)
        self.attempts = self._attempt + 1
        return Send(self.request, self._timeout, self.deadline, self._fresh, self._attempt)

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take what the last `Send` brought: an HTTP response, or why there is none.

        Raises:
            ExchangeUsageError: nothing was sent.
        """
        if (self.state, _FINAL) not in TRANSITIONS:
            self._check(_FINAL)
        if isinstance(event, Failure):
            self._receive_failure(event, now)
        elif event.status in SUCCESS or (event.status == _SWITCHED and self.upgrades):
            self._receive_result(event, now)
        else:
            error = self._refusal(event)
            self._retry_or_fail(error, self._response_outcome(error, event), now)

    def _receive_result(self, response: Response, now: float) -> None:
        try:
            value = self._call.read(response)
        except MeshAPIError as exc:
            if response.cut and isinstance(exc, APIConnectionError):
                # The response broke off, as only its reader knows.
                self._receive_failure(Failure(exc, "response"), now)
                return
            self._error = conceal(forget_frames(exc), self.secrets)
            self._move(_FINAL, _FAILED)
        else:
            if self.streaming:
                decoder = cast("BodyDecoder[Any]", value)
                # Its errors leave by way of the decoder.
                decoder.secrets = self.secrets
                decoder.service = self._config.service
            self._done = Done(value)
            self._move(_GOOD, _DONE)

    def _refusal(self, response: Response) -> APIStatusError:
        if len(response.body) > MAX_ERROR_SIZE:
            response = structs.replace(response, body=response.body[:MAX_ERROR_SIZE])
        legible, wrong = decoded_in_part(response)
        error = self._call.refusal(legible)
        if wrong:
            # It stays the error that the status says, with what was in the way of its words.
            error.message = one_line(f"{error.message} ({wrong})")
            error.args = (error.message,)
        return error

    def _receive_failure(self, failure: Failure, now: float) -> None:
        outcome = Outcome(
            method=self._call.method,
            stage=failure.stage,
            error_code=failure.error.error_code,
            reused=failure.reused,
            timed_out=failure.timed_out,
            streaming=self.streaming,
            silence=failure.silence,
            starts_job=self._call.starts_job,
        )
        if self._policy.is_dead_on_arrival(outcome) and not self._met_a_dead_one:
            # Once a call: a server that takes requests and hangs up looks just the same.
            self._fresh = self._met_a_dead_one = True
            self._move(_DEAD, _READY)
        else:
            self._retry_or_fail(failure.error, outcome, now)

    def _response_outcome(self, error: APIStatusError, response: Response) -> Outcome:
        return Outcome(
            method=self._call.method,
            stage="complete",
            status=error.status,
            error_code=error.error_code,
            retry_after=error.retry_after_seconds,
            provider_code=error.provider_code,
            streaming=self.streaming,
            should_retry=parse_should_retry(response.headers.get("x-should-retry")),
            starts_job=self._call.starts_job,
        )

    def _retry_or_fail(self, error: MeshAPIError, outcome: Outcome, now: float) -> None:
        delay = self._policy.delay(self._attempt, outcome, number(self._random_bytes))
        if delay is None or (self.deadline is not None and now + delay >= self.deadline):
            # A wait beyond the deadline would only bring the same error later.
            if isinstance(error, ProtocolError):
                # The frames that read what is no HTTP hold it.
                forget_frames(error)
            self._error = conceal(error, self.secrets)
            self._move(_FINAL, _FAILED)
            return
        self._attempt += 1
        self._fresh = False
        self._due = now + delay
        self._move(_REPEATABLE, _WAITING)

    def _out_of_time(self) -> APITimeoutError:
        return timed_out("total", self._timeout)

    def _fail(self, error: MeshAPIError) -> None:
        self._error = error
        self._move(_ASK, _FAILED)
        raise error

    def _check(self, what: ExchangeInput) -> None:
        if (self.state, what) not in TRANSITIONS:
            name = "next_action" if what is _ASK else "receive"
            state = self.state
            raise ExchangeUsageError(f"{name}: the exchange is {state.value}; {_MISUSE[state]}")

    def _move(self, what: ExchangeInput, state: ExchangeState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state
