"""The session above the WebSocket: its events, its upgrade, its options and its memory."""

import array
import base64
import copy
import gzip
import json
import os
import pickle
import string
import traceback
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

import pytest
from fuzz_realtime import REQUEST, SWITCH, client_frames
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core._version import __version__
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import (
    APIStatusError,
    AuthenticationError,
    MeshAPIError,
    ProtocolError,
    RateLimitError,
    RealtimeConnectionClosed,
    RealtimeError,
    ResponseDecodeError,
)
from meshapi_core.extras import Extras
from meshapi_core.headers import Headers
from meshapi_core.messages import Origin, Reply, Request
from meshapi_core.params import InvalidParamsError
from meshapi_core.realtime import (
    RealtimeCall,
    RealtimeConnection,
    RealtimeMemory,
    RealtimeMessage,
    RealtimeOptions,
    Reconnect,
    Reconnected,
    read_message,
)
from meshapi_core.retries import RetryPolicy
from meshapi_core.sse import NEED_DATA
from meshapi_core.types.realtime import (
    RealtimeAudioConfig,
    RealtimeAudioOutput,
    RealtimeSessionConfig,
)
from meshapi_core.types.realtime_client import (
    RealtimeClientEvent,
    RealtimeResponseCreateEvent,
    RealtimeSessionUpdateEvent,
)
from meshapi_core.types.realtime_server import RealtimeAudioDeltaEvent, RealtimeServerEvent
from meshapi_core.websocket import Closed
from support.websocket_frames import BINARY, close, frame, pieces_of, switch, text

TOKEN = "rsk_test_0123+/=&?"
CONFIG = MeshAPIConfig(base_url="https://gateway.example/mesh", token=TOKEN)
PLAIN_TOKEN = "rsk_test_0123.~"
PLAIN_CONFIG = MeshAPIConfig(base_url="https://gateway.example/mesh", token=PLAIN_TOKEN)
MODEL = "openai/gpt realtime&x=ü"


def open_session(received: bytes = b"", **limits: Any) -> RealtimeConnection:
    connection = RealtimeConnection(**limits)
    connection.connect(REQUEST)
    connection.receive_data(SWITCH + received)
    return connection


def message(event: Any) -> RealtimeMessage:
    return read_message(event if isinstance(event, str) else json.dumps(event))


def sent(data: bytes) -> Any:
    ((opcode, payload),) = client_frames(data)
    assert opcode == 1
    return json.loads(payload)


# Messages

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.text(), json_values) | json_values, st.booleans())
def test_a_message_is_its_text_and_the_json_object_in_it(value, as_type):
    if as_type and isinstance(value, dict):
        value = {**value, "type": "response.done"}
    content = json.dumps(value, ensure_ascii=False)
    got = message(content)
    assert got.text == content
    assert got.event == (value if isinstance(value, dict) else None)
    kind = value.get("type") if isinstance(value, dict) else ""
    assert got.type == (kind if isinstance(kind, str) else "")


@given(st.text() | st.text(st.sampled_from('{}[]":,\\u1eTtype\ud800 ')))
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example('{"type":"\\ud800"}')
@example('\ufeff{"type":"x"}')
@example("9" * 5000)
def test_any_text_is_a_message(content):
    """What is no JSON, or too deep, is a message without an event, and the session lives."""
    got = message(content)
    assert got.text == content
    assert isinstance(got.type, str)
    assert (got.error() is not None) == (got.type == "error")
    if got.event is None:
        with pytest.raises(ResponseDecodeError):
            got.parse()
    else:
        assert isinstance(got.parse(), RealtimeServerEvent)


@given(st.binary(max_size=40), st.sampled_from(["response.output_audio", "response.audio"]))
def test_the_sound_of_an_audio_delta_is_decoded_by_both_names(pcm, name):
    delta = base64.b64encode(pcm).decode("ascii")
    got = message({"type": f"{name}.delta", "delta": delta})
    assert got.audio == pcm
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    assert typed.delta == delta
    assert message({"type": "response.output_audio_transcript.delta", "delta": delta}).audio is None


@pytest.mark.parametrize("delta", ["A", "AA$A", "é", 7, ["AAAA"]])
def test_a_delta_that_is_no_base64_is_an_event_whose_sound_is_an_error(delta):
    got = message({"type": "response.output_audio.delta", "delta": delta})
    assert got.event is not None
    assert got.event["delta"] == delta
    assert got.type == "response.output_audio.delta"
    assert got == pickle.loads(pickle.dumps(got))
    assert repr(got) == "<RealtimeMessage response.output_audio.delta>"
    with pytest.raises(ResponseDecodeError, match=r"^delta is not base64"):
        _ = got.audio
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    if isinstance(delta, str):
        with pytest.raises(ResponseDecodeError, match=r"^delta is not base64"):
            typed.audio_bytes()


