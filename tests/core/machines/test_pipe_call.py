"""`PipeCall` driven by a host without I/O, over connections that follow a script."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.calls import MAX_ERROR_SIZE
from meshapi_core.config import Timeout
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    MeshAPIError,
    ProtocolError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.http11.connection import HTTP11Connection
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
from meshapi_core.machines.call_machine import CallInput, CallState
from meshapi_core.machines.exchange import ExchangeUsageError
from meshapi_core.machines.pipe_call import TRANSITIONS
from meshapi_core.messages import client_closed, stream_closed
from meshapi_core.signals import NEED_DATA
from support.machine_calls import DONE, GET, POST, STREAM, File, chunk, texts, upload
from support.pipe_host import PipeHost


def make_response(body: bytes = b"{}", status: int = 200, *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if end else b"")


WHOLE_STREAM = chunked(chunk("Hel"), chunk("lo", "stop"), DONE)


# Whole responses


def test_a_response_is_one_item_and_its_connection_is_given_back_before():
    host = PipeHost(GET, [[make_response(b'{"a":1}')]])
    assert host.run() == [{"a": 1}]
    assert host.released == [True]
    assert host.sent[0].startswith(b"GET /v1/models HTTP/1.1\r\nhost: localhost:8000\r\n")
    assert host.kept.served == 1
    assert host.call.state is CallState.DONE
    assert host.call.next_action(1.0) == Finished()


@given(st.data())
def test_responses_may_be_cut_anywhere(data):
    for call, whole in ((GET, make_response(b'{"a":1}')), (STREAM, WHOLE_STREAM)):
        cuts = data.draw(st.sets(st.integers(1, len(whole) - 1)))
        places = [0, *sorted(cuts), len(whole)]
        host = PipeHost(call, [[whole[a:b] for a, b in zip(places, places[1:])]])
        items = host.run()
        assert (items if call is GET else texts(items)) in ([{"a": 1}], ["Hel", "lo"])
        assert host.released == [True]


def test_a_kept_connection_is_used_with_its_machine():
    host = PipeHost(GET, [[make_response()]])
    host.run()
    second = PipeHost(GET, [[make_response(b'{"b":2}')]], kept=host.kept)
    assert second.run() == [{"b": 2}]
    assert second.kept.served == 2


def test_a_connection_that_cannot_be_used_again_is_given_up():
    for whole in (make_response(b"{}", 200, "connection: close"), make_response() + b"surplus"):
        host = PipeHost(GET, [[whole]])
        assert host.run() == [{}]
        assert host.released == [False]


def test_a_refusal_is_repeated_after_its_wait_on_any_connection():
    busy = make_response(b'{"error":{"code":"rate_limit_exceeded"}}', 429, "retry-after: 2")
    host = PipeHost(POST, [[busy], [make_response(b'{"id":"x"}')]])
    [item] = host.run()
    assert item.id == "x"
    assert host.slept == [2.125]
    assert host.released == [True, True]
    assert host.call.attempts == 2


def test_a_refusal_that_is_final_is_raised_again_and_again():
    host = PipeHost(STREAM, [[make_response(b'{"error":{"message":"no"}}', 429)]])
    error = host.run()
    assert type(error) is RateLimitError
    assert host.released == [True]
    with pytest.raises(RateLimitError) as caught:
        host.call.next_action(9.0)
    assert caught.value is error


def test_a_dead_connection_is_replaced_at_once():
    host = PipeHost(GET, [[make_response()]])
    host.run()
    for lost in (b"", ConnectionResetError("reset")):
        kept = HTTP11Connection()
        kept.served = 1
        host = PipeHost(GET, [[lost], [make_response()]], kept=kept)
        assert host.run() == [{}]
        assert host.slept == []
        assert [each.fresh for each in host.connects] == [False, True]


def test_a_body_that_breaks_off_keeps_what_its_head_said():
    head = b"HTTP/1.1 200 OK\r\nx-request-id: req_7\r\ncontent-length: 100\r\n\r\n{"
    for lost in (b"", ConnectionResetError("reset")):
        error = PipeHost(POST, [[head, lost]]).run()
        assert isinstance(error, APIConnectionError)
        assert (error.status, error.request_id) == (200, "req_7")


def test_an_error_body_is_read_up_to_its_limit():
    flood = b"HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n" + b"x" * 0xFFF + b"\r\n"
    piece = b"fff\r\n" + b"x" * 0xFFF + b"\r\n"
    host = PipeHost(POST, [[flood] + [piece] * (MAX_ERROR_SIZE // 0xFFF + 5)])
    error = host.run()
    assert isinstance(error, APIStatusError)
    assert error.status == 500
    assert host.released == [False]


def test_a_response_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("meshapi_core.machines.responses.MAX_BODY_SIZE", 10)
    host = PipeHost(GET, [[make_response(b'{"a":"0123456789"}')]])
    error = host.run()
    assert isinstance(error, ResponseDecodeError)
    assert error.error_code == "response_too_large"
    assert host.released == [False]


# Limits


@pytest.mark.parametrize(
    ("events", "timeout", "phase", "at"),
    [
        ([], Timeout(read=3), "read", 3),
        ([b"HTTP/1.1 200 OK\r\n", 2.0, b"a: b\r\n", 2.0], Timeout(read=3), "read", 3),
        ([make_response(b"x" * 99)[:-50]], Timeout(read=3), "read", 3),
        ([make_response(b"x" * 99)[:-50], 2.0, b"x", 2.0, b"x"], Timeout(read=3), "read", 3),
        ([make_response(b"x" * 99)[:-50]], Timeout(read=3, total=2), "total", 2),
        ([], Timeout(read=None, total=5), "total", 5),
    ],
)
def test_a_slow_response_ends_with_the_limit_that_runs_out(events, timeout, phase, at):
    host = PipeHost(POST, [events], timeout=timeout, max_retries=0)
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert (error.phase, host.now) == (phase, at)
    assert host.released == [False]


def test_interim_responses_start_the_limit_of_the_head_anew():
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    host = PipeHost(POST, [[2.0, interim] * 20], timeout=Timeout(read=3), max_retries=0)
    assert host.run().phase == "read"
    assert host.now == 15


def test_the_limits_of_queueing_and_of_opening_are_told_apart():
    for steps, phase, stage_until in (
        (["queued"], "pool", 4),
        (["queued", "opening"], "connect", 7),
    ):
        host = PipeHost(GET, [], timeout=Timeout(pool=4, connect=7), max_retries=0)
        call = host.call
        assert call.next_action(0.0).until == 7
        for step in steps:
            assert getattr(call, step)(0.0) in (4, 7)
        call.handle_timer(stage_until - 0.5)
        call.handle_timer(stage_until)
        with pytest.raises(APITimeoutError) as caught:
            call.next_action(stage_until)
        assert caught.value.phase == phase


def test_the_limit_of_opening_runs_on_when_it_is_begun_anew():
    call = PipeHost(GET, [], timeout=Timeout(connect=7), max_retries=0).call
    assert call.next_action(0.0).until == 7
    assert call.opening(5.0) == 7
    assert call.next_action(6.0).until == 7


def test_a_time_out_of_the_hosts_is_that_of_the_action():
    host = PipeHost(POST, [[0.5, TimeoutError()]], timeout=Timeout(read=3), max_retries=0)
    assert host.run().phase == "read"


def test_what_comes_early_leaves_the_limit_of_writing_as_it_is():
    host = PipeHost(STREAM, [[]], timeout=Timeout.of(1.0))
    host.step()
    first = host.call.next_action(0.0)
    host.call.receive_data(b"HTTP/1.1 ", 0.5)
    assert host.call.next_action(0.5) == first == Write(data=first.data, until=1.0)
    host.call.handle_timer(1.0)
    assert host.run().phase == "write"


@pytest.mark.parametrize("call", [POST, STREAM], ids=["whole", "stream"])
def test_a_timer_that_goes_off_when_nothing_is_waited_for_does_no_harm(call):
    """Such as one that was set for the last action, while the call sleeps or the caller has an
    item."""
    busy = make_response(b'{"error":{"code":"rate_limit_exceeded"}}', 429, "retry-after: 20")
    good = make_response(b'{"id":"x"}') if call is POST else WHOLE_STREAM
    refusals = [[busy]] if call is POST else []
    host = PipeHost(call, [*refusals, [good[:90], good[90:]]], timeout=Timeout.of(1.0))
    while host.step():
        host.call.handle_timer(host.now + 100.0)
    assert host.slept == [20.125] * len(refusals)
    assert host.released[-1]


@pytest.mark.parametrize(
    ("phase", "has_begun"), [("idle", True), ("total", True), ("total", False)]
)
def test_a_time_out_that_comes_a_little_early_is_that_of_the_action(phase, has_begun):
    """Timers of hosts are not exact."""
    host = PipeHost(STREAM, [[]], timeout=Timeout(**{phase: 2.0}))
    host.step()
    host.step()
    if has_begun:
        host.call.receive_data(chunked(chunk("a"), end=False), 0.0)
        host.step()
    assert host.call.next_action(0.0) == Read(until=2.0)
    host.call.fail(TimeoutError(), 1.99)
    assert host.run().phase == phase


def test_the_idle_limit_begins_with_each_item_and_when_it_is_waited_for():
    pings = [2.0, b"2\r\n:\n\r\n"]
    head = chunked(chunk("a"), end=False)
    host = PipeHost(STREAM, [[head, *pings * 9]], timeout=Timeout(idle=5))
    while not host.items:
        host.step()
    host.now = 100.0
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert (error.phase, host.now) == ("idle", 105.0)
    assert error.partial is not None


@pytest.mark.parametrize(
    ("total", "phase"), [(None, "idle"), (5, "total"), (1, "total"), (6, "idle")]
)
def test_whichever_limit_comes_first_is_told(total, phase):
    head = chunked(chunk("a"), end=False)
    host = PipeHost(STREAM, [[head]], timeout=Timeout(idle=5, total=total))
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert error.phase == phase


def test_a_wait_that_is_over_is_no_time_out():
    busy = make_response(b"{}", 503, "retry-after: 9")
    host = PipeHost(POST, [[busy], [make_response(b'{"id":"x"}')]], timeout=Timeout(read=3))
    while host.call.state is not CallState.WAITING:
        host.step()
    host.call.handle_timer(4.0)
    assert isinstance(host.call.next_action(4.0), Sleep)
    host.call.handle_timer(1000.0)
    assert [item.id for item in host.run()] == ["x"]


def test_a_timer_of_what_has_been_done_is_harmless():
    host = PipeHost(POST, [[]], timeout=Timeout(connect=1, write=2, read=3))
    call = host.call
    assert call.next_action(0.0).until == 1
    call.connected(0.5)
    call.handle_timer(1.0)
    assert call.next_action(1.0).until == 3
    call.written()
    call.handle_timer(4.0)
    assert call.next_action(4.0) == Read(until=7.0)
    call.receive_data(make_response(b"x" * 9)[:-5], 6.9)
    call.handle_timer(7.0)
    assert call.next_action(7.0) == Read(until=10.0)


def test_a_host_that_was_interrupted_takes_what_has_come_meanwhile():
    host = PipeHost(POST, [[]], timeout=Timeout(read=3))
    call = host.call
    while not isinstance(call.next_action(0.0), Read):
        host.step()
    assert call.next_action(1.0) == Read(until=3.0)
    assert call.next_action(60.0) == Read(until=61.0)
    call.receive_data(make_response(b'{"id":"late"}'), 60.0)
    assert isinstance(call.next_action(60.0), Release)
    assert call.next_action(60.0).value.id == "late"


def test_a_host_that_comes_late_twice_is_out_of_time():
    host = PipeHost(POST, [[]], timeout=Timeout(read=3), max_retries=0)
    while not isinstance(host.call.next_action(0.0), Read):
        host.step()
    host.call.next_action(60.0)
    assert isinstance(host.call.next_action(61.0), Release)
    with pytest.raises(APITimeoutError):
        host.call.next_action(61.0)


# Streams


def test_a_stream_gives_its_items_and_then_its_connection_back():
    host = PipeHost(STREAM, [[WHOLE_STREAM]])
    assert texts(host.run()) == ["Hel", "lo"]
    assert host.released == [True]
    assert host.call.decoder.complete


def test_what_a_stream_knows_is_there_at_any_time():
    head = chunked(chunk("Hel"), end=False).replace(b"\r\n\r\n", b"\r\nx-request-id: r7\r\n\r\n", 1)
    host = PipeHost(STREAM, [[head, chunked(chunk("lo", "stop"), DONE).partition(b"\r\n\r\n")[2]]])
    call = host.call
    assert (call.status, call.request_id, call.complete, call.partial()) == (0, "", False, None)
    while not host.items:
        host.step()
    assert (call.status, call.request_id, call.complete) == (200, "r7", False)
    assert call.partial().choices[0].message.content == "Hel"
    host.run()
    assert call.complete
    assert call.partial().choices[0].message.content == "Hello"


def test_the_end_of_a_body_may_come_after_done():
    whole = chunked(chunk("x", "stop"), DONE, end=False)
    for rest, kept in (([0.05, b"0\r\n\r\n"], True), ([], False), ([b""], False)):
        host = PipeHost(STREAM, [[whole, *rest]])
        assert texts(host.run()) == ["x"]
        assert host.released == [kept]
        assert host.now <= 0.11


def test_a_body_that_goes_on_after_done_is_left():
    whole = chunked(chunk("x", "stop"), DONE, end=False)
    host = PipeHost(STREAM, [[whole] + [0.01, b"2\r\n:\n\r\n"] * 100])
    assert texts(host.run()) == ["x"]
    assert host.released == [False]
    assert host.now < 0.12


@pytest.mark.parametrize("lost", [b"", ConnectionResetError("reset"), b"\r\nnonsense\r\n"])
def test_a_stream_that_breaks_has_what_came(lost):
    host = PipeHost(STREAM, [[chunked(chunk("Hel"), end=False), lost]])
    error = host.run()
    assert isinstance(error, StreamInterruptedError)
    assert error.partial.choices[0].message.content == "Hel"
    assert texts(host.items) == ["Hel"]
    assert host.released == [False]


def test_what_came_before_a_stream_broke_is_given_out():
    host = PipeHost(STREAM, [[chunked(chunk("a"), end=False)]])
    while not host.items:
        host.step()
    host.call.receive_data(b"%x\r\n%s\r\n" % (len(chunk("b")), chunk("b")), 0.0)
    host.call.fail(OSError("lost"), 0.0)
    assert isinstance(host.run(), StreamInterruptedError)
    assert texts(host.items) == ["a", "b"]


def test_a_response_that_is_there_is_not_lost_with_its_connection():
    whole = make_response(b'{"id":"x"}')
    host = PipeHost(POST, [[]])
    while not isinstance(host.call.next_action(0.0), Read):
        host.step()
    host.call.receive_data(whole[:-5], 0.0)
    assert isinstance(host.call.next_action(0.0), Read)
    host.call.receive_data(whole[-5:], 0.0)
    host.call.fail(OSError("lost"), 0.0)
    assert [item.id for item in host.run()] == ["x"]


@pytest.mark.parametrize("size", [30, 300000])
def test_a_refusal_that_is_there_is_not_lost_with_its_connection(size):
    messages = [{"role": "user", "content": "x" * size}]
    host = PipeHost(Completions.create.build(model="m", messages=messages), [[]])
    wanted = Read if size < 100 else Write
    while not isinstance(host.call.next_action(0.0), wanted):
        host.step()
    host.call.receive_data(make_response(b"{}", 413), 0.0)
    host.call.fail(ConnectionResetError("reset"), 0.0)
    assert host.run().status == 413
    assert host.released == [False]


def test_an_item_that_has_come_is_had_without_a_look_at_the_clock():
    host = PipeHost(STREAM, [[WHOLE_STREAM]])
    assert host.call.next_item() is NEED_DATA
    while not host.items:
        host.step()
    assert host.call.next_item().choices[0].delta.content == "lo"
    assert host.call.next_item() is NEED_DATA
    assert host.run() is host.items


# Requests


def of_size(size: int) -> Any:
    return Completions.create.build(model="m", messages=[{"role": "user", "content": "x" * size}])


TOO_LARGE = make_response(b'{"error":{"code":"too_large"}}', 413)


@pytest.mark.parametrize("size", [10, 70000, 300000])
def test_a_response_that_comes_early_ends_the_request(size):
    """Whichever piece is being written then, the connection cannot be kept (RFC 9112, section 9.5):
    the server would take the next request for the rest of this one."""
    whole = PipeHost(of_size(size), [[TOO_LARGE]])
    assert whole.run().status == 413
    assert whole.released == [True]
    pieces = 0
    while True:
        host = PipeHost(of_size(size), [[]])
        host.step()
        for _ in range(pieces):
            host.step()
        # The next piece has been taken, and a part of it may have been written.
        if not isinstance(host.call.next_action(0.0), Write):
            break
        host.call.receive_data(TOO_LARGE, 0.0)
        assert host.run().status == 413
        assert len(host.sent[0]) < len(whole.sent[0])
        assert host.released == [False]
        pieces += 1
    assert b"".join(host.sent) == whole.sent[0]
    assert pieces == {10: 1, 70000: 3, 300000: 6}[size]


def test_a_response_before_the_first_piece_was_asked_for_ends_the_connection():
    host = PipeHost(POST, [[]])
    host.step()
    host.call.receive_data(TOO_LARGE, 0.0)
    assert host.run().status == 413
    assert host.sent == [b""]
    assert host.released == [False]


@pytest.mark.parametrize("call", [POST, of_size(300000), upload(File(3, [b"abc"]))])
def test_a_connection_is_kept_if_the_response_came_just_after_the_last_piece(call):
    """Such as to a host whose event loop pushes bytes, before it asks for the next action."""
    pieces = PipeHost(call, [[make_response(b"{}")]])
    pieces.run()
    kept = HTTP11Connection()
    kept.served = 1
    host = PipeHost(call, [[]], kept=kept)
    while not host.sent or len(host.sent[0]) < len(pieces.sent[0]):
        host.step()
    host.call.receive_data(make_response(b"{}"), 0.0)
    assert isinstance(host.run(), list)
    assert host.released == [True]


@pytest.mark.parametrize("size", [10, 70000])
@pytest.mark.parametrize("error", [TimeoutError(), BrokenPipeError("gone")])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_connection_whose_last_write_failed_is_not_kept(size, error, is_there):
    """The server may have said why, and may even go on reading."""
    whole = PipeHost(of_size(size), [[TOO_LARGE]])
    whole.run()
    host = PipeHost(of_size(size), [[] if is_there else [TOO_LARGE]])
    host.step()
    while isinstance(action := host.call.next_action(0.0), Write):
        if len(host.sent[0]) + len(action.data) == len(whole.sent[0]):
            break
        host.step()
    if is_there:
        host.call.receive_data(TOO_LARGE, 0.0)
    host.call.fail(error, 0.0)
    assert host.run().status == 413
    assert host.released == [False]


@pytest.mark.parametrize("failed", [True, False])
def test_what_a_kept_connection_grants_before_the_request_was_written_is_no_response(failed):
    kept = HTTP11Connection()
    kept.served = 1
    host = PipeHost(STREAM, [[]], kept=kept)
    host.step()
    assert isinstance(host.call.next_action(0.0), Write)
    if failed:
        host.call.fail(TimeoutError(), 0.0)
        assert isinstance(host.call.next_action(0.0), Read)
    host.call.receive_data(WHOLE_STREAM, 0.0)
    assert isinstance(host.call.next_action(0.0), Release)
    # It is sent once more, on a new connection.
    assert host.call.next_action(0.0).fresh


def test_what_a_server_said_before_it_hung_up_is_read():
    host = PipeHost(POST, [[make_response(b"{}", 401)]])
    while not isinstance(host.call.next_action(0.0), Write):
        host.step()
    host.call.fail(BrokenPipeError("gone"), 0.0)
    assert host.run().status == 401


@pytest.mark.parametrize("last", [[b""], [], [0.5, ConnectionResetError("other")]])
def test_a_request_that_could_not_be_written_says_why(last):
    host = PipeHost(POST, [last])
    while not isinstance(host.call.next_action(0.0), Write):
        host.step()
    host.call.fail(BrokenPipeError("the pipe is gone"), 0.0)
    error = host.run()
    assert isinstance(error, APIConnectionError)
    assert "the pipe is gone" in error.message
    assert host.now <= 1.0


def test_bytes_that_nobody_asked_for_are_no_response():
    kept = HTTP11Connection()
    kept.served = 1
    kept.receive_data(make_response())
    host = PipeHost(POST, [[]], kept=kept, max_retries=0)
    error = host.run()
    assert isinstance(error, ProtocolError)
    assert error.error_code == "desync"
    assert host.released == [False]


def test_a_server_that_hangs_up_on_plain_http_may_want_tls():
    assert "https://" in PipeHost(POST, [[b""]]).run().message


# Uploads


def test_a_retry_of_an_upload_sends_the_file_again():
    file = File(6, [b"abc", b"def"])
    dead = [ConnectionResetError("reset")]
    host = PipeHost(upload(file), [[make_response(b"", 503)], dead, [make_response(b"")]])
    assert host.run() == [None]
    assert [sent.partition(b"\r\n\r\n")[2] for sent in host.sent] == [b"abcdef"] * 3
    assert not file.closed
    host.files.close()
    assert file.closed


@pytest.mark.parametrize(
    ("second", "code"),
    [
        ([b"abc"], "source_changed"),
        ([b"abcdefg"], "source_changed"),
        ([b"abc", OSError("disk")], "source_unreadable"),
    ],
)
def test_a_file_that_cannot_be_sent_again_ends_the_call(second, code):
    host = PipeHost(upload(File(6, [b"abcdef"], second)), [[make_response(b"", 503)], []])
    error = host.run()
    assert (type(error), error.error_code) == (MeshAPIError, code)
    assert host.released == [True, False]


def test_whatever_reading_raises_comes_after_the_connection():
    host = PipeHost(upload(File(3, [b"abc", ValueError("what?")])), [[]])
    while not host.released:
        host.step()
    for _ in range(2):
        with pytest.raises(ValueError, match="what"):
            host.step()


def test_files_that_cannot_be_opened_end_the_call():
    host = PipeHost(upload(File(1, [b"x"])), [])
    assert isinstance(host.call.next_action(0.0), OpenFiles)
    assert isinstance(host.call.next_action(0.0), OpenFiles)
    host.call.fail(MeshAPIError("no such file", error_code="source_unreadable"), 0.0)
    assert host.run().error_code == "source_unreadable"


def test_opening_files_takes_from_the_time_of_the_call():
    host = PipeHost(upload(File(1, [b"x"])), [], timeout=Timeout(total=5))
    host.step()
    host.now = 6.0
    assert host.run().phase == "total"


# Closing, and misuse


@pytest.mark.parametrize("failure", [client_closed, stream_closed])
def test_a_call_can_be_closed_at_any_time(failure):
    for steps in range(9):
        host = PipeHost(STREAM, [[chunked(chunk("a"), end=False)]])
        for _ in range(steps):
            host.step()
            if host.items:
                break
        host.call.close(failure(), host.now)
        assert host.run().error_code == failure().error.error_code
        assert host.released == ([False] if host.sent else [])


def reach(state: CallState) -> PipeHost:
    """A call in this state."""
    script: Any = [[make_response(b"{}", 503)], [chunked(chunk("x", "stop"), DONE, end=False)]]
    call = STREAM
    fields: Any = {"token": lambda: "rsk_test_2"} if state is CallState.TOKEN else {}
    if state is CallState.WAITING:
        call, script = POST, script[:1]
    elif state is CallState.FAILED:
        script = script[:1]
    elif state is CallState.OPENING:
        call = upload(File(1, [b"x"]))
    elif state in (CallState.DONE, CallState.BODY, CallState.DRAINING, CallState.HEAD):
        script = script[1:]
    if state in (CallState.BODY, CallState.ITEMS):
        script = [[chunked(chunk("x") + chunk("y"), end=False)]]
    host = PipeHost(call, script, **fields)
    for _ in range(20):
        if state is CallState.ITEMS and host.items:
            host.call.close(stream_closed(), 0.0)
            host.step()
        if host.call.state is state:
            if state is CallState.DONE:
                host.step()
            return host
        try:
            action = host.call.next_action(host.now)
        except MeshAPIError:
            continue
        if host.call.state is state:
            return host
        if state is CallState.LAST_WORD and isinstance(action, Write):
            host.call.fail(BrokenPipeError(), host.now)
        else:
            host.do(action)
    raise AssertionError("it never comes there")


INPUTS: dict[CallInput, Any] = {
    CallInput.TOKEN: lambda call: call.token("rsk_test_2"),
    CallInput.OPENED: lambda call: call.opened(None, 0.0),
    CallInput.QUEUE: lambda call: call.queued(0.0),
    CallInput.CONNECTED: lambda call: call.connected(0.0),
    CallInput.WRITTEN: lambda call: call.written(),
    CallInput.DATA: lambda call: call.receive_data(b"HTTP/1.1 ", 0.0),
    CallInput.FAIL: lambda call: call.fail(OSError("broken"), 0.0),
}


@pytest.mark.parametrize("what", INPUTS)
@pytest.mark.parametrize("state", [state for state in CallState if state is not CallState.SENDING])
def test_every_input_in_every_state_is_legal_or_says_what_to_do(state, what):
    host = reach(state)
    call = host.call
    if (state, what) not in TRANSITIONS:
        # The host may still report what was in progress when the call was closed.
        closed = pytest.raises(ExchangeUsageError, match=r"call next_action\(\)")
        with contextlib.nullcontext() if call._life.closed else closed:
            INPUTS[what](call)
        assert call.state is state
        return
    if what is CallInput.OPENED:
        host.step()
    else:
        INPUTS[what](call)
    assert call.state in TRANSITIONS[state, what]
    call.handle_timer(0.0)
    for _ in range(30):
        try:
            action = call.next_action(host.now)
        except (MeshAPIError, OSError) as exc:
            # What the function that returns tokens raises is raised unchanged.
            assert isinstance(exc, MeshAPIError) or state is CallState.TOKEN
            assert call.state is CallState.FAILED
            return
        if not isinstance(action, (Item, Release)):
            assert isinstance(action, (Connect, Read, Sleep, Write, Finished))
            return
    raise AssertionError("it never says what to do")


def test_an_exception_that_is_no_failure_is_raised_again():
    host = PipeHost(GET, [[]])
    host.step()
    with pytest.raises(KeyboardInterrupt):
        host.call.fail(KeyboardInterrupt(), 0.0)


def test_the_time_out_of_a_library_is_one_whatever_its_base():
    class Timeout(BaseException):
        pass

    Timeout.__module__ = "gevent.timeout"
    host = PipeHost(STREAM, [[]])
    host.step()
    host.step()
    assert isinstance(host.call.next_action(0.0), Read)
    host.call.fail(Timeout(), 0.0)
    assert host.run().phase == "read"


def test_an_error_of_ours_is_final():
    host = PipeHost(GET, [[]])
    host.step()
    host.call.fail(ResponseDecodeError("not there", error_code="unsafe_url"), 0.0)
    assert host.run().error_code == "unsafe_url"


def test_secrets_are_in_no_error():
    host = PipeHost(
        POST,
        [[make_response(b'{"error":{"message":"bad key rsk_test_verysecret"}}', 401)]],
        token="rsk_test_verysecret",
    )
    assert "verysecret" not in str(host.run())


@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans())
def test_any_bytes_end_in_a_response_or_an_error(pieces, streaming):
    host = PipeHost(STREAM if streaming else POST, [[*pieces, b""]] * 5, max_retries=1)
    outcome = host.run()
    assert isinstance(outcome, (list, MeshAPIError))
    assert len(host.released) == len(host.sent)


def test_a_response_that_came_while_a_write_took_too_long_is_read():
    """That is what hosts meet that read nothing while they write."""
    host = PipeHost(POST, [[make_response(b"{}", 413)]], timeout=Timeout(write=3), max_retries=0)
    while not isinstance(host.call.next_action(0.0), Write):
        host.step()
    host.call.fail(TimeoutError(), 3.0)
    host.now = 3.0
    error = host.run()
    assert isinstance(error, APIStatusError)
    assert error.status == 413


def test_a_socket_whose_time_out_was_rounded_to_nothing_has_timed_out():
    host = PipeHost(POST, [[0.5, BlockingIOError(11, "busy")]], max_retries=0)
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert error.phase == "read"


def test_the_time_in_the_queue_is_not_that_of_opening_a_connection():
    call = PipeHost(GET, [], timeout=Timeout(pool=60, connect=5)).call
    assert call.next_action(0.0).until == 5.0
    assert call.queued(0.0) == 60.0
    assert call.next_action(6.0).until == 60.0
    call.handle_timer(6.0)
    assert call.opening(20.0) == 25.0
    assert call.next_action(21.0).until == 25.0


def test_what_was_under_way_when_a_call_was_closed_may_be_told():
    for steps in range(5):
        host = PipeHost(STREAM, [[chunked(chunk("a"), end=False)]])
        call = host.call
        for _ in range(steps):
            host.step()
        call.close(stream_closed(), 0.0)
        call.fail(OSError("late"), 0.0)
        call.connected(0.0)
        released = call.next_action(0.0)
        assert isinstance(released, Release)
        assert not released.reusable
        call.written()
        call.receive_data(b"late", 0.0)
        assert call.queued(0.0) is call.opening(0.0) is None


def test_a_late_failure_of_a_connection_that_was_given_up_changes_nothing():
    host = PipeHost(POST, [[make_response(b"{}", 503)], [make_response(b'{"id":"x"}')]])
    while host.call.state is not CallState.WAITING:
        host.step()
    host.call.fail(ConnectionResetError("of the old one"), host.now)
    [item] = host.run()
    assert item.id == "x"


def test_what_is_known_is_of_the_attempt_that_goes_on():
    host = PipeHost(POST, [[make_response(b"{}", 503)], []])
    while len(host.connects) < 2:
        host.step()
    assert (host.call.status, host.call.request_id) == (0, "")


def test_the_whole_call_is_over_also_while_the_last_word_is_waited_for():
    host = PipeHost(POST, [[]], timeout=Timeout(total=5))
    while not isinstance(host.call.next_action(0.0), Write):
        host.step()
    host.call.fail(BrokenPipeError("gone"), 4.8)
    assert host.call.next_action(4.8) == Read(until=5.0)


def test_nothing_comes_after_the_end_of_input():
    host = PipeHost(STREAM, [[chunked(chunk("a"), end=False)]])
    while not host.items:
        host.step()
    host.call.receive_data(b"", 0.0)
    host.call.receive_data(b"", 0.0)
    with pytest.raises(ExchangeUsageError, match="after the end of input"):
        host.call.receive_data(b"x", 0.0)
