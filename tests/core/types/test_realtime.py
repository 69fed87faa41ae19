"""types.realtime*: exactly what was set is sent, and every documented event has its class."""

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshapi_core.types
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import as_plain
from meshapi_core.types import realtime, realtime_client, realtime_server
from meshapi_core.types._base import OpenRecord
from meshapi_core.types.realtime import (
    RealtimeAudioConfig,
    RealtimeAudioFormat,
    RealtimeAudioInput,
    RealtimeAudioOutput,
    RealtimeContentPart,
    RealtimeItem,
    RealtimeResponseConfig,
    RealtimeSessionConfig,
    RealtimeTool,
    RealtimeTurnDetection,
)
from meshapi_core.types.realtime_client import (
    RealtimeClientEvent,
    RealtimeInputAudioAppendEvent,
    RealtimeItemCreateEvent,
    RealtimeResponseCreateEvent,
    RealtimeSessionUpdateEvent,
)
from meshapi_core.types.realtime_server import (
    EVENTS,
    RealtimeAudioDeltaEvent,
    RealtimeErrorEvent,
    RealtimeResponseDoneEvent,
    RealtimeServerEvent,
    RealtimeSessionCreatedEvent,
    read_server_event,
)
from support.structs import forms, json_objects, json_values, sample, shape

MODULES = (realtime, realtime_client, realtime_server)
CLIENT_EVENTS = [
    kind
    for kind in vars(realtime_client).values()
    if isinstance(kind, type)
    and issubclass(kind, RealtimeClientEvent)
    and kind is not RealtimeClientEvent
]
CLIENT_TYPES = {
    "session.update",
    *(f"input_audio_buffer.{word}" for word in ("append", "commit", "clear")),
    *(f"conversation.item.{word}" for word in ("create", "retrieve", "truncate", "delete")),
    *("response.create", "response.cancel", "output_audio_buffer.clear"),
}

