"""A call under way, inside of `PipeCall` and `ClientCall`: what it has, how it moves on and ends.

Theory of operation. A `Lifecycle` stands in one of the states of `states`. The rules of its machine
say, for each state, what gives the next action or moves on, and what it means that an action
failed. Three others know the rest: the exchange decides on the attempts, an `Attempt` knows how far
one has come towards the head of a response, and one of `answers` reads what follows.
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
from meshapi_core.machines.exchange import Done, ExchangeUsageError, Send, Wait
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
    """What decides on the attempts of a call: an `Exchange`, or what stands for a session."""

    attempts: int
    streaming: bool
    upgrades: bool

    def next_action(self, now: float) -> Union[Send, Wait, Done[Any]]:
        """What to do next."""
        ...


class Attempt(Protocol):
    """One attempt, on its way to the head of a response and while that is read."""

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        ...

    @property
    def reused(self) -> bool:
        """Whether its connection had served another request before."""
        ...

    def phase(self, state: CallState) -> Phase:
        """Which limit holds."""
        ...

    def told_phase(self, state: CallState) -> Optional[Phase]:
        """The same, for an exception of the host's; None where only that can say."""
        ...

    def silence(self, now: float) -> Optional[float]:
        """Seconds since it was sent; None where it was not."""
        ...

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that is over."""
        ...

    def reading(self, until: Optional[float]) -> Any:
        """The action that reads."""
        ...

    def give_back(self) -> Any:
        """The response has been read to its end: the action that says so, or None."""
        ...

    def give_up(self) -> Any:
        """Nothing more will be read: the action that says so, or None."""
        ...


Step: TypeAlias = Callable[["Lifecycle", float], Any]
"""Gives the next action at a time, or None where the call has moved on."""

Failing: TypeAlias = Callable[["Lifecycle", Failure, float, float], None]
"""Takes a failure of the last action, at a time, and by another one by which to tell whose limit
that was."""


class Rules(NamedTuple):
    """What one of the two machines is.

    Fields:
        transitions: (state, input) -> the states it may lead to.
        steps: what gives the next action in each state.
        failings: what it means in each state that the action failed.
        begin: makes a new attempt.
        first: the state that an attempt begins in.
    """

    transitions: Table
    steps: dict[CallState, Step]
    failings: dict[CallState, Failing]
    begin: Callable[[], Attempt]
    first: CallState


class Lifecycle:
    """One call under way.

    Args:
        rules: of the machine that it belongs to.
        exchange: decides on the attempts.
        send: what will be sent; None where that is not known before the first attempt.
        unix_offset: what the time is ahead of `now`, in Unix seconds.
    """

    state = CallState.READY
    send: Send
    """What was sent last; before the first attempt what will be, where that is known."""
    response: "Union[None, WholeResponse, StreamedResponse[Any]]" = None
    """What reads the response; None until it has begun."""
    switched: Optional[Headers] = None
    """The header fields of the response to an upgrade; None until it has come."""
    body: Optional[OpenBody] = None
    """The files of the request's body, open."""
    parting: Any = None
    """What is to be done first: give a connection, or a response, up."""
    error: Optional[BaseException] = None
    """What the call has failed with."""
    closed = False
    """Whether nobody wants it any more: what was under way may still be told."""
    due = 0.0
    """When the next attempt is due."""
    drain_until = 0.0
    """When it is too late for the rest of a body whose stream is complete."""

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
        """What is sent, its files open."""
        request = self.send.request
        return request if self.body is None else structs.replace(request, body=self.body)

    def begin(self) -> None:
        """Begin an attempt."""
        self.attempt = self.rules.begin()
        self.timer.until = None
        self.state = self.rules.first

    def receive_head(
        self, status: int, headers: Headers, source: Source, now: float, *, cut: bool = False
    ) -> None:
        """Take the head of a response, whose body comes from a source."""
        self.state = _BODY
        self.timer.until = None
        offset, exchange = self.unix_offset, self.exchange
        head = Response(status, headers, b"", None if offset is None else offset + now)
        if not exchange.streaming or status not in SUCCESS:
            self.response = WholeResponse(head, exchange, self.send, source, now)
        else:
            exchange.receive(head, now)
            try:
                done = cast("Done[BodyDecoder[Any]]", exchange.next_action(now))
            except MeshAPIError as exc:
                # Those that read the head hold what a server may quote in it.
                self.fail_for_good(forget_frames(exc))
                return
            self.response = StreamedResponse(head, done.value, self.send, source)
        self.response.cut = cut

    # How things end

    def limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit holds for what is waited for, and whether it is over because all is."""
        if self.state is _BODY and self.response is not None:
            return self.response.limit(now)
        deadline = self.send.deadline
        return self.attempt.phase(self.state), deadline is not None and now >= deadline

    def failed_with(self, exc: BaseException, now: float, advice: Advice) -> Failure:
        """What an exception means; raises it where it is no failure."""
        attempt, send = self.attempt, self.send
        phase, late = self.limit(self.timer.over(now))
        return failure_of(
            exc,
            attempt.stage,
            where=str(send.request.origin),
            timeout=send.timeout,
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
        """What it means that a limit is over."""
        timeout, (phase, late) = self.send.timeout, self.limit(now)
        if late:
            return self.failed(timed_out(phase, timeout, late=True), now)
        return self.failed(self.attempt.timed_out(phase, timeout, now), now)

    def expire(self, now: float) -> None:
        """The limit of the action is over."""
        self.take_failure(self.out_of_time(now), now)

    def take_failure(self, failure: Failure, now: float) -> None:
        """The last action failed."""
        over = self.timer.over(now)
        self.timer.until = None
        self.rules.failings[self.state](self, failure, now, over)

    def fail_attempt(self, failure: Failure, now: float) -> None:
        """Let the exchange decide what follows."""
        self.give_up()
        self.exchange.receive(failure, now)
        self.state = CallState.READY

    def fail_for_good(self, exc: BaseException) -> None:
        """Nothing follows but the error."""
        self.give_up()
        if isinstance(exc, MeshAPIError):
            exc = conceal(exc, self.exchange.secrets)
        self.error = exc
        self.state = CallState.FAILED

    def give_back(self) -> None:
        """The response has been read to its end."""
        self.parting = self.attempt.give_back() or self.parting
        self.attempt = self.rules.begin()

    def give_up(self) -> None:
        """Nothing more will be read of the response."""
        self.parting = self.attempt.give_up() or self.parting
        self.attempt = self.rules.begin()

    def hears_failures(self) -> bool:
        """Whether a failure may be told; raises where that is a mistake, as `misuse` does."""
        if self.parting is not None:
            return False  # it is of a connection, or a response, that is given up
        if (self.state, CallInput.FAIL) in self.rules.transitions:
            return True
        self.misuse(CallInput.FAIL)
        return False

    def misuse(self, what: CallInput) -> None:
        """Raise, unless the call has been closed: then what was under way may still be told."""
        if not self.closed:
            raise ExchangeUsageError(
                f"{what.value}: not now, the call is {self.state.value}; ask next_action what to do"
            )
