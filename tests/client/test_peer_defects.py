"""Defects of other clients for the same gateway: each test shows that ours does not have one.

The tests here are about defects that any call can show. Other defects are tested with the code that
they concern, where docstrings speak of the same other clients:

- IDs that lead to another endpoint: `core/test_paths.py`, and each endpoint that takes an ID;
- work that is started, and billed, twice: `test_jobs.py`, `core/test_retries.py`;
- a stream that ends with the error of one model: `core/endpoints/test_compare.py`;
- a deletion that fails for lack of a body: `core/endpoints/test_templates.py`, `test_files.py`;
- forms with the reprs of Python values, responses of plain text that are parsed as JSON, and audio
  that is buffered until it is complete: `core/endpoints/test_audio.py`;
- forms and uploads that are never sent again, whatever the response: `backends/test_uploads.py`,
  `test_rag_upload.py`;
- connections that stay busy after a stream was dropped: `backends/test_connections.py`;
- settings of an injected client that reach other hosts, or that are ignored:
  `backends/test_httpx_client.py`;
- fields that are dropped or refused in requests or responses: `core/types/`;
- sessions whose every end looks normal, large frames, odd events: `test_realtime.py`.
"""

import copy
import math
import pickle
import threading
import time
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ContentTooLargeError,
    InternalServerError,
    InvalidParamsError,
    MeshAPIConfig,
    MeshAPIError,
    NotFoundError,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    Timeout,
    UnprocessableEntityError,
)
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, Script, ScriptedServer
from support.wire import (
    DONE,
    REQUEST_ID,
    chunk,
    chunked,
    completion,
    dump,
    failed,
    frame,
    good,
    head,
    make_response,
    serve,
    stream_head,
    streamed,
    texts,
)

NO_RETRIES = RetryPolicy(max_retries=0)


def answering(*pieces: bytes) -> Script:
    """A script: answer every request with these pieces, one send for each."""

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(*pieces)

    return script