# The documented events, as small as their fields allow.
_PCM = {"type": "audio/pcm", "rate": 24000}
_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 1756324625,
    "include": None,
    "audio": {
        "input": {
            "format": _PCM,
            "transcription": None,
            "noise_reduction": {"type": "near_field"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": _PCM, "voice": "alloy", "speed": 1.0},
    },
}
_ITEM = {
    "id": "item_1",
    "object": "realtime.item",
    "type": "message",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_audio", "transcript": "hi", "audio": None}],
}
_CALL = {
    "id": "item_2",
    "object": "realtime.item",
    "type": "function_call",
    "status": "completed",
    "name": "f",
    "call_id": "call_1",
    "arguments": "{}",
}
_RESPONSE = {
    "object": "realtime.response",
    "id": "resp_1",
    "status": "completed",
    "output": [_ITEM, _CALL],
    "conversation_id": "conv_1",
    "output_modalities": ["audio"],
    "status_details": {"type": "failed", "error": {"type": "server_error", "code": None}},
    "max_output_tokens": 4096,
    "audio": {"output": {"format": _PCM, "voice": {"id": "voice_1"}}},
    "usage": {
        "total_tokens": 9,
        "input_tokens": 6,
        "output_tokens": 3,
        "input_token_details": {
            "text_tokens": 1,
            "audio_tokens": 5,
            "image_tokens": 0,
            "cached_tokens": 4,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 4, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 1, "audio_tokens": 2},
    },
    "metadata": {"k": "v"},
}
_ERROR = {"type": "invalid_request_error", "code": "c", "message": "m", "param": None}
_HEARD = {"item_id": "item_1", "content_index": 0}
_OUT = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0}
_PART = {**_OUT, "content_index": 0}
_LOGPROBS = [{"token": "h", "logprob": -0.1, "bytes": [104]}]
_HEARD_EVENTS = "conversation.item.input_audio_transcription"
DOCUMENTED: dict[str, dict[str, Any]] = {
    "error": {"error": {**_ERROR, "event_id": "event_9"}, "request_id": "req_1"},
    "session.created": {"session": _SESSION},
    "session.updated": {"session": _SESSION},
    "conversation.created": {"conversation": {"id": "conv_1", "object": "realtime.conversation"}},
    "conversation.item.added": {"item": _ITEM, "previous_item_id": None},
    "conversation.item.done": {"item": _CALL, "previous_item_id": "item_1"},
    "conversation.item.retrieved": {"item": _ITEM},
    "conversation.item.deleted": {"item_id": "item_1"},
    "conversation.item.truncated": {**_HEARD, "audio_end_ms": 1500},
    f"{_HEARD_EVENTS}.delta": {**_HEARD, "delta": "h", "logprobs": _LOGPROBS},
    f"{_HEARD_EVENTS}.segment": {
        **_HEARD,
        "id": "seg_1",
        "text": "hi",
        "speaker": "A",
        "start": 0.0,
        "end": 0.4,
    },
    f"{_HEARD_EVENTS}.completed": {
        **_HEARD,
        "transcript": "hi",
        "usage": {"type": "duration", "seconds": 1.5},
        "logprobs": _LOGPROBS,
    },
    f"{_HEARD_EVENTS}.failed": {**_HEARD, "error": _ERROR},
    "input_audio_buffer.committed": {"item_id": "item_1", "previous_item_id": None},
    "input_audio_buffer.cleared": {},
    "input_audio_buffer.speech_started": {"item_id": "item_1", "audio_start_ms": 100},
    "input_audio_buffer.speech_stopped": {"item_id": "item_1", "audio_end_ms": 2000},
    "input_audio_buffer.timeout_triggered": {
        "item_id": "item_1",
        "audio_start_ms": 100,
        "audio_end_ms": 2000,
    },
    "input_audio_buffer.dtmf_event_received": {"event": "9", "received_at": 1763605109},
    **{
        f"output_audio_buffer.{word}": {"response_id": "resp_1"}
        for word in ("started", "stopped", "cleared")
    },
    "response.created": {"response": {**_RESPONSE, "output": [], "usage": None}},
    "response.done": {"response": _RESPONSE},
    "response.output_item.added": {"response_id": "resp_1", "output_index": 0, "item": _ITEM},
    "response.output_item.done": {"response_id": "resp_1", "output_index": 0, "item": _CALL},
    "response.content_part.added": {**_PART, "part": {"type": "audio", "transcript": ""}},
    "response.content_part.done": {**_PART, "part": {"type": "text", "text": "hi"}},
    "response.output_text.delta": {**_PART, "delta": "h"},
    "response.output_text.done": {**_PART, "text": "hi"},
    "response.output_audio_transcript.delta": {**_PART, "delta": "h"},
    "response.output_audio_transcript.done": {**_PART, "transcript": "hi"},
    "response.output_audio.delta": {**_PART, "delta": "AAA="},
    "response.output_audio.done": _PART,
    "response.function_call_arguments.delta": {**_OUT, "call_id": "call_1", "delta": "{"},
    "response.function_call_arguments.done": {
        **_OUT,
        "call_id": "call_1",
        "name": "f",
        "arguments": "{}",
    },
    "response.mcp_call_arguments.delta": {**_OUT, "delta": "{"},
    "response.mcp_call_arguments.done": {**_OUT, "arguments": "{}"},
    **{
        f"response.mcp_call.{word}": {"item_id": "item_1", "output_index": 0}
        for word in ("in_progress", "completed", "failed")
    },
    **{
        f"mcp_list_tools.{word}": {"item_id": "item_1"}
        for word in ("in_progress", "completed", "failed")
    },
    "rate_limits.updated": {
        "rate_limits": [
            {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 60},
            {"name": "tokens", "limit": 50000, "remaining": 49950, "reset_seconds": 0.12},
        ]
    },
}
SUCCESSORS = {
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
    "conversation.item.created": "conversation.item.added",
    **{
        f"response.{name}.{word}": f"response.output_{name}.{word}"
        for name in ("text", "audio", "audio_transcript")
        for word in ("delta", "done")
    },
}
"""Names from the beta, and today's."""

