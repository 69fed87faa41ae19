"""A call that is observed does what any call does, and tells it."""

import re
from typing import Any

from call_driver import Driver
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    NEED_DATA,
    ClientCall,
    Finished,
    Item,
    MeshAPIConfig,
    MeshAPIError,
    Notify,
    Origin,
    PipeCall,
    Release,
    stream_closed,
)
from meshapi_core.observing import (
    AttemptStarted,
    CallClosed,
    CallFailed,
    CallInfo,
    CallSucceeded,
    ItemReceived,
    Notice,
    ObservedClientCall,
    ObservedPipeCall,
    ResponseStarted,
    RetryPlanned,
)
from support.machine_calls import DONE, GET, POST, STREAM, File, chunk, upload
from support.pipe_host import PipeHost
from support.randomness import always
from support.wire import chunked, make_response, stream_head

ENDS = (CallSucceeded, CallFailed, CallClosed)


def recorded(kind: Any, *, tells_items: bool) -> Any:
    """A class of machines that notes its actions and its notices."""

    class Recorded(kind):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.tells_items = tells_items
            self.actions: list[str] = []
            self.told: list[Notice] = []

        def next_action(self, now: float) -> Any:
            while True:
                try:
                    action = super().next_action(now)
                except Exception as exc:
                    self.actions.append(repr(exc))
                    raise
                if not isinstance(action, Notify):
                    break
                self.told.append(action.notice)
            if not self.actions or not isinstance(action, Finished):
                self.actions.append(re.sub(" at 0x[0-9a-f]+", "", f"{now} {action}"))
            return action

        def next_item(self) -> Any:
            # With each item told, the short cut is not used: `next_action` has the item.
            item = NEED_DATA if tells_items else super().next_item()
            self.actions.append(repr(item))
            return item

    return Recorded


class Unwatched(Driver):
    kinds = (recorded(PipeCall, tells_items=True), recorded(ClientCall, tells_items=True))


class Watched(Driver):
    kinds = (
        recorded(ObservedPipeCall, tells_items=True),
        recorded(ObservedClientCall, tells_items=True),
    )


class UnwatchedQuick(Driver):
    kinds = (recorded(PipeCall, tells_items=False), recorded(ClientCall, tells_items=False))


class WatchedQuick(Driver):
    kinds = (
        recorded(ObservedPipeCall, tells_items=False),
        recorded(ObservedClientCall, tells_items=False),
    )


def check_story(driver: Driver) -> None:
    """What was told is the story of one call."""
    told: list[Any] = driver.call.told + driver.call.left(driver.now)
    assert [type(each) in ENDS for each in told] == [False] * (len(told) - 1) + [True]
    assert {each.about for each in told} == {told[0].about}
    assert [each.at for each in told] == sorted(each.at for each in told)
    assert [each.attempt for each in told] == sorted(each.attempt for each in told)
    starts = [each.attempt for each in told if isinstance(each, AttemptStarted) and not each.resent]
    assert starts == list(range(1, driver.call.attempts + 1))
    retries = [each for each in told if isinstance(each, RetryPlanned)]
    assert len(retries) in (len(starts) - 1, len(starts))
    indexes = [each.index for each in told if isinstance(each, ItemReceived)]
    assert indexes == list(range(len(indexes)))
    end = told[-1]
    if isinstance(end, CallFailed):
        assert end.error is driver.error
    elif isinstance(end, CallSucceeded):
        assert driver.finished
        assert driver.error is None
    else:
        assert driver.error is None or driver.error.error_code == "stream_closed"  # type: ignore[attr-defined]
    if isinstance(end, CallSucceeded) and end.response is None:
        assert end.items == sum(" Item(" in each or "Chunk" in each for each in driver.call.actions)
    for each in told:
        assert "s3cr3t" not in repr(each)
        assert "Signature" not in repr(each)
        assert "abcdefghijkl" not in repr(each)


_steps = st.lists(st.integers(0, 255) | st.integers(6, 15), max_size=200).map(bytes)
_tapes = st.binary(max_size=200) | st.builds(
    lambda modes, steps: modes + steps, st.binary(min_size=5, max_size=5), _steps
)


@given(_tapes)
def test_an_observed_machine_takes_the_same_actions(data: bytes) -> None:
    plain, watched = Unwatched(data), Watched(data)
    plain.run()
    watched.run()
    assert watched.call.actions == plain.call.actions
    check_story(watched)


@given(_tapes)
def test_so_does_one_that_only_counts_items(data: bytes) -> None:
    plain, watched = UnwatchedQuick(data), WatchedQuick(data)
    plain.run()
    watched.run()
    assert watched.call.actions == plain.call.actions


# Stories


def told_by(call: Any, script: Any, **fields: Any) -> tuple[list[Any], PipeHost]:
    """What an observed call tells, over scripted connections."""
    host = PipeHost(call, script, **fields)
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1", **fields)
    host.call = ObservedPipeCall(call, config, now=0.0, random_bytes=always(0.5), unix_time=1.7e9)
    told: list[Any] = []
    try:
        while not isinstance(action := host.call.next_action(host.now), Finished):
            if isinstance(action, Notify):
                told.append(action.notice)
            else:
                host.do(action)
    except MeshAPIError:
        pass
    return told, host