@pytest.mark.parametrize("delta", ["-_8A", "+/8A", "-_8", " +/8\n", "data:audio/pcm;base64,+/8="])
def test_a_delta_in_another_way_of_writing_base64_is_sound(delta):
    got = message({"type": "response.audio.delta", "delta": delta})
    assert got.audio == (b"\xfb\xff\0" if delta.endswith("A") else b"\xfb\xff")
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    assert typed.audio_bytes() == got.audio


def test_a_delta_that_is_null_or_missing_is_an_event_without_sound():
    assert message({"type": "response.output_audio.delta", "delta": None}).audio is None
    assert message({"type": "response.output_audio.delta"}).audio is None


def test_messages_of_a_session_as_they_come():
    connection = open_session(
        text('{"type":"session.created"}')
        + pieces_of(1, b'{"type":', b'"response.done"}')
        + frame(BINARY, b"\0\xff")
        + text("[1]")
        + close(1000)
    )
    events = [connection.next_event() for _ in range(6)]
    assert events[0] == RealtimeMessage('{"type":"session.created"}', None, events[0].event)
    assert [event.type for event in events[:4]] == ["session.created", "response.done", "", ""]
    assert (events[2].text, events[2].audio, events[2].event) == (None, b"\0\xff", None)
    assert (events[3].text, events[3].event) == ("[1]", None)
    assert events[4:] == [Closed(1000, clean=True)] * 2


@given(
    st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    st.sampled_from([b"", b"\xef\xbb\xbf", b" \r\n\t", b"\xef\xbb\xbf\n"]),
    st.sampled_from([b"", b"\n", b" \r\n\t"]),
    st.integers(0, 10**6),
)
def test_an_event_in_a_binary_message_is_that_of_a_text_message(event, before, after, cut):
    """Gemini's Live API and gateways like it send all their JSON in binary frames."""
    data = before + json.dumps(event).encode() + after
    cut %= len(data) + 1
    connection = open_session(frame(BINARY, data) + pieces_of(BINARY, data[:cut], data[cut:]))
    for got in (connection.next_event(), connection.next_event()):
        assert got == read_message(data.decode())
        assert got.event == event


def test_what_is_special_about_an_event_is_so_in_a_binary_message():
    sound = base64.b64encode(b"sound").decode()
    delta = json.dumps({"type": "response.output_audio.delta", "delta": sound})
    error = '{"type":"error","error":{"code":"x","message":"no quota"}}'
    setup = '{"setupComplete": {}}'
    broken = b'{"type":"response.done","x":"\xff"}'
    stream = b"".join(frame(BINARY, part) for part in map(str.encode, (delta, error, setup)))
    connection = open_session(stream + frame(BINARY, broken))
    got = [connection.next_event() for _ in range(4)]
    assert [event.type for event in got] == [
        "response.output_audio.delta",
        "error",
        "",
        "response.done",
    ]
    assert got[0].audio == b"sound"
    failure = got[1].error()
    assert failure is not None
    assert (failure.code, str(failure)) == ("x", "realtime[x]: no quota")
    assert (got[2].event, got[2].audio) == ({"setupComplete": {}}, None)
    assert repr(got[1]) == "<RealtimeMessage error>"