each_type = pytest.mark.parametrize("name", DOCUMENTED)


def sent(event: OpenRecord) -> Any:
    """The JSON that is sent for an event."""
    return json.loads(msgspec.json.encode(as_plain(event)))


def received(name: str, fields: dict[str, Any]) -> RealtimeServerEvent:
    return read_server_event({"type": name, "event_id": "event_1", **fields})


def undeclared(value: Any, path: str = "") -> list[str]:
    """The received fields, at every depth, that no class declares."""
    if isinstance(value, list):
        return [name for row in value for name in undeclared(row, f"{path}[]")]
    if not isinstance(value, OpenRecord):
        return []
    found = [f"{path}.{name}" for name in value.model_extra]
    for name in value.__struct_fields__:
        found += undeclared(getattr(value, name), f"{path}.{name}")
    return found


# Sent


def test_a_session_update_has_the_shape_that_the_gateway_wants():
    pcm = RealtimeAudioFormat(type="audio/pcm", rate=24000)
    event = RealtimeSessionUpdateEvent(
        session=RealtimeSessionConfig(
            output_modalities=["audio"],
            instructions="Be brief.",
            audio=RealtimeAudioConfig(
                input=RealtimeAudioInput(format=pcm),
                output=RealtimeAudioOutput(format=pcm, voice="alloy"),
            ),
        )
    )
    assert msgspec.json.encode(as_plain(event)) == (
        b'{"type":"session.update","session":{"type":"realtime","output_modalities":["audio"],'
        b'"instructions":"Be brief.","audio":{"input":{"format":{"type":"audio/pcm",'
        b'"rate":24000}},"output":{"format":{"type":"audio/pcm","rate":24000},'
        b'"voice":"alloy"}}}}'
    )


def test_every_documented_client_event_has_a_class_that_always_sends_its_type():
    assert {kind().type for kind in CLIENT_EVENTS} == CLIENT_TYPES
    assert len(CLIENT_EVENTS) == len(CLIENT_TYPES)
    for kind in CLIENT_EVENTS:
        assert sent(kind()) == {"type": kind().type}
        assert sent(kind(event_id="event_1")) == {"type": kind().type, "event_id": "event_1"}


def test_a_session_and_a_tool_always_say_what_they_are():
    assert sent(RealtimeSessionConfig()) == {"type": "realtime"}
    assert sent(RealtimeSessionConfig(type="transcription")) == {"type": "transcription"}
    assert sent(RealtimeTool(name="f")) == {"type": "function", "name": "f"}


def test_none_turns_off_what_null_turns_off_and_is_not_sent_elsewhere():
    off = RealtimeAudioInput(
        format=None, turn_detection=None, transcription=None, noise_reduction=None
    )
    assert sent(off) == dict.fromkeys(("turn_detection", "transcription", "noise_reduction"))
    assert sent(RealtimeSessionConfig(tracing=None, model=None)) == {
        "type": "realtime",
        "tracing": None,
    }
    assert sent(RealtimeAudioInput()) == {}
    assert not RealtimeAudioInput().turn_detection
    for twin in (copy.deepcopy(off), pickle.loads(pickle.dumps(off))):
        assert sent(twin) == sent(off)


def test_an_empty_list_of_input_is_sent_unlike_none():
    event = RealtimeResponseCreateEvent(response=RealtimeResponseConfig(input=[]))
    assert sent(event) == {"type": "response.create", "response": {"input": []}}


