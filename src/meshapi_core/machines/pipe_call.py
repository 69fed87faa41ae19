"""A call over byte pipes as one machine: connections, bytes, waits, items. No I/O, no clock.

Theory of operation. A host asks `next_action` what to do, does it, and tells what came of it; that
is all it has to know. The machine decides everything else: which attempt follows which, which
limit holds when, whose the body of an answer is, whether a connection can be kept, what an error
is.

    call = PipeCall(completions_call, config, now=clock(), random_bytes=os.urandom)
    while True:
        action = call.next_action(clock())
        if isinstance(action, Connect):
            pipe = connect(action.origin, action.seconds(clock()))
            call.connected(clock())
        elif isinstance(action, Write):
            pipe.write(action.data, action.seconds(clock()))
            call.written(clock())
        elif isinstance(action, Read):
            call.receive_data(pipe.read(action.seconds(clock())), clock())
        elif isinstance(action, Release):
            pipe.close()
        elif isinstance(action, Sleep):
            sleep(action.seconds(clock()))
        elif isinstance(action, Item):
            print(action.value)
        elif isinstance(action, Finished): break

An attempt goes through these states; what fails in one of them, or takes too long, goes to the
exchange, which may begin another one:

    READY ─▶ OPENING ─▶ CONNECTING ─▶ WRITING ─▶ HEAD ─▶ BODY ─▶ DRAINING ─▶ DONE
      ▲    (uploads)                     │        ▲       │     (streams)      ▲
      │                                  ▼        │       ├────▶ ITEMS ────────┤
      └── WAITING ◀── the exchange       LAST_WORD        │    (streams)       │
                                                          FAILED ◀── or ───────┘

- An action that was interrupted (a cancelled task, an exception of a signal handler) is given again
  by `next_action`, and its limit runs on; nothing is lost. What has been written before that, or is
  left to the pipe to write, is reported by `written`.
- A host that is told of bytes by its loop gives them to `receive_data` whenever they come, between
  two items, too.
- `handle_timer` may be called at any time, early and late ones do no harm.
- A call that nobody goes on with is just left: the connection is the host's to close.
- An error is final, and raised again to whoever asks again. Before it is raised, the connection has
  been given up by a `Release`; all the same a host closes what it holds whenever something leaves
  it by an exception.
- What asked for another protocol and got it (`RealtimeCall`) keeps its connection: there is no
  `Release`, and `http.trailing_data` has the first bytes.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 9.3, 9.5)
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Optional, TypeVar, Union, cast, overload

from typing_extensions import Buffer, Protocol, TypeAlias

from meshapi_core.calls import AnyCall, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIConnectionError, MeshAPIError, ProtocolError
from meshapi_core.failures import Advice, Phase, failure_of, hint_at_tls, timed_out
from meshapi_core.headers import Headers
from meshapi_core.http11 import HTTP11Connection, ResponseHead
from meshapi_core.machines.actions import (
    Connect,
    Finished,
    Item,
    OpenFiles,
    Read,
    Release,
    Sleep,
    Write,
)
from meshapi_core.machines.answers import Source, earliest
from meshapi_core.machines.call_machine import (
    COMMON,
    LAST_WORD,
    CallInput,
    CallMachine,
    CallState,
    Steps,
    Table,
)
from meshapi_core.machines.exchange import Exchange, ExchangeUsageError, Send, Wait
from meshapi_core.machines.pace import HeadPace
from meshapi_core.messages import Failure, Reply, Stage
from meshapi_core.signals import NEED_DATA

if TYPE_CHECKING:
    from meshapi_core.realtime_session import RealtimeConnected

__all__ = ["PipeAction", "PipeCall", "Upgrades"]

T = TypeVar("T")
U = TypeVar("U")

PipeAction: TypeAlias = Union[OpenFiles, Connect, Write, Read, Release, Sleep, Item[T], Finished]
"""What `PipeCall.next_action` returns."""

# (state, input) -> the states it may lead to. What is not here is a mistake of the host's.
TRANSITIONS: Table = {
    **COMMON,
    (CallState.OPENING, CallInput.OPENED): frozenset({CallState.CONNECTING}),
    (CallState.CONNECTING, CallInput.QUEUE): frozenset({CallState.CONNECTING}),
    (CallState.CONNECTING, CallInput.CONNECTED): frozenset({CallState.WRITING, CallState.READY}),
    (CallState.CONNECTING, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.WRITING, CallInput.WRITTEN): frozenset({CallState.WRITING}),
    (CallState.WRITING, CallInput.DATA): frozenset({CallState.WRITING}),
    (CallState.WRITING, CallInput.FAIL): frozenset(
        {CallState.LAST_WORD, CallState.HEAD, CallState.READY, CallState.FAILED}
    ),
    (CallState.LAST_WORD, CallInput.DATA): frozenset({CallState.HEAD, CallState.READY}),
    (CallState.LAST_WORD, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.HEAD, CallInput.DATA): frozenset({CallState.HEAD}),
    (CallState.HEAD, CallInput.FAIL): frozenset(
        {CallState.ITEMS, CallState.READY, CallState.FAILED}
    ),
    (CallState.BODY, CallInput.DATA): frozenset({CallState.BODY}),
    (CallState.DRAINING, CallInput.DATA): frozenset({CallState.DRAINING}),
}

_LAST_GOOD = 299


class Upgrades(Protocol):
    """What `PipeCall.upgrade` needs of a session: `RealtimeExchange` has it."""

    def next_action(self, now: float) -> "Union[Send, Wait, RealtimeConnected]":
        """What to do next."""
        ...

    def receive(self, event: Union[Reply, Failure], now: float) -> None:
        """Take what the last `Send` brought."""
        ...


class _Upgrade:
    """What is known of an upgrade as a call, where a session is asked for the rest."""

    streaming = False
    upgrades = True


_UPGRADE = _Upgrade()


class PipeCall(CallMachine[T], Generic[T]):
    """One call over byte pipes, from its first attempt to its last item.

    Args:
        call: what to send and how to read the answer. A `StreamCall` gives its chunks, one `Item`
            each; any other call gives one, its result.
        config: the gateway, the time limits and the retry policy.
        now: the time at which the call begins, on a clock that does not go back.
        random_bytes: `os.urandom`; see `Exchange`.
        unix_time: what time it is at `now`, in Unix seconds: only for servers that say until when
            to wait, and not what time it is.
    """

    transitions: ClassVar[Table] = TRANSITIONS

    http: Optional[HTTP11Connection] = None
    """The machine of the connection that the call has, None where it has none."""

    switched: Optional[Headers] = None
    """The header fields of the answer to an upgrade; None until it has come."""

    # Which limit holds while there is no connection, and until when.
    _queues = False
    _pool_until: Optional[float] = None
    _connect_until: Optional[float] = None
    # Of the connection: whether it has served before, whether something has come that nobody has
    # looked at, whether its input was cut off, and has ended.
    _reused = False
    _unheard = False
    _cut = False
    _ended = False
    # What is to be written now, until when, and the limit of the head.
    _piece: Optional[bytes] = None
    _written = 0
    _piece_until: Optional[float] = None
    _pace: Optional[HeadPace] = None

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "PipeCall[U]",
            call: StreamCall[U],
            config: MeshAPIConfig,
            *,
            now: float,
            random_bytes: Callable[[int], bytes],
            unix_time: Optional[float] = None,
        ) -> None: ...

        @overload
        def __init__(
            self: "PipeCall[U]",
            call: AnyCall[U],
            config: MeshAPIConfig,
            *,
            now: float,
            random_bytes: Callable[[int], bytes],
            unix_time: Optional[float] = None,
        ) -> None: ...

        def __init__(self, call: Any, config: MeshAPIConfig, **options: Any) -> None: ...

        def next_action(self, now: float) -> "PipeAction[T]": ...

    @staticmethod
    def upgrade(session: "Upgrades") -> "PipeCall[RealtimeConnected]":
        """The way to the next connection of a session, whose machine decides on the attempts.

        Its one item is what the session's `next_action` gives when the connection stands. Then the
        connection stays with the host (see above), and `switched` has the header fields of the 101.
        """
        call = cast("PipeCall[RealtimeConnected]", object.__new__(PipeCall))
        call._exchange = cast("Exchange[Any]", session)
        call._call = _UPGRADE
        call._unix_offset = None
        return call

    def _begin(self, now: float) -> None:
        self._queues = False
        self._connect_until = self._pool_until = None
        self.state = CallState.CONNECTING

    def _next_of_connecting(self, now: float) -> Optional[Connect]:
        send = self._send
        if send.deadline is not None and now >= send.deadline:
            self._expire(now)
            return None
        if not self._queues:
            # A host with a queue asks `opening` when it comes to that.
            self._begin_opening(now)
        elif self._until is not None and now >= self._until:
            self._expire(now)
            return None
        request = send.request
        return Connect(
            origin=request.origin, fresh=send.fresh, named_by=request.named_by, until=self._until
        )

    def _begin_opening(self, now: float) -> None:
        """Limit the opening of a connection, from the first time on that it is begun."""
        send = self._send
        if self._connect_until is None and send.timeout.connect is not None:
            self._connect_until = now + send.timeout.connect
        until, deadline = self._connect_until, send.deadline
        self._until = until if deadline is None else earliest(until, deadline)

    def _reading(self, until: Optional[float]) -> Read:
        return Read(until=until)

    def _next_of_request(self, now: float) -> "Optional[PipeAction[T]]":
        if self._unheard and self._hears_head(now):
            return None
        if self._piece is None:
            try:
                self._piece = next(self._pieces, None)
            except BaseException as exc:
                # A file that cannot be read, or an interrupt while it was: it will not go on.
                self._fail_for_good(exc)
                if not isinstance(exc, Exception):
                    raise
                return None
            if self._piece is None:
                self.state = CallState.HEAD
                return None
            limit, deadline = self._send.timeout.write, self._send.deadline
            self._piece_until = None if limit is None else now + limit
            if deadline is not None:
                if now >= deadline:
                    self._expire(now)
                    return None
                self._piece_until = earliest(self._piece_until, deadline)
        self._until = self._piece_until
        return Write(data=self._piece, until=self._until)

    def _next_of_head(self, now: float) -> Any:
        if self._unheard and self._hears_head(now):
            return None
        pace, send = self._pace, self._send
        if pace is None:
            pace = self._pace = HeadPace(send.timeout.read, now)
        elif not self._asked:
            pace.receive_interim(cast(HTTP11Connection, self.http).interim, now)
        deadline = send.deadline
        until = pace.until if deadline is None else earliest(pace.until, deadline)
        if self._asked or (until is not None and now >= until):
            return self._read_late(until, deadline, now)
        self._asked = True
        self._until = until
        return Read(until=until)

    def _hears_head(self, now: float) -> bool:
        """Look at what has come, and return whether there is no head to wait for any more."""
        self._unheard = False
        try:
            event = cast(HTTP11Connection, self.http).next_event()
        except APIConnectionError as exc:
            self._attempt_failed(self._failed(exc, now), now)
            return True
        if event is NEED_DATA:
            return False
        self._take_head(cast(ResponseHead, event), now)
        return True

    def _next_of_last_word(self, now: float) -> Optional[Read]:
        if now < self._last_word_until:
            self._until = self._last_word_until
            return Read(until=self._until)
        self._expire(now)
        return None

    # What came of it

    def queued(self, now: float) -> Optional[float]:
        """There is no connection to be had yet, and the call has to queue: until when, at most."""
        if (self.state, CallInput.QUEUE) not in TRANSITIONS:
            self._misuse(CallInput.QUEUE)
            return None
        send = self._send
        # The time in the queue is not that of opening one.
        self._connect_until = None
        if self._pool_until is None and send.timeout.pool is not None:
            self._pool_until = now + send.timeout.pool
        self._queues = True
        self._until = earliest(self._pool_until, send.deadline)
        return self._until

    def opening(self, now: float) -> Optional[float]:
        """A connection is being opened: until when, at most."""
        if (self.state, CallInput.QUEUE) not in TRANSITIONS:
            self._misuse(CallInput.QUEUE)
            return None
        self._queues = False
        self._begin_opening(now)
        return self._until

    def connected(self, now: float, http: Optional[HTTP11Connection] = None) -> None:
        """There is a connection.

        Args:
            now: the time.
            http: its machine: of one that was kept, what `Release` gave.
        """
        if (self.state, CallInput.CONNECTED) not in TRANSITIONS:
            self._misuse(CallInput.CONNECTED)
            self._parting = Release(reusable=False, http=http or HTTP11Connection())
            return
        self._until = None
        if http is None:
            http = HTTP11Connection()
        self.http = http
        self.state = CallState.WRITING
        self._began = now
        self._reused = http.served > 0
        self._unheard = self._cut = self._asked = self._late = self._ended = False
        self._piece = self._pace = None
        self._written = 0
        try:
            request = self._send.request if self._body is None else self.request
            self._pieces: Iterator[bytes] = iter(http.send(request))
        except APIConnectionError as exc:
            self._attempt_failed(self._failed(exc, now), now)

    def written(self) -> None:
        """All data of the last `Write` have been written, or are left to the pipe to write."""
        if (self.state, CallInput.WRITTEN) not in TRANSITIONS:
            self._misuse(CallInput.WRITTEN)
            return
        self._piece = self._until = None
        self._written += 1

    def receive_data(self, data: Buffer, now: float, *, cut: bool = False) -> None:
        """Take bytes that have been read; `b""` is the end of input.

        Args:
            data: any number of them.
            now: the time.
            cut: whether the input ended without the goodbye that there should have been (TLS's
                close_notify), so that anybody on the way may have ended it.
        """
        if self._parting is not None:
            return  # of a connection that is given up
        if (self.state, CallInput.DATA) not in TRANSITIONS:
            self._misuse(CallInput.DATA)
            return
        data = bytes(data)
        if self._ended:
            if data:
                raise ExchangeUsageError("receive_data: there is no more after the end of input")
            return
        self._ended = not data
        cast(HTTP11Connection, self.http).receive_data(data)
        self._asked = self._late = False
        if cut:
            self._cut = True
            if self._incoming is not None:
                self._incoming.cut = True
        self._unheard = True
        if self.state is CallState.WRITING:
            return
        self._until = None
        if self.state is CallState.LAST_WORD:
            if data:
                self.state = CallState.HEAD
            else:
                self._attempt_failed(self._unwritten, now)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed in a way of which the host has a `Failure`."""
        state = self.state
        late = self._send.deadline is not None and now >= self._send.deadline
        if state is CallState.WRITING and failure.stage != "closed" and not late:
            # A server that refuses a large request answers first and then closes.
            self._unwritten = failure
            last = earliest(now + LAST_WORD, self._send.deadline)
            self._last_word_until = cast(float, last)
            self._until = None
            self.state = CallState.HEAD if self._unheard else CallState.LAST_WORD
        elif state is CallState.LAST_WORD and failure.stage != "closed":
            super().receive_failure(self._unwritten, now)
        elif state is CallState.HEAD and self._hears_head(now):
            # The answer had begun before that.
            if self.state is CallState.BODY:
                super().receive_failure(failure, now)
        else:
            super().receive_failure(failure, now)

    # How things end

    @property
    def _phase(self) -> Phase:
        if self.http is None:
            return "pool" if self._queues else "connect"
        return "write" if self.state is CallState.WRITING else "read"

    @property
    def _stage(self) -> Stage:
        if self.http is None:
            return "pool" if self._queues else "connect"
        return "reply" if self.http.answered else "request"

    def _failure(self, exc: BaseException, now: float, advice: Advice) -> Failure:
        phase, late = self._limit(self._over(now))
        return failure_of(
            exc,
            self._stage,
            where=str(self._send.request.origin),
            timeout=self._send.timeout,
            phase=phase,
            late=late,
            reused=self._is_reused,
            silence=self._silence(now),
            advice=advice,
        )

    def _expiry(self, now: float) -> Failure:
        phase, late = self._limit(now)
        return self._failed(timed_out(phase, self._send.timeout, late=late), now)

    def _failed(self, error: MeshAPIError, now: float) -> Failure:
        return Failure(error, self._stage, reused=self._is_reused, silence=self._silence(now))

    @property
    def _is_reused(self) -> bool:
        return self.http is not None and self._reused

    def _silence(self, now: float) -> Optional[float]:
        return None if self.http is None else now - self._began

    def _take_head(self, head: ResponseHead, now: float) -> None:
        if self.state is CallState.WRITING and self._reused and head.status < 400:
            # Too early to be an answer to this request: it answers nothing that was asked.
            error = ProtocolError("an answer came before the request was sent", error_code="desync")
            failure = Failure(error, "request", reused=True, silence=self._silence(now))
            self._attempt_failed(failure, now)
        elif head.status <= _LAST_GOOD and self._call.upgrades:
            # Another protocol, which was asked for: after a 101 the connection is the host's. Any
            # other good answer is none, whatever its body is.
            self.switched = head.headers
            self._exchange.receive(Reply(head.status, head.headers), now)
            self.state = CallState.READY
        else:
            source = cast(Source, cast(HTTP11Connection, self.http).next_event)
            self._receive_head(head.status, head.headers, source, now, cut=self._cut)

    def _attempt_failed(self, failure: Failure, now: float) -> None:
        http = self.http
        if (
            http is not None
            and not http.answered
            and not self._reused
            # A server that wants TLS does not read a long request.
            and self._written <= 1
            and self.origin.scheme == "http"
        ):
            hint_at_tls(failure.error)
        super()._attempt_failed(failure, now)

    def _give_back(self) -> None:
        http, self.http = self.http, None
        if http is not None:
            reusable = http.reusable
            if reusable:
                http.start_next_cycle()
            self._parting = Release(reusable=reusable, http=http)

    def _give_up(self) -> None:
        http, self.http = self.http, None
        if http is not None:
            self._parting = Release(reusable=False, http=http)

    _steps: ClassVar[Steps] = {
        **CallMachine._steps,
        CallState.CONNECTING: _next_of_connecting,
        CallState.WRITING: _next_of_request,
        CallState.LAST_WORD: _next_of_last_word,
        CallState.HEAD: _next_of_head,
    }