@given(st.binary(max_size=60), st.sampled_from([b"", b"{", b"\xef\xbb\xbf{", b" {"]))
@example(b"", b'{"type": "response.done"')
@example(b"", b'{"type": "response.done"} x')
@example(b"", b"{x}")
@example(b"", b'["type"]')
@example(b"", b'"type"')
@example(b"", b"7")
@example(b"", b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
@example(b"", b"{" + bytes(1000) + b"}")
@example(b"", b"\x00{}")
def test_sound_stays_sound_also_where_it_begins_like_an_event(sound, beginning):
    data = beginning + sound
    try:
        known = isinstance(json.loads(data.decode("utf-8-sig", "replace")), dict)
    except (ValueError, RecursionError):
        known = False
    got = open_session(frame(BINARY, data)).next_event()
    if not known:
        assert got == RealtimeMessage(audio=data)


@given(
    st.text()
    | st.binary()
    | json_values.map(json.dumps)
    | json_values.map(json.dumps).map(str.encode)
)
@example('{"type":"response.output_audio.delta","delta":"AAEC"}')
@example(b'{"type":"response.output_audio.delta","delta":"A"}')
@example("")
@example(b"")
def test_a_message_of_the_hosts_own_websocket_is_what_a_connection_makes_of_it(data):
    if isinstance(data, str):
        assert RealtimeMessage.of(data) == open_session(text(data)).next_event()
        return
    expected = open_session(frame(BINARY, data)).next_event()
    buffer = bytearray(data)
    for kind in (data, buffer, memoryview(buffer)):
        assert RealtimeMessage.of(kind) == expected
    del kind
    assert RealtimeMessage.of(array.array("B", data)) == expected
    kept = RealtimeMessage.of(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    buffer += b"x"
    assert kept == expected


@pytest.mark.parametrize("data", [None, 7, ["{}"], {"type": "x"}])
def test_what_is_no_message_of_a_websocket_is_refused(data):
    with pytest.raises(TypeError, match=r"^data: expected str or bytes, got \w+$"):
        RealtimeMessage.of(data)


def test_a_session_asks_for_more_and_fails_as_its_upgrade_does():
    assert open_session().next_event() is NEED_DATA
    connection = RealtimeConnection()
    connection.connect(REQUEST)
    connection.receive_data(b"HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(AuthenticationError):
        connection.next_event()


@pytest.mark.parametrize(
    ("event", "code", "facts"),
    [
        (
            {
                "type": "error",
                "event_id": "event_of_the_server",
                "error": {
                    "type": "invalid_request_error",
                    "code": "unknown_parameter",
                    "message": "No such field",
                    "param": "session.x",
                    "event_id": "event_1",
                },
                "request_id": "req_1",
            },
            "unknown_parameter",
            ("No such field", "session.x", "req_1", "event_1"),
        ),
        # Codes that are null, missing, or of another kind.
        (
            {"type": "error", "error": {"type": "server_error", "code": None, "message": "m"}},
            "server_error",
            ("m", None, "", None),
        ),
        ({"type": "error", "error": {"code": None, "message": "m"}}, None, ("m", None, "", None)),
        ({"type": "error", "error": {"code": "", "message": "m"}}, None, ("m", None, "", None)),
        ({"type": "error", "error": {"code": 7, "message": "m"}}, None, ("m", None, "", None)),
        ({"type": "error", "error": "text"}, None, ("text", None, "", None)),
        (
            {"type": "error", "code": "c", "message": "m", "param": "p", "event_id": "e"},
            "c",
            ("m", "p", "", "e"),
        ),
        (
            {"type": "error", "error": {"message": "m", "param": 7, "event_id": []}},
            None,
            ("m", None, "", None),
        ),
    ],
)
def test_an_error_event_is_a_typed_error(event, code, facts):
    error = message(event).error()
    assert type(error) is RealtimeError
    assert (error.message, error.param, error.request_id, error.event_id) == facts
    assert error.code == error.error_code
    assert error.code
    assert code is None or error.code == code
    assert str(error) == f"realtime[{error.code}]: {error.message}"


@given(json_values, json_values, json_values)
def test_any_error_event_has_a_code_and_a_message(inner, code, text_of_it):
    for event in (
        {"type": "error", "error": inner},
        {"type": "error", "error": {"code": code, "message": text_of_it, "param": inner}},
    ):
        error = message(event).error()
        assert error is not None
        assert error.code
        assert error.message
        assert "\n" not in str(error)


@pytest.mark.parametrize("event", ["[]", "{}", '{"type":"x","error":{}}', '{"type":["error"]}'])
def test_what_is_no_error_event_is_no_error(event):
    assert message(event).error() is None


def test_what_people_say_is_in_no_repr():
    said = "my secret wish"
    assert repr(message({"type": "response.done", "text": said})) == (
        "<RealtimeMessage response.done>"
    )
    assert repr(message({"text": said})) == "<RealtimeMessage without a type>"
    assert repr(message(said)) == "<RealtimeMessage text (14)>"
    assert repr(RealtimeMessage(audio=b"abc")) == "<RealtimeMessage binary (3)>"
    assert repr(Reconnected(code=1012, reason=said)) == "<Reconnected after 1012>"


def test_a_reconnection_is_a_message_of_our_own():
    event = Reconnected(code=1011, reason="broken", attempts=2)
    assert isinstance(event, RealtimeMessage)
    assert event.type == "meshapi.reconnected"
    assert (event.text, event.audio, event.error()) == (None, None, None)
    facts = {"code": 1011, "reason": "broken", "attempts": 2}
    assert event.event == {"type": "meshapi.reconnected", **facts}
    assert event.parse().type == "meshapi.reconnected"
    assert copy.copy(event) == event == Reconnected(code=1011, reason="broken", attempts=2)


# What is sent

events = st.dictionaries(st.text(max_size=5), json_values, max_size=3).map(
    lambda event: {**event, "type": "x.y"}
)


@given(events)
def test_a_server_reads_back_the_event_that_was_sent(event):
    assert sent(open_session_once().send(event)) == event


@given(st.binary(max_size=300))
def test_a_server_reads_back_the_sound_that_was_sent(pcm):
    for data in (pcm, bytearray(pcm), memoryview(pcm)):
        event = sent(open_session_once().send_audio(data))
        assert event["type"] == "input_audio_buffer.append"
        assert base64.b64decode(event["audio"], validate=True) == pcm
        assert sorted(event) == ["audio", "type"]


def open_session_once() -> RealtimeConnection:
    connection = open_session()
    assert connection.next_event() is NEED_DATA
    return connection


def test_sound_may_be_any_view_of_memory():
    assert json.loads(RealtimeConnection.encode_audio(memoryview(b"abcdef")[::2]))["audio"] == (
        base64.b64encode(b"ace").decode("ascii")
    )
    wide = memoryview(b"abcd").cast("H")
    assert json.loads(RealtimeConnection.encode_audio(wide))["audio"] == "YWJjZA=="


def test_typed_events_are_sent_as_they_were_set():
    encode = RealtimeConnection.encode
    assert json.loads(encode(RealtimeResponseCreateEvent())) == {"type": "response.create"}
    assert json.loads(encode(RealtimeClientEvent(type="x.y", more=1))) == {"type": "x.y", "more": 1}
    typed = RealtimeSessionUpdateEvent(session=RealtimeSessionConfig(instructions="é"))
    assert json.loads(encode(typed))["session"]["instructions"] == "é"
    nested = {"type": "session.update", "session": RealtimeSessionConfig(instructions="é")}
    assert json.loads(encode(nested))["session"]["instructions"] == "é"


def within_itself() -> dict[str, Any]:
    event: dict[str, Any] = {"type": "x"}
    event["a"] = event
    return event


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "event"),
        ("response.create", "event"),
        (b"{}", "event"),
        ([{"type": "x"}], "event"),
        ({}, "event.type"),
        ({"type": ""}, "event.type"),
        ({"type": None}, "event.type"),
        ({"type": 7}, "event.type"),
        ({"type": "x", "a": b"sound"}, "event.a"),
        ({"type": "x", "a": {"b": [object()]}}, "event.a.b[0]"),
        ({"type": "x", "a": float("nan")}, "event.a"),
        ({"type": "x", "a": "\ud800"}, "event.a"),
        ({"type": "\ud800"}, "event.type"),
        ({"type": "x", 1: 2}, "event"),
        (within_itself(), "event"),
        (RealtimeServerEvent, "event"),
    ],
)
def test_what_is_no_event_is_refused_by_the_name_of_its_field(event, field):
    connection = open_session_once()
    with pytest.raises(InvalidParamsError) as caught:
        connection.send(event)
    assert caught.value.field == field
    assert connection.is_open
    assert sent(connection.send({"type": "x"})) == {"type": "x"}