def once(*pieces: bytes) -> Script:
    """A script: answer one request with these pieces, and close."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(*pieces)

    return script


async def stream_of(world: World, script: Script, **options: Any) -> tuple[list[Any], Any]:
    """The chunks of a stream, and the error that ends it; None if the stream is complete."""
    chunks = []
    with ScriptedServer(script) as server:
        async with world.client(server.url, **options) as client:
            try:
                async for part in client.chat.completions.stream(**ASK):
                    chunks.append(part)
            except MeshAPIError as exc:
                return chunks, exc
    return chunks, None


async def words_of(world: World, script: Script) -> list[Any]:
    """The texts of a complete stream."""
    chunks, error = await stream_of(world, script)
    assert error is None, repr(error)
    return [part.choices[0].delta.content for part in chunks if part.choices]


async def error_of(world: World, script: Script, **options: Any) -> MeshAPIError:
    """The error of a whole response."""
    options = {"retry": NO_RETRIES, **options}
    with ScriptedServer(script) as server:
        async with world.client(server.url, **options) as client:
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
    return caught.value


COMPLETE = b"".join(texts("a", "b"))


# Streaming


@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
@on_every_flavour
async def test_streams_with_other_line_ends_are_read(world, end):
    body = COMPLETE.replace(b"\n", end)
    assert await words_of(world, answering(streamed(body))) == ["a", "b", None]
    pieces = [stream_head(), *(chunked(body[i : i + 1], end=False) for i in range(len(body)))]
    assert await words_of(world, answering(*pieces, b"0\r\n\r\n")) == ["a", "b", None]


@on_every_flavour
async def test_no_space_is_needed_after_the_colon(world):
    body = COMPLETE.replace(b"data: ", b"data:")
    assert await words_of(world, answering(streamed(body))) == ["a", "b", None]


@on_every_flavour
async def test_characters_are_put_together_across_packets(world):
    body = b"".join(texts("\U0001f600é", "漢"))
    pieces = [chunked(body[i : i + 1], end=False) for i in range(len(body))]
    script = answering(stream_head(), *pieces, b"0\r\n\r\n")
    assert await words_of(world, script) == ["\U0001f600é", "漢", None]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
@on_every_flavour
async def test_what_others_take_for_line_ends_is_text(world, character):
    text = f"a{character}b"
    body = b"".join(texts(text))
    if character in "\x0b\x1c":  # JSON requires an escape for these
        body = body.replace(character.encode(), dump(character)[1:-1])
    else:
        assert character.encode() in body
    assert await words_of(world, answering(streamed(body))) == [text, None]


@on_every_flavour
async def test_a_broken_frame_is_an_error_and_not_dropped(world):
    body = frame(chunk("a")) + b'data: {"id": nonsense}\n\n' + frame(chunk("b")) + DONE
    chunks, error = await stream_of(world, answering(streamed(body)))
    assert [part.choices[0].delta.content for part in chunks] == ["a"]
    assert type(error) is ResponseDecodeError
    assert (error.error_code, error.request_id) == ("parse_error", REQUEST_ID)
    assert error.partial.choices[0].message.content == "a"


@pytest.mark.parametrize(
    "script",
    [
        answering(streamed(frame(chunk("a")))),
        once(head(200, kind="text/event-stream") + frame(chunk("a"))),
        once(stream_head() + chunked(frame(chunk("a")), end=False)),
    ],
    ids=["end of the body", "end of the connection", "cut"],
)
@on_every_flavour
async def test_an_end_before_done_is_an_interruption(world, script):
    chunks, error = await stream_of(world, script)
    assert len(chunks) == 1
    assert type(error) is StreamInterruptedError
    assert (error.error_code, error.status, error.request_id) == (
        "stream_interrupted",
        0,
        REQUEST_ID,
    )
    assert error.partial.choices[0].message.content == "a"
    assert error.partial.choices[0].finish_reason is None


@on_every_flavour
async def test_the_last_frame_needs_no_blank_line(world):
    body = frame(chunk("a")) + frame(chunk("LAST", "stop"))[:-2]
    assert await words_of(world, answering(streamed(body))) == ["a", "LAST"]
    assert await words_of(world, answering(streamed(COMPLETE[:-2]))) == ["a", "b", None]


@on_every_flavour
async def test_a_byte_order_mark_hides_nothing(world):
    assert await words_of(world, answering(streamed(b"\xef\xbb\xbf" + COMPLETE))) == [
        "a",
        "b",
        None,
    ]


@on_every_flavour
async def test_a_response_that_is_no_stream_is_never_an_empty_stream(world):
    whole = answering(good("all at once"))
    chunks, error = await stream_of(world, whole)
    assert error is None
    assert [part.choices[0].delta.content for part in chunks] == ["all at once"]
    assert chunks[0].usage.total_tokens == 2

    envelope = dump({"error": {"code": "rate_limit_exceeded", "message": "slow down"}})
    chunks, error = await stream_of(world, answering(make_response(200, envelope)))
    assert chunks == []
    assert (type(error), error.message) == (RateLimitError, "slow down")

    for body, kind in ((b"<html>", "text/html"), (b"", "application/json"), (b"", "")):
        chunks, error = await stream_of(world, answering(make_response(200, body, kind=kind)))
        assert chunks == []
        assert (type(error), error.error_code) == (ResponseDecodeError, "parse_error")


@on_every_flavour
async def test_an_error_in_a_stream_keeps_everything_that_it_says(world):
    fault = {
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "details": [{"limit": "rpm"}],
        "provider_error": {"status": 429},
        "provider_code": "provider_overloaded",
        "retry_after_seconds": 7,
    }
    for more, request_id in (({}, REQUEST_ID), ({"request_id": "req_frame"}, "req_frame")):
        body = frame(chunk("a")) + frame({"error": fault, **more}) + DONE
        chunks, error = await stream_of(world, answering(streamed(body)))
        assert len(chunks) == 1
        assert type(error) is RateLimitError
        assert error.error_code == "rate_limit_exceeded"
        assert error.message == "slow down"
        assert error.details == [{"limit": "rpm"}]
        assert error.provider_error == {"status": 429}
        assert error.provider_code == "provider_overloaded"
        assert error.retry_after_seconds == 7
        assert error.request_id == request_id
        assert error.status == 0
        assert error.partial.choices[0].message.content == "a"


@on_every_flavour
async def test_nulls_in_an_error_are_not_the_word_none(world):
    body = frame({"error": {"code": None, "message": None, "type": "server_error"}})
    _, error = await stream_of(world, answering(streamed(body)))
    assert isinstance(error, APIStatusError)
    assert isinstance(error.error_code, str)
    assert error.error_code
    assert "None" not in str(error)
    assert error.message


@pytest.mark.filterwarnings("ignore::meshapi.ResponseWarning")
@on_every_flavour
async def test_frames_of_an_unexpected_shape_do_not_break_the_stream(world):
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    body = b"".join(
        [
            b'data: "ping"\n\n',
            b"data: 17\n\n",
            b"data: null\n\n",
            b"event: ping\ndata: {}\n\n",
            frame({"choices": [{"delta": {"content": "no id"}}]}),
            frame({"id": None, "created": "soon", "choices": [{"index": None, "delta": {}}]}),
            frame({"id": 5, "choices": [{"index": 0, "delta": {"tool_calls": calls}}]}),
            frame(chunk(None, "stop", error=None, unheard_of={"a": 1})),
            DONE,
        ]
    )
    chunks, error = await stream_of(world, answering(streamed(body)))
    assert error is None
    assert len(chunks) == 4
    assert chunks[0].choices[0].delta.content == "no id"
    (call,) = chunks[2].choices[0].delta.tool_calls
    assert (call.id, call.function.name) == ("call_1", "f")
    assert chunks[3].raw["unheard_of"] == {"a": 1}


@on_every_flavour
async def test_an_error_event_without_an_error_is_one_all_the_same(world):
    for data in (b'{"message": "overloaded"}', b'"overloaded"', b"overloaded"):
        body = frame(chunk("a")) + b"event: error\ndata: " + data + b"\n\n"
        chunks, error = await stream_of(world, answering(streamed(body)))
        assert len(chunks) == 1
        assert isinstance(error, APIStatusError)
        assert "overloaded" in str(error)


@on_every_flavour
async def test_a_dropped_connection_is_a_typed_error_whatever_dropped_it(world):
    def begin(peer):
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    def reset(peer):
        begin(peer)
        assert go.wait(10)  # a reset may overtake the data sent before it
        peer.reset()

    def stall(peer):
        begin(peer)
        peer.wait_until_left()

    go = threading.Event()
    with ScriptedServer(reset) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            assert (await stream.__anext__()).choices[0].delta.content == "a"
            go.set()
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.__anext__()
    assert isinstance(caught.value.__cause__, APIConnectionError)
    assert caught.value.__cause__.error_code == "reset"

    _, error = await stream_of(world, stall, timeout=Timeout(read=0.05))
    assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")
    assert error.partial.choices[0].message.content == "a"

    chunks, error = await stream_of(world, begin)
    assert len(chunks) == 1
    assert (type(error), error.error_code) == (StreamInterruptedError, "stream_interrupted")


@pytest.mark.slow
@on_every_flavour
async def test_a_large_frame_costs_time_in_proportion_to_its_size(world):
    """In another client 8 MiB took 3.9 s: it searched the whole buffer again at each packet."""
    text = "x" * (8 * 1024 * 1024)
    began = time.process_time()
    assert await words_of(world, answering(streamed(*texts(text)))) == [text, None]
    # The time of server and client together; quadratic work would take far longer.
    assert time.process_time() - began < 2.0


@on_every_flavour
async def test_a_stream_is_an_object_with_headers_and_an_end(world):
    script = answering(
        head(
            200,
            "Transfer-Encoding: chunked",
            "X-Resolved-Model-Id: openai/gpt-4o",
            "X-Cache: HIT",
            kind="text/event-stream",
        )
        + chunked(*texts("a"))
    )
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            async with client.chat.completions.stream(**ASK) as stream:
                assert stream.request_id == REQUEST_ID
                assert stream.headers["x-resolved-model-id"] == "openai/gpt-4o"
                assert stream.headers["X-Cache"] == "HIT"
                assert [part._request_id async for part in stream] == [REQUEST_ID] * 2
            await stream.close()


@on_every_flavour
async def test_a_stream_asks_for_a_stream(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            await client.chat.completions.create(**ASK)
            [_ async for _ in client.chat.completions.stream(**ASK)]
        accepted = [request.headers["accept"] for request in server.requests]
    assert accepted == ["application/json", "text/event-stream"]


# HTTP, retries and errors


def test_a_configuration_does_not_show_its_token():
    config = MeshAPIConfig(base_url="http://127.0.0.1:9", token=TOKEN)
    for shown in (repr(config), str(config), f"{config}", repr(config.token), str(config.token)):
        assert TOKEN not in shown


@on_every_flavour
async def test_a_client_does_not_show_its_token(world):
    async with world.client("http://127.0.0.1:9") as client:
        target = getattr(client, "_target", client)
        assert TOKEN not in repr(target)
        assert TOKEN not in repr(vars(target))
        with pytest.raises(TypeError):
            pickle.dumps(target)


@on_every_flavour
async def test_no_foreign_exception_gets_through(world):
    """All failures of connections are tested in `backends/test_fault_matrix.py`."""
    error = await error_of(world, once())
    assert (type(error), error.error_code) == (APIConnectionError, "disconnected")
    error = await error_of(world, Peer.wait_until_left, timeout=0.05)
    assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (make_response(200, b"<html>", kind="text/html"), 200),
        (make_response(200, b'{"id": '), 200),
        (make_response(200, b"[]"), 200),
        (make_response(200, b'"text"'), 200),
        (make_response(200, b"null"), 200),
        (head(204), 204),
    ],
    ids=["web page", "broken", "array", "string", "null", "nothing"],
)
@on_every_flavour
async def test_a_good_status_with_another_body_is_a_decode_error(world, response, status):
    error = await error_of(world, answering(response))
    assert (type(error), error.error_code) == (ResponseDecodeError, "parse_error")
    assert (error.status, error.request_id) == (status, REQUEST_ID)


@on_every_flavour
async def test_a_redirection_is_no_success(world):
    error = await error_of(
        world, answering(make_response(307, b"", "Location: https://example.test/x"))
    )
    assert type(error) is RedirectError
    assert error.status == 307


@pytest.mark.filterwarnings("ignore::meshapi.ResponseWarning")
@on_every_flavour
async def test_a_wrong_or_missing_field_is_no_error(world):
    body = dump({"id": 7, "created": None, "choices": [{"message": {"content": "a"}}], "usage": 1})
    with ScriptedServer(answering(make_response(200, body))) as server:
        async with world.client(server.url) as client:
            response = await client.chat.completions.create(**ASK)
    assert response.choices[0].message.content == "a"
    assert response.usage is None
    assert response.raw["id"] == 7


DETAIL_LIST = [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]


@on_every_flavour
async def test_details_of_fastapi_are_kept(world):
    error = await error_of(world, answering(make_response(422, dump({"detail": DETAIL_LIST}))))
    assert type(error) is UnprocessableEntityError
    assert error.details == DETAIL_LIST
    assert "Field required" in str(error)
    assert "messages" in str(error)

    error = await error_of(world, answering(make_response(404, dump({"detail": "Not Found"}))))
    assert type(error) is NotFoundError
    assert error.message.endswith("Not Found")

    inner = {"code": "all_models_failed", "message": "none", "details": [{"model": "m"}]}
    error = await error_of(world, answering(make_response(502, dump({"detail": {"error": inner}}))))
    assert (type(error), error.error_code) == (InternalServerError, "all_models_failed")
    assert error.details == [{"model": "m"}]
    assert error.message.endswith("none")


@pytest.mark.parametrize("body", [{"error": "boom"}, {"message": "boom"}, "boom"])
@on_every_flavour
async def test_a_message_is_found_where_there_is_one(world, body):
    error = await error_of(world, answering(make_response(500, dump(body))))
    assert type(error) is InternalServerError
    assert "boom" in error.message


@pytest.mark.parametrize("kind", ["Application/JSON", "application/problem+json", "text/plain", ""])
@on_every_flavour
async def test_the_content_type_of_an_error_does_not_matter(world, kind):
    body = dump({"error": {"code": "model_not_found", "message": "no such model"}})
    error = await error_of(world, answering(make_response(404, body, kind=kind)))
    assert (type(error), error.error_code) == (NotFoundError, "model_not_found")
    assert error.message.endswith("no such model")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, AuthenticationError, "unauthorized"),
        (404, NotFoundError, "not_found"),
        (413, ContentTooLargeError, "content_too_large"),
        (502, InternalServerError, "upstream_error"),
    ],
)
@on_every_flavour
async def test_an_error_that_is_a_web_page_gets_its_code_from_the_status(world, status, kind, code):
    page = b"<html><title>Nope</title></html>"
    error = await error_of(world, answering(make_response(status, page, kind="text/html")))
    assert (type(error), error.error_code, error.status) == (kind, code, status)


@pytest.mark.parametrize(
    ("more", "request_id"),
    [
        ({"request_id": None}, REQUEST_ID),
        ({"request_id": "req_body"}, "req_body"),
        ({}, REQUEST_ID),
    ],
    ids=["null", "in the body", "in the header"],
)
@on_every_flavour
async def test_the_request_id_is_found(world, more, request_id):
    body = {"error": {"code": "x", "message": "m", "provider_code": "invalid_auth"}, **more}
    error = await error_of(world, answering(make_response(400, dump(body))))
    assert error.request_id == request_id
    assert error.provider_code == "invalid_auth"
    nested = {"error": {"code": "x", "message": "m", "request_id": "req_inner"}}
    error = await error_of(world, answering(make_response(400, dump(nested))))
    assert error.request_id == "req_inner"


async def attempts_at(
    world: World, *fields: str, retry: RetryPolicy, **more: Any
) -> tuple[list[float], Any]:
    """The times of all requests, if the first one gets a 429; and the result or the error."""
    times: list[float] = []

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            times.append(time.monotonic())
            peer.send(good() if n else failed(429, "rate_limit_exceeded", "no", *fields, **more))

    with ScriptedServer(script) as server:
        async with world.client(server.url, retry=retry) as client:
            try:
                outcome: Any = await client.chat.completions.create(**ASK)
            except MeshAPIError as exc:
                outcome = exc
    return times, outcome


@pytest.mark.slow
@on_every_flavour
async def test_a_date_to_come_back_at_is_waited_for_and_no_attempt_is_early(world):
    fields = (
        "Date: Fri, 20 Nov 2026 12:00:00 GMT",
        "Retry-After: Fri, 20 Nov 2026 12:00:01 GMT",
    )
    times, outcome = await attempts_at(world, *fields, retry=RetryPolicy(initial_delay=0.001))
    assert outcome.choices[0].message.content == "pong"
    assert times[1] - times[0] >= 1.0


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "1_0", "٣", "1e400"])
@on_every_flavour
async def test_a_hostile_retry_after_raises_nothing(world, value):
    field = f"Retry-After: {value}".encode().decode("latin-1")
    times: list[float] = []

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            times.append(time.monotonic())
            body = dump({"error": {"code": "rate_limit_exceeded", "message": "no"}})
            refusal = b"HTTP/1.1 429 No\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (
                field.encode("latin-1"),
                len(body),
                body,
            )
            peer.send(good() if n else refusal)

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            await client.chat.completions.create(**ASK)
    assert len(times) == 2


@on_every_flavour
async def test_the_longer_of_header_and_body_is_told_and_waited_for(world):
    cases = (
        (("Retry-After: 42",), {}, 42),
        ((), {"retry_after_seconds": 7.5}, 7.5),
        (("Retry-After: 3",), {"retry_after_seconds": 7.5}, 7.5),
        (("Retry-After: 9",), {"retry_after_seconds": 7.5}, 9),
    )
    for fields, more, seconds in cases:
        policy = RetryPolicy(max_retry_after=1.0)
        times, error = await attempts_at(world, *fields, retry=policy, **more)
        assert len(times) == 1, "longer than the policy waits: the caller is told at once"
        assert type(error) is RateLimitError
        assert error.retry_after_seconds == seconds
    times, outcome = await attempts_at(
        world, retry=RetryPolicy(initial_delay=0.001), retry_after_seconds=0.1
    )
    assert outcome.choices[0].message.content == "pong"
    assert times[1] - times[0] >= 0.1


@on_every_flavour
async def test_errors_can_be_pickled_and_copied(world):
    whole = await error_of(world, answering(failed(429, "rate_limit_exceeded", "no", "A: b")))
    _, framed = await stream_of(
        world,
        answering(streamed(frame(chunk("a")), frame({"error": {"code": "x", "message": "y"}}))),
    )
    _, interrupted = await stream_of(world, answering(streamed(frame(chunk("a")))))
    late = await error_of(world, Peer.wait_until_left, timeout=0.05)
    for error in (whole, framed, interrupted, late):
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is type(error)
            assert str(twin) == str(error)
            for name in ("status", "error_code", "request_id", "details", "retry_after_seconds"):
                assert getattr(twin, name) == getattr(error, name)
    assert pickle.loads(pickle.dumps(interrupted)).partial == interrupted.partial
    assert pickle.loads(pickle.dumps(late)).phase == "read"


@on_every_flavour
async def test_retries_wait_on_every_event_loop(world):
    times, outcome = await attempts_at(world, retry=RetryPolicy(initial_delay=0.02))
    assert outcome.choices[0].message.content == "pong"
    assert times[1] - times[0] >= 0.01
    assert math.isfinite(times[1])


@on_every_flavour
async def test_create_and_stream_do_not_take_each_others_requests(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            with pytest.raises(InvalidParamsError, match=r"stream\(\)"):
                await client.chat.completions.create(**ASK, stream=True)
            with pytest.raises(InvalidParamsError, match=r"create\(\)"):
                client.chat.completions.stream(**ASK, stream=False)
        assert server.connections == 0


# Faults of earlier versions


@on_every_flavour
async def test_a_stream_that_is_refused_tells_why(world):
    _, error = await stream_of(world, answering(failed(401, "unauthorized", "bad token")))
    assert (type(error), error.status, error.error_code) == (
        AuthenticationError,
        401,
        "unauthorized",
    )
    assert error.message.endswith("bad token")


@on_every_flavour
async def test_a_null_error_in_a_chunk_is_no_error(world):
    body = frame(chunk("a", error=None)) + frame(chunk(None, "stop")) + DONE
    assert await words_of(world, answering(streamed(body))) == ["a", None]


@on_every_flavour
async def test_streamed_tool_calls_are_read(world):
    def call(**fields: Any) -> bytes:
        delta = {"tool_calls": [{"index": 0, **fields}]}
        return frame({"id": "c", "choices": [{"index": 0, "delta": delta}]})

    body = (
        call(id="call_1", type="function", function={"name": "get_weather", "arguments": ""})
        + call(function={"arguments": '{"city":'})
        + call(function={"arguments": '"Paris"}'})
        + frame(chunk(None, "tool_calls"))
        + DONE
    )
    chunks, error = await stream_of(world, answering(streamed(body)))
    assert error is None
    calls = [part.choices[0].delta.tool_calls for part in chunks[:3]]
    assert [one.function.arguments for (one,) in calls] == ["", '{"city":', '"Paris"}']
    assert calls[0][0].function.name == "get_weather"
    assert completion("x")["choices"]
