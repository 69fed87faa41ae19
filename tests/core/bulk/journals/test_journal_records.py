"""What is recorded of a call is read again exactly as it was, and other tools can read it."""

import gzip
import json
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Call,
    Headers,
    MeshAPIError,
    ModelRefusalError,
    OutputValidationError,
    ProtocolError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedSchemaError,
)
from meshapi_core.bulk.journals.records import Record, line_of, read_line
from meshapi_core.endpoints import Completions, Embeddings
from meshapi_core.envelopes import error_from_response
from meshapi_core.messages import Response
from meshapi_core.readers import BytesReader, EmptyReader, TextReader
from meshapi_core.types import TranscriptionResponse
from meshapi_core.usage import TotalUsage


def said(text: str) -> TranscriptionResponse:
    return TranscriptionResponse(text=text)


KEY = "0123456789abcdef" * 2
TOKEN = "rsk_test_1234567890"
CALL = Completions.create.build(model="m", messages=[{"role": "user", "content": "hi"}])
BYTES = Call(method="POST", path="/v1/audio/speech", reader=BytesReader())

COUNTS = st.integers(0, 2**40)
MONEY = st.decimals(0, 10**6, places=9) | st.just(Decimal("1E-12"))
USAGES = st.builds(
    TotalUsage,
    requests=COUNTS,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cached_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    cost_usd=MONEY,
    unpriced=COUNTS,
    estimated=COUNTS,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
JSON = st.builds(
    lambda value, escaped, indent: json.dumps(value, ensure_ascii=escaped, indent=indent).encode(
        "utf-8", "surrogatepass"
    ),
    VALUES,
    st.booleans(),
    st.sampled_from([None, 1]),
)
BODIES = st.binary() | JSON | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))


def record_of(body: bytes, **facts: Any) -> Record:
    headers = [
        ("content-type", facts.pop("kind", "application/json")),
        ("x-request-id", "req_1"),
        ("set-cookie", "session=secret"),
    ]
    response = Response(200, Headers(headers), body, attempts=2, elapsed=0.25)
    return Record.of_response(KEY, facts.pop("id", "row-1"), response, **facts)


def recorded(record: Record) -> Record:
    """The record as the journal has it."""
    line = line_of(record)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert b"\r" not in line
    # Any tool can read it.
    assert isinstance(json.loads(line.decode("utf-8")), dict)
    return read_line(line[:-1])


def flat(body: bytes) -> bytes:
    """A body without what may change: line breaks in JSON become spaces, and its ends are cut."""
    return body.translate(bytes.maketrans(b"\r\n", b"  ")).strip(b" \t")


@given(BODIES, USAGES, st.none() | MONEY, st.text())
@example(b'{"a":\r\n [1,\n2]}\n', TotalUsage(), None, "")
@example(b'{"a":"\\ud800"}', TotalUsage(), None, "\ud800")
@example(b"\xef\xbb\xbf{}", TotalUsage(), None, "\n")
@example(b'{"a":1,"a":2,"b":1.0e400,"c":123456789012345678901234567890}', TotalUsage(), None, "")
@example(b"[" * 5000 + b"]" * 5000, TotalUsage(), None, "")
@example(b"NaN", TotalUsage(), None, "")
@example(b"", TotalUsage(), None, "")
def test_a_body_and_numbers_come_back_as_they_were(
    body: bytes, usage: TotalUsage, cost: Optional[Decimal], name: str
) -> None:
    record = record_of(body, usage=usage, cost=cost, id=name)
    again = recorded(record)
    assert (again.usage, again.cost, again.attempts, again.elapsed) == (usage, cost, 2, 0.25)
    assert (again.status, again.request_id, again.key) == (200, "req_1", KEY)
    assert again.id == name.encode("utf-8", "backslashreplace").decode()
    assert again.error is None
    assert flat(again.body) == flat(body)
    assert BYTES.read(again.response()) == again.body