@pytest.mark.parametrize("session", [None, "x", [], b"x", RealtimeSessionConfig])
def test_what_is_no_configuration_is_refused(session):
    with pytest.raises(InvalidParamsError) as caught:
        RealtimeConnection.update_event(session)
    assert caught.value.field == "session"


@pytest.mark.parametrize("audio", ["AAAA", None, [1, 2], 7, object()])
def test_what_is_no_sound_is_refused(audio):
    with pytest.raises(InvalidParamsError, match="audio: expected bytes"):
        open_session_once().send_audio(audio)


def test_nothing_is_sent_in_a_session_that_is_over_but_mistakes_are_still_mistakes():
    connection = open_session(close(1000))
    connection.next_event()
    with pytest.raises(RealtimeConnectionClosed):
        connection.send({"type": "x"})
    with pytest.raises(RealtimeConnectionClosed):
        connection.send_audio(b"")
    with pytest.raises(InvalidParamsError):
        connection.send({})


def test_a_configuration_is_an_event():
    update = RealtimeConnection.update_event
    assert update({"instructions": "x"}) == {
        "type": "session.update",
        "session": {"type": "realtime", "instructions": "x"},
    }
    assert update({"type": "transcription"})["session"] == {"type": "transcription"}
    config = RealtimeSessionConfig(
        audio=RealtimeAudioConfig(output=RealtimeAudioOutput(voice="marin"))
    )
    assert update(config)["session"]["audio"] == {"output": {"voice": "marin"}}


