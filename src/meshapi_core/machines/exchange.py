"""The life of one call: send, wait, send again, done. No I/O, no clock, no randomness.

Theory of operation. A host asks `next_action` what to do, does it, and reports the outcome to
`receive`, until it gets `Done` or an error:

    READY ──Send──▶ SENT ──Response, 2xx───────────────────────▶ DONE
      ▲              │ ├─Response or Failure, final────────────▶ FAILED
      │              │ └─Response or Failure, to be retried──▶ WAITING ──due──▶ SENT
      └──────────────┘     (after a dead connection, once: READY again, on a fresh one)

- Times are seconds on any clock that never goes back; `now` is an argument everywhere.
- Each `Send` takes exactly one `receive`. A `Wait` takes none: ask again when it is over. Asking
  earlier gets the rest of the wait.
- Where the configuration has a function that returns the token, there is a further state, TOKEN:
  before the first attempt, and after the first 401. `next_action` returns a `GetToken`, and the
  host reports the token to `token`. See `tokens`.
- A retry is paid for from the quota of the client, if it has one. See `retry_quota`.
- `Done` and the error are final: every further `next_action` returns or raises them again.
- No error shows the client's own secrets, even where the server quotes them. The errors raised here
  are cleaned here; a stream's decoder is given the secrets, and cleans its own.
- A local mistake (`receive` without a `Send`, or a `Send` without its `receive`) raises
  `ExchangeUsageError`, which says nothing about the server.
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
    MeshAPIError,
    ProtocolError,
)
from meshapi_core.failures import timed_out
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.call_token import CallToken
from meshapi_core.machines.pace import ANSWER_MARGIN
from meshapi_core.messages import SUCCESS, Failure, Request, Response
from meshapi_core.randomness import drawn, number
from meshapi_core.raw_response import RawResponse
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.retries import Outcome, parse_should_retry
from meshapi_core.retry_quota import paid
from meshapi_core.tokens import TokenSource, hidden_token

T = TypeVar("T")


_SWITCHED = 101
_UNAUTHORIZED = 401


class ExchangeState(Enum):
    """Where an exchange stands."""

    READY = "ready"
    TOKEN = "token"
    SENT = "sent"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"

    # By identity. `Enum.__hash__` is a function in Python, and tables are looked up all the time.
    __hash__ = object.__hash__


class ExchangeInput(Enum):
    """What can happen to an exchange: it is asked for an action, or told an outcome."""

    ASK = "next_action"
    TOKEN = "token"
    GOOD = "a 2xx response (or a 101) that can be read"
    REPEATABLE = "a response or failure after which the retry policy tries again"
    DEAD = "a kept-alive connection that was already dead"
    FINAL = "any other response or failure"
    REFUSED = "the first 401, where another token can be asked for"

    __hash__ = object.__hash__


# (state, input) -> the states it may lead to. Any other input is a local mistake. Asked during its
# wait, an exchange stays in WAITING; once the call is out of time, it goes to FAILED.
TRANSITIONS: dict[tuple[ExchangeState, ExchangeInput], frozenset[ExchangeState]] = {
    (ExchangeState.READY, ExchangeInput.ASK): frozenset(
        {ExchangeState.TOKEN, ExchangeState.SENT, ExchangeState.FAILED}
    ),
    (ExchangeState.TOKEN, ExchangeInput.ASK): frozenset(
        {ExchangeState.TOKEN, ExchangeState.FAILED}
    ),
    (ExchangeState.TOKEN, ExchangeInput.TOKEN): frozenset(
        {ExchangeState.READY, ExchangeState.FAILED}
    ),
    (ExchangeState.SENT, ExchangeInput.REFUSED): frozenset({ExchangeState.TOKEN}),
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
_READY, _TOKEN, _SENT, _WAITING, _DONE, _FAILED = ExchangeState
_ASK, _TOLD, _GOOD, _REPEATABLE, _DEAD, _FINAL, _REFUSED = ExchangeInput

# What to do instead where the table has no line: `next_action` in SENT, `receive` in all others.
_MISUSE = {
    ExchangeState.READY: "nothing has been sent: do the Send that next_action() returns, then"
    " report its outcome",
    ExchangeState.TOKEN: "call the source of the GetToken that next_action() returns, then pass"
    " what it returned to token()",
    ExchangeState.SENT: "the last Send has no response: pass a Response or a Failure to receive()"
    " first",
    ExchangeState.WAITING: "its last response is known: call next_action(), which returns a Wait or"
    " a new Send",
    ExchangeState.DONE: "next_action() returns its result, however often it is called",
    ExchangeState.FAILED: "next_action() raises its error, however often it is called",
}


class ExchangeUsageError(RuntimeError):
    """The host broke the rules of a machine; a mistake in the program, not in the response."""


class Send(Struct, frozen=True):
    """Send this request and report what comes back.

    Fields:
        request: the same value on every attempt, except that the token may be a new one.
        timeout: the limits of each phase.
        deadline: when the whole call runs out of time; None is never. No phase may last longer.
        fresh: do not use a kept-alive connection: the last one was dead.
        attempt: counts from 0; sending again on a fresh connection is the same attempt.
        answer_within: seconds after which the wait for the response ends, whatever `timeout` says;
            None is never. It is for all of a whole response, and for the head of a stream: the
            program has told the gateway to give up earlier than that.
    """

    request: Request
    timeout: Timeout
    deadline: Optional[float] = None
    fresh: bool = False
    attempt: int = 0
    answer_within: Optional[float] = None


class Wait(Struct, frozen=True):
    """Ask again after this many seconds."""

    seconds: float


class Done(Struct, Generic[T], frozen=True):
    """The call's result."""

    value: T


