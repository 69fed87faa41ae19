"""A call through an HTTP client as one machine: requests, responses, waits, items. No I/O, no
clock.

For hosts that have an HTTP client: fetch, aiohttp, urllib3, Qt, curl, httpx. It decides everything
that `PipeCall` decides, except for what the client does itself: connections, and HTTP as bytes.

    call = ClientCall(completions_call, config, now=clock(), random_bytes=os.urandom)
    while True:
        action = call.next_action(clock())
        if isinstance(action, SendRequest):
            request = action.request
            url, headers = request.plain_url, request.plain_headers()
            response = client.send(request.method, url, headers, action.content)
            call.receive_head(response.status, response.headers, clock())
        elif isinstance(action, ReadBody):
            call.receive_body(response.read(), clock())   # b"" at the end
        elif isinstance(action, Abort):
            response.close()
        elif isinstance(action, Sleep):
            sleep(action.seconds(clock()))
        elif isinstance(action, Item):
            print(action.value)
        elif isinstance(action, Finished): break

    READY ─▶ OPENING ─▶ SENDING ─▶ BODY ─▶ DRAINING, ITEMS ─▶ DONE
      ▲    (uploads)       │         │        (streams)
      └── WAITING ◀── the exchange ──┴──────────────────────▶ FAILED

The client must not follow redirects or retry. It must hand out the body as it arrives, and
decode no content coding (or leave `Content-Encoding` out of the headers that it gives). The rules
of `PipeCall` for interrupts, timers and errors apply here, too, with one exception: a request whose
sending was interrupted is not given again. See `interrupted`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Optional, TypeVar, Union, overload

from typing_extensions import Buffer, Protocol, TypeAlias, Unpack

from meshapi_core.calls import AnyCall, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError, StreamInterruptedError
from meshapi_core.failures import Advice, unexpected_status
from meshapi_core.headers import Headers
from meshapi_core.machines import client_attempts, common_steps
from meshapi_core.machines.actions import (
    Abort,
    Finished,
    GetToken,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from meshapi_core.machines.call_machine import NO_ADVICE, CallMachine, CallOptions
from meshapi_core.machines.client_attempts import ClientAttempt, attempt_of
from meshapi_core.machines.lifecycle import Rules
from meshapi_core.machines.pace import INTERIM_TIMES
from meshapi_core.machines.states import COMMON, CallInput, CallState, Table
from meshapi_core.machines.timer import earliest
from meshapi_core.messages import FINAL, SUCCESS, Failure, Stage, interrupted
from meshapi_core.proxies.refusals import A_PROXY, hint_for_clients, wants_credentials

__all__ = ["ClientAction", "ClientCall"]

T = TypeVar("T")
U = TypeVar("U")

ClientAction: TypeAlias = Union[
    GetToken, OpenFiles, SendRequest, ReadBody, Abort, Sleep, Item[T], Finished
]
"""What `ClientCall.next_action` returns."""

# (state, input) -> the states it may lead to. Any other input is a mistake of the host.
TRANSITIONS: Table = {
    **COMMON,
    (CallState.OPENING, CallInput.OPENED): frozenset({CallState.SENDING}),
    (CallState.SENDING, CallInput.SENT): frozenset({CallState.SENDING}),
    # READY: a status that no gateway returns, such as 407; the exchange judges that failure.
    # FAILED: a stream was asked for, and its reader refuses the head of the response.
    (CallState.SENDING, CallInput.HEAD): frozenset(
        {CallState.BODY, CallState.READY, CallState.FAILED}
    ),
    (CallState.SENDING, CallInput.FAIL): frozenset({CallState.READY, CallState.FAILED}),
    (CallState.BODY, CallInput.BODY): frozenset({CallState.BODY}),
    (CallState.DRAINING, CallInput.BODY): frozenset({CallState.DRAINING}),
}

_INTERRUPTED = "a read of this stream was interrupted"
_PROXY_REFUSED = 407


class HeaderMapping(Protocol):
    """Headers in a mapping, or in a message of the standard library."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Pairs of names and values."""
        ...


_RULES = Rules(
    TRANSITIONS,
    {**common_steps.STEPS, **client_attempts.STEPS},
    {**common_steps.FAILINGS, **client_attempts.FAILINGS},
    begin=ClientAttempt,
    first=CallState.SENDING,
)


