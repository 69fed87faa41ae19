"""A call over byte pipes as one machine: connections, bytes, waits, items. No I/O, no clock.

Theory of operation. A host asks `next_action` what to do, does it, and tells what came of it; that
is all it has to know. The machine decides everything else: which attempt follows which, which
limit holds when, whose the body of a response is, whether a connection can be kept, what an error
is.

    call = PipeCall(completions_call, config, now=clock(), random_bytes=os.urandom)
    while True:
        action = call.next_action(clock())
        if isinstance(action, Connect):
            pipe = connect(action.origin, action.seconds(clock()))
            call.connected(clock())
        elif isinstance(action, Write):
            pipe.write(action.data, action.seconds(clock()))
            call.written()
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

A whole response leads from BODY back to READY: the exchange reads it, and has the result (DONE),
the next attempt, or an error.

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

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Optional, TypeVar, Union, cast, overload

from typing_extensions import Buffer, Protocol, TypeAlias, Unpack

from meshapi_core.calls import AnyCall, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIConnectionError
from meshapi_core.headers import Headers
from meshapi_core.http11.connection import HTTP11Connection
from meshapi_core.machines import common_steps, pipe_attempts
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
from meshapi_core.machines.call_machine import CallMachine, CallOptions
from meshapi_core.machines.exchange import Done, ExchangeUsageError, Send, Wait
from meshapi_core.machines.lifecycle import Lifecycle, Rules
from meshapi_core.machines.pipe_attempts import Connecting, Conversation, fail
from meshapi_core.machines.states import COMMON, CallInput, CallState, Table, told_in
from meshapi_core.messages import Failure, Response

if TYPE_CHECKING:
    from meshapi_core.realtime.session import RealtimeConnected

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

_RULES = Rules(
    TRANSITIONS,
    {**common_steps.STEPS, **pipe_attempts.STEPS},
    {**common_steps.FAILINGS, **pipe_attempts.FAILINGS},
    begin=Connecting,
    first=CallState.CONNECTING,
)


# Looked up for each call. By the name of its class, a member takes ten times as long up to 3.11.
_WRITING, _LAST_WORD = CallState.WRITING, CallState.LAST_WORD
_QUEUED_IN = told_in(TRANSITIONS, CallInput.QUEUE)
_CONNECTED_IN = told_in(TRANSITIONS, CallInput.CONNECTED)
_WRITTEN_IN = told_in(TRANSITIONS, CallInput.WRITTEN)
_DATA_IN = told_in(TRANSITIONS, CallInput.DATA)


class Upgrades(Protocol):
    """What `PipeCall.upgrade` needs of a session: `RealtimeExchange` has it."""

    def next_action(self, now: float) -> "Union[Send, Wait, RealtimeConnected]":
        """What to do next."""
        ...

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take what the last `Send` brought."""
        ...


