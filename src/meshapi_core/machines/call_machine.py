"""What `PipeCall` and `ClientCall` have in common: a call's life around its attempts.

Each attempt goes through states of its own until the head of an answer has come; from there on,
before and between attempts, and in how things end, the two are alike.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union, cast

from msgspec import structs
from typing_extensions import TypeAlias

from meshapi_core import _preloaded as _preloaded
from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.failures import Advice, Phase
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.machines.actions import Finished, Item, OpenFiles, Sleep
from meshapi_core.machines.answers import DRAIN_TIME, Incoming, Source, earliest
from meshapi_core.machines.exchange import Done, Exchange, ExchangeUsageError, Send, Wait
from meshapi_core.messages import Failure, Origin, Request, interrupted
from meshapi_core.readers import BodyDecoder
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.signals import END_OF_BODY, END_OF_STREAM, NEED_DATA, NeedData

__all__ = ["CallMachine", "CallInput", "CallState"]

T = TypeVar("T")

LAST_WORD = 1.0
"""Seconds to wait for an answer after the request could not be written: it is there or it is not.
And for what has come while a wait was interrupted, when the limit of that is over."""

NO_ADVICE = Advice()


class CallState(Enum):
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

    # By identity: that of `Enum` is a function in Python, and tables are looked up all the time.
    __hash__ = object.__hash__


class CallInput(Enum):
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

    __hash__ = object.__hash__


Table: TypeAlias = dict[tuple[CallState, CallInput], frozenset[CallState]]
Steps: TypeAlias = dict[CallState, Callable[[Any, float], Any]]

# (state, input) -> the states it may lead to, where both machines are alike. What is not in a
# machine's table is a mistake of the host's.
COMMON: Table = {
    (CallState.OPENING, CallInput.FAIL): frozenset({CallState.FAILED}),
    # `fail`, as long as there is something to wait for.
    (CallState.BODY, CallInput.FAIL): frozenset(
        {CallState.ITEMS, CallState.READY, CallState.FAILED}
    ),
    (CallState.DRAINING, CallInput.FAIL): frozenset({CallState.DONE}),
    (CallState.WAITING, CallInput.FAIL): frozenset({CallState.WAITING, CallState.FAILED}),
}


class CallMachine(Generic[T]):
    """A call, but for how an attempt gets the head of its answer."""

    transitions: ClassVar[Table] = COMMON
    state = CallState.READY
    _error: Optional[BaseException] = None
    # What is to be done first: give a connection or an answer up.
    _parting: Any = None
    _body: Optional[OpenBody] = None
    _incoming: "Optional[Incoming[T]]" = None
    # When the next attempt is due; when the action that stands is over, None where that has no
    # limit or there is none; when draining is over.
    _due = 0.0
    _until: Optional[float] = None
    _drain_until = 0.0
    _closed = False
    # Whether a read has not been answered, and was given once more when it was over.
    _asked = False
    _late = False

    def __init__(
        self,
        call: Any,
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
        unix_time: Optional[float] = None,
    ) -> None:
        self._exchange: Exchange[Any] = Exchange(call, config, now=now, random_bytes=random_bytes)
        self._call = call
        self._unix_offset = None if unix_time is None else unix_time - now

    # What is known

    @property
    def attempts(self) -> int:
        """How many attempts have begun."""
        return self._exchange.attempts

    @property
    def status(self) -> int:
        """The status of the answer; 0 until it has begun."""
        return 0 if self._incoming is None else self._incoming.status

    @property
    def headers(self) -> Headers:
        """The header fields of the answer; empty until it has begun."""
        return Headers() if self._incoming is None else self._incoming.headers

    @property
    def request_id(self) -> str:
        """The server's id of the request; "" until the answer has begun, or without one."""
        return find_request_id(self.headers)

    @property
    def complete(self) -> bool:
        """Whether a stream has brought everything; False for other answers."""
        return self.decoder is not None and self.decoder.complete

    def partial(self) -> Any:
        """What has arrived of a stream, put together; None for other answers."""
        return None if self.decoder is None else self.decoder.partial()

    @property
    def decoder(self) -> Optional[BodyDecoder[T]]:
        """What reads a stream; None until it has begun."""
        return None if self._incoming is None else self._incoming.decoder

    @property
    def request(self) -> Request:
        """What is sent, its files open."""
        request: Request = self._sent.request
        return request if self._body is None else structs.replace(request, body=self._body)

    @property
    def origin(self) -> Origin:
        """Where it is sent to."""
        origin: Origin = self._sent.request.origin
        return origin

    @property
    def deadline(self) -> Optional[float]:
        """When the whole call is over; None is never."""
        deadline: Optional[float] = self._sent.deadline
        return deadline

    @property
    def _sent(self) -> Any:
        # Before the first attempt the exchange knows. A session makes a new request for each.
        return vars(self).get("_send", self._exchange)

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
            action = self._steps[self.state](self, now)
            if action is not None:
                return action

    def next_item(self) -> Union[T, NeedData]:
        """The next item of a stream where it has come already; NEED_DATA: ask `next_action`.

        A short cut that needs no time and gives no other action; it saves a call for each item.
        """
        incoming, state = self._incoming, self.state
        if incoming is None or incoming.decoder is None:
            return NEED_DATA
        if state is not CallState.BODY and state is not CallState.ITEMS:
            return NEED_DATA
        try:
            event = incoming.next_chunk(incoming.decoder)
        except MeshAPIError:
            # It will say so again.
            return NEED_DATA
        if event is NEED_DATA or event is END_OF_STREAM:
            return NEED_DATA
        incoming.idle_until = None
        return event

    def _next_attempt(self, now: float) -> Any:
        try:
            action = self._exchange.next_action(now)
        except MeshAPIError as exc:
            self._fail_for_good(exc)
            return None
        if isinstance(action, Send):
            self._send = action
            self._incoming = None
            body = action.request.body
            if isinstance(body, StreamedBody) and self._body is None:
                self.state = CallState.OPENING
                return OpenFiles(body)
            self._begin(now)
            return None
        if isinstance(action, Wait):
            self._due = now + action.seconds
            self.state = CallState.WAITING
            return None
        self.state = CallState.DONE
        # A session has no `Done`: its connection stands.
        result: Any = action.value if type(action) is Done else action
        return Item(result)

    def _next_of_files(self, now: float) -> OpenFiles:
        return OpenFiles(cast(StreamedBody, self._send.request.body))

    def _next_of_wait(self, now: float) -> Optional[Sleep]:
        if now < self._due:
            return Sleep(until=self._due)
        self.state = CallState.READY
        return None

    def _next_of_end(self, now: float) -> Finished:
        return Finished()

    def _next_of_error(self, now: float) -> None:
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
            return self._read_late(incoming.until, incoming.last_until, now)
        if event is END_OF_BODY:
            self._give_back()
            self.state = CallState.READY if incoming.decoder is None else CallState.ITEMS
            return None
        if event is END_OF_STREAM:
            is_read = incoming.ended or self.state is CallState.ITEMS
            self.state = CallState.DONE if is_read else CallState.DRAINING
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
        self.state = CallState.DONE
        return None

    def _read_late(self, until: Optional[float], last_until: Optional[float], now: float) -> Any:
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
        if (self.state, CallInput.OPENED) not in self.transitions:
            self._misuse(CallInput.OPENED)
            return
        self._until = None
        self._body = body
        self._begin(now)

    def handle_timer(self, now: float) -> None:
        """The time has come that the last action had to be done by. Harmless at any other time."""
        until = self._until
        if until is not None and now >= until and (self.state, CallInput.FAIL) in self.transitions:
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
                KeyboardInterrupt and their like. (The time-outs of gevent and curio are no
                `Exception` either, and are failures all the same.)
        """
        if self._parting is not None:
            return  # of a connection, or an answer, that is given up
        if (self.state, CallInput.FAIL) not in self.transitions:
            self._misuse(CallInput.FAIL)
            return
        if isinstance(exc, MeshAPIError) and self.state is not CallState.DRAINING:
            self._fail_for_good(exc)
        else:
            self.receive_failure(self._failure(exc, now, advice), now)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed in a way of which the host has a `Failure`."""
        if self._parting is not None:
            return
        if (self.state, CallInput.FAIL) not in self.transitions:
            self._misuse(CallInput.FAIL)
            return
        over = self._over(now)
        self._until = None
        state = self.state
        if state is CallState.BODY:
            self._body_failed(failure, now, over)
        elif state is CallState.DRAINING:
            self._give_up()
            self.state = CallState.DONE
        elif state is CallState.WAITING:
            # Else it is of a connection that was given up before.
            if failure.stage == "closed":
                self._fail_for_good(failure.error)
        elif state is CallState.OPENING:
            self._fail_for_good(failure.error)
        else:
            self._attempt_failed(failure, now)

    def interrupted(self, exc: BaseException, now: float) -> None:
        """Reading was interrupted; the next `next_action` goes on with it.

        But an answer that says no is known, and what it says about that is not waited for.
        """
        if self.state is CallState.BODY and self.decoder is None and not 200 <= self.status <= 299:
            self.receive_failure(interrupted(type(exc).__name__), now)

    def close(self, failure: Failure, now: float) -> None:
        """Nobody wants the rest (`stream_closed`), or the client has been closed (`client_closed`).

        Legal at any time, and harmless after the end. `next_action` gives up what the call holds,
        and then raises the failure's error; of a stream, after the items that have come. What was
        under way may still be told, and changes nothing.
        """
        self._closed = True
        if self.state is CallState.BODY and self.decoder is not None:
            self._body_failed(failure, now, now)
        elif self.state is CallState.DRAINING:
            self.receive_failure(failure, now)
        elif self.state not in (CallState.ITEMS, CallState.DONE, CallState.FAILED):
            self._fail_for_good(failure.error)

    def _limit(self, now: float) -> tuple[Phase, bool]:
        """Which limit holds for what is waited for, and whether it is over because all is."""
        if self.state is CallState.BODY:
            return cast("Incoming[T]", self._incoming).limit(now)
        deadline = self._send.deadline
        return self._phase, deadline is not None and now >= deadline

    def _over(self, now: float) -> float:
        """The time by which to tell whose limit a host's time-out is.

        Timers go off a little early: it is the one that the action had to be done by.
        """
        until = self._until
        return now if until is None else max(now, until)

    def _expire(self, now: float) -> None:
        self.receive_failure(self._expiry(now), now)

    def _receive_head(
        self, status: int, headers: Headers, source: Source, now: float, *, cut: bool = False
    ) -> None:
        self.state = CallState.BODY
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
                streaming=self._call.streaming,
            )
        except MeshAPIError as exc:
            # Those that read the head hold what a server may quote in it.
            self._fail_for_good(forget_frames(exc))
        else:
            incoming.cut = cut

    def _attempt_failed(self, failure: Failure, now: float) -> None:
        self._give_up()
        self._exchange.receive(failure, now)
        self.state = CallState.READY

    def _body_failed(self, failure: Failure, now: float, over: float) -> None:
        incoming = cast("Incoming[T]", self._incoming)
        if failure.timed_out:
            # Whose limit it was is known here.
            cause, failure = failure.error.__cause__, self._expiry(over)
            failure.error.__cause__ = cause
        self._give_up()
        try:
            incoming.receive_failure(failure, now)
        except MeshAPIError as exc:
            self._fail_for_good(exc)
        else:
            self.state = CallState.READY if incoming.decoder is None else CallState.ITEMS

    def _fail_for_good(self, exc: BaseException) -> None:
        self._give_up()
        if isinstance(exc, MeshAPIError):
            # A session conceals its errors by itself.
            exc = conceal(exc, getattr(self._exchange, "secrets", ()))
        self._error = exc
        self.state = CallState.FAILED

    def _misuse(self, what: CallInput) -> None:
        """Raise, unless the call has been closed: then what was under way may still be told."""
        if not self._closed:
            raise ExchangeUsageError(
                f"{what.value}: not now, the call is {self.state.value}; ask next_action what to do"
            )

    # What gives the next action in each state, or None where that is another state's.
    _steps: ClassVar[Steps] = {
        CallState.READY: _next_attempt,
        CallState.OPENING: _next_of_files,
        CallState.BODY: _next_of_body,
        CallState.ITEMS: _next_of_body,
        CallState.DRAINING: _next_of_rest,
        CallState.WAITING: _next_of_wait,
        CallState.DONE: _next_of_end,
        CallState.FAILED: _next_of_error,
    }