# The upgrade


def upgrade_of(config: MeshAPIConfig = CONFIG, **fields: Any) -> Request:
    return RealtimeCall(**{"model": MODEL, **fields}).request(config)


COMMON = (
    "connection: Upgrade\r\n"
    "upgrade: websocket\r\n"
    "sec-websocket-version: 13\r\n"
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "sec-websocket-protocol: {}openai-realtime\r\n"
    f"user-agent: meshapi-python/{__version__}\r\n"
    f"x-meshapi-sdk: python/{__version__}\r\n\r\n"
)
TARGET = "/mesh/v1/realtime?model=openai%2Fgpt%20realtime%26x%3D%C3%BC"


@pytest.mark.parametrize(
    ("auth", "target", "before", "protocols"),
    [
        ("query", TARGET + "&api_key=rsk_test_0123%2B%2F%3D%26%3F", "", ""),
        ("header", TARGET, f"authorization: Bearer {TOKEN}\r\n", ""),
        ("subprotocol", TARGET, "", f"realtime, openai-insecure-api-key.{PLAIN_TOKEN}, "),
    ],
)
def test_the_bytes_of_an_upgrade(auth, target, before, protocols):
    request = upgrade_of(PLAIN_CONFIG if auth == "subprotocol" else CONFIG, auth=auth)
    assert RealtimeConnection().connect(request).decode("ascii") == (
        f"GET {target} HTTP/1.1\r\nhost: gateway.example\r\n{before}" + COMMON.format(protocols)
    )
    assert (request.method, request.body) == ("GET", b"")
    assert request.origin == Origin("https", "gateway.example", 443)


PROTOCOL_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
@example(PROTOCOL_CHARACTERS)
@example("rsk_test,realtime")
@example("rsk_test/0123=")
def test_a_token_that_can_be_no_subprotocol_is_refused_before_it_is_sent(token):
    config = MeshAPIConfig(base_url="https://gateway.example", token=token)
    call = RealtimeCall(model="m", auth="subprotocol")
    if set(token) <= set(PROTOCOL_CHARACTERS):
        call.check(config)
        offered = str.__str__(dict(call.request(config).headers)["sec-websocket-protocol"])
        assert offered.split(", ")[:2] == ["realtime", f"openai-insecure-api-key.{token}"]
        return
    for refuse in (call.check, call.request):
        with pytest.raises(InvalidParamsError, match="the token has characters that no") as caught:
            refuse(config)
        assert caught.value.field == "auth"
        assert token not in str(caught.value) or len(token) < 4
    for auth in ("query", "header"):
        RealtimeCall(model="m", auth=auth).check(config)


@pytest.mark.parametrize("chosen", ["realtime", "openai-realtime", None])
def test_a_server_may_choose_either_name_of_the_session(chosen):
    request = upgrade_of(PLAIN_CONFIG, auth="subprotocol")
    connection = RealtimeConnection()
    connection.connect(request)
    key = dict(request.headers)["sec-websocket-key"]
    connection.receive_data(switch(key, {"Sec-WebSocket-Protocol": chosen}))
    assert connection.next_event() is NEED_DATA
    assert connection.subprotocol == chosen


def test_a_server_that_chooses_the_key_does_not_make_it_visible():
    request = upgrade_of(PLAIN_CONFIG, auth="subprotocol")
    connection = RealtimeConnection()
    connection.connect(request)
    chosen = f"openai-insecure-api-key.{PLAIN_TOKEN}"
    key = dict(request.headers)["sec-websocket-key"]
    connection.receive_data(switch(key, {"Sec-WebSocket-Protocol": chosen}))
    assert connection.next_event() is NEED_DATA
    for shown in (repr(connection.subprotocol), str(connection.subprotocol)):
        assert PLAIN_TOKEN not in shown


def test_the_token_is_in_the_query_unless_something_else_is_asked_for():
    assert upgrade_of() == upgrade_of(auth="query")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("a b&c=d?e#f/é%")
def test_any_model_is_one_parameter(model):
    request = upgrade_of(model=model, auth="header")
    assert parse_qsl(urlsplit(request.target).query, keep_blank_values=True) == [("model", model)]
    assert request.target.isascii()


