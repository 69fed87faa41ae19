"""A call in progress, inside `PipeCall` and `ClientCall`: what it holds, how it moves on and ends.

Theory of operation. A `Lifecycle` is in one of the states of `states`. The `Rules` of its machine
have two functions for each state: the step, which returns the next action or moves the call on, and
the one that takes the failure of an action. Three others know the rest: the exchange decides on the
attempts, an `Attempt` knows how far one has got towards the head of a response, and a class of
`responses` reads what follows.

Three rules apply everywhere:

- A connection or response that the call gives up or returns is in `parting` at once, and its
  `Attempt` is replaced by one that holds nothing: so it is returned exactly once.
- `next_action` returns `parting` before anything else, errors included.
- A failure that could mean another attempt goes to the exchange. Once a stream has begun, no
  other attempt is possible: a failure then goes to the decoder, after the items that have arrived.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Union, cast

from msgspec import structs
from typing_extensions import Protocol, TypeAlias

from meshapi_core.bodies import OpenBody
from meshapi_core.config import Timeout
from meshapi_core.errors import APITimeoutError, MeshAPIError
from meshapi_core.failures import Advice, Phase, failure_of, timed_out
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import Done, ExchangeUsageError, Send, Wait
from meshapi_core.machines.pace import unanswered
from meshapi_core.machines.responses import Receiver, Source, StreamedResponse, WholeResponse
from meshapi_core.machines.states import CallInput, CallState, Table
from meshapi_core.machines.timer import Timer
from meshapi_core.messages import SUCCESS, Failure, Request, Response, Stage
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal, forget_frames

__all__ = ["Attempt", "Failing", "Lifecycle", "Rules", "Step"]


# Looked up for each call. By the name of its class, a member takes ten times as long up to 3.11.
_BODY = CallState.BODY


class Decider(Receiver, Protocol):
    """What decides on the attempts of a call: an `Exchange`, or a session in its place."""

    attempts: int
    elapsed: float
    streaming: bool
    upgrades: bool
    further_secrets: tuple[str, ...]

    @property
    def began(self) -> Optional[float]:
        """When the call began; None for a session, whose errors do not say how long it took."""
        ...

    def next_action(self, now: float) -> Union[Send, Wait, Done[Any], GetToken]:
        """What to do next."""
        ...

    def token(self, value: object) -> None:
        """Take what the source of the last `GetToken` returned."""
        ...


class Attempt(Protocol):
    """One attempt, until the head of its response and while the response is read."""

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        ...

    @property
    def reused(self) -> bool:
        """Whether its connection had served another request before."""
        ...

    def phase(self, state: CallState) -> Phase:
        """Which limit applies."""
        ...

    def told_phase(self, state: CallState) -> Optional[Phase]:
        """The phase that an exception of the host is about; None where only its class says so."""
        ...

    def silence(self, now: float) -> Optional[float]:
        """Seconds since the request began; None where nothing was sent."""
        ...

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that ran out."""
        ...

    def reading(self, until: Optional[float]) -> Any:
        """The action that reads."""
        ...

    def give_back(self) -> Any:
        """The action for a response that has been read to its end, or None."""
        ...

    def give_up(self) -> Any:
        """The action for an attempt of which nobody will read any more, or None."""
        ...


Step: TypeAlias = Callable[["Lifecycle", float], Any]
"""Returns the next action at a time, or None where it has moved the call on."""

Failing: TypeAlias = Callable[["Lifecycle", Failure, float, float], None]
"""Takes a failure of the last action: the failure, the time, and the time at which to judge which
limit ran out (`Timer.over`)."""


class Rules(NamedTuple):
    """How one of the two machines differs from the other.

    Fields:
        transitions: (state, input) -> the states it may lead to.
        steps: what returns the next action in each state.
        failings: what takes the failure of an action in each state.
        begin: makes a new attempt.
        first: the state in which an attempt begins.
    """

    transitions: Table
    steps: dict[CallState, Step]
    failings: dict[CallState, Failing]
    begin: Callable[[], Attempt]
    first: CallState


