"""endpoints.responses: what is refused, when a stream is complete, what a broken one leaves."""

import copy
import json
import pickle
from collections.abc import Iterable
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.calls import StreamCall
from meshapi_core.endpoints.responses import Responses
from meshapi_core.errors import (
    InternalServerError,
    InvalidParamsError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.response_events import (
    EVENTS,
    ResponseCompletedEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
)
from meshapi_core.types.responses import (
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)
from support.rows.responses import FRAMES, RESPONSE
from support.structs import json_objects, json_values

Frame = dict[str, Any]
STREAM = Responses.stream.build(input="hi")
EVENT_STREAM = "text/event-stream"


def frame(payload: Any, name: str = "") -> bytes:
    line = f"event: {name}\n" if name else ""
    return f"{line}data: {json.dumps(payload)}\n\n".encode()


def delta(text: str, **place: Any) -> Frame:
    fields = {"item_id": "msg_1", "output_index": 0, "content_index": 0, **place}
    return {"type": "response.output_text.delta", "delta": text, **fields}


class Read:
    """The events of a body, and the error that ends them, if any."""

    def __init__(self, pieces: Iterable[bytes], content_type: str = EVENT_STREAM) -> None:
        headers = Headers([("Content-Type", content_type), ("X-Request-Id", "req_1")])
        decoder = STREAM.read(Response(200, headers))
        self.events: list[ResponsesStreamEvent] = []
        self.error: Optional[MeshAPIError] = None
        for piece in [*filter(None, pieces), b""]:
            decoder.receive_data(piece)
            try:
                while not isinstance(event := decoder.next_event(), type(NEED_DATA)):
                    if event is END_OF_STREAM:
                        return
                    assert isinstance(event, ResponsesStreamEvent)
                    self.events.append(event)
            except MeshAPIError as exc:
                self.error = exc
                return

    def partial(self) -> ResponsesResponse:
        assert isinstance(self.error, StreamInterruptedError)
        assert isinstance(self.error.partial, ResponsesResponse)
        return self.error.partial


def read(*payloads: Frame) -> Read:
    return Read(map(frame, payloads))


# What is refused before anything is sent


@pytest.mark.parametrize("as_object", [True, False])
def test_create_with_stream_is_refused_with_the_way_out(as_object):
    """So it never gets an event stream where it wants JSON."""
    fields: dict[str, Any] = {"input": "hi", "stream": True}
    with pytest.raises(InvalidParamsError) as caught:
        if as_object:
            Responses.create.build(ResponsesParams(**fields))
        else:
            Responses.create.build(**fields)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "stream: expected False, got True; use stream()"


def test_stream_takes_params_that_say_so_and_params_that_say_nothing():
    said = Responses.stream.build(ResponsesParams(input="hi", stream=True))
    unsaid = Responses.stream.build(ResponsesParams(input="hi"))
    assert said == unsaid == Responses.stream.build(params=ResponsesParams(input="hi")) == STREAM


@pytest.mark.parametrize("build", [Responses.create.build, Responses.stream.build])
def test_input_is_required(build):
    with pytest.raises(InvalidParamsError) as caught:
        build(model="auto")
    assert caught.value.field == "input"
    assert caught.value.got == "nothing"


@pytest.mark.parametrize("response_id", ["", ".", "..", None, 5, b"resp_1", "\ud800"], ids=repr)
def test_an_id_that_is_none_is_refused(response_id):
    """An empty ID would address the list, and dots another path."""
    with pytest.raises(InvalidParamsError) as caught:
        Responses.get.build(response_id)
    assert caught.value.field == "response_id"


def test_an_id_is_one_segment_of_the_path():
    """Whatever it holds."""
    assert Responses.get.build("r/../x").path == "/v1/responses/r%2F..%2Fx"
    assert Responses.get.build("x?limit=1#").path == "/v1/responses/x%3Flimit%3D1%23"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"after": 5}, "after: expected str, got int; write str(x)"),
        ({"limit": "5"}, "limit: expected int, got str; write int(x)"),
        ({"limit": True}, "limit: expected int, got bool"),
    ],
)
def test_the_list_has_typed_parameters(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        Responses.list.build(**fields)
    assert str(caught.value) == message


def test_streams_are_values():
    assert STREAM == copy.copy(STREAM) == pickle.loads(pickle.dumps(STREAM))
    assert hash(STREAM) == hash(Responses.stream.build(input="hi"))
    assert isinstance(STREAM, StreamCall)


# Events


# An `error` in the event line alone is an error of the gateway.
@pytest.mark.parametrize(
    ("name", "where"),
    [
        (name, where)
        for name in sorted(EVENTS)
        for where in ("data", "event line", "both")
        if (name, where) != ("error", "event line")
    ],
)
def test_every_type_of_event_has_its_class(name, where):
    payload = {} if where == "event line" else {"type": name}
    body = frame({**payload, "sequence_number": 3}, "" if where == "data" else name)
    (event,) = Read([body + b"data: [DONE]\n\n"]).events
    assert type(event) is EVENTS[name]
    assert event.type == name
    assert event.raw == {**payload, "sequence_number": 3}
    assert event._request_id == "req_1"


@given(st.data())
def test_events_do_not_depend_on_how_the_body_is_cut(data):
    body = b"".join(frame(payload, payload["type"]) for payload in FRAMES)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[i:j] for i, j in zip([0, *cuts], [*cuts, len(body)])]
    got, whole = Read(pieces), Read([body])
    assert got.error is whole.error is None
    assert got.events == whole.events
    assert [event.raw for event in got.events] == FRAMES


