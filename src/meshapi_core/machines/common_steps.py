"""What a call does in the states that both machines have, and what follows if that fails.

`STEPS` and `FAILINGS` at the end list these states: those before and between the attempts, and
those from the head of a response on.
"""

from typing import Any, Optional, cast

from msgspec import structs

from meshapi_core.bodies import StreamedBody
from meshapi_core.errors import InvalidParamsError, MeshAPIError
from meshapi_core.machines.actions import Finished, GetToken, Item, OpenFiles, Sleep
from meshapi_core.machines.exchange import Done, Wait
from meshapi_core.machines.lifecycle import Failing, Lifecycle, Step
from meshapi_core.machines.responses import DRAIN_TIME, StreamedResponse
from meshapi_core.machines.states import CallState
from meshapi_core.messages import Failure
from meshapi_core.signals import END_OF_BODY, END_OF_STREAM, NEED_DATA

__all__ = ["FAILINGS", "STEPS", "attempt_failed", "body_failed", "explained", "read_or_expire"]

# Looked up for each call. By the name of its class, a member takes ten times as long up to 3.11.
_READY = CallState.READY
_TOKEN = CallState.TOKEN
_OPENING = CallState.OPENING
_ITEMS = CallState.ITEMS
_DRAINING = CallState.DRAINING
_WAITING = CallState.WAITING
_DONE = CallState.DONE


def _ask_exchange(life: Lifecycle, now: float) -> Any:
    # READY: before the first attempt, and after each whose outcome the exchange has.
    try:
        action = life.exchange.next_action(now)
    except (MeshAPIError, InvalidParamsError) as exc:
        life.fail_for_good(exc)
        return None
    if isinstance(action, Done):
        # The state moves on with the item: it is returned once, and then `Finished`.
        life.state = _DONE
        return Item(action.value)
    if isinstance(action, Wait):
        life.due = now + action.seconds
        life.state = _WAITING
        return None
    if isinstance(action, GetToken):
        life.asked = action
        life.state = _TOKEN
        return None
    life.send = action
    life.response = None
    # Once a call: a retry reads the open files again, from where they began.
    if isinstance(action.request.body, StreamedBody) and life.body is None:
        life.state = _OPENING
    else:
        life.begin()
    return None


def _get_token(life: Lifecycle, now: float) -> Optional[GetToken]:
    asked = life.asked
    if asked.until is not None and now >= asked.until:
        # The exchange has the error for this.
        life.state = _READY
        return None
    return asked


def _open_files(life: Lifecycle, now: float) -> OpenFiles:
    return OpenFiles(cast(StreamedBody, life.send.request.body))


def _wait(life: Lifecycle, now: float) -> Optional[Sleep]:
    if now < life.due:
        return Sleep(until=life.due)
    life.state = _READY
    return None


def _finish(life: Lifecycle, now: float) -> Finished:
    return Finished()


def _raise(life: Lifecycle, now: float) -> None:
    error, began = life.error, life.exchange.began
    assert error is not None
    if isinstance(error, MeshAPIError) and began is not None and not error.elapsed:
        error.attempts, error.elapsed = life.exchange.attempts, now - began
    raise error


def _read_body(life: Lifecycle, now: float) -> Any:
    response = life.response
    assert response is not None
    try:
        event = response.next_event(now)
    except MeshAPIError as exc:
        life.fail_for_good(exc)
        return None
    if event is NEED_DATA:
        return read_or_expire(life, response.until, response.last_until, now)
    if event is END_OF_BODY:
        # The connection serves the next request while the caller still takes the items of this
        # one. A whole response has gone to the exchange, which READY asks what became of it.
        life.give_back()
        life.state = _READY if response.decoder is None else _ITEMS
        return None
    if event is END_OF_STREAM:
        # The stream is complete, as its last event says, and the framing of its body may not be.
        # To keep the connection, the whole body must be read (RFC 9112, section 9.3).
        assert isinstance(response, StreamedResponse)
        is_read = response.ended or life.state is _ITEMS
        life.state = _DONE if is_read else _DRAINING
        life.drain_until = now + DRAIN_TIME
        return None
    return Item(event)


def read_or_expire(
    life: Lifecycle, until: Optional[float], last: Optional[float], now: float
) -> Any:
    """The action that reads, if there is time (`Timer.allows_read`); otherwise fail the action."""
    if life.timer.allows_read(until, last, now):
        return life.attempt.reading(life.timer.until)
    life.expire(now)
    return None


def _read_rest(life: Lifecycle, now: float) -> Any:
    """Read to the end of the body if it comes soon, so that the connection can be kept."""
    response = life.response
    assert isinstance(response, StreamedResponse)
    if response.skip():
        # `give_back` asks whether it is reusable: after a body that broke off it is not.
        life.give_back()
    elif now < life.drain_until:
        life.timer.until = life.drain_until
        return life.attempt.reading(life.drain_until)
    else:
        # A new connection costs less than a longer wait for a server that does not end the body.
        life.give_up()
    life.state = _DONE
    return None


def explained(failure: Failure, error: MeshAPIError) -> Failure:
    """The same failure by an error that says more; its cause is that of the first."""
    error.__cause__ = failure.error.__cause__
    return structs.replace(failure, error=error)


def attempt_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    """Take a failure before the head of a response: the exchange decides what follows."""
    life.fail_attempt(failure, now)


def body_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    """Take a failure in a body: what has come may be all of it, and a stream has items left."""
    response = life.response
    assert response is not None
    if failure.timed_out:
        # The host knows that time ran out. Whether that was read, idle or total is known here.
        cause, failure = failure.error.__cause__, life.out_of_time(over)
        failure.error.__cause__ = cause
    # RFC 9112, section 9.3: a connection can be kept only if the whole response was read from it.
    life.give_up()
    try:
        response.receive_failure(failure, now)
    except MeshAPIError as exc:
        life.fail_for_good(exc)
    else:
        # The exchange has a whole response, or the failure, and may retry. A stream gives the items
        # that have come; its decoder then ends it, or raises.
        life.state = _READY if response.decoder is None else _ITEMS


def _rest_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    # The caller has every item: this costs the connection, and nothing else.
    life.give_up()
    life.state = _DONE


def _wait_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    # Nothing is sent during a wait. Any other failure is about a connection given up before.
    if failure.stage == "closed":
        life.fail_for_good(failure.error)


def _token_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    life.fail_for_good(failure.error)


def _files_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    # Nothing was sent, and another attempt would need the same files.
    life.fail_for_good(failure.error)


STEPS: dict[CallState, Step] = {
    CallState.READY: _ask_exchange,
    CallState.TOKEN: _get_token,
    CallState.OPENING: _open_files,
    CallState.BODY: _read_body,
    CallState.ITEMS: _read_body,
    CallState.DRAINING: _read_rest,
    CallState.WAITING: _wait,
    CallState.DONE: _finish,
    CallState.FAILED: _raise,
}

FAILINGS: dict[CallState, Failing] = {
    CallState.TOKEN: _token_failed,
    CallState.OPENING: _files_failed,
    CallState.BODY: body_failed,
    CallState.DRAINING: _rest_failed,
    CallState.WAITING: _wait_failed,
}
