import json
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional, Union

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Response
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ToolCallFunctionChunk,
)
from support import chat_streams, sse_streams

EVENTS = "text/event-stream"
DONE = b"data: [DONE]\n\n"
CALL = Completions.stream.build(model="m", messages=[{"role": "user", "content": "hi"}])
READER: Any = CALL.reader
CHUNK = msgspec.json.Decoder(ChatCompletionChunk)


def decoder(
    content_type: str = EVENTS, *, limit: int = 1 << 20, choices: int = 1, **headers: str
) -> "ChunkDecoder[ChatCompletionChunk]":
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if content_type:
        fields.append(("Content-Type", content_type))
    return ChunkDecoder(
        CHUNK,
        ChatAccumulator(choices),
        headers=Headers(fields),
        from_response=READER.from_response,
        marker=READER.marker,
        max_event_size=limit,
    )


class Outcome(NamedTuple):
    """The outcome of a body: its chunks, and the end or the error.

    Fields:
        error: class, message, code, status and partial response; None where the stream ended well.
    """

    chunks: list[ChatCompletionChunk]
    error: Optional[tuple[Any, ...]]


def read(pieces: Iterable[bytes], reader: "Optional[ChunkDecoder[Any]]" = None) -> Outcome:
    """Read a body; after each piece, ask until more is needed, as hosts do."""
    reader = reader or decoder()
    chunks: list[ChatCompletionChunk] = []
    for piece in [*filter(None, pieces), b""]:
        reader.receive_data(piece)
        try:
            while isinstance(event := reader.next_event(), ChatCompletionChunk):
                chunks.append(event)
        except MeshAPIError as exc:
            check_that_it_stays(reader, exc)
            return Outcome(chunks, facts(exc))
        if event is END_OF_STREAM:
            break
        assert piece, "no more data comes, and the decoder wants it"
    reader.receive_data(b"data: more\n\n")
    assert reader.next_event() is END_OF_STREAM
    assert reader.complete
    return Outcome(chunks, None)


def facts(exc: MeshAPIError) -> tuple[Any, ...]:
    return type(exc), exc.message, exc.error_code, exc.status, exc.request_id, exc.partial


def check_that_it_stays(reader: "ChunkDecoder[Any]", error: MeshAPIError) -> None:
    reader.receive_data(b"data: {}\n\n")
    with pytest.raises(MeshAPIError) as caught:
        reader.next_event()
    assert caught.value is error