class PipeCall(CallMachine[T, PipeAction[T]], Generic[T]):
    """One call over byte pipes, from its first attempt to its last item.

    Args:
        call: what to send and how to read the response. A `StreamCall` gives its chunks, one `Item`
            each; any other call gives one, its result.
        config: the gateway, the time limits and the retry policy.
        now: the time at which the call begins, on a clock that does not go back.
        random_bytes: `os.urandom`; see `Exchange`.
        unix_time: what time it is at `now`, in Unix seconds: only for servers that say until when
            to wait, and not what time it is.
    """

    transitions: ClassVar[Table] = TRANSITIONS
    _rules: ClassVar[Rules] = _RULES

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "PipeCall[U]",
            call: StreamCall[U],
            config: MeshAPIConfig,
            **options: Unpack[CallOptions],
        ) -> None: ...

        @overload
        def __init__(
            self: "PipeCall[U]",
            call: AnyCall[U],
            config: MeshAPIConfig,
            **options: Unpack[CallOptions],
        ) -> None: ...

        def __init__(self, call: Any, config: MeshAPIConfig, **options: Any) -> None: ...

    @staticmethod
    def upgrade(session: Upgrades) -> "PipeCall[RealtimeConnected]":
        """The way to the next connection of a session, whose machine decides on the attempts.

        Its one item is what the session's `next_action` gives when the connection stands. Then the
        connection stays with the host (see above), and `switched` has the header fields of the 101.
        """
        return _UpgradeCall(session)

    @property
    def http(self) -> Optional[HTTP11Connection]:
        """The machine of the connection that the call has, None where it has none."""
        attempt = self._life.attempt
        return attempt.http if isinstance(attempt, Conversation) else None

    @property
    def switched(self) -> Optional[Headers]:
        """The header fields of the response to an upgrade; None until it has come."""
        return self._life.switched

    def queued(self, now: float) -> Optional[float]:
        """There is no connection to be had yet, and the call has to queue: until when, at most."""
        life = self._life
        if life.state not in _QUEUED_IN:
            life.misuse(CallInput.QUEUE)
            return None
        until = life.timer.until = cast(Connecting, life.attempt).queue(life.send, now)
        return until

    def opening(self, now: float) -> Optional[float]:
        """A connection is being opened: until when, at most."""
        life = self._life
        if life.state not in _QUEUED_IN:
            life.misuse(CallInput.QUEUE)
            return None
        until = life.timer.until = cast(Connecting, life.attempt).open(life.send, now)
        return until

    def connected(self, now: float, http: Optional[HTTP11Connection] = None) -> None:
        """There is a connection.

        Args:
            now: the time.
            http: its machine: of one that was kept, what `Release` gave.
        """
        life = self._life
        if http is None:
            http = HTTP11Connection()
        if life.state not in _CONNECTED_IN:
            life.misuse(CallInput.CONNECTED)
            life.parting = Release(reusable=False, http=http)
            return
        conversation = life.attempt = Conversation(http, now)
        life.timer.until = None
        life.timer.asked = life.timer.late = False
        life.state = _WRITING
        try:
            request = life.send.request if life.body is None else life.request
            conversation.pieces = iter(http.send(request))
        except APIConnectionError as exc:
            fail(life, life.failed(exc, now), now)

    def written(self) -> None:
        """All data of the last `Write` have been written, or are left to the pipe to write."""
        life = self._life
        if life.state not in _WRITTEN_IN:
            life.misuse(CallInput.WRITTEN)
            return
        conversation = life.attempt
        assert isinstance(conversation, Conversation)
        conversation.piece = life.timer.until = None
        conversation.written += 1

    def receive_data(self, data: Buffer, now: float, *, cut: bool = False) -> None:
        """Take bytes that have been read; `b""` is the end of input.

        Args:
            data: any number of them.
            now: the time.
            cut: whether the input ended without the goodbye that there should have been (TLS's
                close_notify), so that anybody on the way may have ended it.
        """
        life, data = self._life, bytes(data)
        if life.parting is not None:
            return  # of a connection that is given up
        if life.state not in _DATA_IN:
            life.misuse(CallInput.DATA)
            return
        conversation, timer = life.attempt, life.timer
        assert isinstance(conversation, Conversation)
        if conversation.ended:
            if data:
                raise ExchangeUsageError("receive_data: there is no more after the end of input")
            return
        conversation.ended = not data
        conversation.http.receive_data(data)
        conversation.unheard = True
        if cut:
            conversation.cut = True
            if life.response is not None:
                life.response.cut = True
        timer.asked = timer.late = False
        if life.state is _WRITING:
            return
        timer.until = None
        if life.state is _LAST_WORD:
            if data:
                life.state = CallState.HEAD
            else:
                fail(life, conversation.unwritten, now)


class _UpgradeCall(PipeCall["RealtimeConnected"]):
    """An upgrade as a call, where a session is asked for the rest."""

    def __init__(self, session: Upgrades) -> None:
        self._life = Lifecycle(_RULES, _Session(session), None, None)


class _Session:
    """A session in the place of an exchange."""

    streaming = False
    upgrades = True
    # A session conceals its errors by itself.
    secrets = ()

    def __init__(self, session: Upgrades) -> None:
        self._session = session
        self.attempts = 0
        self.receive = session.receive

    def next_action(self, now: float) -> "Union[Send, Wait, Done[RealtimeConnected]]":
        action = self._session.next_action(now)
        if isinstance(action, Send):
            self.attempts += 1
        return action if isinstance(action, (Send, Wait)) else Done(action)
