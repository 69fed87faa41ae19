"""`ClientCall` driven by a host without I/O, over a client that follows a script."""

import contextlib
import email.message
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from meshapi_core.machines.actions import (
    Abort,
    Finished,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from meshapi_core.machines.call_machine import CallInput, CallState
from meshapi_core.machines.client_call import TRANSITIONS
from meshapi_core.machines.exchange import ExchangeUsageError
from meshapi_core.machines.responses import MAX_ERROR_SIZE
from meshapi_core.messages import client_closed, stream_closed
from meshapi_core.signals import NEED_DATA
from support.client_host import SENT, ClientHost, Head
from support.machine_calls import DONE, GET, POST, STREAM, File, chunk, texts, upload

OK = Head()
CODED = {"content-encoding": "gzip"}
WHOLE_STREAM = chunk("Hel") + chunk("lo", "stop") + DONE


def make_response(body: bytes = b"{}", status: int = 200, **fields: str) -> list[Any]:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return [Head(status, headers), body, b""]


# Whole responses


def test_a_response_is_one_item():
    host = ClientHost(GET, [make_response(b'{"a":1}')])
    assert host.run() == [{"a": 1}]
    assert host.ends == ["end"]
    [sent] = host.sent
    assert (sent.request.method, sent.request.url) == ("GET", "http://localhost:8000/v1/models")
    assert not sent.fresh
    assert host.call.state is CallState.DONE
    assert host.call.next_action(1.0) == Finished()


@given(st.data())
def test_responses_may_be_cut_anywhere(data):
    for call, whole in ((GET, b'{"a":1}'), (STREAM, WHOLE_STREAM)):
        cuts = data.draw(st.sets(st.integers(1, len(whole) - 1)))
        places = [0, *sorted(cuts), len(whole)]
        pieces = [whole[a:b] for a, b in zip(places, places[1:])]
        host = ClientHost(call, [[OK, *pieces, b""]])
        items = host.run()
        assert (items if call is GET else texts(items)) in ([{"a": 1}], ["Hel", "lo"])
        assert host.ends == ["end"]


def test_the_body_may_come_as_any_buffer():
    host = ClientHost(GET, [[OK]])
    host.step()
    for piece in (bytearray(b'{"a"'), memoryview(b":1}"), b""):
        host.call.receive_body(piece, 0.0)
    assert host.call.next_action(0.0) == Item({"a": 1})


def _message(*pairs: tuple[str, str]) -> email.message.Message:
    message = email.message.Message()
    for name, value in pairs:
        message[name] = value
    return message


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Request-Id": "req_7"},
        [("x-request-id", "req_7")],
        ((b"X-Request-ID", b"req_7"),),
        iter([["x-request-id", "req_7"]]),
        _message(("X-Request-ID", "req_7")),
    ],
    ids=["mapping", "pairs", "bytes", "iterator", "http.client"],
)
def test_headers_are_taken_in_any_usual_form(headers):
    error = ClientHost(POST, [[Head(404, headers), b"{}", b""]]).run()
    assert error.request_id == "req_7"


def test_a_field_that_comes_twice_is_kept_twice():
    host = ClientHost(GET, [[]])
    host.call.next_action(0.0)
    host.call.receive_head(200, _message(("via", "a"), ("via", "b")), 0.0)
    assert host.call.headers.get_all("via") == ["a", "b"]


def test_a_refusal_is_repeated_after_its_wait():
    busy = make_response(b'{"error":{"code":"rate_limit_exceeded"}}', 429, retry_after="2")
    host = ClientHost(POST, [busy, make_response(b'{"id":"x"}')])
    [item] = host.run()
    assert item.id == "x"
    assert host.slept == [2.125]
    assert host.ends == ["end", "end"]
    assert host.call.attempts == 2


def test_a_refusal_that_is_final_is_raised_again_and_again():
    host = ClientHost(STREAM, [make_response(b'{"error":{"message":"no"}}', 429)])
    error = host.run()
    assert type(error) is RateLimitError
    assert host.ends == ["end"]
    with pytest.raises(RateLimitError) as caught:
        host.call.next_action(9.0)
    assert caught.value is error