def byte_by_byte(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def check(body: bytes, content_type: str = EVENTS, **options: Any) -> Outcome:
    """The outcome of a body: the same whole and byte by byte."""
    whole = read([body], decoder(content_type, **options))
    assert read(byte_by_byte(body), decoder(content_type, **options)) == whole
    return whole


def error_of(body: bytes, content_type: str = EVENTS, **options: Any) -> MeshAPIError:
    assert check(body, content_type, **options).error is not None
    reader = decoder(content_type, **options)
    for piece in filter(None, [body]):
        reader.receive_data(piece)
    reader.receive_data(b"")
    with pytest.raises(MeshAPIError) as caught:
        while reader.next_event() is not END_OF_STREAM:
            pass
    return caught.value


def texts(outcome: Outcome) -> list[Optional[str]]:
    deltas = [chunk.choices[0].delta for chunk in outcome.chunks]
    return [delta.content for delta in deltas]


def says(text: str, finish_reason: Optional[str] = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return chat_streams.frame({"id": "c1", "choices": [choice]}) + b"\n\n"


# Laws


@given(
    st.data(),
    chat_streams.bodies,
    chat_streams.content_types,
    st.sampled_from([1 << 20, 200, 40, 5, 1]),
)
@example(None, b" " * 600 + b"x", "text/html", 1 << 20)
@example(None, b" " * 1023 + b"{}", "", 1 << 20)
@example(None, b" " * 1024 + b"{}", "", 1 << 20)
@example(None, says("a") + b": " + b"x" * 200, EVENTS, 200)
def test_any_cut_of_a_body_gives_the_same_chunks_and_the_same_end(data, body, content_type, limit):
    whole = read([body], decoder(content_type, limit=limit))
    assert read(byte_by_byte(body), decoder(content_type, limit=limit)) == whole
    if data is not None:
        pieces = data.draw(sse_streams.pieces(body))
        assert read(pieces, decoder(content_type, limit=limit)) == whole


@given(st.lists(st.binary(max_size=20) | chat_streams.bodies, max_size=4))
def test_any_bytes_give_chunks_or_a_documented_error(pieces):
    for content_type in (EVENTS, "application/json", "", "text/html"):
        outcome = read(pieces, decoder(content_type, limit=100))
        if outcome.error is not None:
            assert issubclass(
                outcome.error[0], (APIStatusError, ResponseDecodeError, StreamInterruptedError)
            )


@given(st.data(), chat_streams.good)
@example(
    None, says("a", "stop") + b'data: {"choices": [], "usage": {"total_tokens": 1}}\n\n' + DONE
)
@example(None, b"data: {\ndata: \ndata: }\n\n" + says("é", "stop") + DONE)
def test_a_body_that_is_cut_off_gives_a_prefix_of_its_chunks_and_says_so(data, body):
    """Other clients take the end without [DONE] for success, and half a response for a whole
    one."""
    whole = read([body])
    places = range(len(body)) if data is None else [data.draw(st.integers(0, len(body)))]
    for place in places:
        cut = read([body[:place]])
        assert cut.chunks == whole.chunks[: len(cut.chunks)]
        check_the_end_of_a_cut(cut, body[:place])


def check_the_end_of_a_cut(cut: Outcome, body: bytes) -> None:
    accumulator = ChatAccumulator()
    for chunk in cut.chunks:
        accumulator.add(chunk)
    if cut.error is None:
        assert accumulator.complete or b"[DONE]" in body
    else:
        assert not accumulator.complete
        kind, _, code, _, _, partial = cut.error
        assert (kind, code) == (StreamInterruptedError, "stream_interrupted")
        assert partial == accumulator.partial()


@given(chat_streams.good, st.sampled_from(["connection", "timeout", "closed"]))
def test_a_broken_connection_costs_no_chunk_that_had_come_whole(body, how):
    reader = decoder()
    for piece in filter(None, [body]):
        reader.receive_data(piece)
    reader.receive_failure(failure(how))
    chunks = []
    error: Optional[MeshAPIError] = None
    try:
        while isinstance(event := reader.next_event(), ChatCompletionChunk):
            chunks.append(event)
    except MeshAPIError as exc:
        error = exc
    assert reader.complete == (error is None)
    assert error is None or type(error) is BROKEN[how]
    # Without its blank line, the last event is only whole if the body ended normally.
    expected = read([body]).chunks
    assert chunks == expected[: len(chunks)]
    assert len(expected) - len(chunks) <= 1


BROKEN = {
    "connection": StreamInterruptedError,
    "timeout": APITimeoutError,
    "closed": APIConnectionError,
}


def failure(how: str) -> Failure:
    if how == "timeout":
        return Failure(APITimeoutError("too slow", phase="read"), "response")
    if how == "closed":
        return Failure(APIConnectionError("closed", error_code="client_closed"), "closed")
    return Failure(APIConnectionError("reset by peer", error_code="reset"), "response")


# Events; examples of lines and characters are in `tests/vectors`

HELLO = says("Hel") + says("lo") + says("", "stop") + DONE


def test_a_chunk_that_is_no_json_is_an_error_after_those_before_it():
    """Other clients drop it, and its text is missing in the middle."""
    outcome = check(says("a") + b'data: {"choices": [}\n\n' + says("b") + DONE)
    assert texts(outcome) == ["a"]
    assert outcome.error is not None
    kind, _, code, status, _, partial = outcome.error
    assert (kind, code, status) == (ResponseDecodeError, "parse_error", 200)
    assert partial.choices[0].message.content == "a"


def test_an_end_without_done_is_an_interruption_with_what_had_arrived():
    outcome = check(says("Hel") + says("lo"))
    assert texts(outcome) == ["Hel", "lo"]
    assert outcome.error is not None
    kind, message, code, _, _, partial = outcome.error
    assert (kind, code) == (StreamInterruptedError, "stream_interrupted")
    assert message == "stream interrupted: the body ended before [DONE] or a finish reason"
    assert partial.choices[0].message.content == "Hello"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_the_last_event_may_lack_its_blank_line(end):
    """Other clients lose it."""
    assert texts(check(says("a") + says("b", "stop")[:-2] + end)) == ["a", "b"]
    assert check(says("a") + DONE[:-2] + end).error is None


@pytest.mark.parametrize("rest", [DONE[:9], b'data: {"choices": [', b"data", b"event: pi", b":"])
def test_what_is_cut_off_after_the_finish_reason_does_not_matter(rest):
    assert check(says("a", "stop") + rest) == check(says("a", "stop"))


# [DONE]


@pytest.mark.parametrize(
    "end",
    [
        b"data: [DONE]\n\n",
        b"data:[DONE]\n\n",
        b"data:   [DONE]  \n\n",
        b"event: message\ndata: [DONE]\n\n",
        b"event: done\ndata: [DONE]\n\n",
        b"data:\ndata: [DONE]\n\n",
    ],
)
def test_done_ends_the_stream_and_nothing_after_it_is_looked_at(end):
    after = b'data: {"error": "late"}\n\ndata: {\n\n' + says("late")
    outcome = check(says("a") + end + after)
    assert (texts(outcome), outcome.error) == (["a"], None)


def test_a_text_that_speaks_of_done_does_not_end_the_stream():
    assert texts(check(says("[DONE]") + says("b") + DONE)) == ["[DONE]", "b"]
    for event in (b'data: {"a":"[DONE]"}\n\n', b'data: "[DONE]"\n\n'):
        assert check(event).error is not None
    for body in (b"data: [done]\n\n", b"data: DONE\n\n"):
        assert check(body).error is not None


# What is skipped, and what is tolerated


@pytest.mark.parametrize(
    "event",
    [
        b": ping",
        b'data: "ping"',
        b"data: null",
        b"data: 1",
        b"data: [1, 2]",
        b"data:",
        b"data:  ",
        b"data:\ndata:",
        b"event: ping",
        b"event: ping\ndata: {}",
        b'event: ping\ndata: {"type": "ping"}',
        b"event: ping\ndata: {",
        b"event: ping\ndata: hello",
        b"id: 1\nretry: 10",
        b"new_field: 1",
    ],
)
def test_what_keeps_a_connection_alive_is_passed_over(event):
    body = event + b"\n\n" + says("a") + event + b"\n\n" + DONE
    outcome = check(body)
    assert (texts(outcome), outcome.error) == (["a"], None)


def test_a_chunk_needs_neither_an_id_nor_a_time_nor_choices():
    outcome = check(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {}\n\n' + DONE)
    assert [chunk.id for chunk in outcome.chunks] == ["", ""]
    assert [chunk.created for chunk in outcome.chunks] == [0, 0]
    assert outcome.chunks[1].choices == []


def test_nulls_stand_for_what_is_missing():
    chunk = {
        "id": None,
        "created": None,
        "error": None,
        "usage": None,
        "choices": [
            {"index": None, "delta": {"content": None, "tool_calls": None}, "finish_reason": None}
        ],
    }
    outcome = check(chat_streams.frame(chunk) + b"\n\n" + DONE)
    assert texts(outcome) == [None]
    assert outcome.chunks[0].id == ""


def test_unknown_fields_and_odd_ones_do_not_cost_the_chunk():
    chunk = {"id": 7, "choices": [{"delta": {"content": "a", "new": 1}}], "new": {"a": 1}}
    outcome = check(chat_streams.frame(chunk) + b"\n\n" + DONE)
    assert texts(outcome) == ["a"]
    assert outcome.chunks[0].raw == chunk


@pytest.mark.parametrize("odd", [b"\xff", b"\\ud83d"])
def test_text_that_is_no_unicode_is_replaced(odd):
    body = b'data: {"choices":[{"delta":{"content":"a' + odd + b'"}}]}\n\n' + DONE
    # The other half may come in the next chunk, so it is held back.
    assert texts(check(body)) == ["a" if odd.isascii() else "a\ufffd"]


def test_deep_nesting_is_an_error_and_no_crash():
    error = error_of(b'data: {"a": ' + b"[" * 100_000 + b"\n\n", limit=1 << 20)
    assert type(error) is ResponseDecodeError


def test_chunks_know_the_request_and_what_was_sent():
    outcome = check(says("a") + DONE, x_request_id="req_1")
    assert outcome.chunks[0]._request_id == "req_1"
    assert outcome.chunks[0].raw["choices"][0]["delta"] == {"content": "a"}


# Error frames


@pytest.mark.parametrize(
    ("frame", "kind", "code", "message"),
    [
        (
            b'data: {"error":{"code":"rate_limit_exceeded","message":"slow down"}}',
            RateLimitError,
            "rate_limit_exceeded",
            "slow down",
        ),
        (
            b'data: {"error":{"code":429,"message":"slow down"}}',
            RateLimitError,
            "rate_limit_exceeded",
            "slow down",
        ),
        (b'data: {"error":"it broke"}', APIStatusError, "upstream_error", "it broke"),
        (
            b'event: error\ndata: {"error":{"code":"model_not_found","message":"m"}}',
            NotFoundError,
            "model_not_found",
            "m",
        ),
        (
            b'event: error\ndata: {"code":"spend_limit_exceeded","message":"m"}',
            PaymentRequiredError,
            "spend_limit_exceeded",
            "m",
        ),
        (b"event: error\ndata: it broke", APIStatusError, "upstream_error", "it broke"),
        (b'event: error\ndata: "it broke"', APIStatusError, "upstream_error", "it broke"),
        (
            b'event: whatever\ndata: {"error":{"message":"m"}}',
            APIStatusError,
            "upstream_error",
            "m",
        ),
        (
            b'event: error\ndata: {"error":null}',
            APIStatusError,
            "upstream_error",
            "the stream ended with an error",
        ),
        (
            b"event: error\ndata:",
            APIStatusError,
            "upstream_error",
            "the stream ended with an error",
        ),
        (
            b'data: {"choices":[{"finish_reason":"error"}],"error":{"message":"m"}}',
            APIStatusError,
            "upstream_error",
            "m",
        ),
    ],
)
def test_an_error_frame_raises_its_typed_error_with_what_had_arrived(frame, kind, code, message):
    for body in (says("a") + frame, says("a") + frame + b"\n\n" + says("b") + DONE):
        error = error_of(body)
        assert isinstance(error, APIStatusError) or kind is APIStatusError
        assert isinstance(error, kind)
        assert (error.error_code, error.message, error.status) == (code, message, 0)
        assert error.partial.choices[0].message.content == "a"
        assert "None" not in str(error)


def test_an_error_frame_keeps_all_that_it_says():
    """Other clients drop everything but message and code."""
    frame = {
        "error": {
            "code": "rate_limit_exceeded",
            "message": "slow down",
            "details": [{"loc": ["body"], "msg": "x"}],
            "provider_error": {"type": "overloaded"},
            "provider_code": "provider_overloaded",
            "retry_after_seconds": 7,
        }
    }
    error = error_of(chat_streams.frame(frame) + b"\n\n", x_request_id="req_1")
    assert isinstance(error, RateLimitError)
    assert error.details == [{"loc": ["body"], "msg": "x"}]
    assert error.provider_error == {"type": "overloaded"}
    assert error.provider_code == "provider_overloaded"
    assert error.retry_after_seconds == 7
    assert error.request_id == "req_1"
    assert error.raw == frame


@pytest.mark.parametrize(
    ("frame", "request_id"),
    [
        ({"error": {"message": "m", "request_id": "nested"}, "request_id": "frame"}, "nested"),
        ({"error": {"message": "m"}, "request_id": "frame"}, "frame"),
        ({"error": {"message": "m"}}, "header"),
        ({"error": "m"}, "header"),
    ],
)
def test_an_error_frame_knows_its_request(frame, request_id):
    error = error_of(chat_streams.frame(frame) + b"\n\n", x_request_id="header")
    assert error.request_id == request_id


@pytest.mark.parametrize("body", [b"", says("a"), b"data: {\n\n", b"data: " + b"a" * 2000])
def test_every_error_of_a_stream_knows_its_request(body):
    assert error_of(body, limit=1000, x_request_id="req_1").request_id == "req_1"


def test_a_text_that_speaks_of_errors_is_no_error():
    chunk = {"choices": [{"delta": {"content": '{"error": "no"}'}}], "nested": {"error": "no"}}
    bodies = [chat_streams.frame(chunk), chat_streams.frame({**chunk, "error": None})]
    for body in bodies:
        outcome = check(body + b"\n\n" + DONE)
        assert texts(outcome) == ['{"error": "no"}']
        assert outcome.error is None
    ping = b'event: ping\ndata: ["error"]\n\n'
    assert texts(check(ping + says("a") + DONE)) == ["a"]


# Errors in all forms that gateways write

SAID = "maximum context length exceeded"
FORMS = {
    "object": {"object": "error", "message": SAID, "type": "BadRequestError", "code": 400},
    "type": {"type": "error", "code": 400, "message": SAID},
    "nested": {"type": "error", "error": {"code": 400, "message": SAID}},
    "text": {"error": SAID, "code": 400},
    "list": [{"error": {"code": 400, "message": SAID}}],
    "detail": {"detail": SAID, "status": 400},
    "details": {"details": SAID, "code": 400},
    "flat": {"message": SAID, "code": 400},
    "wrapped": {"data": {"error": {"code": 400, "message": SAID}}},
    "success": {"success": False, "message": SAID, "code": 400},
    "json in text": {"error": json.dumps({"error": {"message": SAID, "code": 400}})},
    "error_msg": {"id": "as-1", "error_code": 400, "error_msg": SAID},
    "base_resp": {"id": "1", "base_resp": {"status_code": 1004, "status_msg": SAID}, "code": 400},
    "delta": {"choices": [{"delta": {"error": {"code": 400, "message": SAID}}}]},
    "choice": {
        "choices": [
            {"delta": {}, "finish_reason": "error", "error": {"code": 400, "message": SAID}}
        ]
    },
}


def lines(data: str, how: str) -> bytes:
    """An error as a server writes it."""
    return {
        "frame": f"data: {data}\n\n",
        "event": f"event: error\ndata: {data}\n\n",
        "field": f"error: {data}\n\n",
        "bare line": f"{data}\n",
        "bare, no end": data,
        "bare event": f"event: error\n{data}\n\n",
        "named": f"event: whatever\ndata: {data}\n\n",
    }[how].encode()


@pytest.mark.parametrize(
    "how", ["frame", "event", "field", "bare line", "bare, no end", "bare event"]
)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_error_in_any_form_is_the_typed_error_with_the_servers_words(form, how):
    """They were an empty stream that looked complete, or an interruption without a reason."""
    body = lines(json.dumps(FORMS[form]), how)
    for start in (b"", says("a")):
        error = error_of(start + body, x_request_id="req_1")
        assert isinstance(error, BadRequestError)
        assert (error.message, error.request_id) == (SAID, "req_1")
        assert error.headers["x-request-id"] == "req_1"
        if start:
            assert error.partial.choices[0].message.content == "a"
    if how != "bare, no end":
        assert error_of(says("a") + body + says("b") + DONE).message == SAID


@pytest.mark.parametrize("start", [b"", says("a")])
@pytest.mark.parametrize("indent", [0, 1, 4])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_error_may_stand_on_several_lines(form, indent, start):
    body = json.dumps(FORMS[form], indent=indent).encode()
    for end in (b"", b"\n", b"\n\n" + DONE, b"\n" + says("b"), DONE):
        assert error_of(start + body + end).message == SAID


@pytest.mark.parametrize("name", ["Error", "ERROR", "exception", "failure"])
def test_the_event_of_an_error_may_have_other_names(name):
    """It was skipped, like a keep-alive."""
    event = f'event: {name}\ndata: {{"message": "{SAID}"}}\n\n'.encode()
    for start in (b"", says("a")):
        assert error_of(start + event + DONE).message == SAID


@pytest.mark.parametrize("code", [1302, "1302", 40])
def test_a_sentence_with_a_code_is_an_error_where_nothing_comes_after_it(code):
    """It was an empty chunk, and the stream looked complete."""
    frame = lines(json.dumps({"code": code, "message": SAID, "data": None}), "frame")
    for start in (b"", says("a")):
        for end in (b"", DONE):
            assert error_of(start + frame + end).message == SAID
    outcome = check(frame + says("a") + DONE)
    assert (len(outcome.chunks), outcome.error) == (2, None)


@pytest.mark.parametrize(
    "frame",
    [
        {"code": 0, "message": "success"},
        {"code": 200, "msg": "ok"},
        {"code": "OK", "message": "Success"},
        {"error_code": 0, "error_msg": "success"},
        {"errcode": "0", "errmsg": "ok"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"status": "processing", "message": "position 3"},
    ],
)
def test_a_frame_that_says_that_all_is_well_does_not_end_the_stream(frame):
    event = lines(json.dumps(frame), "frame")
    for body in (event + says("a") + DONE, says("a") + event + DONE):
        outcome = check(body)
        assert (len(outcome.chunks), outcome.error) == (2, None)


@pytest.mark.parametrize("how", ["event", "field"])
def test_an_error_may_be_a_text(how):
    for start in (b"", says("a")):
        assert error_of(start + lines(SAID, how)).message == SAID


@pytest.mark.parametrize("event", [b"event: error\n\n", b"event: error\ndata: \n\n"])
def test_an_event_called_error_that_says_nothing_is_one(event):
    for start in (b"", says("a")):
        assert isinstance(error_of(start + event + DONE), APIStatusError)


def test_what_came_with_the_error_belongs_to_the_response_so_far():
    choice = {"delta": {"content": "b"}, "finish_reason": "error"}
    error = error_of(says("a") + chat_streams.frame({"choices": [choice]}) + b"\n\n" + DONE)
    assert error.partial.choices[0].message.content == "ab"
    assert error.partial.choices[0].finish_reason == "error"
    assert "finish_reason" in error.message


@pytest.mark.parametrize(
    "blank", ["", " ", {}, False, 0, [], None, {"message": "", "type": "", "code": None}, [[{}]]]
)
def test_a_blank_error_does_not_end_the_stream(blank):
    """Good streams were lost to an empty member."""
    chunk: Any = {"choices": [{"delta": {"content": "a"}, "error": blank}], "error": blank}
    body = chat_streams.frame(chunk) + b"\n\n" + says("b", "stop") + DONE
    assert texts(check(body)) == ["a", "b"]
    assert texts(check(json.dumps({**RESPONSE, "error": blank}).encode(), "application/json")) == [
        "Hello"
    ]


def test_an_error_after_the_end_is_not_looked_at():
    for form in FORMS.values():
        outcome = check(says("a") + DONE + lines(json.dumps(form), "bare line"))
        assert (texts(outcome), outcome.error) == (["a"], None)


@pytest.mark.parametrize(
    "end",
    [b"upstream reset", b"<html><title>upstream reset</title></html>", b'data: "upstream reset"'],
)
def test_the_last_words_of_a_server_are_in_the_interruption(end):
    error = error_of(says("a") + end + b"\n")
    assert type(error) is StreamInterruptedError
    assert "[DONE] or a finish reason; the last words of the server: " in error.message
    assert "upstream reset" in error.message
    error = error_of(end + b"\n" + DONE)
    assert type(error) is ResponseDecodeError
    assert "upstream reset" in error.message


def test_text_on_many_lines_is_kept_within_bounds():
    reader = decoder(limit=1 << 24)
    reader.receive_data(says("a") + (b"x" * 5000 + b"\n\n") * 2000 + b"the end\n")
    assert isinstance(reader.next_event(), ChatCompletionChunk)
    assert reader.next_event() is NEED_DATA
    assert len(reader._events.bare_lines.text) <= 1024
    reader.receive_data(b"")
    with pytest.raises(StreamInterruptedError, match="the end"):
        reader.next_event()


def test_lines_that_only_begin_like_json_do_no_harm():
    odd = b"[info] starting\n{ not json\n\n"
    assert texts(check(says("a") + odd + says("b", "stop") + DONE)) == ["a", "b"]
    assert texts(check(odd + says("a", "stop") + DONE)) == ["a"]


def test_json_that_never_ends_is_bounded_and_takes_linear_time():
    reader = decoder(limit=1 << 16)
    reader.receive_data(b"[\n" + b"[\n]\n\n,\n" * 5_000)
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"[1]\n" * 20_000)
    with pytest.raises(ResponseDecodeError, match="larger than 65536 bytes"):
        reader.next_event()


PAGE = b"\r\n<html>\r\n<title>Bad gateway</title>\r\n\r\n</html>"

# Streams under another label, and lines of JSON

LABELS = (
    "text/plain; charset=utf-8",
    "application/json",
    "application/stream+json",
    "application/octet-stream",
    "application/x-ndjson",
    "text/html",
    "",
    EVENTS,
)


def json_lines(*bodies: bytes) -> bytes:
    return b"".join(body.partition(b"data: ")[2].rstrip() + b"\n" for body in bodies)


@pytest.mark.parametrize("label", LABELS)
def test_a_stream_is_one_under_any_label(label):
    """It was refused, or waited for until its end."""
    assert check(HELLO, label) == check(HELLO)
    reader = decoder(label)
    reader.receive_data(says("a"))
    assert isinstance(reader.next_event(), ChatCompletionChunk)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("end", [b"", b"[DONE]", b"data: [DONE]", DONE])
def test_lines_of_json_are_chunks_as_they_come(label, end):
    body = json_lines(says("a"), says("b", "stop"))
    assert texts(check(body + end, label)) == ["a", "b"]
    assert texts(check(body[:-1], label)) == ["a", "b"]
    assert texts(check(body.replace(b"\n", b"\r\n") + end, label)) == ["a", "b"]
    reader = decoder(label)
    reader.receive_data(json_lines(says("a")))
    assert isinstance(reader.next_event(), ChatCompletionChunk)
    assert reader.next_event() is NEED_DATA


def test_lines_of_json_that_are_cut_off_are_an_interruption():
    error = error_of(json_lines(says("a"), says("b"))[:-20], "application/x-ndjson")
    assert type(error) is StreamInterruptedError
    assert error.partial.choices[0].message.content == "a"


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n" + DONE, DONE])
def test_a_whole_response_may_have_the_end_of_a_stream_behind_it(label, end):
    for indent in (None, 1):
        outcome = check(json.dumps(RESPONSE, indent=indent).encode() + end, label)
        assert (texts(outcome), outcome.error) == (["Hello"], None)


@pytest.mark.parametrize("end", [b"", DONE])
def test_a_whole_response_may_be_the_one_event_of_a_stream(end):
    """Its text was lost: a chunk has a delta where a response has a message."""
    outcome = check(b": hi\n\ndata: " + json.dumps(RESPONSE).encode() + b"\n\n" + end)
    assert (texts(outcome), outcome.error) == (["Hello"], None)
    assert outcome.chunks[0].raw == RESPONSE


def test_a_whole_response_that_ended_in_an_error_is_one():
    choice = {**RESPONSE["choices"][0], "finish_reason": "error", "error": {"message": SAID}}  # type: ignore[index]
    error = error_of(json.dumps({**RESPONSE, "choices": [choice]}).encode(), "application/json")
    assert isinstance(error, APIStatusError)
    assert (error.message, error.status) == (SAID, 200)
    assert error.partial.choices[0].message.content == "Hello"
    event = chat_streams.frame({**RESPONSE, "choices": [choice]}) + b"\n\n"
    assert error_of(event).message == SAID


def test_every_error_has_the_headers_of_the_response():
    for body, label in ((b"", EVENTS), (b"<html>", ""), (b"data: {\n\n", EVENTS), (b"{", "a/b")):
        assert error_of(body, label, x_request_id="req_1").headers["x-request-id"] == "req_1"
    for how in BROKEN:
        reader = decoder(x_request_id="req_1")
        reader.receive_data(says("a"))
        reader.receive_failure(failure(how))
        assert isinstance(reader.next_event(), ChatCompletionChunk)
        with pytest.raises(MeshAPIError) as caught:
            reader.next_event()
        assert caught.value.headers["x-request-id"] == "req_1"


def test_what_came_instead_of_a_stream_is_kept():
    error = error_of(PAGE, "text/html")
    assert isinstance(error, ResponseDecodeError)
    assert error.raw_body.startswith(b"\r\n<html>")
    assert "text/html" in str(error)
    error = error_of(says("a") + b"data: oh no\n\n")
    assert isinstance(error, ResponseDecodeError)
    assert (error.raw_body, error.message) == (
        b"oh no",
        "an event of the stream is not JSON: 'oh no'",
    )


# Responses that are no event stream

RESPONSE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 5,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
JSON_TYPES = ("application/json", "Application/JSON; charset=utf-8", "application/x+json", "")


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_a_whole_response_is_one_chunk(content_type):
    """Other clients make it an empty stream."""
    body = json.dumps(RESPONSE, indent=1).encode()
    outcome = check(body, content_type, x_request_id="req_1")
    assert outcome.error is None
    (chunk,) = outcome.chunks
    assert (chunk.id, chunk.object, chunk.created) == ("c1", "chat.completion.chunk", 5)
    (choice,) = chunk.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.delta.content == "Hello"
    (call,) = choice.delta.tool_calls or ()
    assert (call.index, call.id) == (0, "call_1")
    assert call.function == ToolCallFunctionChunk(name="f", arguments="{}")
    assert chunk.usage is not None
    assert chunk.usage.total_tokens == 3
    assert chunk.raw == RESPONSE
    assert chunk._request_id == "req_1"


def test_the_parts_of_a_whole_response_are_put_together():
    parts = [{"type": "text", "text": "Hel"}, {"type": "new"}, {"type": "text", "text": "lo"}]
    response = {"choices": [{"message": {"content": parts}}, {"message": None}]}
    (chunk,) = check(json.dumps(response).encode(), "application/json").chunks
    assert chunk.choices[0].delta.content == "Hello"
    assert chunk.choices[1].delta.content is None


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_an_error_as_json_is_the_typed_error(content_type):
    body = b'{"error": {"code": "model_not_found", "message": "m"}, "request_id": "req_1"}'
    error = error_of(body, content_type)
    assert isinstance(error, NotFoundError)
    assert (error.error_code, error.request_id) == ("model_not_found", "req_1")


@pytest.mark.parametrize("content_type", JSON_TYPES)
@pytest.mark.parametrize(
    "body", [b"{}", b'{"id": "hi"}', b"[]", b'{"id": ', b'"choices"', b"{" * 3, b"[1"]
)
def test_other_json_is_never_an_empty_stream(body, content_type):
    error = error_of(body, content_type)
    assert type(error) is ResponseDecodeError
    assert (error.error_code, error.status) == ("parse_error", 200)


@pytest.mark.parametrize(
    ("body", "content_type", "quoted"),
    [
        (
            b"<html>Bad gateway</html>",
            "text/html",
            "text/html (HTTP 200): '<html>Bad gateway</html>'",
        ),
        (b"hello", "text/plain; charset=utf-8", "text/plain; charset=utf-8 (HTTP 200): 'hello'"),
        (b"", "text/html", "text/html with an empty body"),
        (b"", "application/json", "application/json with an empty body"),
        (b" \n", "application/json", "application/json with an empty body"),
        (b"", "", "a response without a content type with an empty body"),
        (b"   ", "", "a response without a content type with an empty body"),
        (b"<html>", "", "a response without a content type (HTTP 200): '<html>'"),
        (b"hello", "", "a response without a content type (HTTP 200): 'hello'"),
        (b"da", "", "a response without a content type (HTTP 200): 'da'"),
        (b"\x00\xff\x00\xff\x00", "audio/mpeg", "audio/mpeg (HTTP 200): "),
    ],
)
def test_what_is_neither_events_nor_json_is_refused_and_quoted(body, content_type, quoted):
    error = error_of(body, content_type)
    assert type(error) is ResponseDecodeError
    assert (error.error_code, error.status) == ("parse_error", 200)
    assert f"expected an event stream, got {quoted}" in str(error)


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (PAGE, "'<html>\\r\\n<title>Bad gateway"),
        (b"upstream connect error", "'upstream connect error'"),
        (b'{"id": "hi"}', """'{"id": "hi"}'"""),
        (b'{"error": null}', """'{"error": null}'"""),
        (b'{"error": "cut', """'{"error": "cut'"""),
        (b"[1]\n\n", "'[1]'"),
        (b"\xff\xfe", "'\ufffd\ufffd'"),
        (b"x" * 100_000, "x" * 400),
    ],
)
def test_a_page_that_calls_itself_an_event_stream_is_refused_and_quoted(body, quoted):
    """Its text was lost: "the body ended before [DONE]"."""
    error = error_of(body, x_request_id="req_1")
    assert type(error) is ResponseDecodeError
    assert (error.error_code, error.status, error.request_id) == ("parse_error", 200, "req_1")
    assert "expected an event stream, got no event (HTTP 200): " in str(error)
    assert quoted in str(error)
    assert len(str(error)) <= 600


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("text", ["m", "m" * 5000], ids=len)
def test_a_json_error_that_calls_itself_an_event_stream_is_the_typed_error(indent, text):
    envelope = {"error": {"code": "model_not_found", "message": text}, "request_id": "req_1"}
    error = error_of(json.dumps(envelope, indent=indent).encode())
    assert isinstance(error, NotFoundError)
    assert (error.error_code, error.request_id) == ("model_not_found", "req_1")
    assert error.message.startswith("m")


