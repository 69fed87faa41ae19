"""The methods that `PipeCall` and `ClientCall` share.

The two differ in how a host reports what happens up to the head of a response: see `pipe_call` and
`client_call`. `lifecycle` and the steps decide what follows from each report.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import NotRequired, Required, TypedDict

# Imports for odd cases, before a host's event loop runs.
from meshapi_core import _preloaded as _preloaded
from meshapi_core.bodies import OpenBody
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.failures import Advice
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.machines.common_steps import body_failed
from meshapi_core.machines.exchange import Exchange, Send
from meshapi_core.machines.lifecycle import Lifecycle, Rules
from meshapi_core.machines.responses import StreamedResponse
from meshapi_core.machines.states import CallInput, CallState
from meshapi_core.messages import SUCCESS, Failure, Origin, Request, interrupted
from meshapi_core.readers import BodyDecoder
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, NeedData

__all__ = ["NO_ADVICE", "CallMachine", "CallOptions"]

T = TypeVar("T")
ActionT = TypeVar("ActionT")

NO_ADVICE = Advice()

# Looked up for each item. By the name of its class, a member takes ten times as long up to 3.11.
_BODY = CallState.BODY
_ITEMS = CallState.ITEMS


class CallOptions(TypedDict, total=False):
    """The arguments of a machine besides its call and its configuration; see `PipeCall`."""

    now: Required[float]
    random_bytes: Required[Callable[[int], bytes]]
    unix_time: NotRequired[Optional[float]]


class CallMachine(Generic[T, ActionT]):
    """A call, except for how an attempt gets the head of its response."""

    _rules: ClassVar[Rules]
    _exchange_class: ClassVar[type[Exchange[Any]]] = Exchange
    _lifecycle_class: ClassVar[type[Lifecycle]] = Lifecycle

    def __init__(
        self,
        call: Any,
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
        unix_time: Optional[float] = None,
    ) -> None:
        exchange = self._exchange_class(call, config, now=now, random_bytes=random_bytes)
        self._life = self._lifecycle_class(
            self._rules,
            exchange,
            Send(exchange.request, config.time_limits, exchange.deadline),
            None if unix_time is None else unix_time - now,
        )

    # What is known

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._life.state

    @property
    def attempts(self) -> int:
        """How many attempts have begun."""
        return self._life.exchange.attempts

    @property
    def status(self) -> int:
        """The status of the response; 0 until it has begun."""
        response = self._life.response
        return 0 if response is None else response.head.status

    @property
    def headers(self) -> Headers:
        """The headers of the response; empty until it has begun."""
        response = self._life.response
        return Headers() if response is None else response.head.headers

    @property
    def request_id(self) -> str:
        """The request ID; "" until the response has begun, and where it has none."""
        return find_request_id(self.headers)

    @property
    def meta(self) -> ResponseMeta:
        """What is known about the response; nothing until it has begun."""
        return ResponseMeta(self.status, self.headers, self.attempts, self._life.exchange.elapsed)

    @property
    def complete(self) -> bool:
        """Whether a stream has come to its end; False for other responses."""
        return self.decoder is not None and self.decoder.complete

    def partial(self) -> Any:
        """Return the partial response: what has arrived of a stream; None for other responses."""
        return None if self.decoder is None else self.decoder.partial()

    @property
    def decoder(self) -> Optional[BodyDecoder[T]]:
        """The decoder of a stream; None until it has begun, and for other responses."""
        response = self._life.response
        return None if response is None else response.decoder

    @property
    def request(self) -> Request:
        """The request, with its files open."""
        return self._life.request

    @property
    def origin(self) -> Origin:
        """The server that the request goes to."""
        return self._life.send.request.origin

    @property
    def deadline(self) -> Optional[float]:
        """When the whole call runs out of time; None is never."""
        return self._life.send.deadline

    # What to do

    def next_action(self, now: float) -> ActionT:
        """Return what to do next.

        Raises:
            MeshAPIError: the call has failed for good.
            Exception: reading a file of the request's body raised it.
        """
        life, steps = self._life, self._rules.steps
        action: Optional[ActionT]
        # A step returns None once it has moved the call on: then the new state's step is asked.
        # `parting` comes before any step, also before one that raises: the host must have let the
        # connection go before it connects again, and before it sees the error.
        while life.parting is None:
            action = steps[life.state](life, now)
            if action is not None:
                return action
        parting: ActionT = life.parting
        life.parting = None
        return parting

    def next_item(self) -> Union[T, NeedData]:
        """Return the next item of a stream, if it has arrived; NEED_DATA: ask `next_action`.

        A short cut that needs no time and returns no other action. Hosts ask it first, for each
        item of a stream.
        """
        response, state = self._life.response, self._life.state
        if not isinstance(response, StreamedResponse):
            return NEED_DATA
        if state is not _BODY and state is not _ITEMS:
            return NEED_DATA
        try:
            event: Any = response.next_chunk()
        except MeshAPIError:
            # The decoder raises it again for `next_action`, which gives up the connection first.
            return NEED_DATA
        if event is NEED_DATA or event is END_OF_STREAM:
            return NEED_DATA
        # An item arrived: `Timeout.idle` begins anew when the next one is waited for.
        response.idle_until = None
        item: T = event
        return item

    # The outcome

    def token(self, value: object) -> None:
        """What the source of the last `GetToken` returned, whatever that is.

        If it cannot be sent, `next_action` raises an `InvalidParamsError`, which does not show it.
        """
        life = self._life
        if (life.state, CallInput.TOKEN) not in self._rules.transitions:
            del value
            life.misuse(CallInput.TOKEN)
            return
        life.exchange.token(value)
        life.state = CallState.READY

    def opened(self, body: OpenBody, now: float) -> None:
        """The files are open."""
        life = self._life
        if (life.state, CallInput.OPENED) not in self._rules.transitions:
            life.misuse(CallInput.OPENED)
            return
        life.body = body
        life.begin()

    def handle_timer(self, now: float) -> None:
        """The limit of the last action may have run out. Harmless at any other time."""
        life = self._life
        until = life.timer.until
        # A timer that goes off early must not fail a call that still has time.
        if until is None or now < until:
            return
        if (life.state, CallInput.FAIL) in self._rules.transitions:
            life.expire(now)

    def fail(
        self,
        exc: BaseException,
        now: float,
        *,
        advice: Advice = NO_ADVICE,
        where: str = "",
    ) -> None:
        """The last action failed; `next_action` says what follows.

        Args:
            exc: the exception, from whatever library; `failure_of` says what it means. A time-out
                is that of the action's limit. A `MeshAPIError` is final.
            now: the time.
            advice: what the host knows about its surroundings.
            where: the other end of the connection, if it was a proxy: see `failure_of`. The default
                is the server.

        Raises:
            BaseException: `exc` itself, where nothing has failed: cancellation, KeyboardInterrupt
                and the like. (The time-outs of gevent and curio are not an `Exception` either, but
                count as failures.)
        """
        life = self._life
        if not life.hears_failures():
            return
        if life.state is CallState.TOKEN:
            # The program's own function has raised it: to the program, it means what it is.
            if not isinstance(exc, Exception):
                raise exc
            life.fail_for_good(exc)
            return
        # An error of ours is final, such as that of a file that changed while it was uploaded. But
        # a stream that is DRAINING has given all its items, and nothing can fail it any more.
        if isinstance(exc, MeshAPIError) and life.state is not CallState.DRAINING:
            life.fail_for_good(exc)
        else:
            self.receive_failure(life.failed_with(exc, now, advice, where), now)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed, as `fail`, for a host that has a `Failure` already."""
        if self._life.hears_failures():
            self._life.take_failure(failure, now)

    def interrupted(self, exc: BaseException, now: float) -> None:
        """Reading was interrupted; the next `next_action` goes on with it.

        There is one exception. The head of an error response has come: then the call ends with that
        error now, and does not wait for the rest of its body.
        """
        is_body = self._life.state is CallState.BODY
        # A stream and a successful response lose nothing by going on: `Read` is given again.
        if is_body and self.decoder is None and self.status not in SUCCESS:
            self.receive_failure(interrupted(type(exc).__name__), now)

    def close(self, failure: Failure, now: float) -> None:
        """Nobody wants the rest (`stream_closed`), or the client has been closed (`client_closed`).

        Legal at any time, and harmless after the end. `next_action` gives up what the call holds,
        and then raises the failure's error; a stream first returns the items that have come. The
        host may still report the outcome of its last action, which changes nothing.
        """
        life = self._life
        life.closed = True
        # What has come of a stream is the caller's. In ITEMS and DRAINING its body is not needed
        # any more, so that closing does not make a complete stream an interrupted one.
        if life.state is CallState.BODY and self.decoder is not None:
            body_failed(life, failure, now, now)
        elif life.state is CallState.DRAINING:
            self.receive_failure(failure, now)
        elif life.state not in (CallState.ITEMS, CallState.DONE, CallState.FAILED):
            life.fail_for_good(failure.error)
