"""A call over byte pipes as one machine: connections, bytes, waits, items. No I/O, no clock.

Theory of operation. A host asks `next_action` what to do, does it, and reports the outcome; that is
all it has to know. The machine decides everything else: which attempt follows which, which limit
applies when, who gets the body of a response, whether a connection can be kept, and what an error
means.

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

An attempt goes through these states. If one of them fails or takes too long, the exchange decides
whether another attempt follows:

    READY ─▶ OPENING ─▶ CONNECTING ─▶ WRITING ─▶ HEAD ─▶ BODY ─▶ DRAINING ─▶ DONE
      ▲    (uploads)                     │        ▲       │     (streams)      ▲
      │                                  ▼        │       ├────▶ ITEMS ────────┤
      └── WAITING ◀── the exchange       LAST_WORD        │    (streams)       │
                                                          FAILED ◀── or ───────┘

A whole response leads from BODY back to READY: the exchange reads it, and has the result (DONE),
the next attempt, or an error.

- After an interrupt (a cancelled task, an exception from a signal handler) `next_action` returns
  the same action again, and its limit runs on; nothing is lost. Where the pipe has taken the data
  of an interrupted Write, and will send it, the host calls `written` all the same.
- A host whose event loop pushes bytes passes them to `receive_data` whenever they arrive, even
  between two items.
- `handle_timer` may be called at any time, early or late.
- A call that is no longer wanted can just be dropped: the host closes the connection.
- An error is final: every further `next_action` raises it again. Before that, the call has given up
  its connection by a `Release`. Even so, a host closes what it holds whenever an exception leaves
  it.
- A call that asked for another protocol and got it (`RealtimeCall`) keeps its connection: there is
  no `Release`, and `http.trailing_data` has the first bytes.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 6.3, 9.2, 9.3, 9.5, 9.6)
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
    GetToken,
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

__all__ = ["PipeAction", "PipeCall", "UpgradeCall", "Upgrades"]

T = TypeVar("T")
U = TypeVar("U")

PipeAction: TypeAlias = Union[
    GetToken, OpenFiles, Connect, Write, Read, Release, Sleep, Item[T], Finished
]
"""What `PipeCall.next_action` returns."""

# (state, input) -> the states it may lead to. Any other input is a mistake of the host. The steps
# between two inputs are not here: `next_action` moves WRITING to HEAD, HEAD to BODY, and so on.
TRANSITIONS: Table = {
    **COMMON,
    (CallState.OPENING, CallInput.OPENED): frozenset({CallState.CONNECTING}),
    (CallState.CONNECTING, CallInput.QUEUE): frozenset({CallState.CONNECTING}),
    # READY: the connection cannot take the request, such as one that has sent bytes unasked.
    (CallState.CONNECTING, CallInput.CONNECTED): frozenset({CallState.WRITING, CallState.READY}),
    (CallState.CONNECTING, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.WRITING, CallInput.WRITTEN): frozenset({CallState.WRITING}),
    # A response may come before the request has been written: the next step looks at it.
    (CallState.WRITING, CallInput.DATA): frozenset({CallState.WRITING}),
    (CallState.WRITING, CallInput.FAIL): frozenset(
        {CallState.LAST_WORD, CallState.HEAD, CallState.READY, CallState.FAILED}
    ),
    (CallState.LAST_WORD, CallInput.DATA): frozenset({CallState.HEAD, CallState.READY}),
    (CallState.LAST_WORD, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.HEAD, CallInput.DATA): frozenset({CallState.HEAD}),
    # ITEMS: the head of a stream had come with the bytes before the failure.
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
    """The part of a session that `PipeCall.upgrade` needs, as `RealtimeExchange` has it."""

    def next_action(self, now: float) -> "Union[Send, Wait, RealtimeConnected, GetToken]":
        """What to do next."""
        ...

    def token(self, value: object) -> None:
        """Take what the source of the last `GetToken` returned."""
        ...

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the outcome of the last `Send`."""
        ...