@pytest.mark.parametrize("start", [says("a"), b"data: 1\n\n", b"new: 1\ndata: 1\n\n", b": hi\n\n"])
def test_a_page_after_an_event_is_an_interruption(start):
    error = error_of(start + PAGE)
    assert type(error) is StreamInterruptedError


def test_a_connection_that_breaks_within_a_page_shows_what_had_come():
    reader = decoder()
    reader.receive_data(PAGE[:9])
    assert reader.next_event() is NEED_DATA
    reader.receive_failure(failure("connection"))
    with pytest.raises(ResponseDecodeError, match="<html>"):
        reader.next_event()


def test_the_start_of_a_stream_is_kept_until_its_first_event_and_no_longer():
    reader = decoder(limit=1 << 24)
    for _ in range(5):
        reader.receive_data(b": " + b"x" * 50_000 + b"\n")
        assert reader.next_event() is NEED_DATA
    assert reader._first_bytes is not None
    assert len(reader._first_bytes._kept) == 64 * 1024
    reader.receive_data(b"data: 1\n\n")
    assert reader.next_event() is NEED_DATA
    assert reader._first_bytes is None


def test_a_response_without_content_is_refused():
    reader = ChunkDecoder(
        CHUNK, ChatAccumulator(), headers=Headers(), status=204, from_response=None
    )
    reader.receive_data(b"")
    with pytest.raises(ResponseDecodeError) as caught:
        reader.next_event()
    assert caught.value.status == 204