def test_the_key_is_drawn_and_has_sixteen_bytes():
    keys = [
        dict(RealtimeCall(model="m").request(CONFIG, os.urandom).headers)["sec-websocket-key"]
        for _ in range(2)
    ]
    assert keys[0] != keys[1]
    for key in keys:
        assert len(base64.b64decode(key, validate=True)) == 16
    drawn = dict(RealtimeCall(model="m").request(CONFIG, lambda size: b"\xff" * size).headers)
    assert base64.b64decode(drawn["sec-websocket-key"]) == b"\xff" * 16


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
def test_the_token_shows_in_no_repr_and_no_traceback(auth):
    call = RealtimeCall(model="m", auth=auth)
    request = call.request(PLAIN_CONFIG if auth == "subprotocol" else CONFIG)
    connection = RealtimeConnection()
    data = connection.connect(request)
    secrets = (TOKEN, "rsk_test", "0123%2B")
    for shown in (repr(call), repr(request), str(request), repr(data), str(data), repr(connection)):
        assert not any(secret in shown for secret in secrets)
    for headers in (repr(request.headers), f"{request.target!r} {request.target}"):
        assert not any(secret in headers for secret in secrets)
    connection.receive_data(b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n")
    with pytest.raises(MeshAPIError) as caught:
        connection.next_event()
    assert caught.value.__traceback__ is not None
    stack = traceback.TracebackException(
        type(caught.value), caught.value, caught.value.__traceback__.tb_next, capture_locals=True
    )
    trace = "".join(stack.format())
    assert not any(secret in trace for secret in secrets)


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
def test_a_refusal_that_quotes_the_token_is_decoded_and_shows_none_of_it(auth):
    body = gzip.compress(b'{"error":{"message":"bad key Bearer %s"}}' % PLAIN_TOKEN.encode())
    head = b"HTTP/1.1 401 \r\nContent-Encoding: gzip\r\nX-Echo: %s\r\nContent-Length: %d\r\n\r\n"
    connection = RealtimeConnection()
    connection.connect(RealtimeCall(model="m", auth=auth).request(PLAIN_CONFIG))
    connection.receive_data(head % (PLAIN_TOKEN.encode(), len(body)) + body)
    with pytest.raises(AuthenticationError) as caught:
        connection.next_event()
    assert str(caught.value) == "bad key Bearer ***"
    assert caught.value.headers["x-echo"] == "***"


def test_nor_do_an_error_event_and_the_reason_of_a_close():
    request = RealtimeCall(model="m").request(CONFIG)
    event = message({"type": "error", "error": {"message": f"bad key {TOKEN}", "param": TOKEN}})
    error = event.error(request.secrets)
    assert error is not None
    assert (error.message, error.param) == ("bad key ***", "***")
    assert event.error() is not None
    assert TOKEN in (event.text or "")
    connection = RealtimeConnection()
    connection.connect(request)
    connection.receive_data(switch(dict(request.headers)["sec-websocket-key"]))
    connection.receive_data(close(1008, f"bad key {TOKEN}"))
    assert connection.next_event() == Closed(1008, "bad key ***", clean=True)
    assert "bad key ***" in str(connection.closed_error())


def test_additions_to_every_request_are_in_an_upgrade_too():
    extras = Extras(
        headers={"X-Trace": "1", "User-Agent": "mine", "x-meshapi-sdk": None},
        query={"model": "other", "intent": ["a", True]},
    )
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    request = upgrade_of(config, auth="header")
    headers = dict(request.headers)
    assert (headers["x-trace"].encode(), headers["user-agent"].encode()) == (b"1", b"mine")
    assert "x-meshapi-sdk" not in headers
    query = urlsplit(request.target).query
    assert parse_qsl(query) == [("model", "other"), ("intent", "a"), ("intent", "true")]
    assert request.target.startswith("/v1/realtime?")


def test_an_authorization_of_the_callers_replaces_ours():
    extras = Extras(headers={"Authorization": "Bearer other"})
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    fields = [
        value
        for name, value in upgrade_of(config, auth="header").headers
        if name == "authorization"
    ]
    assert [value.encode() for value in fields] == [b"Bearer other"]


@pytest.mark.parametrize("model", ["", None, 7, b"m", "\ud800"])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(InvalidParamsError) as caught:
        RealtimeCall(model=model)
    assert caught.value.field == "model"


@pytest.mark.parametrize("auth", ["", None, "bearer", [], True])
def test_what_is_no_place_for_a_token_is_refused(auth):
    with pytest.raises(InvalidParamsError) as caught:
        RealtimeCall(model="m", auth=auth)
    assert caught.value.field == "auth"


def test_a_call_reads_a_101_and_nothing_else():
    call = RealtimeCall(model="m")
    switched = Reply(101, Headers([("a", "b")]))
    assert call.read(switched) is switched
    with pytest.raises(ProtocolError) as caught:
        call.read(Reply(200, Headers([("x-request-id", "req_1")])))
    assert (caught.value.error_code, caught.value.status) == ("handshake_status", 200)
    assert caught.value.request_id == "req_1"
    error = call.refusal(Reply(429, Headers([("retry-after", "3")])))
    assert isinstance(error, RateLimitError)
    assert isinstance(error, APIStatusError)
    assert error.retry_after_seconds == 3.0


def test_an_upgrade_is_repeated_like_a_get():
    call = RealtimeCall(model="m")
    assert (call.method, call.streaming, call.starts_job) == ("GET", False, False)


@pytest.mark.parametrize(
    ("auth", "url", "headers", "subprotocols"),
    [
        ("query", "&api_key=rsk_test_0123.~", {}, ("openai-realtime",)),
        ("header", "", {"authorization": f"Bearer {PLAIN_TOKEN}"}, ("openai-realtime",)),
        (
            "subprotocol",
            "",
            {},
            ("realtime", f"openai-insecure-api-key.{PLAIN_TOKEN}", "openai-realtime"),
        ),
    ],
)
def test_a_websocket_of_the_hosts_own_connects_to_the_same_session(
    auth, url, headers, subprotocols
):
    call = RealtimeCall(model=MODEL, auth=auth)
    target = call.websocket(PLAIN_CONFIG)
    request = call.request(PLAIN_CONFIG)
    place = "wss://gateway.example/mesh/v1/realtime"
    assert target.url == f"{place}?model=openai%2Fgpt%20realtime%26x%3D%C3%BC{url}"
    assert target.url[len("wss://gateway.example") :] == str.__str__(request.target)
    agent = f"meshapi-python/{__version__}"
    ours = {"user-agent": agent, "x-meshapi-sdk": f"python/{__version__}"}
    assert dict(target.headers) == {**headers, **ours}
    assert target.subprotocols == subprotocols
    # Plain text, as hosts put it into format strings; it shows in no repr.
    for value in (target.url, *target.subprotocols, *dict(target.headers).values()):
        assert f"{value}" == str.__str__(value)
    assert PLAIN_TOKEN not in repr(target)
    assert repr(target) == f"<WebSocketTarget {place}>"


def test_what_is_added_to_requests_is_added_there_too_and_plain_http_becomes_ws():
    extras = Extras(headers={"X-Trace": "a secret", "User-Agent": None}, query={"intent": "a"})
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    target = RealtimeCall(model="m", auth="header").websocket(config)
    assert target.url == "ws://localhost:8000/v1/realtime?model=m&intent=a"
    assert f"{dict(target.headers)['x-trace']}" == "a secret"
    assert "user-agent" not in dict(target.headers)
    with pytest.raises(InvalidParamsError):
        RealtimeCall(model="m", auth="subprotocol").websocket(config)


# Options


def test_options_are_those_of_the_machine():
    connection = RealtimeOptions(
        max_message_size=3, ping_interval=1.0, ping_timeout=None
    ).connection()
    connection.connect(REQUEST)
    connection.receive_data(SWITCH + text("abc") + text("abcd"))
    assert connection.next_event() == RealtimeMessage("abc")
    assert connection.next_event().code == 1009


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("raise_errors", 1, TypeError),
        ("raise_errors", None, TypeError),
        ("reconnect", True, TypeError),
        ("reconnect", 3, TypeError),
        ("max_message_size", 0, ValueError),
        ("max_message_size", None, TypeError),
        ("max_message_size", 1.5, TypeError),
        ("ping_interval", 0, ValueError),
        ("ping_interval", "1", TypeError),
        ("ping_timeout", -1, ValueError),
        ("ping_timeout", float("nan"), ValueError),
        ("close_timeout", None, TypeError),
        ("close_timeout", 0, ValueError),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_name(field, value, kind):
    with pytest.raises(kind, match=f"^{field}: expected"):
        RealtimeOptions(**{field: value})


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": True}, TypeError),
        ({"attempts": 1.5}, TypeError),
        ({"retry": 3}, TypeError),
    ],
)
def test_a_reconnection_that_cannot_be_used_is_refused(fields, kind):
    with pytest.raises(kind, match=f"^{next(iter(fields))}: expected"):
        Reconnect(**fields)


