"""`create(timeout=T)`: the client waits for T and a second, unless its own limits are shorter."""

from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.config import Timeout
from meshapi_core.endpoints import Completions, Responses
from meshapi_core.errors import APITimeoutError
from support.client_host import SENT, ClientHost, Head
from support.machine_calls import ASKED, DONE, chunk
from support.pipe_host import PipeHost
from support.wire import make_response

OK = make_response(200, b'{"choices":[]}')
HEAD, BODY = OK.split(b"\r\n\r\n")
NONE = Timeout(connect=None, read=None, write=None, pool=None)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def create(seconds: Optional[float]) -> Any:
    return Completions.create.build(**ASKED, timeout=seconds)


def pipe(call: Any, *events: Any, **fields: Any) -> PipeHost:
    return PipeHost(call, [list(events)], **{"timeout": 60.0, **fields})


def client(call: Any, *events: Any, **fields: Any) -> ClientHost:
    return ClientHost(call, [list(events)], **{"timeout": 60.0, **fields})


def check_late(host: Any, at: float) -> None:
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert error.phase == "read"
    assert error.message == (
        "the gateway did not respond within the 5 s that timeout=5 in the parameters gives it, nor"
        " 1 s later; to allow more time, pass a larger timeout to the method"
    )
    assert host.now == at


def test_a_head_is_waited_for_a_second_longer_than_the_gateway_has():
    check_late(pipe(create(5)), 6.0)
    check_late(pipe(create(5), timeout=NONE), 6.0)
    assert isinstance(pipe(create(5), 5.9, OK).run(), list)


def test_the_body_of_a_whole_response_counts_as_well():
    check_late(pipe(create(5), 5.0, HEAD + b"\r\n\r\n", 0.9, BODY[:1]), 6.0)
    assert isinstance(pipe(create(5), 5.0, HEAD + b"\r\n\r\n", 0.9, BODY).run(), list)


def test_interim_responses_gain_no_time():
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    check_late(pipe(create(5), *[1.0, interim] * 9), 6.0)


def test_it_is_for_the_beginning_of_a_stream_only():
    call = Completions.stream.build(**ASKED, timeout=5)
    check_late(pipe(call), 6.0)
    slow: list[Any] = []
    for _ in range(5):
        slow += [4.0, chunk("x")]
    host = pipe(call, 5.0, STREAM_HEAD, *slow, chunk("", "stop") + DONE)
    assert len(host.run()) == 6
    assert host.now > 20


def test_a_stream_that_stalls_later_is_late_by_the_clients_limit():
    error: Any = pipe(Completions.stream.build(**ASKED, timeout=5), STREAM_HEAD, chunk("x")).run()
    assert isinstance(error, APITimeoutError)
    assert "parameters" not in error.message


def test_the_clients_own_limits_may_be_shorter():
    for fields, phase in (
        ({"timeout": Timeout(read=3)}, "read"),
        ({"timeout": Timeout(total=3)}, "total"),
    ):
        for host in (pipe(create(5), **fields), client(create(5), SENT, Head(), **fields)):
            error: Any = host.run()
            assert error.phase == phase
            assert "parameters" not in error.message
            assert host.now == 3.0


def test_a_time_out_that_the_host_reports_is_explained():
    for late in (TimeoutError(), OSError("the wire")):
        host = pipe(create(5))
        for _ in range(3):
            action: Any = host.call.next_action(host.now)
            if action.until == 6.0:
                break
            host.do(action)
        host.now = 6.0
        host.call.fail(late, 6.0)
        error: Any = host.run()
        assert ("timeout=5" in error.message) == isinstance(late, TimeoutError)


def test_each_attempt_has_the_whole_time():
    busy = make_response(503, b"{}")
    host = PipeHost(create(5), [[5.5, busy], [5.5, OK]], timeout=60.0)
    assert len(host.run()) == 1


def test_an_http_client_that_tells_when_it_has_sent_waits_from_then():
    check_late(client(create(5), 2.0, SENT), 8.0)
    check_late(client(create(5), 2.0, SENT, 5.0, Head(), 0.5, b"x"), 8.0)


def test_one_that_does_not_has_its_other_phases_on_top():
    check_late(client(create(5), timeout=Timeout(connect=1, pool=2, write=3, read=60)), 12.0)
    # But when the head comes, the request has been sent.
    check_late(client(create(5), 2.0, Head(), 0.5, b"x"), 8.0)
    check_late(client(create(5), 2.0, Head(), 0.5, b"x", timeout=NONE), 6.0)
    host = client(create(5), Head(200), BODY, b"")
    assert len(host.run()) == 1
    assert host.sent[0].timeout == Timeout(read=6.0)


def test_the_limit_of_its_own_phase_is_explained():
    class ReadTimeout(Exception):
        pass

    ReadTimeout.__module__ = "httpx"
    error: Any = client(create(5), ReadTimeout("slow")).run()
    assert "timeout=5" in error.message
    assert isinstance(error.__cause__, ReadTimeout)


@pytest.mark.parametrize("build", [Responses.create.build, Responses.stream.build])
def test_responses_have_it_too(build):
    check_late(pipe(build(model="m", input="hi", timeout=5)), 6.0)


@given(st.none() | st.floats(0.1, 100), st.none() | st.floats(0.1, 100))
def test_the_shortest_limit_ends_the_wait(seconds, read):
    host = pipe(create(seconds), timeout=Timeout(read=read))
    limits = [limit for limit in (read, None if seconds is None else seconds + 1) if limit]
    if not limits:
        with pytest.raises(AssertionError, match="for ever"):
            host.run()
        return
    assert isinstance(host.run(), APITimeoutError)
    assert host.now == pytest.approx(min(limits))


def test_without_it_nothing_changes():
    assert create(None).answer_within is None
    assert pipe(create(None)).run().message.startswith("waiting for the response")
