"""A call through an HTTP client as one machine: requests, answers, waits, items. No I/O, no clock.

For hosts that have an HTTP client: fetch, aiohttp, urllib3, Qt, curl, httpx. It decides all that
`PipeCall` does, but for what the client does by itself: connections, and HTTP as bytes.

    call = ClientCall(completions_call, config, now=clock(), random_bytes=os.urandom)
    while True:
        action = call.next_action(clock())
        if isinstance(action, SendRequest):
            request = action.request
            url, headers = request.plain_url, request.plain_headers()
            answer = client.send(request.method, url, headers, action.content)
            call.receive_head(answer.status, answer.headers, clock())
        elif isinstance(action, ReadBody):
            call.receive_body(answer.read(), clock())   # b"" at the end
        elif isinstance(action, Abort):
            answer.close()
        elif isinstance(action, Sleep):
            sleep(action.seconds(clock()))
        elif isinstance(action, Item):
            print(action.value)
        elif isinstance(action, Finished): break

    READY ─▶ OPENING ─▶ SENDING ─▶ BODY ─▶ DRAINING, ITEMS ─▶ DONE
      ▲    (uploads)       │         │        (streams)
      └── WAITING ◀── the exchange ──┴──────────────────────▶ FAILED

What the client must leave alone: it follows no redirect, repeats nothing, decodes no content coding
(or leaves `Content-Encoding` out of the headers that it gives), and hands the body out as it comes.
The rules of `PipeCall` for interrupts, timers and errors hold here, too; but a request whose
sending was interrupted is not given again: see `interrupted`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Optional, TypeVar, Union, overload

from msgspec import structs
from typing_extensions import Buffer, Protocol, TypeAlias

from meshapi_core.bodies import PIECE
from meshapi_core.calls import AnyCall, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APITimeoutError, MeshAPIError, StreamInterruptedError
from meshapi_core.failures import (
    Advice,
    Phase,
    failure_of,
    timed_out,
    unexpected_status,
)
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import (
    Abort,
    Finished,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from meshapi_core.machines.answers import earliest
from meshapi_core.machines.call_machine import (
    COMMON,
    NO_ADVICE,
    CallInput,
    CallMachine,
    CallState,
    Steps,
    Table,
)
from meshapi_core.machines.pace import INTERIM_TIMES
from meshapi_core.messages import Failure, Stage, interrupted
from meshapi_core.signals import END_OF_BODY, NEED_DATA, EndOfBody, NeedData

__all__ = ["ClientAction", "ClientCall"]

T = TypeVar("T")
U = TypeVar("U")

ClientAction: TypeAlias = Union[OpenFiles, SendRequest, ReadBody, Abort, Sleep, Item[T], Finished]
"""What `ClientCall.next_action` returns."""

# (state, input) -> the states it may lead to. What is not here is a mistake of the host's.
TRANSITIONS: Table = {
    **COMMON,
    (CallState.OPENING, CallInput.OPENED): frozenset({CallState.SENDING}),
    (CallState.SENDING, CallInput.SENT): frozenset({CallState.SENDING}),
    (CallState.SENDING, CallInput.HEAD): frozenset(
        {CallState.BODY, CallState.READY, CallState.FAILED}
    ),
    (CallState.SENDING, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.BODY, CallInput.BODY): frozenset({CallState.BODY}),
    (CallState.DRAINING, CallInput.BODY): frozenset({CallState.DRAINING}),
}

_PHASES: dict[str, Phase] = {"connect": "connect", "pool": "pool"}
_INTERRUPTED = "a read of this stream was interrupted"
_PROXY_REFUSED = 407


class Fields(Protocol):
    """Header fields as mappings have them, and the standard library's messages."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Pairs of names and values."""
        ...