def test_only_ends_that_may_not_come_again_are_worth_a_reconnection():
    assert Reconnect().codes == {1006, 1011, 1012, 1013, 1014}
    assert Reconnect(retry=RetryPolicy(), codes=frozenset({1000})).codes == {1000}


@pytest.mark.parametrize("timeout", [None, 0, 0.0, 5, 0.1])
def test_a_time_to_wait_may_be_none_nothing_or_seconds(timeout):
    RealtimeOptions.check_timeout(timeout)


@pytest.mark.parametrize("timeout", [-1, "1", True, float("inf")])
def test_other_times_to_wait_are_refused(timeout):
    with pytest.raises((TypeError, ValueError), match=r"^timeout: expected"):
        RealtimeOptions.check_timeout(timeout)


# Memory


def update(session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def remembered(*events: Any) -> Optional[Any]:
    memory = RealtimeMemory()
    for event in events:
        memory.note_sent(event)
    text_of_it = memory.update()
    return None if text_of_it is None else json.loads(text_of_it)


def test_configurations_add_up_as_they_do_at_the_gateway():
    assert remembered(
        update({"instructions": "a", "audio": {"output": {"voice": "v", "speed": 1.5}}}),
        {"type": "response.create"},
        update({"audio": {"output": {"speed": None}, "input": {"turn_detection": None}}}),
        update({"instructions": "b", "tools": [1]}),
        update({"tools": [2]}),
    ) == update(
        {
            "type": "realtime",
            "instructions": "b",
            "audio": {
                "output": {"voice": "v", "speed": None},
                "input": {"turn_detection": None},
            },
            "tools": [2],
        }
    )


def test_typed_configurations_are_remembered_like_plain_ones():
    typed = RealtimeSessionUpdateEvent(session=RealtimeSessionConfig(instructions="a"))
    assert remembered(typed, update({"type": "realtime", "tools": []})) == update(
        {"type": "realtime", "instructions": "a", "tools": []}
    )


@pytest.mark.parametrize(
    "event",
    [{"type": "response.create"}, {"type": "session.update"}, update(None), update([]), update({})],
)
def test_what_configures_nothing_is_not_remembered(event):
    assert remembered(event) is None
    assert remembered() is None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), json_values), max_size=4))
