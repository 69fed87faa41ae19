"""readers.contents: what arrives in place of a response, or around it, at every endpoint."""

import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.readers import (
    BytesReader,
    JSONReader,
    TextReader,
)
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.types._base import ResponseModel
from support.endpoint_rows import Row as EndpointRow
from support.endpoint_rows import all_rows, declared


class Row(ResponseModel, kw_only=True, dict=True):
    id: str = ""
    size: int = 0


def said(text: str) -> Row:
    return Row(id=text)


def make_response(body: Any, kind: str = "application/json", status: int = 200) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = [("X-Request-Id", "req_1")]
    return Response(status, Headers(fields + ([("Content-Type", kind)] if kind else [])), data)


# Responses that are something else, at every endpoint

ERROR = {"message": "Upstream overloaded", "code": 429}
BLANKS: tuple[Any, ...] = (None, "", " ", {}, False, 0, [], {"message": "", "code": None}, [[{}]])
# The first row of each endpoint, which has the most complete response.
ROWS = list({row.endpoint: row for row in reversed(all_rows())}.values())
JSON = "application/json"
# Some responses in the table contain invalid rows on purpose.
ODD_ROWS = pytest.mark.filterwarnings("ignore::meshapi_core.errors.ResponseWarning")
JSON_ROWS = [row for row in ROWS if isinstance(row.response, dict) and row.response_type == JSON]
FILES = ("files.content", "files.stream")


def result(row: EndpointRow, body: Any, kind: str = JSON, status: int = 200) -> Any:
    """The result of a row's call for a response; for a stream its chunks."""
    call = declared(row.endpoint).build(*row.args, **row.kwargs)
    response = make_response(body, kind, status)
    if not call.streaming:
        return call.read(response)
    decoder = call.read(Response(status, response.headers))
    decoder.receive_data(response.body)
    decoder.receive_data(b"")
    chunks = []
    while (chunk := decoder.next_event()) is not END_OF_STREAM:
        chunks.append(chunk)
    return chunks


def error_of(row: EndpointRow, body: Any, kind: str = JSON) -> MeshAPIError:
    with pytest.raises(MeshAPIError) as caught:
        result(row, body, kind)
    error = caught.value
    assert error.request_id == error.headers["x-request-id"] == "req_1"
    return error


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize(
    "beside", [{}, {"id": "gen-1"}, {"object": "x", "created": 5, "model": "m", "usage": {"a": 1}}]
)
def test_an_error_under_a_200_is_the_typed_error_at_every_endpoint(row, beside):
    """The result was an empty response."""
    for body in ({**beside, "error": ERROR}, [{**beside, "error": ERROR}]):
        error = error_of(row, body)
        assert isinstance(error, RateLimitError)
        assert (error.message, error.status) == ("Upstream overloaded", 200)
    assert error_of(row, {**beside, "error": "boom"}).message == "boom"


@given(power=st.integers(12, 17), offset=st.integers(-10, 2))
def test_an_error_is_found_at_any_place(power, offset):
    start = b'{"data":[{},{}],"model":"'
    padding = b"A" * ((1 << power) + offset - len(start))
    body = start + padding + b'","error":{"message":"W W"}}'
    assert error_of(row_of("embeddings.create"), body).message == "W W"


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "message": "W W"},
        {"status": "error", "message": "W W"},
        {"id": "as-1", "error_code": 336003, "error_msg": "W W"},
        {"id": "1", "base_resp": {"status_code": 1004, "status_msg": "W W"}},
        {"errors": {"prompt": ["W W"]}},
        {"__type": "ThrottlingException", "message": "W W"},
    ],
)
def test_what_says_that_it_failed_is_an_error_at_every_endpoint(row, body):
    """The result was an empty response, or a deletion that seemed to have worked."""
    error = error_of(row, body)
    assert isinstance(error, APIStatusError)
    assert "W W" in error.message


def test_that_all_is_well_is_no_error():
    body = {"code": 200, "message": "ok", "rows": [1]}
    assert type(result(row_of("compare.create"), body)) is type(row_of("compare.create").value)


def test_a_deletion_may_say_that_it_is_done():
    for body in ({"code": "OK", "message": "deleted"}, {"detail": "x"}, {"success": True}):
        assert result(row_of("templates.delete"), body) is None


@pytest.mark.parametrize("said", [b"error: it said", b"error: x\nand more", b"data: three points"])
def test_a_text_may_begin_like_a_field_of_a_stream(said):
    """A transcript was taken for an error."""
    response = result(row_of("audio.transcribe"), said, "text/plain")
    assert response.text == said.decode()


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("kind", ["text/plain", "", "text/event-stream"])
def test_an_error_is_found_under_any_label(row, kind):
    if row.endpoint in FILES:
        pytest.skip("a file may be any JSON, unless it is declared as a response")
    assert isinstance(error_of(row, {"error": ERROR}, kind), RateLimitError)
    frame = b"data: " + json.dumps({"error": ERROR}).encode() + b"\n\ndata: [DONE]\n\n"
    if kind == "text/event-stream":
        assert isinstance(error_of(row, frame, kind), RateLimitError)