def test_a_response_of_the_wrong_type_is_refused_before_all_of_it_has_come():
    reader = decoder("text/html")
    reader.receive_data(b"<html>")
    assert reader.next_event() is NEED_DATA
    reader.receive_data(bytes(4096))
    with pytest.raises(ResponseDecodeError):
        reader.next_event()
    reader = decoder("text/html")
    reader.receive_data(b"<html><Title>Sign in</Title>")
    with pytest.raises(ResponseDecodeError, match="Sign in"):
        reader.next_event()
    reader = decoder("text/plain")
    reader.receive_data(b"x" * 511)
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"x")
    with pytest.raises(ResponseDecodeError):
        reader.next_event()


def test_blanks_without_end_are_not_waited_for():
    reader = decoder("")
    for _ in range(1023):
        reader.receive_data(b" ")
        assert reader.next_event() is NEED_DATA
    reader.receive_data(b" ")
    with pytest.raises(ResponseDecodeError):
        reader.next_event()


@pytest.mark.parametrize(
    "body",
    [HELLO, b"\xef\xbb\xbf" + HELLO, b": hi\n\n" + HELLO, b"\r\n" + HELLO, b"id:1\n" + HELLO],
)
def test_events_are_known_by_their_first_bytes_where_no_type_is_given(body):
    assert check(body, "") == check(body)