@given(st.binary() | st.text().map(str.encode))
def test_bytes_and_texts_that_are_not_json_come_back_exactly(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        assert recorded(record_of(body)).body == body


def test_a_line_explains_itself() -> None:
    body = b'{"choices": [{"message": {"content": "4"}}]}'
    usage = TotalUsage(requests=1, input_tokens=12, output_tokens=40, cost_usd=Decimal("0.00031"))
    line = line_of(record_of(body, usage=usage, cost=Decimal("0.00031")))
    assert json.loads(line) == {
        "key": KEY,
        "id": "row-1",
        "status": 200,
        "output": {"choices": [{"message": {"content": "4"}}]},
        "error": None,
        "usage": {"requests": 1, "input_tokens": 12, "output_tokens": 40, "cost_usd": 0.00031},
        "cost": 0.00031,
        "attempts": 2,
        "request_id": "req_1",
        "elapsed": 0.25,
        "content_type": "application/json",
    }


def test_texts_and_bytes_say_how_they_are_written() -> None:
    text = json.loads(line_of(record_of("größer".encode(), kind="text/plain")))
    assert (text["output"], text["output_encoding"]) == ("größer", "text")
    audio = json.loads(line_of(record_of(b"\xff\xfb\x90", kind="audio/mpeg")))
    assert (audio["output"], audio["output_encoding"]) == ("//uQ", "base64")


def test_typed_values_are_equal_and_know_their_call() -> None:
    body = (
        b'{"id":"c","odd":[1],"choices":[{"index":0,"message":{"role":"assistant",'
        b'"content":"4"}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
    )
    record = record_of(body)
    value, original = recorded(record).value(CALL), CALL.read(record.response())
    assert value == original
    assert value.raw == original.raw == json.loads(body)
    assert value._request_id == "req_1"
    assert (value.meta.attempts, value.meta.elapsed, value.meta.status) == (2, 0.25, 200)


@pytest.mark.parametrize(
    ("call", "body", "kind"),
    [
        (BYTES, b"ID3\x00\xff\xfe" * 9, "audio/mpeg"),
        (Call(method="POST", path="/v1/a", reader=EmptyReader()), b"", ""),
        (
            Call(method="POST", path="/v1/a", reader=TextReader(TranscriptionResponse, said)),
            b"what was said",
            "text/plain",
        ),
        (
            Embeddings.create.build(model="m", input="a"),
            b'{"data":[{"index":0,"embedding":[0.1,-2.5e-7]}],"model":"m"}',
            "application/json",
        ),
        # The only event of a stream.
        (CALL, b'data: {"choices":[{"message":{"content":"4"}}]}\n\n', "text/event-stream"),
    ],
    ids=["bytes", "nothing", "text", "embeddings", "an event"],
)
def test_the_result_of_any_call_is_read_again(call: Call[Any], body: bytes, kind: str) -> None:
    headers = [("content-type", kind)] if kind else []
    response = Response(200, Headers(headers), body)
    assert recorded(Record.of_response(KEY, "1", response)).value(call) == call.read(response)


def test_a_compressed_response_is_recorded_without_its_coding() -> None:
    body = b'{"choices":[{"message":{"content":"4"}}]}'
    headers = Headers([("content-type", "application/json"), ("content-encoding", "gzip")])
    response = Response(200, headers, gzip.compress(body))
    record = recorded(Record.of_response(KEY, "1", response))
    assert record.body == body
    assert record.value(CALL) == CALL.read(response)


def test_nothing_is_recorded_that_must_stay_secret() -> None:
    body = json.dumps({"choices": [{"message": {"content": f"your key is {TOKEN}"}}]}).encode()
    line = line_of(record_of(body, secrets=(TOKEN, "hi")))
    assert TOKEN.encode() not in line
    assert b"your key is ***" in line
    assert b"cookie" not in line
    assert b"session" not in line
    error = CALL.refusal(Response(401, Headers(), f"no such key: {TOKEN}".encode()))
    error.message = "no such key"
    assert TOKEN.encode() not in line_of(Record.of_error(KEY, "1", error, secrets=(TOKEN,)))


STATUSES = st.sampled_from([300, 307, 400, 401, 402, 403, 404, 409, 413, 418, 422, 429, 500, 503])
ERROR_BODIES = BODIES | st.builds(
    lambda code, message, further: json.dumps(
        {"error": {"code": code, "message": message, **further}}
    ).encode("utf-8", "surrogatepass"),
    st.sampled_from(["rate_limit_exceeded", "model_not_found", 17, None]),
    st.text(),
    st.dictionaries(st.sampled_from(["details", "retry_after_seconds", "param"]), VALUES),
)


def facts_of(error: MeshAPIError) -> tuple[Any, ...]:
    return (
        type(error),
        error.error_code,
        error.message,
        error.args,
        error.status,
        error.request_id,
        error.attempts,
        error.elapsed,
        error.retry_after_seconds,
        str(error),
    )


@given(STATUSES, ERROR_BODIES, st.sampled_from([None, "3", "0"]))
@example(429, b'{"error":{"code":"rate_limit_exceeded","message":"slow down"}}', "7")
@example(503, b"<html>busy</html>", None)
def test_an_error_response_comes_back_as_the_same_error(
    status: int, body: bytes, wait: Optional[str]
) -> None:
    headers = [("x-request-id", "req_9"), ("location", "https://elsewhere.example/?signature=abc")]
    headers += [("retry-after", wait)] if wait else []
    error = CALL.refusal(Response(status, Headers(headers), body))
    error.attempts, error.elapsed = 4, 1.5
    record = Record.of_error(KEY, "row-1", error, cost=Decimal("0.5"))
    again = recorded(record)
    failure = again.failure(CALL)
    assert facts_of(failure) == facts_of(error)
    assert isinstance(failure, APIStatusError)
    assert b"signature=abc" not in line_of(record)


def test_what_the_gateway_said_of_an_error_comes_back() -> None:
    body = (
        b'{"error":{"code":"invalid","message":"no","details":[{"field":"model"}],'
        b'"provider_error":{"x":1},"provider_code":"p7"}}'
    )
    error = CALL.refusal(Response(422, Headers(), body))
    failure = recorded(Record.of_error(KEY, "1", error)).failure(CALL)
    assert isinstance(failure, APIStatusError)
    assert failure.details == error.details == [{"field": "model"}]
    assert (failure.provider_error, failure.provider_code) == ({"x": 1}, "p7")
    assert failure.raw == json.loads(body)


@pytest.mark.parametrize(
    "error",
    [
        APIConnectionError("no route", error_code="connect_refused"),
        APITimeoutError("too slow", phase="read"),
        ProtocolError("odd", error_code="framing"),
        StreamInterruptedError("cut"),
        ResponseDecodeError("no JSON", raw_body=b"<html>\xff", status=200),
        ModelRefusalError("refused", text="I will not"),
        OutputValidationError("wrong", path="people[0].age", reason="a number", text="{}"),
        UnsupportedSchemaError("no schema", path="Person.when"),
        MeshAPIError("anything", error_code="source_changed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_without_an_error_response_comes_back_as_the_same_error(
    error: MeshAPIError,
) -> None:
    error.attempts = 3
    failure = recorded(Record.of_error(KEY, "1", error)).failure(CALL)
    assert facts_of(failure) == facts_of(error)
    for name in ("phase", "text", "path", "reason", "raw_body"):
        assert getattr(failure, name, None) == getattr(error, name, None)


def test_what_the_model_said_instead_of_a_value_is_recorded() -> None:
    body = b'{"choices":[{"message":{"content":"[1, 2"}}]}'
    response = CALL.read(Response(200, Headers(), body))
    error = OutputValidationError("wrong", text="[1, 2", response=response)
    record = recorded(Record.of_error(KEY, "1", error))
    assert record.body == body
    assert facts_of(record.failure(CALL)) == facts_of(error)


def test_an_error_under_a_200_comes_back_as_the_same_error() -> None:
    body = b'{"error":{"code":"rate_limit_exceeded","message":"slow down"}}'
    with pytest.raises(APIStatusError) as caught:
        CALL.read(Response(200, Headers(), body))
    failure = recorded(Record.of_error(KEY, "1", caught.value)).failure(CALL)
    assert facts_of(failure) == facts_of(caught.value)


def test_an_error_of_a_class_that_is_not_known_is_one_of_the_base_class() -> None:
    class OddError(MeshAPIError):
        pass

    failure = recorded(Record.of_error(KEY, "1", OddError("odd", error_code="odd"))).failure(CALL)
    assert type(failure) is MeshAPIError
    assert (failure.error_code, failure.message) == ("odd", "odd")


def test_an_error_line_explains_itself() -> None:
    body = b'{"error":{"code":"rate_limit_exceeded","message":"slow down"}}'
    error = CALL.refusal(Response(429, Headers([("retry-after", "3")]), body))
    row = json.loads(line_of(Record.of_error(KEY, "row-1", error)))
    assert (row["status"], row["output"]) == (429, None)
    assert row["error"] == {
        "type": "RateLimitError",
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "retry_after_seconds": 3.0,
        "response": json.loads(body),
    }


def test_a_record_does_not_show_what_the_model_said() -> None:
    assert repr(record_of(b'"what it said"')) == f"<Record {KEY} ok>"


@pytest.mark.parametrize("depth", [100, 590, 700, 995, 996, 2000, 100_000])
@pytest.mark.parametrize("kind", ["[%s]", '{"a":%s}'])
def test_a_body_that_is_deep_is_read_again_from_a_deeper_place(depth: int, kind: str) -> None:
    # It would be one line of the journal that cannot be read, and the run could not go on.
    begin, _, end = kind.partition("%s")
    body = (begin * depth + "1" + end * depth).encode()
    line = line_of(Record(key=KEY, id="deep", status=200, body=body))

    def read(deeper: int) -> Record:
        return read(deeper - 1) if deeper else read_line(line)

    assert read(300).body == body


@pytest.mark.parametrize("status", [200, 400])
def test_headers_that_quote_a_secret_are_recorded_without_it(status: int) -> None:
    fields = {"x-request-id": f"req_{TOKEN}", "content-type": f"text/plain; a={TOKEN}"}
    secrets = (TOKEN,)
    if status == 200:
        response = Response(status, Headers(fields), b"{}")
        record = Record.of_response(KEY, "id", response, secrets=secrets)
    else:
        error = error_from_response(status, Headers(fields), b"{}")
        record = Record.of_error(KEY, "id", error, secrets=secrets)
    line = line_of(record)
    assert TOKEN.encode() not in line
    assert read_line(line).request_id == "req_***"