class Lifecycle:
    """One call in progress.

    Args:
        rules: the rules of the machine that it belongs to.
        exchange: decides on the attempts.
        send: what will be sent; None where that is not known before the first attempt.
        unix_offset: Unix time minus `now`, in seconds; None where nobody knows it.
    """

    state = CallState.READY
    send: Send
    """What was sent last; before the first attempt what will be, where that is known."""
    response: "Union[None, WholeResponse, StreamedResponse[Any]]" = None
    """The reader of the response; None until it has begun."""
    switched: Optional[Headers] = None
    """The headers of the response to an upgrade; None until it has come."""
    body: Optional[OpenBody] = None
    """The request's body with its files open; None where it has none, and before they are."""
    parting: Any = None
    """The action that lets a connection or response go, which comes before any other."""
    error: Optional[BaseException] = None
    """The error that the call has failed with."""
    closed = False
    """Whether the call was closed. The host may still report what was in progress then."""
    due = 0.0
    """When the next attempt is due."""
    asked: GetToken
    """What was asked for last, in TOKEN."""
    answer_until: Optional[float] = None
    """When the wait for the response ends by `Send.answer_within`; None is never."""
    drain_until = 0.0
    """Until when to read the rest of a body whose stream is complete."""

    def __init__(
        self, rules: Rules, exchange: Decider, send: Optional[Send], unix_offset: Optional[float]
    ) -> None:
        self.rules = rules
        self.exchange = exchange
        if send is not None:
            self.send = send
        self.unix_offset = unix_offset
        self.timer = Timer()
        self.attempt = rules.begin()

    @property
    def request(self) -> Request:
        """The request, with its files open."""
        request = self.send.request
        return request if self.body is None else structs.replace(request, body=self.body)

    def begin(self) -> None:
        """Begin an attempt."""
        # The limits of an attempt are its own; only the deadline lasts from one to the next.
        self.attempt = self.rules.begin()
        self.timer.until = self.answer_until = None
        self.state = self.rules.first

    def receive_head(
        self,
        status: int,
        headers: Headers,
        source: Source,
        now: float,
        *,
        cut: bool = False,
        proxy: str = "",
    ) -> None:
        """Take the head of a response. Its body comes from `source`, through this proxy."""
        self.state = _BODY
        self.timer.until = None
        offset, exchange = self.unix_offset, self.exchange
        received_at = None if offset is None else offset + now
        head = Response(status, headers, b"", received_at, proxy=proxy)
        # The response to a stream's request is a stream only if it is a 2xx: an error is read
        # whole, and the exchange may still retry. Neither its type nor its framing decides this.
        if not exchange.streaming or status not in SUCCESS:
            self.response = WholeResponse(head, exchange, self.send, source, now)
            if self.answer_until is not None:
                self.response.answer_until = self.answer_until
        else:
            # The gateway has responded. How long its stream takes is another matter.
            self.answer_until = None
            # The head alone is the exchange's result: with it the call is done for the exchange,
            # and no retry follows, because the caller may have had items by then.
            exchange.receive(head, now)
            try:
                done = cast("Done[BodyDecoder[Any]]", exchange.next_action(now))
            except MeshAPIError as exc:
                # The frames of the reader hold the headers, which may quote a secret.
                self.fail_for_good(forget_frames(exc))
                return
            self.response = StreamedResponse(head, done.value, self.send, source)
        self.response.cut = cut

    # How things end

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which phase the call is in, and whether the whole call is out of time."""
        if self.state is _BODY and self.response is not None:
            return self.response.limit(now)
        deadline = self.send.deadline
        return self.attempt.phase(self.state), deadline is not None and now >= deadline

    def failed_with(
        self, exc: BaseException, now: float, advice: Advice, where: str = ""
    ) -> Failure:
        """The failure that an exception means; raises the exception where it means none."""
        attempt, send = self.attempt, self.send
        # Judged at the limit of the action: a host's time-out may come a moment before it.
        phase, late = self.limit(self.timer.over(now))
        return failure_of(
            exc,
            attempt.stage,
            where=where or str(send.request.origin),
            timeout=send.timeout,
            # Before the body, an exception of the host may know the phase better than we do.
            phase=phase if self.state is CallState.BODY else attempt.told_phase(self.state),
            late=late,
            reused=attempt.reused,
            silence=attempt.silence(now),
            advice=advice,
        )

    def failed(self, error: MeshAPIError, now: float) -> Failure:
        """The failure of this attempt by an error."""
        attempt = self.attempt
        return Failure(error, attempt.stage, reused=attempt.reused, silence=attempt.silence(now))

    def out_of_time(self, now: float) -> Failure:
        """The failure for a limit that ran out."""
        timeout, (phase, late) = self.send.timeout, self.limit(now)
        if late:
            return self.failed(timed_out(phase, timeout, late=True), now)
        if self.answer_until is not None and now >= self.answer_until:
            return self.failed(self.unanswered(), now)
        return self.failed(self.attempt.timed_out(phase, timeout, now), now)

    def unanswered(self) -> APITimeoutError:
        """The error for a response that did not come within `Send.answer_within`."""
        assert self.send.answer_within is not None
        return unanswered(self.send.answer_within)

    def expire(self, now: float) -> None:
        """Fail the action, whose limit ran out."""
        self.take_failure(self.out_of_time(now), now)

    def take_failure(self, failure: Failure, now: float) -> None:
        """Take the failure of the last action."""
        # Read before it is cleared: by it the state's function judges which limit ran out.
        over = self.timer.over(now)
        self.timer.until = None
        self.rules.failings[self.state](self, failure, now, over)

    def fail_attempt(self, failure: Failure, now: float) -> None:
        """End the attempt, and let the exchange decide what follows."""
        # A connection on which an attempt failed is never used again: the rest of the response
        # could come on it, and be taken for the response to the next request.
        self.give_up()
        self.exchange.receive(failure, now)
        self.state = CallState.READY

    def fail_for_good(self, exc: BaseException) -> None:
        """End the call with an error, without another attempt."""
        # FAILED raises it, but only after the `parting` that is made here: see `next_action`.
        self.give_up()
        if isinstance(exc, MeshAPIError):
            exc = conceal(exc, self.exchange.secrets)
        self.error = exc
        self.state = CallState.FAILED

    # In both of these the new attempt holds nothing, so that a second call finds nothing to let go
    # and leaves a `parting` that has not been returned yet where it is.

    def give_back(self) -> None:
        """Give the connection back: the response has been read to its end."""
        self.parting = self.attempt.give_back() or self.parting
        self.attempt = self.rules.begin()

    def give_up(self) -> None:
        """Give the connection or the response up: nobody will read any more of it."""
        self.parting = self.attempt.give_up() or self.parting
        self.attempt = self.rules.begin()

    def hears_failures(self) -> bool:
        """Whether a failure means anything now; where it is a mistake, raises as `misuse` does."""
        if self.parting is not None:
            return False  # it is about a connection or a response that is being given up
        if (self.state, CallInput.FAIL) in self.rules.transitions:
            return True
        self.misuse(CallInput.FAIL)
        return False

    def misuse(self, what: CallInput) -> None:
        """Raise, unless the call was closed: the host may still report what was in progress."""
        if not self.closed:
            raise ExchangeUsageError(
                f"{what.value}: not allowed now: the call is {self.state.value}; call next_action()"
            )
