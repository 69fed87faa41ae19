"""endpoints.compare: which errors are data, when a stream is complete, what a broken one leaves."""

import copy
import json
import pickle
from collections.abc import Iterable
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.endpoints.compare import Compare
from meshapi_core.errors import (
    APIStatusError,
    InvalidParamsError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.compare import (
    CompareParams,
    CompareResponse,
    CompareStreamEvent,
    ModelCompareResult,
    TokenUsage,
)
from support.rows.compare import JUDGED, RESPONSE, SKIPPED, VALUE, frames, values
from support.structs import json_objects, json_values

FIELDS: Any = {"models": ["a/1", "b/2"], "messages": [{"role": "user", "content": "2+2?"}]}
STREAM = Compare.stream.build(**FIELDS)
DONE = b"data: [DONE]\n\n"

Named = tuple[str, dict[str, Any]]
END: Named = ("done", {"total_latency_ms": 9})


class Read:
    """The events of a body, and the error that ends them, if any."""

    def __init__(self, pieces: Iterable[bytes], content_type: str = "text/event-stream") -> None:
        headers = Headers([("Content-Type", content_type), ("X-Request-Id", "req_1")])
        decoder = STREAM.read(Response(200, headers))
        self.events: list[CompareStreamEvent] = []
        self.error: Optional[MeshAPIError] = None
        for piece in [*filter(None, pieces), b""]:
            decoder.receive_data(piece)
            try:
                while not isinstance(event := decoder.next_event(), type(NEED_DATA)):
                    if event is END_OF_STREAM:
                        return
                    assert isinstance(event, CompareStreamEvent)
                    self.events.append(event)
            except MeshAPIError as exc:
                self.error = exc
                return

    def partial(self) -> CompareResponse:
        assert isinstance(self.error, StreamInterruptedError)
        assert isinstance(self.error.partial, CompareResponse)
        return self.error.partial


def read(*events: Named) -> Read:
    return Read([frames(list(events))])


def test_characters_that_are_cut_in_two_are_put_together_for_each_model():
    pieces = [("a", "1\ud83d"), ("b", "2\ud83d"), ("b", "\ude80"), ("a", "\ude00")]
    got = read(*[("model_chunk", {"model": model, "delta": said}) for model, said in pieces])
    assert [event.delta for event in got.events] == ["1", "2", "\U0001f680", "\U0001f600"]
    contents = [result.content for result in got.partial().results]
    assert contents == ["1\U0001f600", "2\U0001f680"]


# What is refused before anything is sent


@pytest.mark.parametrize("as_object", [True, False])
def test_create_with_stream_is_refused_with_the_way_out(as_object):
    """So it never gets an event stream where it wants JSON."""
    fields: dict[str, Any] = {"models": ["a"], "messages": [], "stream": True}
    with pytest.raises(InvalidParamsError) as caught:
        if as_object:
            Compare.create.build(CompareParams(**fields))
        else:
            Compare.create.build(**fields)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "stream: expected False, got True; use stream()"


def test_stream_takes_params_that_say_so_and_params_that_say_nothing():
    messages = [ChatMessage(role="user", content="hi")]
    said = Compare.stream.build(CompareParams(models=["a"], messages=messages, stream=True))
    unsaid = Compare.stream.build(params=CompareParams(models=["a"], messages=messages))
    assert isinstance(said.body, bytes)
    assert isinstance(unsaid.body, bytes)
    assert json.loads(said.body) == json.loads(unsaid.body)
    assert json.loads(said.body)["stream"] is True


@pytest.mark.parametrize("build", [Compare.create.build, Compare.stream.build])
def test_models_and_messages_are_required(build):
    for missing in FIELDS:
        with pytest.raises(InvalidParamsError) as caught:
            build(**{name: value for name, value in FIELDS.items() if name != missing})
        assert (caught.value.field, caught.value.got) == (missing, "nothing")


@pytest.mark.parametrize("build", [Compare.create.build, Compare.stream.build])
def test_a_common_mistake_is_told_with_the_way_out(build):
    with pytest.raises(InvalidParamsError) as caught:
        build(models=["a"], messages="hi")
    assert str(caught.value) == (
        'messages: expected list, got str; write messages=[{"role": "user", "content": "..."}]'
    )


def test_streams_are_values():
    assert STREAM == copy.copy(STREAM) == pickle.loads(pickle.dumps(STREAM))
    assert hash(STREAM) == hash(Compare.stream.build(**FIELDS))


# Errors


def test_an_error_of_one_model_is_data_and_the_others_go_on():
    """The event has its code, and the stream ends as if nothing had happened."""
    for script in (JUDGED, SKIPPED):
        got = read(*script)
        assert got.error is None
        assert [event.event for event in got.events] == [name for name, _ in script]
        failed = [event for event in got.events if event.error]
        assert [event.model for event in failed] == ["b/2"]
        assert failed[0].error_code in ("gateway_timeout", "upstream_error")


@pytest.mark.parametrize(
    "event",
    [
        ("model_chunk", {"model": "a", "error": {"code": "upstream_error", "message": "oh"}}),
        ("model_stream_done", {"model": "a", "error": "oh"}),
        ("a_new_event", {"model": "a", "error": "oh"}),
        ("", {"model": "a", "error": "oh"}),
        ("comparison_chunk", {"error": "The judge is out.", "delta": ""}),
        ("done", {"error": "Two of three."}),
        ("model_chunk", {"model": None, "error": None}),
    ],
)
def test_errors_that_are_data(event):
    got = read(event, END)
    assert got.error is None
    assert got.events[0].error == event[1]["error"]


@pytest.mark.parametrize(
    "event",
    [
        ("", {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}),
        ("error", {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}),
        ("error", {"code": "rate_limit_exceeded", "message": "Slow down."}),
        ("error", {"model": "a", "error_code": "rate_limit_exceeded", "error": "Slow down."}),
        ("done", {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}),
        ("model_chunk", {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}),
    ],
)
def test_errors_of_the_whole_raise(event):
    got = read(JUDGED[0], event, END)
    assert len(got.events) == 1
    assert isinstance(got.error, RateLimitError)
    assert got.error.message == "Slow down."
    assert got.error.request_id == "req_1"
    assert got.error.partial.comparison_id == "cmp_1"


@pytest.mark.parametrize("name", ["", "a_new_event"])
def test_an_error_that_is_text_alone_raises(name):
    got = read((name, {"error": "boom"}), END)
    assert isinstance(got.error, APIStatusError)
    assert got.error.message == "boom"


# Events


@given(st.data())
def test_events_do_not_depend_on_how_the_body_is_cut(data):
    body = frames(JUDGED)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    got = Read([body[i:j] for i, j in zip([0, *cuts], [*cuts, len(body)])])
    assert got.error is None
    assert got.events == values(JUDGED)


@given(json_objects, st.sampled_from(["model_chunk", "meta", "a_new_event", "done"]))
def test_the_payload_is_whole_and_flattened(payload, name):
    """Whatever its shape."""
    payload.pop("error", None)
    if not payload:
        payload["a"] = None
    event = read((name, payload), END).events[0]
    assert event.event == name
    assert event.data == payload
    assert event.raw == payload
    for field, value in payload.items():
        if field not in event.__struct_fields__:
            assert getattr(event, field) == value
            assert event.model_dump()[field] == value


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(st.sampled_from(CompareStreamEvent.__struct_fields__), json_values)
def test_no_odd_field_raises(field, value):
    """A field that is not as declared becomes the default, and `data` still has it."""
    payload = {"model": "a", field: value}
    got = read(("model_chunk", payload), END)
    assert got.error is None
    assert got.events[0].data == payload


def test_an_event_without_a_name_has_that_of_its_payload():
    got = read(("", {"event": "model_chunk", "model": "a", "delta": "4"}), ("", {"a": 1}), END)
    assert [event.event for event in got.events] == ["model_chunk", None, "done"]


def test_what_says_nothing_is_passed_over():
    body = b': ping\n\ndata: "ping"\n\nevent: ping\ndata: {}\n\ndata: {}\n\nevent: ping\ndata:\n\n'
    got = Read([body, frames([("comparison_chunk", {}), END])])
    assert [event.event for event in got.events] == ["comparison_chunk", "done"]


# When a stream is complete


@pytest.mark.parametrize("end", [frames([END]), DONE, frames([END]) + DONE])
def test_a_stream_is_whole_with_done_of_either_kind(end):
    got = Read([frames(SKIPPED[:3]), end])
    assert got.error is None
    assert [event.model for event in got.events[:3]] == [None, "a/1", "b/2"]


@given(st.integers(0, len(JUDGED) - 1))
def test_a_stream_without_its_end_was_cut_off(count):
    got = read(*JUDGED[:count])
    assert isinstance(got.error, StreamInterruptedError)
    assert got.events == values(JUDGED[:count])


# What a broken stream leaves


def test_the_texts_of_all_models_are_put_together():
    got = read(
        ("meta", {"comparison_id": "cmp_1", "models": ["a", "b", "c"], "skip_comparison": True}),
        ("model_chunk", {"model": "b", "delta": "fo"}),
        ("model_chunk", {"model": "a", "delta": "4"}),
        ("model_chunk", {"model": "b", "delta": "ur"}),
        ("model_chunk", {"model": "d", "delta": None, "error": {"message": "oh", "code": 1}}),
        ("model_chunk", {"model": "e", "error": ["oh"]}),
        (
            "model_stream_done",
            {"model": "b", "error": "It broke.", "error_code": "upstream_error", "latency_ms": 5},
        ),
        ("model_stream_done", {"model": "a", "usage": {"total_tokens": 3}}),
    )
    assert got.partial() == CompareResponse(
        comparison_id="cmp_1",
        object="compare.completion",
        models=["a", "b", "c"],
        skip_comparison=True,
        results=[
            ModelCompareResult(model="a", content="4", usage=TokenUsage(total_tokens=3)),
            ModelCompareResult(
                model="b",
                content="four",
                error="It broke.",
                error_code="upstream_error",
                latency_ms=5,
            ),
            ModelCompareResult(model="d", error="oh"),
            ModelCompareResult(model="e", error='["oh"]'),
        ],
    )


def test_the_results_of_all_models_and_half_of_the_comparison():
    partial = read(*JUDGED[:5]).partial()
    assert partial.results == VALUE.results
    assert partial.comparison == "Only one "
    assert partial.comparison_model == "c/3"


# A whole response in place of a stream


def test_a_whole_response_becomes_one_event():
    got = Read([json.dumps(RESPONSE).encode()], "application/json")
    assert got.error is None
    (event,) = got.events
    assert event.event == "done"
    assert event.data == RESPONSE
    assert event.results == RESPONSE["results"]
    assert event.partial is True


def test_json_that_is_no_comparison_is_refused():
    got = Read([b'{"hello": "world"}'], "application/json")
    assert isinstance(got.error, ResponseDecodeError)