class ClientCall(CallMachine[T, ClientAction[T]], Generic[T]):
    """One call through an HTTP client, from its first attempt to its last item.

    Args:
        call, config, now, random_bytes, unix_time: as for `PipeCall`.
    """

    transitions: ClassVar[Table] = TRANSITIONS
    _rules: ClassVar[Rules] = _RULES

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "ClientCall[U]",
            call: StreamCall[U],
            config: MeshAPIConfig,
            **options: Unpack[CallOptions],
        ) -> None: ...

        @overload
        def __init__(
            self: "ClientCall[U]",
            call: AnyCall[U],
            config: MeshAPIConfig,
            **options: Unpack[CallOptions],
        ) -> None: ...

        def __init__(self, call: Any, config: MeshAPIConfig, **options: Any) -> None: ...

    # The outcome

    def sent(self, now: float) -> Optional[float]:
        """The whole request has been sent. Returns when the head of its response is due.

        For clients that report it. They hide interim responses, each of which would extend the
        limit, so the limit is the longest that interim responses could reach.
        """
        life = self._life
        if (life.state, CallInput.SENT) not in TRANSITIONS:
            life.misuse(CallInput.SENT)
            return None
        # From here a time-out is that of `read`; before, nobody knows the phase.
        attempt_of(life).tells = True
        read = life.send.timeout.read
        until = earliest(None if read is None else now + INTERIM_TIMES * read, life.send.deadline)
        if life.send.answer_within is not None:
            life.answer_until = now + life.send.answer_within
            until = earliest(until, life.answer_until)
        life.timer.until = until
        return until

    def hide(self, secrets: Iterable[str]) -> None:
        """No error of this call may show these: they were added to the request on its way."""
        exchange: Any = self._life.exchange
        known = exchange.further_secrets
        exchange.further_secrets = (*known, *(new for new in secrets if new not in known))

    def receive_head(
        self,
        status: int,
        headers: "Union[HeaderMapping, Iterable[tuple[Any, Any]]]",
        now: float,
        *,
        where: str = "the server",
        credentials: bool = False,
    ) -> None:
        """The head of the response has arrived.

        Args:
            status: the final one.
            headers: pairs of names and values, str or bytes; or an object whose `items()` are.
            now: the time.
            where: who sent it; see `failure_of`.
            credentials: whether the client gave its proxy a user name and a password.
        """
        life = self._life
        if (life.state, CallInput.HEAD) not in TRANSITIONS:
            life.misuse(CallInput.HEAD)
            return
        life.timer.until = None
        within = life.send.answer_within
        if within is not None:
            # A client that does not report `sent` has sent it by now.
            life.answer_until = earliest(life.answer_until, now + within)
        if not isinstance(headers, Headers):
            given: Any = headers
            headers = Headers(given.items() if hasattr(given, "items") else given)
        attempt = attempt_of(life)
        # First of all: from here a failure is at the stage "response", and needs an Abort.
        attempt.answered = True
        proxy = where if status not in SUCCESS and where.startswith(A_PROXY) else ""
        if (
            status == _PROXY_REFUSED
            or status not in FINAL
            or (proxy and wants_credentials(status, headers))
        ):
            # RFC 9110: a 407 comes from a proxy (section 15.5.8), a 1xx is not final (15.2), and
            # what is not in 100 to 599 is no status (15).
            hint = hint_for_clients(given=credentials, headers=headers)
            life.fail_attempt(unexpected_status(status, where, hint), now)
        else:
            life.receive_head(status, headers, attempt.next_event, now, proxy=proxy)

    def receive_body(self, data: Buffer, now: float, *, cut: bool = False) -> None:
        """Take the next piece of the body; `b""` is its end.

        Args:
            data: any number of bytes.
            now: the time.
            cut: whether the body ended with its connection, and that without TLS's close_notify.
        """
        life = self._life
        if life.parting is not None:
            return  # of a response that is being given up
        if (life.state, CallInput.BODY) not in TRANSITIONS:
            life.misuse(CallInput.BODY)
            return
        life.timer.asked = life.timer.late = False
        life.timer.until = None
        if cut and life.response is not None:
            life.response.cut = True
        attempt_of(life).receive_body(bytes(data))

    def fail(
        self,
        exc: BaseException,
        now: float,
        *,
        advice: Advice = NO_ADVICE,
        where: str = "",
        reused: bool = False,
        stage: Optional[Stage] = None,
    ) -> None:
        """The last action failed; `next_action` says what follows.

        Args:
            exc, now, advice, where: as for `PipeCall.fail`.
            reused: the request went out on a connection that had served another one, and the client
                does not retry by itself: if the server had closed that connection meanwhile, the
                request is given once more, `fresh`.
            stage: how far the request had come, where the client knows and its exceptions do not
                say: "connect" if nothing had been sent yet, "pool" if no connection was free.
        """
        if not self._life.hears_failures():
            return
        attempt = attempt_of(self._life)
        attempt.reused = reused
        attempt.told_stage = None if attempt.answered else stage
        if isinstance(exc, MeshAPIError):
            # Other failures pass through `receive_failure`, which does this; and after an interrupt
            # (which `super().fail` raises) the request may still be under way, and need an Abort.
            attempt.let_go()
        super().fail(exc, now, advice=advice, where=where)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed, as `fail`, for a host that has a `Failure` already."""
        if self._life.hears_failures():
            attempt_of(self._life).let_go()
            self._life.take_failure(failure, now)

    def interrupted(self, exc: BaseException, now: float, *, resumable: bool = False) -> None:
        """The last action was interrupted, and the client cannot go on with it.

        A request that may have been sent is not sent again: the call fails. If the head of an error
        response has come, the call ends with that error, without the rest of its body.

        Args:
            exc: the exception that interrupted it.
            now: the time.
            resumable: whether the client can go on with a read, so that only an error response ends
                here.
        """
        state = self._life.state
        if resumable and state is not CallState.SENDING:
            super().interrupted(exc, now)
            return
        if state is CallState.SENDING:
            # Not an attempt that failed, which the exchange might retry: the server may be at work
            # on this request, and the program chose to stop.
            self._life.fail_for_good(
                StreamInterruptedError(
                    f"{_INTERRUPTED} ({type(exc).__name__}) before the response began; the request"
                    " may have been sent, and is not sent again"
                )
            )
        elif state in (CallState.BODY, CallState.DRAINING) and not attempt_of(self._life).ended:
            self.receive_failure(interrupted(_INTERRUPTED), now)