class PipeCall(CallMachine[T, PipeAction[T]], Generic[T]):
    """One call over byte pipes, from its first attempt to its last item.

    Args:
        call: what to send and how to read the response. A `StreamCall` gives one `Item` for each
            chunk; any other call gives one, its result.
        config: the gateway, the time limits and the retry policy.
        now: the time at which the call begins, on a clock that does not go back.
        random_bytes: `os.urandom`; see `Exchange`.
        unix_time: the time at `now`, in Unix seconds. Only used for a Retry-After date in a
            response without a Date header.
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
        """The call that makes the next connection of a session, which decides on the attempts.

        Its one item is what the session's `next_action` returns once the connection is open. The
        connection then stays with the host (see above), and `switched` has the headers of the 101.
        """
        return UpgradeCall(session)

    @property
    def http(self) -> Optional[HTTP11Connection]:
        """The machine of the call's connection; None while it has no connection."""
        attempt = self._life.attempt
        return attempt.http if isinstance(attempt, Conversation) else None

    @property
    def switched(self) -> Optional[Headers]:
        """The headers of the response to an upgrade; None until it has come."""
        return self._life.switched

    def queued(self, now: float) -> Optional[float]:
        """No connection is free, and the call has to queue. Returns when that time runs out."""
        life = self._life
        if life.state not in _QUEUED_IN:
            life.misuse(CallInput.QUEUE)
            return None
        until = life.timer.until = cast(Connecting, life.attempt).queue(life.send, now)
        return until

    def opening(self, now: float) -> Optional[float]:
        """The host is about to open a connection. Returns when that time runs out."""
        life = self._life
        if life.state not in _QUEUED_IN:
            life.misuse(CallInput.QUEUE)
            return None
        until = life.timer.until = cast(Connecting, life.attempt).open(life.send, now)
        return until

    def connected(self, now: float, http: Optional[HTTP11Connection] = None) -> None:
        """The host has a connection.

        Args:
            now: the time.
            http: its machine: for a kept connection, the one that `Release` returned.
        """
        life = self._life
        if http is None:
            http = HTTP11Connection()
        if life.state not in _CONNECTED_IN:
            life.misuse(CallInput.CONNECTED)
            # The call was closed while the host connected: nobody wants the connection.
            life.parting = Release(reusable=False, http=http)
            return
        if http.via is not None:
            life.exchange.further_secrets = http.via.secrets
        conversation = life.attempt = Conversation(http, now)
        life.timer.until = None
        life.timer.asked = life.timer.late = False
        life.state = _WRITING
        try:
            request = life.send.request if life.body is None else life.request
            conversation.pieces = iter(http.send(request))
        except APIConnectionError as exc:
            # The machine refuses, such as after unasked bytes (`desync`): not this connection.
            fail(life, life.failed(exc, now), now)

    def written(self) -> None:
        """All data of the last `Write` has been written, or is left to the pipe to write."""
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
            data: any number of bytes.
            now: the time.
            cut: whether the input ended without TLS's close_notify, so that anybody on the way may
                have ended it.
        """
        life, data = self._life, bytes(data)
        if life.parting is not None:
            return  # of a connection that is being given up
        if life.state not in _DATA_IN:
            life.misuse(CallInput.DATA)
            return
        conversation, timer = life.attempt, life.timer
        assert isinstance(conversation, Conversation)
        if conversation.ended:
            if data:
                raise ExchangeUsageError(
                    "receive_data: there can be no data after the end of input"
                )
            return
        conversation.ended = not data
        # Only stored here. The next step parses it, so that a host gets errors from `next_action`,
        # and never in a callback of its event loop.
        conversation.http.receive_data(data)
        conversation.unheard = True
        if cut:
            conversation.cut = True
            if life.response is not None:
                life.response.cut = True
        timer.asked = timer.late = False
        # While a piece is being written, the limit in force is that of the Write, and runs on.
        if life.state is _WRITING:
            return
        timer.until = None
        if life.state is _LAST_WORD:
            # The server did say something: its response is the outcome, whatever kept us from
            # writing. If it only hung up, the failed write is.
            if data:
                life.state = CallState.HEAD
            else:
                fail(life, conversation.unwritten, now)


class UpgradeCall(PipeCall["RealtimeConnected"]):
    """An upgrade as a call, whose attempts a session decides on."""

    def __init__(self, session: Upgrades) -> None:
        self._life = Lifecycle(_RULES, _Session(session), None, None)


class _Session:
    """A session in the place of an exchange."""

    streaming = False
    upgrades = True
    # A session conceals secrets in its errors itself.
    secrets = ()
    further_secrets: tuple[str, ...] = ()

    def __init__(self, session: Upgrades) -> None:
        self._session = session
        self.attempts = 0
        self.began: Optional[float] = None
        self.elapsed = 0.0
        self.receive = session.receive
        self.token = session.token

    def next_action(self, now: float) -> "Union[Send, Wait, Done[RealtimeConnected], GetToken]":
        action = self._session.next_action(now)
        if isinstance(action, Send):
            self.attempts += 1
        # Anything else is the open connection, which is the result of this call.
        return action if isinstance(action, (Send, Wait, GetToken)) else Done(action)
