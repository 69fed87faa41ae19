"""Calls that fail, are retried, or are given up: what their spans say."""

import asyncio
import gc
import logging
import socket
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import trio
from client.test_tour import chunks_of
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncMeshAPI,
    ChatCompletionChunk,
    MeshAPI,
    MeshAPIError,
)
from meshapi.telemetry.options import settings_of
from meshapi.telemetry.spans import Telemetry as Tracing
from meshapi_core import Headers, MeshAPIConfig
from meshapi_core.endpoints import Completions
from meshapi_core.observing import (
    AttemptStarted,
    CallClosed,
    CallInfo,
    ItemReceived,
    RetryPlanned,
)
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.realtime_server import CLOSE, RealtimePeer, connected, upgraded
from support.scripted_server import Peer, Script, ScriptedServer
from support.telemetry import OVERS, Telemetry, events_of, traced
from support.wire import (
    chunk,
    chunked,
    failed,
    frame,
    good,
    make_response,
    serve,
    stream_head,
    streamed,
    texts,
)

over_everything = pytest.mark.parametrize("over", OVERS)


def responses(*each: bytes) -> Script:
    def script(peer: Peer) -> None:
        for _, response in zip(peer.requests(), each):
            peer.send(response)

    return script


def silent(peer: Peer) -> None:
    peer.receive()
    peer.wait_until_left()


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@over_everything
@on_every_flavour
async def test_a_refusal_is_an_error(world: World, over: str) -> None:
    telemetry = Telemetry()
    with ScriptedServer(responses(failed(404, "model_not_found", "no, ping"))) as server:
        async with traced(world, server.url, telemetry, over) as client:
            with pytest.raises(APIStatusError):
                await client.chat.completions.create(**ASK)
    found = telemetry.attributes
    assert found["error.type"] == "model_not_found"
    assert found["http.response.status_code"] == 404
    assert found["meshapi.request_id"] == "req_01TEST"
    status = telemetry.span.status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "model_not_found")
    (point,) = telemetry.points()["gen_ai.client.inference.duration"]
    assert point.attributes["error.type"] == "model_not_found"
    # What the gateway says may quote the request.
    assert "no, ping" not in telemetry.everything()


@over_everything
@on_every_flavour
async def test_each_retry_is_an_event(world: World, over: str) -> None:
    telemetry = Telemetry()
    with ScriptedServer(responses(*[failed(503, "overloaded")] * 3)) as server:
        async with traced(world, server.url, telemetry, over) as client:
            with pytest.raises(APIStatusError):
                await client.chat.completions.create(**ASK)
    events = list(events_of(telemetry.span))
    assert [name for name, _ in events] == ["meshapi.retry"] * 2
    assert [found.pop("meshapi.retry.delay") > 0 for _, found in events] == [True, True]
    assert [found for _, found in events] == [
        {"error.type": "overloaded", "http.request.resend_count": count} for count in (1, 2)
    ]
    assert telemetry.attributes["meshapi.attempts"] == 3
    assert telemetry.attributes["error.type"] == "overloaded"


@on_every_flavour
async def test_a_call_that_succeeds_in_the_end_is_no_error(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(responses(failed(503, "overloaded"), good())) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
    assert len(telemetry.span.events) == 1
    assert telemetry.span.status.status_code is StatusCode.UNSET
    assert telemetry.attributes["http.response.status_code"] == 200
    assert "error.type" not in telemetry.attributes
    for points in telemetry.points().values():
        assert not [point for point in points if "error.type" in point.attributes]


def test_the_first_chunk_is_timed_from_the_attempt_that_has_it() -> None:
    telemetry = Telemetry()
    config = MeshAPIConfig(base_url="http://127.0.0.1:1", token=TOKEN)
    call = Completions.stream.build(**ASK)
    request = call.request(config)
    about = CallInfo.of(call, request, 100.0, ())
    tracing = Tracing(settings_of(telemetry.options))
    span = tracing.begin(call, request.origin)

    def facts(attempt: int, at: float) -> dict[str, Any]:
        return {"about": about, "at": at, "attempt": attempt, "most_attempts": 3}

    error = APIConnectionError("no", error_code="connect_refused")
    one = ChatCompletionChunk.model_validate(chunk("a"))
    for notice in (
        AttemptStarted(**facts(1, 101.0), request=request),
        RetryPlanned(**facts(1, 102.0), error=error, seconds=1.0, wait=3.0),
        AttemptStarted(**facts(2, 105.0), request=request),
        AttemptStarted(**facts(2, 105.5), request=request, resent=True),
        ItemReceived(**facts(2, 106.0), index=0, value=one),
        ItemReceived(**facts(2, 108.0), index=1, value=one),
        CallClosed(**facts(2, 109.0), headers=Headers()),
    ):
        span.receive(notice)
    assert telemetry.attributes["gen_ai.response.time_to_first_chunk"] == 1.0
    sums = {name.rpartition(".")[2]: point.sum for name, (point,) in telemetry.points().items()}
    assert sums == {"duration": 9.0, "time_to_first_chunk": 1.0, "time_per_output_chunk": 2.0}


@over_everything
@on_every_flavour
async def test_a_time_limit_is_an_error(world: World, over: str) -> None:
    telemetry = Telemetry()
    with ScriptedServer(silent) as server:
        async with traced(world, server.url, telemetry, over, timeout=0.1, max_retries=0) as client:
            with pytest.raises(APITimeoutError) as caught:
                await client.chat.completions.create(**ASK)
    assert telemetry.attributes["error.type"] == caught.value.error_code
    assert caught.value.error_code.endswith("_timeout")
    assert "http.response.status_code" not in telemetry.attributes


@over_everything
@on_every_flavour
async def test_a_refused_connection_is_an_error(world: World, over: str, closed_port: int) -> None:
    telemetry = Telemetry()
    url = f"http://127.0.0.1:{closed_port}"
    async with traced(world, url, telemetry, over, max_retries=0) as client:
        with pytest.raises(APIConnectionError):
            await client.chat.completions.create(**ASK)
    assert telemetry.attributes["error.type"].startswith("connect_")
    assert telemetry.attributes["server.port"] == closed_port


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (make_response(502, b"<html>", kind="text/html"), "upstream_error"),
        (make_response(418, b"{}"), "418"),
        (failed(400, "A sentence; with ping in it"), "400"),
        (failed(400, "x" * 65), "400"),
        (make_response(200, b"nothing"), "parse_error"),
    ],
)
@on_every_flavour
async def test_the_type_of_an_error_is_a_short_word(
    world: World, response: bytes, kind: str
) -> None:
    telemetry = Telemetry()
    with ScriptedServer(responses(*[response] * 3)) as server:
        async with traced(world, server.url, telemetry) as client:
            with pytest.raises(MeshAPIError):
                await client.chat.completions.create(**ASK)
    assert telemetry.attributes["error.type"] == kind