@given(json_objects)
def test_no_object_of_any_shape_raises(payload):
    """An event of an unexpected shape is still an event."""
    payload.pop("error", None)
    (event,) = read(payload, {"type": "response.completed"}).events[:-1]
    assert event.raw == payload
    kind = payload.get("type")
    assert event.type == (kind if isinstance(kind, str) else None)
    for name, value in payload.items():
        if name not in event.__struct_fields__:
            assert getattr(event, name) == value


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(st.sampled_from(sorted(EVENTS)), json_values)
def test_no_odd_field_raises(name, value):
    """A field that is not as declared becomes the default, and `raw` still has it."""
    kind = EVENTS[name]
    payload = dict.fromkeys(kind.__struct_fields__, value)
    (event,) = read({**payload, "type": name}, {"type": "response.completed"}).events[:1]
    assert type(event) is kind
    assert event.raw == {**payload, "type": name}


def test_what_says_nothing_is_passed_over():
    body = (
        b': ping\n\ndata: "ping"\n\ndata: null\n\ndata: [1]\n\ndata:\n\n'
        b'event: ping\ndata: {}\n\nevent: keepalive\ndata: {"at": 5}\n\n'
    )
    got = Read([body + frame({"type": "response.completed", "response": {}})])
    assert [event.type for event in got.events] == ["response.completed"]


def test_an_event_of_a_new_type_is_generic_and_whole():
    payload = {"type": "response.hologram.delta", "angle": 7, "error": {"code": "c"}}
    event = read(payload).events[0]
    assert type(event) is ResponsesStreamEvent
    assert (event.angle, event.error) == (7, {"code": "c"})
    assert event.model_dump(exclude_none=True) == payload


# Errors


def test_an_error_of_the_model_is_an_event():
    error = {"type": "error", "code": "server_error", "message": "oh", "param": None}
    for name in ("", "error", "message"):
        got = Read([frame(delta("a")), frame(error, name)])
        event = got.events[1]
        assert isinstance(event, ResponseErrorEvent)
        assert (event.code, event.message, event.param) == ("server_error", "oh", None)
        # A program that reads only texts sees it, too.
        assert isinstance(got.error, InternalServerError)
        assert (got.error.message, got.error.partial.output_text) == ("oh", "a")