def test_a_connection_that_was_refused_is_tried_again():
    host = ClientHost(POST, [[ConnectionRefusedError("no")], make_response(b'{"id":"x"}')])
    [item] = host.run()
    assert item.id == "x"
    assert len(host.slept) == 1
    assert host.aborted == 0


def test_a_request_that_may_have_been_worked_on_is_not_sent_again():
    error = ClientHost(POST, [[SENT, 1.0, ConnectionResetError("reset")]]).run()
    assert (type(error), error.error_code) == (APIConnectionError, "reset")
    assert ClientHost(GET, [[ConnectionResetError("reset")], make_response()]).run() == [{}]


def test_a_body_that_breaks_off_keeps_what_its_head_said():
    head = Head(200, {"x-request-id": "req_7"})
    error = ClientHost(POST, [[head, b"{", ConnectionResetError("reset")]]).run()
    assert isinstance(error, APIConnectionError)
    assert (error.status, error.request_id) == (200, "req_7")


def test_the_end_of_a_connection_that_may_have_been_cut_is_no_end_of_a_body():
    for body, is_whole in ((b'{"id":"x"}', True), (gzip.compress(b"{}")[:-3], False)):
        host = ClientHost(POST, [[Head(200, CODED if not is_whole else {}), body]], max_retries=0)
        host.step()
        host.step()
        host.call.receive_body(b"", 0.0, cut=True)
        if is_whole:
            assert isinstance(host.call.next_action(0.0), Item)
            continue
        with pytest.raises(APIConnectionError) as caught:
            host.call.next_action(0.0)
        assert caught.value.error_code == "truncated"