def test_what_no_class_declares_is_sent_at_every_depth():
    event = RealtimeItemCreateEvent(
        item=RealtimeItem(
            type="message",
            content=[RealtimeContentPart(type="input_text", text="hi", x_part=[None])],
            x_item={"a": RealtimeTool(name="f", x_tool=1)},
        ),
        x_event=True,
    )
    assert sent(event) == {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "content": [{"type": "input_text", "text": "hi", "x_part": [None]}],
            "x_item": {"a": {"type": "function", "name": "f", "x_tool": 1}},
        },
        "x_event": True,
    }
    event.item.x_item = 2
    assert sent(event)["item"]["x_item"] == 2


def test_an_event_of_another_type_can_be_sent():
    event = RealtimeClientEvent(type="conversation.fork", depth=2)
    assert sent(event) == {"type": "conversation.fork", "depth": 2}
    with pytest.raises(TypeError):
        RealtimeClientEvent(depth=2)


def test_what_json_cannot_represent_is_refused_by_its_path():
    with pytest.raises(InvalidParamsError) as caught:
        as_plain(RealtimeInputAudioAppendEvent(audio=b"\0\0"))
    assert (caught.value.field, caught.value.got) == ("audio", "bytes")
    turns = RealtimeTurnDetection(threshold=float("nan"))
    config = RealtimeAudioConfig(input=RealtimeAudioInput(turn_detection=turns))
    with pytest.raises(InvalidParamsError) as caught:
        as_plain(RealtimeSessionUpdateEvent(session=RealtimeSessionConfig(audio=config)))
    assert caught.value.field == "session.audio.input.turn_detection.threshold"


@given(st.sampled_from(CLIENT_EVENTS).flatmap(lambda k: st.tuples(st.just(k), forms(shape(k)))))
def test_a_client_event_survives_the_wire(case):
    kind, form = case
    form = {**form, "type": kind().type, "x_new": 1}
    event = kind.model_validate(form)
    assert kind.model_validate(sent(event)) == event
    # Only None is left out.
    assert sent(event) == as_plain(event.model_dump(exclude_defaults=True))


@pytest.mark.parametrize("kind", CLIENT_EVENTS, ids=lambda kind: kind.__name__)
def test_a_client_event_with_all_its_fields_is_sent_as_it_is(kind):
    whole = sample(shape(kind))
    assert sent(kind.model_validate(whole)) == whole


def test_the_session_that_a_server_sent_can_be_sent_back():
    event = received("session.created", {"session": {**_SESSION, "x_new": {"a": None}}})
    assert isinstance(event, RealtimeSessionCreatedEvent)
    back = sent(RealtimeSessionUpdateEvent(session=event.session))["session"]
    assert back["audio"]["input"]["transcription"] is None
    assert back["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
    assert back["x_new"] == {"a": None}


# Received


def test_the_documented_types_and_those_of_the_beta_are_the_table():
    assert set(EVENTS) == {*DOCUMENTED, *SUCCESSORS}
    assert RealtimeServerEvent not in EVENTS.values()


@each_type
def test_a_documented_event_is_of_its_class_which_declares_all_its_fields(name):
    fields = DOCUMENTED[name]
    event = received(name, fields)
    assert type(event) is EVENTS[name]
    assert event.raw == {"type": name, "event_id": "event_1", **fields}
    assert undeclared(event) == []
    assert (event.type, event.event_id) == (name, "event_1")
    # Nothing was repaired: at every depth, all that was sent is unchanged.
    assert received(name, event.model_dump(exclude_defaults=True)) == event
    dumped = {key: value for key, value in event.model_dump().items() if key in fields}
    assert _without_none(dumped) == _without_none(fields)
    assert pickle.loads(pickle.dumps(event)) == event


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(row) for row in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("old", "new"), SUCCESSORS.items())
def test_a_name_of_the_beta_has_the_class_of_its_successor(old, new):
    event = received(old, DOCUMENTED[new])
    assert type(event) is EVENTS[new] is EVENTS[old]
    assert event.type == old


def test_a_class_knows_its_type_unless_it_has_several():
    today = {name: kind for name, kind in EVENTS.items() if name not in SUCCESSORS}
    for kind in set(today.values()):
        names = [name for name, other in today.items() if other is kind]
        assert kind().type == (names[0] if len(names) == 1 else "")