def test_a_retry_is_told_with_its_reason_and_its_wait():
    busy = make_response(503, b'{"error":{"message":"busy","code":"overloaded"}}')
    told, host = told_by(POST, [[0.25, busy], [make_response(200, b'{"id":"x"}')]])
    assert [type(each) for each in told] == [
        AttemptStarted,
        ResponseStarted,
        RetryPlanned,
        AttemptStarted,
        ResponseStarted,
        CallSucceeded,
    ]
    first, head, retry, second, _, end = told
    assert (first.attempt, first.most_attempts, first.body_size) == (1, 4, len(POST.body))
    assert (first.method, first.path, str(first.about.origin)) == (
        "POST",
        "/v1/chat/completions",
        "http://localhost:8000",
    )
    assert first.about.call is POST
    assert (head.status, head.seconds) == (503, 0.25)
    assert (retry.status, retry.error_code, retry.seconds) == (503, "overloaded", 0.25)
    assert retry.response.body == b'{"error":{"message":"busy","code":"overloaded"}}'
    assert [retry.wait] == host.slept
    assert (second.attempt, second.at) == (2, 0.25 + retry.wait)
    assert end.result.id == "x"
    assert end.response.body == b'{"id":"x"}'
    assert (end.status, end.seconds, end.elapsed) == (200, 0.0, second.at)


def test_each_chunk_of_a_stream_is_told_when_it_comes():
    first = stream_head() + chunked(chunk("a"), end=False)
    script = [[first, 2.0, chunked(chunk("b", "stop"), DONE)]]
    told, host = told_by(STREAM, script)
    received = [each for each in told if isinstance(each, ItemReceived)]
    assert [each.value for each in received] == host.items
    assert [(each.index, each.at) for each in received] == [(0, 0.0), (1, 2.0)]
    end = told[-1]
    assert isinstance(end, CallSucceeded)
    assert (end.items, end.result, end.response) == (2, None, None)


def test_a_connection_is_given_back_before_the_end_is_told():
    told, host = told_by(POST, [[make_response(200, b"{}")]])
    assert isinstance(told[-1], CallSucceeded)
    host = PipeHost(POST, [[make_response(200, b"{}")]])
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1")
    host.call = ObservedPipeCall(POST, config, now=0.0, random_bytes=always(0.5))
    order: list[type] = []
    while not order or order[-1] is not Item:
        action: Any = host.call.next_action(host.now)
        order.append(type(action.notice) if isinstance(action, Notify) else type(action))
        if not isinstance(action, Notify):
            host.do(action)
    assert order[-4:] == [Release, ResponseStarted, CallSucceeded, Item]


def test_a_dead_connection_is_the_same_attempt():
    told, host = told_by(POST, [[make_response(200, b"{}")]])
    kept = host.kept
    again = PipeHost(POST, [[b""], [make_response(200, b"{}")]], kept=kept)
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1")
    again.call = ObservedPipeCall(POST, config, now=0.0, random_bytes=always(0.5))
    told = []
    while not isinstance(action := again.call.next_action(again.now), Finished):
        told.append(action.notice) if isinstance(action, Notify) else again.do(action)
    starts = [each for each in told if isinstance(each, AttemptStarted)]
    assert [(each.attempt, each.resent) for each in starts] == [(1, False), (1, True)]
    assert not any(isinstance(each, RetryPlanned) for each in told)


def test_a_call_that_is_dropped_tells_its_end_when_it_is_left():
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1")
    call = ObservedPipeCall(GET, config, now=1.0, random_bytes=always(0.5))
    assert isinstance(call.next_action(1.0), Notify)
    (end,) = call.left(3.0)
    assert isinstance(end, CallClosed)
    assert (end.elapsed, end.seconds, end.attempt) == (2.0, 2.0, 1)
    assert call.left(4.0) == []


def test_closing_a_stream_is_not_a_failure():
    host = PipeHost(STREAM, [])
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1")
    call = ObservedPipeCall(STREAM, config, now=0.0, random_bytes=always(0.5))
    call.next_action(0.0)
    call.close(stream_closed(), 1.0)
    action = call.next_action(1.0)
    assert isinstance(action, Notify)
    assert isinstance(action.notice, CallClosed)
    assert host.items == []


def test_no_repr_shows_a_query_or_a_secret():
    error = make_response(403, b'{"error":{"message":"no"}}', "X-Request-Id: rsk_test_verysecret")
    told, _ = told_by(upload(File(1, [b"x"])), [[error]])
    for each in told:
        assert "s3cr3t" not in repr(each)
        assert "Signature" not in repr(each)
    told, _ = told_by(
        POST,
        [[error]],
    )
    assert "".join(map(repr, told)).count("/v1/chat/completions") == 3


def test_a_notice_has_the_parameters_of_its_call() -> None:
    server = Origin("http", "h", 80)
    about = CallInfo(POST, "POST", "/v1/chat/completions", server, 0.0)
    assert about.body == POST.body != b""
    assert CallInfo(GET, "GET", "/v1/models", server, 0.0).body == b""