def test_an_error_body_is_read_up_to_its_limit():
    piece = b"x" * 4096
    host = ClientHost(POST, [[Head(500), *[piece] * (MAX_ERROR_SIZE // 4096 + 5)]])
    error = host.run()
    assert isinstance(error, APIStatusError)
    assert error.status == 500
    assert host.ends == ["abort"]


def test_a_response_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("meshapi_core.machines.responses.MAX_BODY_SIZE", 10)
    host = ClientHost(GET, [make_response(b'{"a":"0123456789"}')])
    error = host.run()
    assert isinstance(error, ResponseDecodeError)
    assert error.error_code == "response_too_large"
    assert host.ends == ["abort"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (101, ProtocolError, "unexpected_upgrade"),
        (407, APIConnectionError, "proxy_auth"),
        (100, ProtocolError, "bad_response"),
        (0, ProtocolError, "bad_response"),
        (-1, ProtocolError, "bad_response"),
        (600, ProtocolError, "bad_response"),
        (999, ProtocolError, "bad_response"),
    ],
)
@pytest.mark.parametrize("call", [POST, STREAM], ids=["create", "stream"])
def test_a_status_that_no_response_has_is_an_error(call, status, kind, code):
    host = ClientHost(call, [make_response(b"{}", status)], max_retries=0)
    error = host.run()
    assert (type(error), error.error_code) == (kind, code)
    assert host.ends == ["abort"]


def test_a_redirect_is_not_followed():
    error = ClientHost(GET, [make_response(b"", 307, location="http://elsewhere/")]).run()
    assert isinstance(error, APIStatusError)
    assert error.status == 307


# Limits

HEAD_LIMITS = Timeout(pool=1, connect=2, write=4, read=8)


@pytest.mark.parametrize(
    ("events", "timeout", "phase", "at"),
    [
        # A client without phases has the sum of all limits.
        ([], HEAD_LIMITS, "read", 15),
        ([], Timeout(pool=1, connect=2, write=4, read=None, total=20), "total", 20),
        ([], Timeout(pool=1, connect=2, write=4, read=8, total=14), "total", 14),
        # One that calls `sent` limits the phases before that itself, and hides interim responses.
        ([3.0, SENT], HEAD_LIMITS, "read", 43),
        ([3.0, SENT], Timeout(read=8, total=9), "total", 9),
        ([OK, b"x" * 50], Timeout(read=3), "read", 3),
        ([OK, 2.0, b"x", 2.0, b"x"], Timeout(read=3), "read", 3),
        ([OK, b"x" * 50], Timeout(read=3, total=2), "total", 2),
        ([OK, b"x" * 50], Timeout(read=None, total=5), "total", 5),
        ([Head(500), 2.0, b"x" * 2000, 2.0, b"x" * 2000], Timeout(read=3), "read", 3),
    ],
)
def test_a_slow_response_ends_with_the_limit_that_runs_out(events, timeout, phase, at):
    host = ClientHost(POST, [events], timeout=timeout, max_retries=0)
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert (error.phase, host.now) == (phase, at)
    has_head = any(isinstance(event, Head) for event in events)
    assert (host.ends, host.aborted) == ((["abort"], 0) if has_head else ([], 1))


def test_a_whole_response_that_comes_on_has_as_long_as_it_takes():
    body = [2.0, b" " * 1024] * 20
    host = ClientHost(POST, [[OK, *body, b"{}", b""]], timeout=Timeout(read=3))
    assert len(host.run()) == 1
    assert host.now == 40


def test_without_limits_there_is_none():
    none = Timeout(pool=None, connect=None, write=None, read=None)
    host = ClientHost(POST, [make_response()], timeout=none)
    assert host.call.next_action(0.0).until is None
    host.step()
    assert host.call.next_action(0.0).until is None


def test_each_piece_of_a_large_request_has_the_limit_of_writing():
    large = Completions.create.build(
        model="m", messages=[{"role": "user", "content": "x" * 640_000}]
    )
    host = ClientHost(large, [[]], timeout=HEAD_LIMITS)
    assert host.call.next_action(0.0).until == 15 + 4 * 9


def test_a_time_out_of_the_clients_is_that_of_its_phase():
    error = ClientHost(POST, [[SENT, 0.5, TimeoutError()]], max_retries=0).run()
    assert (type(error), error.phase) == (APITimeoutError, "read")
    error = ClientHost(POST, [[OK, b"{", 0.5, TimeoutError()]], max_retries=0).run()
    assert (type(error), error.phase) == (APITimeoutError, "read")


def test_the_idle_limit_begins_with_each_item_and_when_it_is_waited_for():
    pings = [2.0, b":\n\r\n"]
    host = ClientHost(STREAM, [[OK, chunk("a"), *pings * 9]], timeout=Timeout(idle=5))
    while not host.items:
        host.step()
    host.now = 100.0
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert (error.phase, host.now) == ("idle", 105.0)
    assert error.partial is not None
    assert host.ends == ["abort"]


@pytest.mark.parametrize(
    ("total", "phase"), [(None, "idle"), (5, "total"), (1, "total"), (6, "idle")]
)
def test_whichever_limit_comes_first_is_told(total, phase):
    host = ClientHost(STREAM, [[OK, chunk("a")]], timeout=Timeout(idle=5, total=total))
    error = host.run()
    assert isinstance(error, APITimeoutError)
    assert error.phase == phase


def test_a_read_that_is_asked_for_late_takes_what_has_come_meanwhile():
    host = ClientHost(POST, [[OK]], timeout=Timeout(read=3))
    call = host.call
    host.step()
    assert call.next_action(1.0) == ReadBody(until=3.0)
    assert call.next_action(60.0) == ReadBody(until=61.0)
    call.receive_body(b'{"id":"late"}', 60.0)
    call.receive_body(b"", 60.0)
    assert call.next_action(60.0).value.id == "late"


def test_a_wait_that_is_over_is_no_time_out():
    busy = make_response(b"{}", 503, retry_after="9")
    host = ClientHost(POST, [busy, make_response(b'{"id":"x"}')], timeout=Timeout(read=3))
    while host.call.state is not CallState.WAITING:
        host.step()
    host.call.handle_timer(4.0)
    assert isinstance(host.call.next_action(4.0), Sleep)
    host.call.handle_timer(1000.0)
    assert [item.id for item in host.run()] == ["x"]


def test_a_timer_of_what_has_been_done_is_harmless():
    host = ClientHost(POST, [[]], timeout=Timeout(read=3))
    call = host.call
    until = call.next_action(0.0).until
    call.receive_head(200, {}, until - 0.5)
    call.handle_timer(until)
    assert call.next_action(until) == ReadBody(until=until + 2.5)
    call.receive_body(b" " * 2000, until + 2.4)
    call.handle_timer(until + 2.5)
    assert call.next_action(until + 2.5) == ReadBody(until=until + 5.5)


# Streams


def test_a_stream_gives_its_items_and_then_its_end():
    host = ClientHost(STREAM, [[OK, WHOLE_STREAM, b""]])
    assert texts(host.run()) == ["Hel", "lo"]
    assert host.ends == ["end"]
    assert host.call.decoder.complete


def test_the_end_of_a_body_may_come_after_done():
    whole = chunk("x", "stop") + DONE
    for rest, end in (([0.05, b""], "end"), ([], "abort"), ([OSError("lost")], "abort")):
        host = ClientHost(STREAM, [[OK, whole, *rest]])
        assert texts(host.run()) == ["x"]
        assert host.ends == [end]
        assert host.now <= 0.11


def test_a_body_that_goes_on_after_done_is_left():
    whole = chunk("x", "stop") + DONE
    host = ClientHost(STREAM, [[OK, whole, *[0.01, b":\n\r\n"] * 100]])
    assert texts(host.run()) == ["x"]
    assert host.ends == ["abort"]
    assert host.now < 0.12


@pytest.mark.parametrize("lost", [b"", ConnectionResetError("reset")])
def test_a_stream_that_breaks_has_what_came(lost):
    host = ClientHost(STREAM, [[OK, chunk("Hel"), lost]])
    error = host.run()
    assert isinstance(error, StreamInterruptedError)
    assert error.partial.choices[0].message.content == "Hel"
    assert texts(host.items) == ["Hel"]
    assert len(host.ends) == 1


def test_what_came_before_a_stream_broke_is_given_out():
    for rest, kind in ((chunk("b", "stop") + DONE, list), (chunk("b"), StreamInterruptedError)):
        host = ClientHost(STREAM, [[OK, chunk("a")]])
        for _ in range(2):
            host.step()
        host.call.receive_body(rest, 0.0)
        host.call.fail(OSError("lost"), 0.0)
        assert isinstance(host.run(), kind)
        assert texts(host.items) == ["a", "b"]


def test_a_response_that_is_there_is_not_lost_with_its_connection():
    host = ClientHost(POST, [[OK]])
    host.step()
    host.call.receive_body(b'{"id":"x"}', 0.0)
    host.call.receive_body(b"", 0.0)
    host.call.fail(OSError("lost"), 0.0)
    assert host.call.next_action(0.0).value.id == "x"


def test_an_item_that_has_come_is_had_without_a_look_at_the_clock():
    host = ClientHost(STREAM, [[OK, WHOLE_STREAM, b""]])
    assert host.call.next_item() is NEED_DATA
    while not host.items:
        host.step()
    assert host.call.next_item().choices[0].delta.content == "lo"
    assert host.call.next_item() is NEED_DATA
    assert host.run() is host.items


# Uploads


def test_a_retry_of_an_upload_sends_the_file_again():
    file = File(6, [b"abc", b"def"])
    host = ClientHost(
        upload(file), [make_response(b"", 503), [OSError("lost")], make_response(b"")]
    )
    assert host.run() == [None]
    assert host.bodies == [b"abcdef"] * 3
    assert len(host.sent) == 3
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
    host = ClientHost(upload(File(6, [b"abcdef"], second)), [make_response(b"", 503), []])
    error = host.run()
    assert (type(error), error.error_code) == (MeshAPIError, code)
    assert len(host.sent) == 2


def test_files_that_cannot_be_opened_end_the_call():
    host = ClientHost(upload(File(1, [b"x"])), [])
    assert isinstance(host.call.next_action(0.0), OpenFiles)
    assert isinstance(host.call.next_action(0.0), OpenFiles)
    host.call.fail(MeshAPIError("no such file", error_code="source_unreadable"), 0.0)
    assert host.run().error_code == "source_unreadable"


# Interrupts


class Cancelled(BaseException):
    pass


def test_a_request_whose_sending_was_interrupted_is_not_sent_again():
    host = ClientHost(GET, [[]])
    assert isinstance(host.call.next_action(0.0), SendRequest)
    host.call.interrupted(Cancelled(), 0.0)
    assert host.call.next_action(0.0) == Abort()
    with pytest.raises(StreamInterruptedError, match=r"\(Cancelled\).*not sent again"):
        host.call.next_action(0.0)


def test_a_refusal_stays_one_without_the_rest_of_its_body():
    host = ClientHost(POST, [[Head(401, {"x-request-id": "req_7"}), b'{"error":']])
    for _ in range(2):
        host.step()
    host.call.interrupted(Cancelled(), 0.0)
    assert host.call.next_action(0.0) == Abort()
    with pytest.raises(APIStatusError) as caught:
        host.call.next_action(0.0)
    assert (caught.value.status, caught.value.request_id) == (401, "req_7")


def test_a_stream_that_was_interrupted_says_so():
    host = ClientHost(STREAM, [[OK, chunk("a") + chunk("b")]])
    while not host.items:
        host.step()
    host.call.interrupted(Cancelled(), 0.0)
    # What had come is returned first.
    error = host.run()
    assert texts(host.items) == ["a", "b"]
    assert isinstance(error, StreamInterruptedError)
    assert "interrupted" in str(error)
    assert host.ends == ["abort"]


def test_a_wait_that_was_interrupted_goes_on():
    host = ClientHost(POST, [make_response(b"{}", 503), make_response(b'{"id":"x"}')])
    before = None
    while not isinstance(before, Sleep):
        if before is not None:
            host.do(before)
        before = host.call.next_action(host.now)
    host.call.interrupted(Cancelled(), host.now)
    assert host.call.next_action(host.now) == before
    assert [item.id for item in host.run()] == ["x"]


# Closing, and misuse


@pytest.mark.parametrize("failure", [client_closed, stream_closed])
def test_a_call_can_be_closed_at_any_time(failure):
    for steps in range(9):
        host = ClientHost(STREAM, [[OK, chunk("a")]])
        for _ in range(steps):
            host.step()
            if host.items:
                break
        host.call.close(failure(), host.now)
        host.call.close(failure(), host.now)
        assert host.run().error_code == failure().error.error_code
        assert host.ends == (["abort"] if steps else [])


def test_a_request_on_its_way_is_given_up_when_its_call_is_closed():
    host = ClientHost(GET, [[0.5]])
    host.step()
    host.call.close(client_closed(), 0.5)
    assert host.run().error_code == "client_closed"
    assert host.aborted == 1


def test_what_has_not_been_sent_is_not_given_up():
    host = ClientHost(upload(File(1, [b"x"])), [])
    host.step()
    host.call.close(client_closed(), 0.0)
    assert host.run().error_code == "client_closed"
    assert host.aborted == 0


def reach(state: CallState) -> ClientHost:
    """A call in this state."""
    script: Any = [[OK, chunk("x", "stop") + DONE]]
    call: Any = STREAM
    fields: Any = {}
    if state is CallState.OPENING:
        call = upload(File(1, [b"x"]))
    elif state is CallState.TOKEN:
        fields = {"token": lambda: "rsk_test_2"}
    elif state is CallState.WAITING:
        call, script = POST, [make_response(b"{}", 503)]
    elif state is CallState.FAILED:
        script = [make_response(b"{}", 404)]
    elif state in (CallState.BODY, CallState.ITEMS):
        script = [[OK, chunk("x") + chunk("y")]]
    host = ClientHost(call, script, **fields)
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
        host.do(action)
    raise AssertionError("it never comes there")


def put(call: Any, what: CallInput) -> None:
    """Give a call an input, legal or not."""
    if what is CallInput.OPENED:
        call.opened(None, 0.0)
    elif what is CallInput.TOKEN:
        call.token("rsk_test_2")
    elif what is CallInput.SENT:
        call.sent(0.0)
    elif what is CallInput.HEAD:
        call.receive_head(200, {}, 0.0)
    elif what is CallInput.BODY:
        call.receive_body(b": \n", 0.0)
    else:
        call.fail(OSError("broken"), 0.0)


INPUTS = [
    CallInput.TOKEN,
    CallInput.OPENED,
    CallInput.SENT,
    CallInput.HEAD,
    CallInput.BODY,
    CallInput.FAIL,
]
PIPES_ONLY = {CallState.CONNECTING, CallState.WRITING, CallState.LAST_WORD, CallState.HEAD}


@pytest.mark.parametrize("what", INPUTS)
@pytest.mark.parametrize("state", [state for state in CallState if state not in PIPES_ONLY])
def test_every_input_in_every_state_is_legal_or_says_what_to_do(state, what):
    host = reach(state)
    call = host.call
    if (state, what) not in TRANSITIONS:
        # The host may still report what was in progress when the call was closed.
        closed = pytest.raises(ExchangeUsageError, match=r"call next_action\(\)")
        with contextlib.nullcontext() if call._life.closed else closed:
            put(call, what)
        assert call.state is state
        return
    if what is CallInput.OPENED:
        host.step()
    else:
        put(call, what)
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
        if not isinstance(action, (Item, Abort)):
            assert isinstance(action, (SendRequest, ReadBody, Sleep, Finished))
            return
    raise AssertionError("it never says what to do")


def test_no_state_is_left_out_of_the_table():
    assert {state for state, _ in TRANSITIONS}.isdisjoint(PIPES_ONLY)
    assert set().union(*TRANSITIONS.values()).isdisjoint(PIPES_ONLY)


def test_an_exception_that_is_no_failure_is_raised_again():
    host = ClientHost(GET, [[]])
    host.call.next_action(0.0)
    with pytest.raises(KeyboardInterrupt):
        host.call.fail(KeyboardInterrupt(), 0.0)


def test_an_error_of_ours_is_final():
    host = ClientHost(GET, [[ResponseDecodeError("not there", error_code="unsafe_url")]])
    assert host.run().error_code == "unsafe_url"
    assert host.aborted == 0


@pytest.mark.parametrize("call", [POST, STREAM], ids=["create", "stream"])
def test_secrets_are_in_no_error(call):
    words = b'{"error":{"message":"bad key rsk_test_verysecret"}}'
    for script in (
        make_response(words, 401),
        [OK, b"data: " + words + b"\n\n", b""],
        [OK, b"rsk_test_verysecret", b""],
        [OSError("no way to rsk_test_verysecret")],
        [OK, chunk("a"), OSError("rsk_test_verysecret")],
    ):
        error = ClientHost(call, [script], token="rsk_test_verysecret", max_retries=0).run()
        assert isinstance(error, MeshAPIError)
        assert "verysecret" not in f"{error} {error!r}"


def test_a_signature_is_in_no_error_of_an_upload():
    host = ClientHost(upload(File(1, [b"x"])), [make_response(b"<Error>s3cr3t</Error>", 403)])
    assert "s3cr3t" not in repr(host.run())


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 999), st.booleans())
def test_any_bytes_end_in_a_response_or_an_error(pieces, status, streaming):
    events = [Head(status), *filter(None, pieces), b""]
    host = ClientHost(STREAM if streaming else POST, [events] * 5, max_retries=1)
    outcome = host.run()
    assert isinstance(outcome, (list, MeshAPIError))
    assert len(host.ends) == len(host.sent)