# Limits


def test_an_event_over_the_limit_is_an_error_after_those_before_it():
    outcome = check(says("a") + b"data: " + b"b" * 300 + b"\n\n", limit=200)
    assert texts(outcome) == ["a"]
    assert outcome.error is not None
    assert outcome.error[2] == "event_too_large"
    assert outcome.error[0] is ResponseDecodeError


def test_an_event_that_never_ends_is_refused_when_it_is_too_large():
    reader = decoder(limit=200)
    reader.receive_data(b"data: " + b"a" * 300)
    with pytest.raises(ResponseDecodeError) as caught:
        reader.next_event()
    assert caught.value.error_code == "event_too_large"


@pytest.mark.parametrize("content_type", ["application/json", ""])
def test_a_response_over_the_limit_is_refused_when_it_is_too_large(content_type):
    body = json.dumps(RESPONSE).encode()
    assert check(body, content_type, limit=len(body)).error is None
    assert error_of(body, content_type, limit=len(body) - 1).error_code == "response_too_large"
    reader = decoder(content_type, limit=200)
    reader.receive_data(b"{" + b" " * 200)
    with pytest.raises(ResponseDecodeError):
        reader.next_event()


# A connection that breaks


@pytest.mark.parametrize("how", ["connection", "timeout", "closed"])
@pytest.mark.parametrize("content_type", [EVENTS, "application/json", ""])
@pytest.mark.parametrize("body", [b"", b"d", says("a")[:20], b'{"choices": ['])
def test_a_break_before_anything_whole_has_come(how, content_type, body):
    reader = decoder(content_type, x_request_id="req_1")
    if body:
        reader.receive_data(body)
    assert reader.next_event() is NEED_DATA
    reader.receive_failure(failure(how))
    with pytest.raises(MeshAPIError) as caught:
        reader.next_event()
    error = caught.value
    check_that_it_stays(reader, error)
    assert error.partial is None
    assert error.request_id == "req_1"
    assert (
        error.error_code
        == {
            "connection": "stream_interrupted",
            "timeout": "read_timeout",
            "closed": "client_closed",
        }[how]
    )