def test_an_event_of_another_type_shows_all_its_fields():
    event = read_server_event({"type": "nova.mood", "event_id": "e", "mood": {"calm": 1}})
    assert type(event) is RealtimeServerEvent
    assert (event.type, event.event_id, event.mood) == ("nova.mood", "e", {"calm": 1})


def test_what_no_class_declares_is_kept_at_every_depth():
    part = {"type": "output_text", "text": "hi", "x_part": 1}
    item = {"id": "item_1", "content": [part], "x_item": 2}
    event = received("response.done", {"response": {"output": [item], "x_all": 3}, "x_event": 4})
    assert isinstance(event, RealtimeResponseDoneEvent)
    row = event.response.output[0]
    assert (row.content[0].x_part, row.x_item, event.response.x_all, event.x_event) == (1, 2, 3, 4)


def test_parts_exist_even_if_the_server_left_them_out():
    assert read_server_event({"type": "response.done"}).response.output == []
    assert read_server_event({"type": "session.created", "session": None}).session.id is None
    assert read_server_event({"type": "error", "error": "plain text"}).error.message == "plain text"


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_wrong_kinds_cost_their_fields_only():
    event = received("response.output_audio.delta", {"delta": "AAA=", "output_index": "first"})
    assert isinstance(event, RealtimeAudioDeltaEvent)
    assert (event.delta, event.output_index) == ("AAA=", 0)
    event = received("error", {"error": {"code": 4402, "message": ["no"], "type": None}})
    assert isinstance(event, RealtimeErrorEvent)
    assert (event.error.code, event.error.message) == ("4402", "no")
    assert event.error.model_extra == {}


def test_the_event_is_not_copied():
    sent_audio = {"type": "response.output_audio.delta", "delta": "A" * 1000}
    event = read_server_event(sent_audio)
    assert event.raw is sent_audio
    assert event.delta is sent_audio["delta"]


odd_types = st.sampled_from(sorted(EVENTS)) | st.text(max_size=8)
odd_fields = st.sampled_from(
    sorted({"type", "event_id", *(name for fields in DOCUMENTED.values() for name in fields)})
)


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(odd_types, st.dictionaries(odd_fields, json_values, max_size=5) | json_objects)
def test_any_object_of_any_type_is_an_event(name, fields):
    event = {**fields, "type": name}
    typed = read_server_event(event)
    assert type(typed) is EVENTS.get(name, RealtimeServerEvent)
    assert typed.type == name
    assert typed.raw is event
    assert typed == copy.copy(typed)
    assert repr(typed)
    assert typed.model_dump_json()


@given(json_objects)
def test_an_event_without_a_usable_type_is_an_event_too(fields):
    typed = read_server_event({key: value for key, value in fields.items() if key != "type"})
    assert typed.type == ""
    for odd in (None, 7, [], {}, True):
        assert type(read_server_event({**fields, "type": odd})) is RealtimeServerEvent


@pytest.mark.parametrize("name", ["response.done", "session.created", "nova.mood"])
def test_deep_and_huge_values_are_events_too(name):
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    huge = 10**400
    fields = {"response": {"metadata": deep, "usage": {"total_tokens": huge}}, "z": deep}
    event = received(name, {**fields, "session": {"prompt": deep, "expires_at": huge}})
    assert type(event) is EVENTS.get(name, RealtimeServerEvent)


def test_every_class_is_exported_under_one_prefix():
    for module in MODULES:
        kinds = [
            kind.__name__
            for kind in vars(module).values()
            if isinstance(kind, type)
            and kind.__module__ == module.__name__
            and not kind.__name__.startswith("_")
        ]
        assert set(module.__all__) == set(kinds)
        for name in kinds:
            assert name.startswith("Realtime")
            assert name in dir(meshapi_core.types)