@ODD_ROWS
@pytest.mark.parametrize("row", JSON_ROWS, ids=str)
def test_a_blank_error_beside_a_result_changes_nothing(row):
    for blank in BLANKS:
        response = result(row, {**row.response, "error": blank}, row.response_type)
        assert type(response) is type(row.value)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_blank_error_is_no_error(row):
    for blank in BLANKS:
        try:
            result(row, {"id": "1", "error": blank})
        except ResponseDecodeError as exc:
            # Neither a list, a stream nor audio, but not an error of the server either.
            assert "expected" in exc.message


@ODD_ROWS
@pytest.mark.parametrize("row", JSON_ROWS, ids=str)
def test_an_error_beside_a_result_is_a_part_of_it(row):
    if row.endpoint in ("videos.generate", "responses.list"):
        pytest.skip("its result is an id, or an empty page, as errors have it, too")
    for value in ("m", ERROR):
        assert type(result(row, {**row.response, "error": value}, row.response_type)) is type(
            row.value
        )


@pytest.mark.parametrize("row", [row for row in ROWS if row.endpoint not in FILES], ids=str)
def test_a_page_under_a_200_is_shown(row):
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in to Corp SSO</title></head></html>"
    for kind in ("text/html", "application/json"):
        error = error_of(row, page, kind)
        assert isinstance(error, ResponseDecodeError)
        assert "Sign in to Corp SSO" in error.message
        assert kind in error.message
        assert "HTTP 200" in error.message
        assert error.raw_body == page
        assert error.status == 200


def test_an_empty_body_is_called_so():
    for row in JSON_ROWS:
        if row.endpoint.startswith("audio.") and "voice" not in row.endpoint:
            continue  # a transcript of silence is empty
        error = error_of(row, b"")
        assert "application/json with an empty body (HTTP 200)" in error.message


def test_the_size_of_a_body_is_said_and_its_beginning_kept():
    body = b"{" + b" " * 1_000_000
    error = error_of(ROWS[0], body)
    assert isinstance(error, ResponseDecodeError)
    assert "(1000001 bytes, HTTP 200)" in error.message
    assert error.raw_body == body[: 64 * 1024]
    assert pickle.loads(pickle.dumps(error)).raw_body == error.raw_body


def test_json_of_another_form_is_shown_with_what_is_wrong_about_it():
    error = error_of(row_of("embeddings.create"), [1, 2])
    assert error.message == (
        "the response does not have the expected form: data[0]: expected dict, got int; "
        "it is application/json (6 bytes, HTTP 200): '[1, 2]'"
    )


def row_of(endpoint: str) -> EndpointRow:
    return next(row for row in ROWS if row.endpoint == endpoint)


# Streams that came though they were not asked for

PAIRS = [
    ("chat.completions.create", "chat.completions.stream"),
    ("responses.create", "responses.stream"),
    ("compare.create", "compare.stream"),
    ("images.generate", "images.stream"),
]
LABELS = ("text/event-stream", "application/json", "text/plain", "")


@ODD_ROWS
@pytest.mark.parametrize("row", JSON_ROWS, ids=str)
@pytest.mark.parametrize("label", LABELS)
def test_a_response_may_come_as_the_one_event_of_a_stream(row, label):
    whole, pretty = row.response_bytes, json.dumps(row.response, indent=1).encode()
    done = b"data: [DONE]\n\n"
    bodies = [whole + b"\n\n" + done, whole + b"\n" + done, whole + done, pretty + b"\n\n" + done]
    bodies += [b"data: " + whole + b"\n\n", b"data: " + whole + b"\n\n" + done]
    if row.endpoint.startswith("audio."):
        # Where a text may come, it is one unless all of it is JSON.
        bodies = bodies[4:]
    for body in bodies:
        response = result(row, body, label)
        assert response == row.value
        assert response.raw == row.response


@pytest.mark.parametrize(("create", "stream"), PAIRS)
@pytest.mark.parametrize("label", LABELS)
def test_chunks_are_put_together_where_a_response_was_asked_for(create, stream, label):
    response = result(row_of(create), row_of(stream).response, label)
    assert type(response) is type(row_of(create).value)
    assert response._request_id == "req_1"
    text = json.dumps(response.model_dump())
    for word in WORDS_OF[create]:
        assert word in text