@on_every_flavour
async def test_a_file_that_cannot_be_read_is_an_error(world: World) -> None:
    class Broken:
        name = "a.wav"

        def read(self, size: int = -1) -> bytes:
            raise OSError("unreadable")

    telemetry = Telemetry()
    with ScriptedServer(silent) as server:
        async with traced(world, server.url, telemetry) as client:
            with pytest.raises(OSError, match="unreadable"):
                await client.audio.transcribe(Broken(), model="openai/whisper-1")
    # It may be read before there is a call.
    assert len(telemetry.spans) <= 1


# Streams that do not reach their end


@over_everything
@on_every_flavour
async def test_a_stream_that_breaks_is_an_error(world: World, over: str) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("half")), end=False))

    with ScriptedServer(script) as server:
        async with traced(world, server.url, telemetry, over) as client:
            with pytest.raises(MeshAPIError) as caught:
                await chunks_of(client.chat.completions.stream(**ASK))
    found = telemetry.attributes
    assert found["error.type"] == caught.value.error_code
    assert found["gen_ai.response.finish_reasons"] == ("error",)
    assert "half" in found["gen_ai.output.messages"]
    assert telemetry.span.status.status_code is StatusCode.ERROR


def endless(peer: Peer) -> None:
    peer.receive()
    peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
    peer.wait_until_left()


@over_everything
@on_every_flavour
async def test_a_stream_that_is_closed_early_is_no_error(world: World, over: str) -> None:
    telemetry = Telemetry()
    with ScriptedServer(endless) as server:
        async with (
            traced(world, server.url, telemetry, over) as client,
            client.chat.completions.stream(**ASK) as stream,
        ):
            async for _ in stream:
                break
    found = telemetry.attributes
    assert found["meshapi.closed"] is True
    assert found["gen_ai.response.finish_reasons"] == ("error",)
    assert "error.type" not in found
    assert telemetry.span.status.status_code is StatusCode.UNSET
    (point,) = telemetry.points()["gen_ai.client.inference.duration"]
    assert point.count == 1


@pytest.mark.parametrize("read", [False, True])
def test_the_span_of_a_stream_that_is_dropped_ends(read: bool) -> None:
    telemetry = Telemetry()
    with ScriptedServer(endless) as server:
        options: Any = telemetry.options
        with MeshAPI(base_url=server.url, token=TOKEN, open_telemetry=options) as client:
            stream: Any = client.chat.completions.stream(**ASK)
            if read:
                next(iter(stream))
            del stream
            gc.collect()
            spans = telemetry.spans
    assert len(spans) == read
    for span in spans:
        assert (span.attributes or {})["meshapi.closed"] is True


def test_a_cancelled_call_ends_its_span() -> None:
    async def main(url: str, telemetry: Telemetry) -> None:
        options: Any = telemetry.options
        async with AsyncMeshAPI(base_url=url, token=TOKEN, open_telemetry=options) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.chat.completions.create(**ASK), 0.1)

    async def on_trio(url: str, telemetry: Telemetry) -> None:
        options: Any = telemetry.options
        async with AsyncMeshAPI(base_url=url, token=TOKEN, open_telemetry=options) as client:
            with trio.move_on_after(0.1):
                await client.chat.completions.create(**ASK)

    for run in (
        lambda url, telemetry: asyncio.run(main(url, telemetry)),
        lambda url, telemetry: trio.run(on_trio, url, telemetry),
    ):
        telemetry = Telemetry()
        with ScriptedServer(silent) as server:
            run(server.url, telemetry)
        assert telemetry.attributes["meshapi.closed"] is True
        assert telemetry.span.status.status_code is StatusCode.UNSET