class Exchange(Generic[T]):
    """One call in progress.

    Args:
        call: what to send and how to read the response. For a `StreamCall` the result is the
            `ChunkDecoder` to feed the body to: streams are not retried once they are open.
        config: the gateway, the time limits and the retry policy.
        now: the time at which the call begins.
        random_bytes: returns that many random bytes: `os.urandom`. The idempotency key of a POST,
            the boundary of a form and the spread of the waits come from it, so it must not be a
            source that a program can seed.

    Raises:
        TypeError: `random_bytes` returns something else.
    """

    further_secrets: tuple[str, ...] = ()
    """What else no error of this call may show: what was added to the request after it had left
    here, such as the password of a proxy."""

    attempts = 0
    """How many attempts have begun; sending again on a fresh connection is the same attempt."""
    elapsed = 0.0
    """Seconds from the beginning of the call to the response, or to the head of a stream."""
    # Of the class, because most calls change few of them.
    _token: Optional[CallToken] = None
    _attempt = 0
    _renewals = 0
    _paid = 0
    _fresh = False
    _met_a_dead_one = False
    _done: Optional[Done[T]] = None
    _error: Optional[Exception] = None

    def __init__(
        self,
        call: AnyCall[T],
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.state: ExchangeState = _READY
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
            # This raises. Many calls draw nothing until something fails, which is too late for it.
            drawn(random_bytes, 0)
        self._random_bytes = random_bytes
        token: object = config.token
        if isinstance(token, TokenSource) and getattr(call, "needs_token", True):
            self._token = CallToken(call, config, random_bytes)
            self.request = self._token.request
        else:
            self.request = call.request(config, random_bytes)
        """What is sent, on each attempt."""
        within: Optional[float] = getattr(call, "answer_within", None)
        self._within = None if within is None else within + ANSWER_MARGIN
        self.deadline = None if self._timeout.total is None else now + self._timeout.total
        """When the whole call runs out of time; None is never."""
        self._due = self.began = now
        """When the call began."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error of this call may show."""
        used, token = self._token, self._config.token
        tokens = used.used if used is not None else (token,) if isinstance(token, str) else ()
        own = self._config.extras.secrets_with(*tokens)
        return (*own, *self.request.secrets, *self.further_secrets)

    def next_action(self, now: float) -> Union[Send, Wait, Done[T], GetToken]:
        """Return what to do next.

        Raises:
            MeshAPIError: the call has failed for good.
            InvalidParamsError: the function that returns tokens has returned something else.
            ExchangeUsageError: the outcome of the last `Send` has not been reported.
        """
        if self._done is not None:
            return self._done
        if self._error is not None:
            raise self._error
        if (self.state, _ASK) not in TRANSITIONS:
            self._check(_ASK)
        # Before the wait: a call out of time fails now, however long it was to wait.
        if self.deadline is not None and now >= self.deadline:
            self._fail(timed_out("total", self._timeout))
        if self.state is _WAITING and now < self._due:
            return Wait(self._due - now)
        if self._token is not None and self._token.is_missing:
            self._move(_ASK, _TOKEN)
            return self._token.action(self.deadline)
        self._move(_ASK, _SENT)
        # Not `+= 1`: after a dead connection, this is the same attempt again.
        attempt = self._attempt + self._renewals
        self.attempts = attempt + 1
        return Send(self.request, self._timeout, self.deadline, self._fresh, attempt, self._within)

    def token(self, value: object) -> None:
        """Take what the `source` of the last `GetToken` returned, whatever that is.

        Raises:
            ExchangeUsageError: no token was asked for.
        """
        value = hidden_token(value)
        self._check(_TOLD)
        token = self._token
        assert token is not None
        self._error = token.take(value)
        self.request, self._renewals = token.request, token.renewals
        self._fresh = False
        self._move(_TOLD, _READY if self._error is None else _FAILED)

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the outcome of the last `Send`: an HTTP response, or why there is none.

        Raises:
            ExchangeUsageError: nothing was sent.
        """
        # GOOD, REPEATABLE, DEAD and FINAL are legal in the same state: which one this is, and where
        # it leads, is decided below.
        if (self.state, _FINAL) not in TRANSITIONS:
            self._check(_FINAL)
        if isinstance(event, Failure):
            self._receive_failure(event, now)
        # RFC 9110, section 15.2.2: a 101 is good only where the request asked for an upgrade.
        elif event.status in SUCCESS or (event.status == _SWITCHED and self.upgrades):
            self._receive_result(event, now)
        else:
            error = _refusal(self._call, event)
            token = self._token
            if token is not None and token.refusal is None and event.status == _UNAUTHORIZED:
                token.renew(conceal(error, self.secrets))
                self._move(_REFUSED, _TOKEN)
                return
            self._retry_or_fail(error, self._response_outcome(error, event), now)

    def _receive_result(self, response: Response, now: float) -> None:
        self.elapsed = now - self.began
        if not self.upgrades:
            response = structs.replace(response, attempts=self.attempts, elapsed=self.elapsed)
        try:
            value = self._call.read(response)
        except MeshAPIError as exc:
            if response.cut and isinstance(exc, APIConnectionError):
                # The body had no length, and the connection ended without TLS's goodbye. Only the
                # reader can tell that something is missing: this is a response that broke off.
                self._receive_failure(Failure(exc, "response"), now)
                return
            # A whole response that cannot be read is not retried: the server has done the work.
            # The frames go, because they hold the body, which may quote a secret.
            self._error = conceal(forget_frames(exc), self.secrets)
            self._move(_FINAL, _FAILED)
        else:
            if self.streaming:
                decoder = cast("BodyDecoder[Any]", value)
                # What the stream raises does not pass through here: the decoder conceals it.
                decoder.secrets = self.secrets
                decoder.service = self._config.service
            if value.__class__ is RawResponse:
                # Nor does what its `parse` raises.
                cast("RawResponse[Any]", value).secrets = self.secrets
            quota = self._config.retry_quota
            # Where nothing was taken, nothing can be put back.
            if quota is not None and quota.taken and self._policy.quota is not None:
                quota.put_back(self.request.origin, self._paid or 1)
            self._done = Done(value)
            self._move(_GOOD, _DONE)

    def _receive_failure(self, failure: Failure, now: float) -> None:
        outcome = Outcome(
            method=self._call.method,
            stage=failure.stage,
            error_code=failure.error.error_code,
            reused=failure.reused,
            timed_out=failure.timed_out,
            streaming=self.streaming and not getattr(self._call, "is_download", False),
            silence=failure.silence,
            starts_job=self._call.starts_job,
        )
        if self._policy.is_dead_on_arrival(outcome) and not self._met_a_dead_one:
            # RFC 9112, section 9.5: the server may have closed an idle connection while the request
            # was on its way. RFC 9110, section 9.2.2, lets a client send even a POST again where it
            # can detect that the first was never applied. Once a call, because a server that takes
            # requests and hangs up looks just the same.
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
            streaming=self.streaming and not getattr(self._call, "is_download", False),
            should_retry=parse_should_retry(response.headers.get("x-should-retry")),
            starts_job=self._call.starts_job,
        )

    def _retry_or_fail(self, error: MeshAPIError, outcome: Outcome, now: float) -> None:
        delay = self._policy.delay(self._attempt, outcome, number(self._random_bytes))
        if delay is not None and self.deadline is not None and now + delay >= self.deadline:
            # A wait beyond the deadline could only replace this error by a time-out, later.
            delay = None
        quota, capacity, origin = self._config.retry_quota, self._policy.quota, self.request.origin
        cost = None if delay is None else paid(quota, capacity, origin, outcome, error)
        if delay is None or cost is None:
            if isinstance(error, ProtocolError):
                forget_frames(error)  # of the parser: they hold the bytes that it refused
            self._error = error = conceal(error, self.secrets)
            error.outcome = outcome.coded(error.error_code, error.provider_code)
            self._move(_FINAL, _FAILED)
            return
        self._paid = cost
        self._attempt += 1
        # It was for the attempt that met the dead connection. The next may use a kept one again.
        self._fresh = False
        self._due = now + delay
        self._move(_REPEATABLE, _WAITING)

    def _fail(self, error: MeshAPIError) -> None:
        self._error = error
        self._move(_ASK, _FAILED)
        raise error

    def _check(self, what: ExchangeInput) -> None:
        if (self.state, what) not in TRANSITIONS:
            name = what.value if what in (_ASK, _TOLD) else "receive"
            state = self.state
            raise ExchangeUsageError(f"{name}: the exchange is {state.value}; {_MISUSE[state]}")

    # Every change of state passes here, and so through the table.
    def _move(self, what: ExchangeInput, state: ExchangeState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state


def _refusal(call: AnyCall[Any], response: Response) -> APIStatusError:
    """Return the error that a response means, with as much of its body as is legible."""
    # There may be more: by the last piece, or all of it from a host that read it by itself.
    if len(response.body) > MAX_ERROR_SIZE:
        response = structs.replace(response, body=response.body[:MAX_ERROR_SIZE])
    legible, wrong = decoded_in_part(response)
    error = call.refusal(legible)
    if wrong:
        # The status decides the class of the error. A content coding that could not be undone only
        # explains why the body's own message is missing.
        error.message = one_line(f"{error.message} ({wrong})")
        error.args = (error.message,)
    return error