def test_a_break_in_the_middle_gives_what_had_come_and_its_cause():
    """In other clients, resets and stalls come out as errors of their HTTP library."""
    reader = decoder()
    reader.receive_data(says("Hel") + says("lo") + b"data: {")
    reader.receive_failure(failure("connection"))
    assert isinstance(reader.next_event(), ChatCompletionChunk)
    assert isinstance(reader.next_event(), ChatCompletionChunk)
    with pytest.raises(StreamInterruptedError, match="reset by peer") as caught:
        reader.next_event()
    assert caught.value.partial.choices[0].message.content == "Hello"
    assert isinstance(caught.value.__cause__, APIConnectionError)


@pytest.mark.parametrize("how", ["connection", "timeout", "closed"])
def test_a_break_after_the_end_does_not_matter(how):
    for body in (says("a", "stop"), says("a") + DONE):
        reader = decoder()
        reader.receive_data(body)
        reader.receive_failure(failure(how))
        assert isinstance(reader.next_event(), ChatCompletionChunk)
        assert reader.complete or b"[DONE]" in body
        assert reader.next_event() is END_OF_STREAM
        reader.receive_failure(failure(how))
        assert reader.next_event() is END_OF_STREAM


def test_a_break_after_an_error_does_not_change_it():
    reader = decoder()
    reader.receive_data(b'data: {"error": "it broke"}\n\n')
    reader.receive_failure(failure("connection"))
    with pytest.raises(APIStatusError, match="it broke"):
        reader.next_event()
    reader.receive_failure(failure("timeout"))
    with pytest.raises(APIStatusError, match="it broke"):
        reader.next_event()