@pytest.mark.parametrize(
    "rest", [[], [b"data: [DONE]\n\n"], [b"event: ping\ndata: {}\n\n"]], ids=["cut", "done", "ping"]
)
def test_an_error_of_the_model_is_raised_where_nothing_comes_after_it(rest):
    error = {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": None}
    got = Read([frame(delta("a")), frame(error, "error"), *rest])
    assert isinstance(got.error, RateLimitError)
    assert (got.error.message, got.error.partial.output_text) == ("Slow down", "a")


def test_an_error_of_the_model_that_the_response_outlives_is_not_raised():
    error = {"type": "error", "message": "a hiccup"}
    for rest in ({"type": "response.completed", "response": {}}, delta("b")):
        got = Read([frame(error), frame(rest), b"data: [DONE]\n\n"])
        assert got.error is None
        assert len(got.events) == 2


@pytest.mark.parametrize("name", ["", "error", "response.failed"])
@pytest.mark.parametrize("kind", [{}, {"type": "error"}, {"type": None}], ids=repr)
def test_an_error_of_the_gateway_raises(kind, name):
    error = {"code": "rate_limit_exceeded", "message": "Slow down.", "retry_after_seconds": 5}
    got = Read([frame(delta("a")), frame({**kind, "error": error}, name), b"data: [DONE]\n\n"])
    assert len(got.events) == 1
    assert isinstance(got.error, RateLimitError)
    assert got.error.message == "Slow down."
    assert got.error.request_id == "req_1"
    assert got.error.retry_after_seconds == 5
    assert got.error.partial.output_text == "a"


@pytest.mark.parametrize("body", [b"oh no", b'{"message": "oh no"}', b'"oh no"'])
def test_an_event_named_error_raises_whatever_it_holds(body):
    got = Read([b"event: error\ndata: " + body + b"\n\n"])
    assert got.error is not None
    assert got.error.message == "oh no"
    assert got.error.error_code == "upstream_error"


def test_an_event_that_is_no_json_raises():
    assert isinstance(Read([b"data: {]\n\n"]).error, ResponseDecodeError)


def test_a_response_that_failed_is_an_event_with_its_error():
    response = {"status": "failed", "error": {"code": "server_error", "message": "oh"}}
    got = read({"type": "response.failed", "response": response, "error": response["error"]})
    assert got.error is None
    (event,) = got.events
    assert isinstance(event, ResponseFailedEvent)
    assert event.response == response
    assert event.error == response["error"]


# When a stream is complete


@pytest.mark.parametrize("end", ["completed", "failed", "incomplete"])
def test_a_stream_that_ended_in_any_way_is_whole(end):
    last = {"type": f"response.{end}", "response": {"status": end}}
    for rest in (b"", b"data: [DONE]\n\n"):
        got = Read([frame(delta("a")), frame(last), rest])
        assert got.error is None
        assert len(got.events) == 2


def test_done_is_an_end_too():
    assert Read([frame(delta("a")), b"data: [DONE]\n\n"]).error is None


@given(st.integers(0, len(FRAMES) - 2))
def test_a_stream_without_its_end_was_cut_off(count):
    got = read(*FRAMES[:count])
    assert isinstance(got.error, StreamInterruptedError)
    assert len(got.events) == count
    if count:
        assert got.partial().id == "resp_1"


# What a broken stream leaves


def test_nothing_is_left_of_nothing():
    error = read().error
    assert error is not None
    assert error.partial is None


def test_characters_that_are_cut_in_two_are_put_together_where_they_belong():
    got = read(
        delta("a\ud83d"), delta("b\ud83d", content_index=1), delta("\ude00"),
        delta("\ude80c", content_index=1), delta("\ud83d"),
    )  # fmt: skip
    assert [event.delta for event in got.events] == ["a", "b", "\U0001f600", "\U0001f680c", ""]
    assert [event.raw["delta"] for event in got.events][:2] == ["a\ud83d", "b\ud83d"]
    (item,) = got.partial().output or ()
    texts = [part["text"] for part in item["content"]]
    assert texts == ["a\U0001f600\ufffd", "b\U0001f680c"]


def test_text_that_comes_in_parts_is_text():
    parts: Any = [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]
    got = read(delta(parts))
    assert [event.delta for event in got.events] == ["ab"]
    arguments: Any = {"type": "text", "text": "not prose"}
    kind = "response.function_call_arguments.delta"
    (event,) = read({**delta(arguments), "type": kind}).events
    assert json.loads(event.delta) == arguments


def test_the_partial_response_has_the_shape_of_a_whole_one():
    begun = {"id": "resp_1", "model": "m", "status": "in_progress", "output": [], "created_at": 5}
    got = read(
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "Let"},
        {"type": "response.reasoning_summary_text.delta", "delta": " me"},
        {"type": "response.reasoning_summary_text.delta", "delta": "And", "summary_index": 1},
        delta("4", output_index=2),
        delta("2", output_index=2),
        delta(".", output_index=2, content_index=1),
        {
            "type": "response.function_call_arguments.delta",
            "delta": "{",
            "item_id": "fc_1",
            "output_index": 1,
        },
        {"type": "response.refusal.delta", "delta": "no", "output_index": 3, "item_id": "msg_2"},
        {"type": "response.new.delta", "usage": {"input_tokens": 3}},
    )
    response = got.partial()
    assert (response.id, response.model, response.status) == ("resp_1", "m", "in_progress")
    assert response.created_at == 5
    assert response.output_text == "42."
    assert response.usage == ResponsesUsage(input_tokens=3)
    assert response.raw is None
    running = {"role": "assistant", "status": "in_progress"}
    assert response.output == [
        {
            "type": "reasoning",
            "summary": [
                {"type": "summary_text", "text": "Let me"},
                {"type": "summary_text", "text": "And"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "status": "in_progress", "arguments": "{"},
        {
            "type": "message",
            "id": "msg_1",
            **running,
            "content": [
                {"type": "output_text", "text": "42"},
                {"type": "output_text", "text": "."},
            ],
        },
        {
            "type": "message",
            "id": "msg_2",
            **running,
            "content": [{"type": "refusal", "refusal": "no"}],
        },
    ]


def test_what_comes_whole_replaces_what_came_in_pieces():
    item = {"type": "message", "id": "msg_1", "status": "completed", "content": []}
    texts = [delta("4"), {**delta(""), "type": "response.output_text.done", "text": "42"}]
    assert read(*texts).partial().output_text == "42"
    call = {"type": "response.function_call_arguments.done", "arguments": "{}"}
    response = read(*texts, {**call, "output_index": 1}).partial()
    assert response.output is not None
    assert response.output[1]["arguments"] == "{}"
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    assert read(*texts, done).partial().output == [item]


# A whole response in place of a stream


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", ResponseCompletedEvent),
        ("incomplete", ResponseIncompleteEvent),
        ("failed", ResponseFailedEvent),
        ("queued", ResponseQueuedEvent),
        ("in_progress", ResponseInProgressEvent),
        ("a_new_status", ResponseCompletedEvent),
        (None, ResponseCompletedEvent),
        ([], ResponseCompletedEvent),
    ],
)
def test_a_whole_response_becomes_one_event(status, kind):
    response = {**RESPONSE, "status": status}
    got = Read([json.dumps(response).encode()], "application/json")
    assert got.error is None
    (event,) = got.events
    assert type(event) is kind
    assert event.response == response
    assert event.usage == ResponsesUsage(input_tokens=9, output_tokens=1, total_tokens=10)
    assert event.model_extra == {}
    assert event.raw == response


@given(json_objects)
def test_any_whole_response_with_an_output_becomes_one_event(response):
    response["output"] = []
    response.pop("error", None)
    got = Read([json.dumps({**response, "usage": response}).encode()], "application/json")
    assert got.error is None
    assert len(got.events) == 1


def test_json_that_is_no_response_is_refused():
    got = Read([b'{"hello": "world"}'], "application/json")
    assert isinstance(got.error, ResponseDecodeError)