class _ReceivedBody:
    """The body as far as it has come: a source for `Incoming`."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.ended = False

    def receive(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
        else:
            self.ended = True

    def next_event(self) -> Union[bytes, EndOfBody, NeedData]:
        if self._pieces:
            return self._pieces.popleft()
        return END_OF_BODY if self.ended else NEED_DATA


class ClientCall(CallMachine[T], Generic[T]):
    """One call through an HTTP client, from its first attempt to its last item.

    Args:
        call, config, now, random_bytes, unix_time: as for `PipeCall`.
    """

    transitions: ClassVar[Table] = TRANSITIONS

    # Whether there is a request or an answer to give up, and whether it is an answer.
    _under_way = False
    _answered = False
    # Of the request: when it was given out, and whether its connection had served before.
    _began = 0.0
    _reused = False
    # Whether the client tells when a request has been sent.
    _tells = False
    # How far it had come, where the host knows better.
    _told_stage: Optional[Stage] = None

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "ClientCall[U]",
            call: StreamCall[U],
            config: MeshAPIConfig,
            *,
            now: float,
            random_bytes: Callable[[int], bytes],
            unix_time: Optional[float] = None,
        ) -> None: ...

        @overload
        def __init__(
            self: "ClientCall[U]",
            call: AnyCall[U],
            config: MeshAPIConfig,
            *,
            now: float,
            random_bytes: Callable[[int], bytes],
            unix_time: Optional[float] = None,
        ) -> None: ...

        def __init__(self, call: Any, config: MeshAPIConfig, **options: Any) -> None: ...

        def next_action(self, now: float) -> "ClientAction[T]": ...

    def _begin(self, now: float) -> None:
        self.state = CallState.SENDING
        self._source = _ReceivedBody()
        self._answered = self._reused = self._tells = False
        self._told_stage = self._until = None

    def _head_limit(self, now: float) -> Optional[float]:
        timeout, body = self._send.timeout, self._send.request.body
        # A client that has no limits of its own has the sum of ours.
        deadline = self._send.deadline
        if timeout.read is None:
            return deadline
        limits = (timeout.pool, timeout.connect, timeout.write, timeout.read)
        left = sum(limit for limit in limits if limit is not None)
        if timeout.write is not None:
            size = len(body) if isinstance(body, bytes) else len(self.request.body)  # type: ignore[arg-type]
            left += timeout.write * (size // PIECE)
        return earliest(now + left, deadline)

    def _next_of_sending(self, now: float) -> Optional[SendRequest]:
        send = self._send
        if not self._under_way:
            if send.deadline is not None and now >= send.deadline:
                # Opening its files took all the time.
                self._expire(now)
                return None
            self._began = now
            self._until = self._head_limit(now)
            self._under_way = True
        return SendRequest(
            request=self.request, timeout=send.timeout, fresh=send.fresh, until=self._until
        )

    def _reading(self, until: Optional[float]) -> ReadBody:
        return ReadBody(until=until)

    # What came of it

    def sent(self, now: float) -> Optional[float]:
        """The whole request has been sent: until when, at most, the head of its answer must come.

        For clients that tell. They pass over interim answers, which are a sign of life, so the
        limit is that of all of them.
        """
        if (self.state, CallInput.SENT) not in TRANSITIONS:
            self._misuse(CallInput.SENT)
            return None
        self._tells = True
        read = self._send.timeout.read
        self._until = earliest(
            None if read is None else now + INTERIM_TIMES * read, self._send.deadline
        )
        return self._until

    def receive_head(
        self,
        status: int,
        headers: "Union[Fields, Iterable[tuple[Any, Any]]]",
        now: float,
        *,
        where: str = "the server",
    ) -> None:
        """The head of the answer has come.

        Args:
            status: the final one.
            headers: pairs of names and values, str or bytes; or what has such `items()`.
            now: the time.
            where: who gave it; see `failure_of`.
        """
        if (self.state, CallInput.HEAD) not in TRANSITIONS:
            self._misuse(CallInput.HEAD)
            return
        self._until = None
        if not isinstance(headers, Headers):
            given: Any = headers
            headers = Headers(given.items() if hasattr(given, "items") else given)
        self._answered = True
        self._source = _ReceivedBody()
        if status == _PROXY_REFUSED or not 200 <= status <= 599:
            self._attempt_failed(unexpected_status(status, where), now)
            return
        self._receive_head(status, headers, self._source.next_event, now)

    def receive_body(self, data: Buffer, now: float, *, cut: bool = False) -> None:
        """Take the next piece of the body; `b""` is its end.

        Args:
            data: any number of bytes.
            now: the time.
            cut: whether the body ended with its connection, and that without TLS's goodbye.
        """
        if self._parting is not None:
            return  # of an answer that is given up
        if (self.state, CallInput.BODY) not in TRANSITIONS:
            self._misuse(CallInput.BODY)
            return
        self._asked = self._late = False
        self._until = None
        if cut and self._incoming is not None:
            self._incoming.cut = True
        self._source.receive(bytes(data))

    def fail(
        self,
        exc: BaseException,
        now: float,
        *,
        advice: Advice = NO_ADVICE,
        reused: bool = False,
        stage: Optional[Stage] = None,
    ) -> None:
        """The last action failed; `next_action` tells what follows.

        Args:
            exc, now, advice: as for `PipeCall.fail`.
            reused: the request went out on a connection that had served another one, and the client
                does not try again by itself: where the server had closed it meanwhile, the request
                is given once more, `fresh`.
            stage: how far the request had come, for clients that tell and whose exceptions don't:
                "connect" where nothing has been sent yet, "pool" where no connection was free.
        """
        if self._parting is not None:
            return
        if (self.state, CallInput.FAIL) not in TRANSITIONS:
            self._misuse(CallInput.FAIL)
            return
        self._reused = reused
        self._told_stage = None if self._answered else stage
        if isinstance(exc, MeshAPIError):
            # All others come to `receive_failure`, or are none.
            self._under_way = self._answered and self._under_way
        super().fail(exc, now, advice=advice)

    def interrupted(self, exc: BaseException, now: float) -> None:
        """The last action was interrupted, and the client can't go on with it.

        What may have been sent is not sent again: the call fails. An error that had come is known
        all the same, without the words that nobody waited for.
        """
        if self.state is CallState.SENDING:
            self._fail_for_good(
                StreamInterruptedError(
                    f"{_INTERRUPTED} ({type(exc).__name__}) before the answer began; the request"
                    " may have been sent, and is not sent again"
                )
            )
        elif self.state in (CallState.BODY, CallState.DRAINING) and not self._source.ended:
            self.receive_failure(interrupted(_INTERRUPTED), now)

    # How things end

    @property
    def _phase(self) -> Phase:
        return "read"

    @property
    def _stage(self) -> Stage:
        return self._told_stage or ("reply" if self._answered else "request")

    def _failure(self, exc: BaseException, now: float, advice: Advice) -> Failure:
        phase, late = self._limit(self._over(now))
        return failure_of(
            exc,
            self._stage,
            where=str(self._send.request.origin),
            timeout=self._send.timeout,
            phase=phase if self.state is CallState.BODY else _PHASES.get(self._stage),
            late=late,
            reused=self._reused,
            silence=now - self._began,
            advice=advice,
        )

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed in a way of which the host has a `Failure`."""
        if self._parting is not None:
            return
        if (self.state, CallInput.FAIL) not in TRANSITIONS:
            self._misuse(CallInput.FAIL)
            return
        # A request that failed is over; an answer that did is still to be closed.
        self._under_way = self._answered and self._under_way
        if failure.timed_out and self.state is CallState.SENDING and self._limit(now)[1]:
            # No phase of its own, but the whole call took too long, as is known here.
            cause, error = failure.error.__cause__, self._expiry(now).error
            failure = structs.replace(failure, error=error)
            error.__cause__ = cause
        super().receive_failure(failure, now)

    def _expire(self, now: float) -> None:
        super().receive_failure(self._expiry(now), now)

    def _expiry(self, now: float) -> Failure:
        phase, late = self._limit(now)
        error = timed_out(phase, self._send.timeout, late=late)
        if self.state is CallState.SENDING and not late and not self._tells:
            # Nobody knows which phase it was.
            error = APITimeoutError(
                "connecting, sending the request and waiting for the answer took longer than"
                f" {now - self._began:.3g} s in all",
                phase=phase,
            )
        return Failure(error, self._stage)

    def _give_back(self) -> None:
        if not self._source.ended:
            self._give_up()
        self._under_way = self._answered = False

    def _give_up(self) -> None:
        if self._under_way and not (self._answered and self._source.ended):
            self._parting = Abort()
        self._under_way = self._answered = False

    _steps: ClassVar[Steps] = {
        **CallMachine._steps,
        CallState.SENDING: _next_of_sending,
    }