# Sessions


@on_every_flavour
async def test_a_session_is_one_span(world: World) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created", session={"id": "sess_1"})
        peer.event("response.done", response={"id": "resp_1", "usage": {"input_tokens": 3}})
        peer.receive_until(CLOSE)
        peer.close()

    options = {"open_telemetry": telemetry.options}
    async with connected(world, upgraded(script), client=options) as (session, server):
        for _ in range(2):
            await session.receive(5)
        port = int(server.url.rpartition(":")[2])
    span, found = telemetry.span, telemetry.attributes
    assert span.name == f"realtime {found['gen_ai.request.model']}"
    assert found.pop("meshapi.request_id") == "req_01REALTIME"
    assert found == {
        "gen_ai.operation.name": "realtime",
        "gen_ai.provider.name": "meshapi",
        "gen_ai.request.model": found["gen_ai.request.model"],
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 101,
        "meshapi.attempts": 1,
    }
    assert {*telemetry.points()} == {"gen_ai.client.operation.duration"}


@on_every_flavour
async def test_a_lost_connection_of_a_session_is_an_event(world: World) -> None:
    telemetry = Telemetry()

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.close(1011)

    options = {"open_telemetry": telemetry.options}
    async with connected(world, upgraded(script), client=options) as (session, _):
        await session.receive(5)
        with pytest.raises(MeshAPIError) as caught:
            await session.receive(5)
    ((name, event),) = events_of(telemetry.span)
    assert (name, event) == ("meshapi.connection_lost", {"meshapi.close_code": 1011})
    assert telemetry.attributes["error.type"] == caught.value.error_code
    assert telemetry.span.status.status_code is StatusCode.ERROR


@on_every_flavour
async def test_a_refused_session_is_an_error(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(responses(failed(401, "invalid_api_key"))) as server:
        async with traced(world, server.url, telemetry) as client:
            with pytest.raises(MeshAPIError):
                await client.realtime.connect(model="m")
    assert telemetry.attributes["error.type"] == "invalid_api_key"


# Telemetry that fails


class Failing(SpanProcessor):
    """A span processor that raises.

    Args:
        method: where.
    """

    def __init__(self, method: str) -> None:
        self._method = method

    def on_start(self, span: Span, parent_context: Optional[Context] = None) -> None:
        if self._method == "on_start":
            raise ValueError(f"of {TOKEN}")

    def on_end(self, span: ReadableSpan) -> None:
        if self._method == "on_end":
            raise ValueError(f"of {TOKEN}")


@pytest.mark.parametrize("method", ["on_start", "on_end"])
@over_everything
@on_every_flavour
async def test_a_span_processor_that_raises_breaks_no_call(
    world: World, over: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry(processor=Failing(method))
    with ScriptedServer(responses(good(), failed(404, "x"), streamed(*texts("a")))) as server:
        async with traced(world, server.url, telemetry, over) as client:
            response = await client.chat.completions.create(**ASK)
            assert response.choices[0].message.content == "pong"
            with pytest.raises(APIStatusError):
                await client.chat.completions.create(**ASK)
            assert len(await chunks_of(client.chat.completions.stream(**ASK))) == 2
            gc.collect()
    said = [record for record in caplog.records if record.name == "meshapi"]
    assert [record.levelno for record in said] == [logging.WARNING] * 3
    assert all("ValueError" in record.getMessage() for record in said)
    assert TOKEN not in caplog.text
    # The metrics do not depend on it.
    points = telemetry.points()["gen_ai.client.inference.duration"]
    assert sum(point.count for point in points) == 3


@on_every_flavour
async def test_a_meter_that_raises_breaks_no_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def get_meter(self, *args: Any, **more: Any) -> Any:
            return self

        def create_counter(self, *args: Any, **more: Any) -> Any:
            raise ValueError

        create_histogram = create_counter

    telemetry = Telemetry()
    telemetry.options["meter_provider"] = Broken()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
            await chunks_of(client.chat.completions.stream(**ASK))
    assert len(telemetry.spans) == 2
    assert "open_telemetry: CallSucceeded could not be recorded: ValueError" in caplog.text


@on_every_flavour
async def test_spans_that_are_not_sampled_are_measured_and_propagated(world: World) -> None:
    telemetry = Telemetry(sampler=ALWAYS_OFF, traces={"content_mode": "content"})
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
            await chunks_of(client.chat.completions.stream(**ASK))
        parents = [request.headers["traceparent"] for request in server.requests]
    assert telemetry.all_spans == ()
    # The last two digits are flags, of which the lowest says that the span is sampled.
    assert [int(parent[-2:], 16) & 1 for parent in parents] == [0, 0]
    (point,) = telemetry.points()["gen_ai.client.inference.time_to_first_chunk"]
    assert point.count == 1
