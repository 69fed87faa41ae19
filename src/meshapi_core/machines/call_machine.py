"""What hosts of a `PipeCall` and of a `ClientCall` ask and tell alike.

How an attempt gets the head of its response is told differently, and stands in `pipe_call` and
`client_call`. What becomes of all that, `lifecycle` and the steps decide.
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
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, NeedData

__all__ = ["NO_ADVICE", "CallMachine", "CallOptions"]

T = TypeVar("T")
ActionT = TypeVar("ActionT")

NO_ADVICE = Advice()

# Looked up for each item. By the name of its class, a member takes ten times as long up to 3.11.
_BODY = CallState.BODY
_ITEMS = CallState.ITEMS


class CallOptions(TypedDict, total=False):
    """What a machine is told beside its call and its configuration; see `PipeCall`."""

    now: Required[float]
    random_bytes: Required[Callable[[int], bytes]]
    unix_time: NotRequired[Optional[float]]


class CallMachine(Generic[T, ActionT]):
    """A call, but for how an attempt gets the head of its response."""

    _rules: ClassVar[Rules]

    def __init__(
        self,
        call: Any,
        config: MeshAPIConfig,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
        unix_time: Optional[float] = None,
    ) -> None:
        exchange: Exchange[Any] = Exchange(call, config, now=now, random_bytes=random_bytes)
        self._life = Lifecycle(
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
        """The header fields of the response; empty until it has begun."""
        response = self._life.response
        return Headers() if response is None else response.head.headers

    @property
    def request_id(self) -> str:
        """The server's id of the request; "" until the response has begun, or without one."""
        return find_request_id(self.headers)

    @property
    def complete(self) -> bool:
        """Whether a stream has brought everything; False for other responses."""
        return self.decoder is not None and self.decoder.complete

    def partial(self) -> Any:
        """What has arrived of a stream, put together; None for other responses."""
        return None if self.decoder is None else self.decoder.partial()

    @property
    def decoder(self) -> Optional[BodyDecoder[T]]:
        """What reads a stream; None until it has begun."""
        response = self._life.response
        return None if response is None else response.decoder

    @property
    def request(self) -> Request:
        """What is sent, its files open."""
        return self._life.request

    @property
    def origin(self) -> Origin:
        """Where it is sent to."""
        return self._life.send.request.origin

    @property
    def deadline(self) -> Optional[float]:
        """When the whole call is over; None is never."""
        return self._life.send.deadline

    # What to do

    def next_action(self, now: float) -> ActionT:
        """What to do next.

        Raises:
            MeshAPIError: the call has failed for good.
            Exception: reading a file of the request's body raised it.
        """
        life, steps = self._life, self._rules.steps
        action: Optional[ActionT]
        while life.parting is None:
            action = steps[life.state](life, now)
            if action is not None:
                return action
        parting: ActionT = life.parting
        life.parting = None
        return parting

    def next_item(self) -> Union[T, NeedData]:
        """The next item of a stream where it has come already; NEED_DATA: ask `next_action`.

        A short cut that needs no time and gives no other action; it saves a call for each item.
        """
        response, state = self._life.response, self._life.state
        if not isinstance(response, StreamedResponse):
            return NEED_DATA
        if state is not _BODY and state is not _ITEMS:
            return NEED_DATA
        try:
            event: Any = response.next_chunk()
        except MeshAPIError:
            # It will say so again.
            return NEED_DATA
        if event is NEED_DATA or event is END_OF_STREAM:
            return NEED_DATA
        response.idle_until = None
        item: T = event
        return item

    # What came of it

    def opened(self, body: OpenBody, now: float) -> None:
        """The files are open."""
        life = self._life
        if (life.state, CallInput.OPENED) not in self._rules.transitions:
            life.misuse(CallInput.OPENED)
            return
        life.body = body
        life.begin()

    def handle_timer(self, now: float) -> None:
        """The time has come that the last action had to be done by. Harmless at any other time."""
        life = self._life
        until = life.timer.until
        if until is None or now < until:
            return
        if (life.state, CallInput.FAIL) in self._rules.transitions:
            life.expire(now)

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
        life = self._life
        if not life.hears_failures():
            return
        if isinstance(exc, MeshAPIError) and life.state is not CallState.DRAINING:
            life.fail_for_good(exc)
        else:
            self.receive_failure(life.failed_with(exc, now, advice), now)

    def receive_failure(self, failure: Failure, now: float) -> None:
        """The last action failed in a way of which the host has a `Failure`."""
        if self._life.hears_failures():
            self._life.take_failure(failure, now)

    def interrupted(self, exc: BaseException, now: float) -> None:
        """Reading was interrupted; the next `next_action` goes on with it.

        But a response that says no is known, and what it says about that is not waited for.
        """
        is_body = self._life.state is CallState.BODY
        if is_body and self.decoder is None and self.status not in SUCCESS:
            self.receive_failure(interrupted(type(exc).__name__), now)

    def close(self, failure: Failure, now: float) -> None:
        """Nobody wants the rest (`stream_closed`), or the client has been closed (`client_closed`).

        Legal at any time, and harmless after the end. `next_action` gives up what the call holds,
        and then raises the failure's error; of a stream, after the items that have come. What was
        under way may still be told, and changes nothing.
        """
        life = self._life
        life.closed = True
        if life.state is CallState.BODY and self.decoder is not None:
            body_failed(life, failure, now, now)
        elif life.state is CallState.DRAINING:
            self.receive_failure(failure, now)
        elif life.state not in (CallState.ITEMS, CallState.DONE, CallState.FAILED):
            life.fail_for_good(failure.error)
