"""Events: how messages are read, and what is sent."""

import array
import base64
import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.errors import InvalidParamsError, RealtimeError, ResponseDecodeError
from meshapi_core.realtime import RealtimeConnection, RealtimeMessage, Reconnected
from meshapi_core.realtime.events import read_message
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
from support.realtime_sessions import json_values, message, open_session, open_session_once, sent
from support.websocket_frames import BINARY, frame, pieces_of, text


@given(st.dictionaries(st.text(), json_values) | json_values, st.booleans())
def test_a_message_is_its_text_and_the_json_object_in_it(value, as_type):
    if as_type and isinstance(value, dict):
        value = {**value, "type": "response.done"}
    content = json.dumps(value, ensure_ascii=False)
    got = message(content)
    assert got.text == content
    assert got.event == (value if isinstance(value, dict) else {})
    kind = value.get("type") if isinstance(value, dict) else ""
    assert got.type == (kind if isinstance(kind, str) else "")


@given(st.text() | st.text(st.sampled_from('{}[]":,\\u1eTtype\ud800 ')))
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example('{"type":"\\ud800"}')
@example('\ufeff{"type":"x"}')
@example("9" * 5000)
def test_any_text_is_a_message(content):
    """If it is not JSON, or too deep, the message has no event, and the session goes on."""
    got = message(content)
    assert got.text == content
    assert isinstance(got.type, str)
    assert (got.error() is not None) == (got.type == "error")
    assert isinstance(got.event, dict)
    if not got.event:
        with pytest.raises(ResponseDecodeError):
            got.parse()
    else:
        assert isinstance(got.parse(), RealtimeServerEvent)


@given(st.binary(max_size=40), st.sampled_from(["response.output_audio", "response.audio"]))
def test_the_audio_of_an_audio_delta_is_decoded_by_both_names(pcm, name):
    delta = base64.b64encode(pcm).decode("ascii")
    got = message({"type": f"{name}.delta", "delta": delta})
    assert got.audio == pcm
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    assert typed.delta == delta
    assert message({"type": "response.output_audio_transcript.delta", "delta": delta}).audio is None


@pytest.mark.parametrize("delta", ["A", "AA$A", "é", 7, ["AAAA"]])
def test_a_delta_that_is_no_base64_is_an_event_whose_audio_is_an_error(delta):
    got = message({"type": "response.output_audio.delta", "delta": delta})
    assert got.event["delta"] == delta
    assert got.type == "response.output_audio.delta"
    assert got == pickle.loads(pickle.dumps(got))
    assert repr(got) == "<RealtimeMessage response.output_audio.delta>"
    with pytest.raises(ResponseDecodeError, match=r"^delta(:| is not) .*base64"):
        _ = got.audio
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    if isinstance(delta, str):
        with pytest.raises(ResponseDecodeError, match=r"^delta(:| is not) .*base64"):
            typed.audio_bytes()


@pytest.mark.parametrize("delta", ["-_8A", "+/8A", "-_8", " +/8\n", "data:audio/pcm;base64,+/8="])
def test_a_delta_in_another_way_of_writing_base64_is_audio(delta):
    got = message({"type": "response.audio.delta", "delta": delta})
    assert got.audio == (b"\xfb\xff\0" if delta.endswith("A") else b"\xfb\xff")
    typed = got.parse()
    assert isinstance(typed, RealtimeAudioDeltaEvent)
    assert typed.audio_bytes() == got.audio


def test_a_delta_that_is_null_or_missing_is_an_event_without_audio():
    assert message({"type": "response.output_audio.delta", "delta": None}).audio is None
    assert message({"type": "response.output_audio.delta"}).audio is None


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
def test_audio_stays_audio_also_where_it_begins_like_an_event(sound, beginning):
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
def test_a_message_of_a_hosts_own_websocket_is_read_like_that_of_a_connection(data):
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
    assert str(error).startswith(f"realtime[{error.code}]: {error.message}")


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
    assert repr(message("{}")) == "<RealtimeMessage text (2)>"
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


def test_audio_may_be_any_view_of_memory():
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
def test_what_is_no_audio_is_refused(audio):
    with pytest.raises(InvalidParamsError, match="audio: expected bytes"):
        open_session_once().send_audio(audio)


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