WORDS_OF = {
    "chat.completions.create": ["4", "stop"],
    "responses.create": ["42"],
    "compare.create": ["a/1", "b/2"],
    "images.generate": ["u1", "u2"],
}


@pytest.mark.parametrize("reader", [BytesReader(), TextReader(Row, said)])
def test_what_does_not_tell_its_end_is_an_error_where_it_may_have_been_cut(reader):
    whole = make_response(b"half a sentence", "text/plain")
    assert reader.read(whole)
    with pytest.raises(APIConnectionError, match="may be missing") as caught:
        reader.read(msgspec.structs.replace(whole, cut=True))
    assert (caught.value.error_code, caught.value.request_id) == ("truncated", "req_1")


def test_json_that_is_whole_tells_that_nothing_was_cut_off():
    whole = msgspec.structs.replace(make_response({"id": "a"}), cut=True)
    assert JSONReader(Row).read(whole).id == "a"


def test_chunks_of_a_response_that_was_cut_off_are_an_interruption():
    frames = row_of("chat.completions.stream").response.split(b"\n\n")
    with pytest.raises(StreamInterruptedError) as caught:
        result(row_of("chat.completions.create"), frames[0] + b"\n\n", "text/event-stream")
    assert caught.value.partial is not None


def test_an_error_within_such_a_stream_is_the_typed_error():
    frames = row_of("chat.completions.stream").response.split(b"\n\n")
    body = frames[0] + b"\n\ndata: " + json.dumps({"error": ERROR}).encode() + b"\n\n"
    assert isinstance(error_of(row_of("chat.completions.create"), body), RateLimitError)


@pytest.mark.parametrize("body", [{"data": {"error": ERROR}}, {"response": {"error": ERROR}}])
def test_an_error_within_a_wrapping_is_found(body):
    for endpoint in ("embeddings.create", "chat.completions.create", "images.generate"):
        assert isinstance(error_of(row_of(endpoint), body), RateLimitError)


@pytest.mark.parametrize("body", [b"event: error\ndata: W W\n\n", b'error: {"message": "W W"}\n\n'])
def test_an_error_event_where_a_response_was_asked_for_is_the_error(body):
    for endpoint in ("embeddings.create", "chat.completions.create", "models.list"):
        error = error_of(row_of(endpoint), body, "text/event-stream")
        assert isinstance(error, APIStatusError)
        assert (error.message, error.status) == ("W W", 200)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"oh no"', b"7"])
def test_json_of_another_kind_is_called_so(body):
    message = error_of(row_of("chat.completions.create"), body).message
    assert message.startswith(
        "the response does not have the expected form: $: expected dict, got "
    )
    size = f"{len(body)} byte{'s' * (len(body) > 1)}"
    assert message.endswith(f" ({size}, HTTP 200): {body.decode()!r}")


def test_where_chunks_cannot_be_put_together_it_is_said_that_a_stream_came():
    body = row_of("chat.completions.stream").response
    error = error_of(row_of("embeddings.create"), body, "text/event-stream")
    assert error.message.startswith("expected JSON, got text/event-stream (")
    assert "a stream, which was not asked for" in error.message


def test_a_response_that_ended_in_an_error_raises_with_the_response_so_far():
    choice = {
        "message": {"content": "par"},
        "finish_reason": "error",
        "error": {"code": 502, "message": "upstream died"},
    }
    error = error_of(row_of("chat.completions.create"), {"id": "1", "choices": [choice]})
    assert isinstance(error, APIStatusError)
    assert (error.message, error.error_code) == ("upstream died", "upstream_error")
    assert error.partial.choices[0].message.content == "par"


class TestFiles:
    def test_a_file_of_errors_is_a_file(self):
        row = {"custom_id": "1", "error": {"code": "c", "message": "m"}}
        lines = json.dumps(row).encode() + b"\n"
        for endpoint in FILES:
            for body in (lines, lines * 2):
                for kind in ("application/jsonl", "application/json", ""):
                    got = result(row_of(endpoint), body, kind)
                    assert got == ([body] if endpoint == "files.stream" else body)

    def test_a_document_is_no_audio_whatever_it_is_called(self):
        for endpoint in ("audio.synthesize", "audio.stream"):
            for kind in ("audio/mpeg", "", "application/octet-stream"):
                error = error_of(row_of(endpoint), {"error": ERROR}, kind)
                assert isinstance(error, RateLimitError)
                assert "<html>" in error_of(row_of(endpoint), b"<html>a</html>", kind).message

    def test_audio_that_begins_like_json_is_audio(self):
        for body in (b'{"error', b'{"error"\xff' + bytes(100), b"{", b"<", b"data: \x00"):
            assert result(row_of("audio.synthesize"), body, "audio/pcm") == body
            assert b"".join(result(row_of("audio.stream"), body, "audio/pcm")) == body