def test_what_is_remembered_is_what_the_last_configuration_left(sessions):
    memory, expected = RealtimeMemory(), {}
    for session in sessions:
        memory.note_sent(update(copy.deepcopy(session)))
        expected = merged(expected, session)
    text_of_it = memory.update()
    if not expected:
        assert text_of_it is None
    else:
        assert text_of_it is not None
        assert json.loads(text_of_it) == update({"type": "realtime", **expected})


def merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {
        name: merged(old[name], new[name])
        if name in old and name in new
        else new.get(name, old.get(name))
        for name in [*old, *new]
    }


def test_what_was_remembered_is_not_changed_by_the_caller_afterwards():
    session = {"audio": {"output": {"voice": "v"}}}
    memory = RealtimeMemory()
    memory.note_sent(update(session))
    session["audio"]["output"]["voice"] = "w"
    assert '"voice":"v"' in (memory.update() or "")


def test_an_answer_forgives_the_failures_before_it_and_a_greeting_does_not():
    memory = RealtimeMemory()
    memory.failures = 3
    failure = {"type": "error", "error": {"code": "session_expired", "message": "over"}}
    memory.note_received(message(failure))
    assert (memory.failures, memory.last_error_code) == (3, "session_expired")
    for greeting in (
        message({"type": "session.created"}),
        message({"type": "session.updated"}),
        Reconnected(),
    ):
        memory.note_received(greeting)
        assert (memory.failures, memory.last_error_code) == (3, "session_expired")
    memory.note_received(message({"type": "response.created"}))
    assert (memory.failures, memory.last_error_code) == (0, "")


@pytest.mark.parametrize("codes", [1006, None, "1006", {"x"}, {True}, {7}, [1006, None]])
def test_codes_that_are_none_are_refused_when_they_are_given(codes):
    with pytest.raises((TypeError, ValueError), match="codes: expected"):
        Reconnect(codes=codes)


def test_codes_may_be_any_set_or_list():
    for codes in ({1006, 1011}, [1011, 1006], (1006, 1011)):
        assert Reconnect(codes=codes).codes == frozenset({1006, 1011})
