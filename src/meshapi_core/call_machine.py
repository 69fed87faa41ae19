"""What `PipeCall` and `ClientCall` have in common: a call's life around its attempts.

Each attempt goes through states of its own until the head of an answer has come; from there on,
before and between attempts, and in how things end, the two are alike.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union, cast

from msgspec import structs

from meshapi_core.actions import Finished, Item, OpenFiles, Sleep
from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.exchange import Exchange, ExchangeUsageError, Send, Wait
from meshapi_core.failures import Advice, Phase
from meshapi_core.headers import Headers
from meshapi_core.incoming import DRAIN_TIME, Incoming, Source, earliest
from meshapi_core.messages import Failure, Origin, Request, interrupted
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.signals import END_OF_BODY, END_OF_STREAM, NEED_DATA, NeedData

__all__ = ["CallMachine", "Input", "State"]

T = TypeVar("T")

LAST_WORD = 1.0
"""Seconds to wait for an answer after the request could not be written: it is there or it is not.
And for what has come while a wait was interrupted, when the limit of that is over."""

NO_ADVICE = Advice()


class State(Enum):
    """Where a call stands."""

    READY = "ready for its next attempt"
    OPENING = "opening files"
    CONNECTING = "waiting for a connection"
    WRITING = "sending its request"
    LAST_WORD = "reading what the server said before it hung up"
    HEAD = "waiting for an answer"
    SENDING = "waiting for the answer to its request"
    BODY = "reading an answer"
    ITEMS = "giving the last items of its stream"
    DRAINING = "reading the end of a complete stream"
    WAITING = "waiting for its next attempt"
    DONE = "finished"
    FAILED = "failed"


class Input(Enum):
    """What a host can tell a call. `next_action`, `handle_timer` and `close` it may always call."""

    OPENED = "opened"
    QUEUE = "queued, opening"
    CONNECTED = "connected"
    WRITTEN = "written"
    SENT = "sent"
    HEAD = "receive_head"
    DATA = "receive_data"
    BODY = "receive_body"
    FAIL = "fail"


Table = dict[tuple[State, Input], frozenset[State]]

# (state, input) -> the states it may lead to, where both machines are alike. What is not in a
# machine's table is a mistake of the host's.
COMMON: Table = {
    (State.OPENING, Input.FAIL): frozenset({State.FAILED}),
    # `fail`, as long as there is something to wait for.
    (State.BODY, Input.FAIL): frozenset({State.ITEMS, State.READY, State.FAILED}),
    (State.DRAINING, Input.FAIL): frozenset({State.DONE}),
    (State.WAITING, Input.FAIL): frozenset({State.FAILED}),
}


class CallMachine(Generic[T]):
    """A call, but for how an attempt gets the head of its answer."""

    transitions: ClassVar[Table] = COMMON

    def __init__(
        self,
        call: Any,
        config: MeshAPIConfig,
        *,
        now: float,
        random: Callable[[], float],
        unix_time: Optional[float] = None,
    ) -> None:
        self.state = State.READY
        self._exchange: Exchange[Any] = Exchange(call, config, now=now, random=random)
        self._streaming: bool = call.streaming
        self._unix_offset = None if unix_time is None else unix_time - now
        self._error: Optional[BaseException] = None
        # What is to be done first: give a connection or an answer up.
        self._parting: Any = None
        self._body: Optional[OpenBody] = None
        self._incoming: Optional[Incoming[T]] = None
        # When the next attempt is due; when the action that stands is over, None where that has no
        # limit or there is none; when draining is over.
        self._due = 0.0
        self._until: Optional[float] = None
        self._drain_until = 0.0
        # Whether a read has not been answered, and was given once more when it was over.
        self._asked = self._late = False

    # What is known

    @property
    def attempts(self) -> int:
        """How many attempts have begun."""
        return self._exchange.attempts

    @property
    def is_at_rest(self) -> bool:
        """Whether it is between two attempts: it can be left now, and gone on with later."""
        return self.state is State.READY or self.state is State.WAITING

    @property
    def status(self) -> int:
        """The status of the answer; 0 until it has begun."""
        return 0 if self._incoming is None else self._incoming.status

    @property
    def headers(self) -> Headers:
        """The header fields of the answer; empty until it has begun."""
        return Headers() if self._incoming is None else self._incoming.headers

    @property
    def decoder(self) -> Optional[BodyDecoder[T]]:
        """Of a stream that has begun: what knows `partial()`, `complete` and `request_id`."""
        return None if self._incoming is None else self._incoming.decoder

    @property
    def request(self) -> Request:
        """What is sent, its files open."""
        request = self._send.request
        return request if self._body is None else structs.replace(request, body=self._body)

    @property
    def origin(self) -> Origin:
        """Where it is sent to."""
        return self._send.request.origin

    @property
    def deadline(self) -> Optional[float]:
        """When the whole call is over; None is never."""
        return self._send.deadline

    # What to do

    def next_action(self, now: float) -> Any:
        """What to do next.

        Raises:
            MeshAPIError: the call has failed for good.
            Exception: reading a file of the request's body raised it.
        """
        while True:
            if self._parting is not None:
                parting, self._parting = self._parting, None
                return parting
            state = self.state
            if state is State.BODY or state is State.ITEMS:
                action = self._next_of_body(now)
            elif state is State.READY:
                action = self._next_attempt(now)
            else:
                action = self._next_step(now)
            if action is not None:
                return action

    def next_item(self) -> Union[T, NeedData]:
        """The next item of a stream where it has come already; NEED_DATA: ask `next_action`.

        A short cut, which knows no time and has no other action: for hosts that count calls.
        """
        incoming, state = self._incoming, self.state
        if incoming is None or incoming.decoder is None:
            return NEED_DATA
        if state is not State.BODY and state is not State.ITEMS:
            return NEED_DATA
        return incoming.next_item()

    def _next_attempt(self, now: float) -> Any:
        try:
            action = self._exchange.next_action(now)
        except MeshAPIError as exc:
            self._fail_for_good(exc)
            return None
        if isinstance(action, Send):
            self._send = action
            body = action.request.body
            if isinstance(body, StreamedBody) and self._body is None:
                self.state = State.OPENING
                return OpenFiles(body)
            self._begin(now)
            return None
        if isinstance(action, Wait):
            self._due = now + action.seconds
            self.state = State.WAITING
            return None
        self.state = State.DONE
        return Item(action.value)

    def _next_step(self, now: float) -> Any:
        state = self.state
        if state is State.DRAINING:
            return self._next_of_rest(now)
        if state is State.WAITING:
            if now < self._due:
                return Sleep(until=self._due)
            self.state = State.READY
            return None
        if state is State.DONE:
            return Finished()
        if state is State.OPENING:
            return OpenFiles(cast(StreamedBody, self._send.request.body))
        assert self._error is not None
        raise self._error

    def _next_of_body(self, now: float) -> Any:
        incoming = cast("Incoming[T]", self._incoming)
        try:
            event = incoming.next_event(now)
        except MeshAPIError as exc:
            self._fail_for_good(exc)
            return None
        if event is NEED_DATA:
            return self._read(incoming.until, incoming.last_until, now)
        if event is END_OF_BODY:
            self._give_back()
            self.state = State.READY if incoming.decoder is None else State.ITEMS
            return None
        if event is END_OF_STREAM:
            is_read = incoming.ended or self.state is State.ITEMS
            self.state = State.DONE if is_read else State.DRAINING
            self._drain_until = now + DRAIN_TIME
            return None
        return Item(event)

    def _next_of_rest(self, now: float) -> Any:
        """Read to the end of the body, if that is near, so that the connection can be kept."""
        incoming = cast("Incoming[T]", self._incoming)
        if not incoming.skip():
            if now < self._drain_until:
                self._until = self._drain_until
                return self._reading(self._until)
            self._give_up()
        else:
            self._give_back()
        self.state = State.DONE
        return None

    def _read(self, until: Optional[float], last_until: Optional[float], now: float) -> Any:
        """Read, if there is time.

        Whoever was interrupted while waiting, and comes late, takes what has come meanwhile.
        """
        if until is not None and now >= until:
            last = earliest(now + LAST_WORD, last_until)
            if not self._asked or self._late or cast(float, last) <= now:
                self._expire(now)
                return None
            self._late = True
            until = last
        self._asked = True
        self._until = until
        return self._reading(until)

    # What the two do differently

    def _begin(self, now: float) -> None:
        """Begin an attempt."""
        raise NotImplementedError

    def _reading(self, until: Optional[float]) -> Any:
        """The action that reads."""
        raise NotImplementedError

    def _give_back(self) -> None:
        """The answer has been read to its end."""
        raise NotImplementedError

    def _give_up(self) -> None:
        """The answer will not be read any further."""
        raise NotImplementedError

    @property
    def _phase(self) -> Phase:
        """Which limit holds for the head."""
        raise NotImplementedError

    def _failure(self, exc: BaseException, now: float, advice: Advice) -> Failure:
        """What an exception means; raises it where it is no failure."""
        raise NotImplementedError

    def _expiry(self, now: float) -> Failure:
        """What it means that a limit is over."""
        raise NotImplementedError

    # What came of it

    def opened(self, body: OpenBody, now: float) -> None:
        """The files are open."""
        self._check(Input.OPENED)
        self._body = body
        self._begin(now)

    def handle_timer(self, now: float) -> None:
        """The time has come that the last action had to be done by. Harmless at any other time."""
        until = self._until
        if until is not None and now >= until and (self.state, Input.FAIL) in self.transitions:
            self._expire(now)

    def fail(self, exc: BaseException, now: float, *, advice: Advice = NO_ADVICE) -> None:
        """The last action failed; `next_action` tells what follows.

        Args:
            exc: what was raised, by whatever library; `failure_of` says what it means. A time-out
                is the limit of the action. A `MeshAPIError` is final.
            now: the time.
            advice: what the host knows of its surroundings.

        Raises:
            BaseException: the exception itself, where no program has failed: cancellation,
                KeyboardInterrupt and their like.
        """
        if self._parting is not None:
            return  # of a connection, or an answer, that is given up
        self._check(Input.FAIL)
        if isinstance(exc, MeshAPIError) and self.state is not State.DRAINING:
            self._fail_for_good(exc)
        else:
            self.receive_failure(self._failure(exc, now, advice), now)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed in a way of which the host has a `Failure`."""
        if self._parting is not None:
            return
        self._check(Input.FAIL)
        self._until = None
        state = self.state
        if state is State.BODY:
            self._body_failed(failure, now)
        elif state is State.DRAINING:
            self._give_up()
            self.state = State.DONE
        elif state is State.WAITING or state is State.OPENING:
            self._fail_for_good(failure.error)
        else:
            self._attempt_failed(failure, now)

    def interrupted(self, exc: BaseException, now: float) -> None:
        """Reading was interrupted; the next `next_action` goes on with it.

        But an answer that says no is known, and what it says about that is not waited for.
        """
        if self.state is State.BODY and self.decoder is None and not 200 <= self.status <= 299:
            self.receive_failure(interrupted(type(exc).__name__), now)

    def close(self, failure: Failure, now: float) -> None:
        """Nobody wants the rest (`stream_closed`), or the client has been closed (`client_closed`).

        Legal at any time, and harmless after the end. `next_action` gives up what the call holds,
        and then raises the failure's error; of a stream, after the items that have come.
        """
        if self.state is State.BODY and self.decoder is not None:
            self._body_failed(failure, now)
        elif self.state is State.DRAINING:
            self.receive_failure(failure, now)
        elif self.state not in (State.ITEMS, State.DONE, State.FAILED):
            self._fail_for_good(failure.error)

    def _limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit holds for what is waited for, and whether it is over because all is."""
        if self.state is State.BODY:
            return cast("Incoming[T]", self._incoming).limit(now)
        deadline = self._send.deadline
        return self._phase, deadline is not None and now >= deadline

    def _expire(self, now: float) -> None:
        self.receive_failure(self._expiry(now), now)

    def _receive_head(
        self, status: int, headers: Headers, source: Source, now: float, *, cut: bool = False
    ) -> None:
        self.state = State.BODY
        self._until = None
        offset = self._unix_offset
        try:
            self._incoming = incoming = Incoming[T](
                self._exchange,
                self._send,
                status,
                headers,
                None if offset is None else offset + now,
                source,
                now,
                streaming=self._streaming,
            )
        except MeshAPIError as exc:
            # Those that read the head hold what a server may quote in it.
            self._fail_for_good(forget_frames(exc))
        else:
            incoming.cut = cut

    def _attempt_failed(self, failure: Failure, now: float) -> None:
        self._give_up()
        self._exchange.receive(failure, now)
        self.state = State.READY

    def _body_failed(self, failure: Failure, now: float) -> None:
        incoming = cast("Incoming[T]", self._incoming)
        if failure.timed_out:
            # Whose limit it was is known here.
            cause, failure = failure.error.__cause__, self._expiry(now)
            failure.error.__cause__ = cause
        self._give_up()
        try:
            incoming.receive_failure(failure, now)
        except MeshAPIError as exc:
            self._fail_for_good(exc)
        else:
            self.state = State.READY if incoming.decoder is None else State.ITEMS

    def _fail_for_good(self, exc: BaseException) -> None:
        self._give_up()
        if isinstance(exc, MeshAPIError):
            exc = conceal(exc, self._exchange.secrets)
        self._error = exc
        self.state = State.FAILED

    def _check(self, what: Input) -> None:
        if (self.state, what) not in self.transitions:
            raise ExchangeUsageError(
                f"{what.value}: not now, the call is {self.state.value}; ask next_action what to do"
            )