def test_a_stream_call_makes_the_decoder_of_its_response():
    headers = Headers([("content-type", EVENTS), ("X-Request-Id", "req_1")])
    reader: Union[Any, ChunkDecoder[ChatCompletionChunk]] = CALL.read(Response(201, headers))
    assert (reader.status, reader.request_id, reader.headers) == (201, "req_1", headers)
    assert texts(read([HELLO], reader)) == ["Hel", "lo", ""]
    assert CALL.read(Response(200, headers)) is not reader


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"error": {"message": "the key rsk_test_0123 is wrong", "code": "c"}}\n\n',
        b"event: error\ndata: the key rsk_test_0123 is wrong\n\n",
        b"data: {the key rsk_test_0123 is wrong\n\n",
        b"the key rsk_test_0123 is wrong",
    ],
    ids=["JSON", "a text", "broken JSON", "no stream"],
)
def test_a_secret_that_the_server_quotes_is_in_no_error(body):
    reader = decoder("text/plain")
    reader.secrets = ("rsk_test_0123",)
    reader.receive_data(body)
    reader.receive_data(b"")
    with pytest.raises(MeshAPIError, match=r"the key \*\*\* is wrong") as caught:
        reader.next_event()
    assert "rsk_test_0123" not in f"{caught.value!r} {vars(caught.value)}"
