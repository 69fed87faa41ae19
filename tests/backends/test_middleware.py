"""Middleware on every flavour, over our own connections and over httpx."""

import asyncio
import copy
import gc
import threading
import time
from binascii import b2a_base64
from functools import partial
from typing import Any, Optional

import httpx
import pytest

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AsyncMeshAPI,
    AuthenticationError,
    InternalServerError,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    Timeout,
    transports,
)
from meshapi.transports import (
    AsyncBytesResponse,
    AsyncMiddlewareResponse,
    BytesResponse,
    MiddlewareResponse,
    TransportError,
)
from meshapi_core import Failure, FileSource, SignedPut
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer, answering
from support.wire import (
    chunk,
    chunked,
    completion,
    failed,
    frame,
    good,
    make_response,
    serve,
    stream_head,
    texts,
)

SECRET = "sk-of-the-middleware-1234"

over = pytest.mark.parametrize("over", ["our own connections", "httpx"])


class behind:
    """A client with middleware, over our own connections or over httpx."""

    def __init__(
        self, world: World, url: str, functions: list[Any], over: str = "", **options: Any
    ) -> None:
        self._world = world
        self._http: Any = None
        if over == "httpx":
            if world.name == "sync":
                self._http = options["httpx_client"] = httpx.Client(trust_env=False)
            else:
                self._http = options["async_httpx_client"] = httpx.AsyncClient(trust_env=False)
        made = [world.middleware(function) for function in functions]
        self._client = world.client(url, middleware=made, **options)

    async def __aenter__(self) -> Any:
        return await self._client.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._client.__aexit__(*exc_info)
        if isinstance(self._http, httpx.Client):
            self._http.close()
        elif self._http is not None:
            await self._http.aclose()


def slots(world: World, client: Any) -> tuple[int, int]:
    """How many connections the client's pool has, and how many of them are idle."""
    state = world.pool_state(client)
    return state.slots, state.idle


async def text_of(client: Any) -> Any:
    response = await client.chat.completions.create(**ASK)
    return response.choices[0].message.text


async def streamed_text(client: Any) -> str:
    text = ""
    async for part in client.chat.completions.stream(**ASK):
        text += part.choices[0].delta.content or ""
    return text


def bytes_response(world: World) -> Any:
    return BytesResponse if world.name == "sync" else AsyncBytesResponse


async def passing(request: Any, call_next: Any) -> Any:
    return await call_next(request)


class Mistake(Exception):
    """What broken middleware raises."""


# What it sees and what it changes


@over
@on_every_flavour
async def test_the_first_one_is_outermost(world, over):
    steps = []

    def named(name: str) -> Any:
        async def function(request: Any, call_next: Any) -> Any:
            steps.append(f"{name} before")
            response = await call_next(request.with_headers({f"x-{name}": "1"}))
            steps.append(f"{name} after")
            return response

        return function

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [named("a"), named("b")], over) as client:
            assert await text_of(client) == "pong"
            assert await streamed_text(client) == "pong"
        (first, _) = server.requests
        assert first.headers["x-a"] == first.headers["x-b"] == "1"
        assert server.connections == 1
    assert steps == ["a before", "b before", "b after", "a after"] * 2


@on_every_flavour
async def test_it_is_around_every_attempt(world):
    seen = []

    async def note(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append((request.attempt, request.header("Idempotency-Key"), response.status))
        return response

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            peer.send(good() if n == 2 else failed(503, "provider_not_available"))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [note]) as client:
            assert await text_of(client) == "pong"
        assert len(server.requests) == 3
        assert server.connections == 1
    attempts, keys, statuses = zip(*seen)
    assert attempts == (0, 1, 2)
    assert len({*keys}) == 1
    assert statuses == (503, 503, 200)


@over
@on_every_flavour
async def test_it_can_choose_another_origin(world, over):
    with ScriptedServer(serve) as configured, ScriptedServer(serve) as chosen:

        async def elsewhere(request: Any, call_next: Any) -> Any:
            return await call_next(request.with_origin(chosen.url))

        async with behind(world, configured.url, [elsewhere], over) as client:
            assert await text_of(client) == "pong"
            assert await streamed_text(client) == "pong"
        assert configured.connections == 0
        assert [request.line for request in chosen.requests] == [
            b"POST /v1/chat/completions HTTP/1.1"
        ] * 2


@on_every_flavour
async def test_it_can_mock_without_a_network(world):
    kind = bytes_response(world)
    body = b"".join([frame(chunk("po")), *texts("ng")])

    async def mock(request: Any, call_next: Any) -> Any:
        if b'"stream":true' in request.body:
            return kind(200, {"content-type": "text/event-stream"}, body)
        return kind.json(completion("mocked"))

    async with behind(world, "http://127.0.0.1:1", [mock]) as client:
        assert await text_of(client) == "mocked"
        assert await streamed_text(client) == "pong"


@on_every_flavour
async def test_a_mocked_failure_is_retried_like_a_real_one(world):
    kind = bytes_response(world)
    count = []

    async def busy(request: Any, call_next: Any) -> Any:
        count.append(request.attempt)
        error = {"error": {"code": "provider_not_available", "message": "busy"}}
        return kind.json(error, status=503)

    async with behind(world, "http://127.0.0.1:1", [busy]) as client:
        with pytest.raises(InternalServerError):
            await text_of(client)
    assert count == [0, 1, 2]


@on_every_flavour
async def test_it_can_cache(world):
    kept: dict[Any, Any] = {}

    async def cache(request: Any, call_next: Any) -> Any:
        if request.body in kept:
            return kept[request.body]
        response = await call_next(request)
        body = await response.read_all()
        kept[request.body] = bytes_response(world)(response.status, response.headers, body)
        return kept[request.body]

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [cache]) as client:
            assert [await text_of(client) for _ in range(3)] == ["pong"] * 3
            assert [await streamed_text(client) for _ in range(3)] == ["pong"] * 3
            assert slots(world, client) == (1, 1)
        assert len(server.requests) == 2


@on_every_flavour
async def test_it_can_ask_again_and_owns_what_it_does_not_return(world):
    async def twice(request: Any, call_next: Any) -> Any:
        first = await call_next(request)
        if first.status == 503:
            return await call_next(request)
        return first

    responses = answering(failed(503, "provider_not_available"), good())
    with ScriptedServer(lambda peer: responses(peer)) as server:
        async with behind(world, server.url, [twice], max_retries=0) as client:
            assert await text_of(client) == "pong"
            assert slots(world, client) == (1, 1), "the first response was given up"
        assert len(server.requests) == 2


@on_every_flavour
async def test_an_upload_passes_through(world, tmp_path):
    path = tmp_path / "it.pdf"
    path.write_bytes(b"%PDF-" + b"x" * 200_000)
    seen = []

    async def note(request: Any, call_next: Any) -> Any:
        seen.append((request.is_to_gateway, sum(map(len, request.body.pieces()))))
        return await call_next(request)

    with ScriptedServer(answering(make_response(200, b""))) as server:
        async with behind(world, server.url, [note]) as client:
            put = SignedPut(
                url=f"{server.url}/stored?X-Signature=secret-signature",
                content_type="application/pdf",
                source=FileSource(path),
            )
            await world.settle(client._runner.run(put))
        (received,) = server.requests
        assert received.body == path.read_bytes()
        assert "authorization" not in received.headers
    assert seen == [(True, 200_005)], "the storage is the gateway itself here"


@on_every_flavour
async def test_an_upload_to_elsewhere_does_not_look_like_a_request_to_the_gateway(world, tmp_path):
    path = tmp_path / "it.txt"
    path.write_bytes(b"text")
    seen = []

    async def sign(request: Any, call_next: Any) -> Any:
        seen.append(request.is_to_gateway)
        moved = request.with_url(f"{storage.url}/moved")
        assert not moved.is_to_gateway, "it stays an upload, wherever it goes"
        return await call_next(moved)

    with (
        ScriptedServer(serve) as gateway,
        ScriptedServer(answering(make_response(200, b""))) as storage,
        ScriptedServer(serve) as named,
    ):
        async with behind(world, gateway.url, [sign]) as client:
            put = SignedPut(
                url=f"{named.url}/stored", content_type="text/plain", source=FileSource(path)
            )
            await world.settle(client._runner.run(put))
        assert [request.line for request in storage.requests] == [b"PUT /moved HTTP/1.1"]
        assert named.connections == gateway.connections == 0
    assert seen == [False]


@on_every_flavour
async def test_options_keep_the_middleware(world):
    seen = []

    async def note(request: Any, call_next: Any) -> Any:
        seen.append(request.header("x-extra"))
        return await call_next(request)

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [note]) as client:
            await text_of(client.with_options(extra_headers={"x-extra": "yes"}))
    assert seen == ["yes"]


# Streams


class Counting(AsyncMiddlewareResponse):
    """Counts pieces."""

    pieces: list[bytes]

    async def read(self, until: Optional[float] = None) -> bytes:
        piece = await super().read(until)
        self.pieces.append(piece)
        return piece


class BlockingCounting(MiddlewareResponse):
    """Counts pieces."""

    pieces: list[bytes]

    def read(self, until: Optional[float] = None) -> bytes:
        piece = super().read(until)
        self.pieces.append(piece)
        return piece


@over
@on_every_flavour
async def test_a_wrapper_observes_the_pieces_of_a_stream(world, over):
    pieces: list[bytes] = []

    async def observe(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        kind: Any = BlockingCounting if world.name == "sync" else Counting
        wrapped = kind(getattr(response, "_target", response))
        wrapped.pieces = pieces
        return wrapped

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [observe, passing], over) as client:
            assert await streamed_text(client) == "pong"
            assert await streamed_text(client) == "pong"
        assert server.connections == 1
    assert b"".join(pieces).count(b"data: [DONE]") == 2
    assert pieces[-1] == b""


@pytest.mark.parametrize("wraps", [False, True], ids=["as it is", "wrapped"])
@over
@on_every_flavour
async def test_a_stream_that_is_closed_early_frees_its_connection(world, over, wraps):
    async def observe(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        if not wraps:
            return response
        kind: Any = BlockingCounting if world.name == "sync" else Counting
        wrapped = kind(getattr(response, "_target", response))
        wrapped.pieces = []
        return wrapped

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [observe], over) as client:
            for _ in range(2):
                async with client.chat.completions.stream(**ASK) as stream:
                    assert (await stream.__anext__()).choices[0].delta.content == "a"
            stream = client.chat.completions.stream(**ASK)
            await stream.__anext__()
            await stream.close()
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_a_stream_that_is_dropped_frees_its_connection(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [passing, passing]) as client:
            stream = client.chat.completions.stream(**ASK)
            await stream.__anext__()
            del stream
            await world.until(lambda: server.open_now == 0)


# Errors


@pytest.mark.parametrize("when", ["before", "after", "instead of the error below"])
@over
@on_every_flavour
async def test_what_it_raises_is_raised_unchanged_and_nothing_leaks(world, over, when):
    count = []
    mistake = Mistake("mine")

    async def breaks(request: Any, call_next: Any) -> Any:
        count.append(1)
        if when == "before":
            raise mistake
        try:
            await call_next(request)
        except TransportError as exc:
            raise mistake from exc
        raise mistake

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            if when == "instead of the error below":
                return
            peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [passing, breaks], over) as client:
            for call in (text_of, streamed_text):
                with pytest.raises(Mistake) as caught:
                    await call(client)
                assert caught.value is mistake
            await world.until(lambda: server.open_now == 0)
            if over != "httpx" and when != "before":
                assert slots(world, client) == (0, 0)
    assert len(count) == 2, "not retried"


@pytest.mark.parametrize("kind", [OSError, ConnectionResetError, TimeoutError, ValueError])
@on_every_flavour
async def test_even_an_error_that_looks_like_the_networks_is_its_own(world, kind):
    async def breaks(request: Any, call_next: Any) -> Any:
        raise kind("mine")

    async with behind(world, "http://127.0.0.1:1", [breaks]) as client:
        with pytest.raises(kind, match="mine") as caught:
            await text_of(client)
        assert type(caught.value) is kind


@on_every_flavour
async def test_what_it_lets_through_is_judged_and_retried(world):
    count = []

    async def note(request: Any, call_next: Any) -> Any:
        try:
            return await call_next(request)
        except TransportError as exc:
            count.append(exc.failure.error.error_code)
            raise

    async with behind(world, "http://127.0.0.1:1", [note, passing]) as client:
        with pytest.raises(APIConnectionError) as caught:
            await text_of(client)
        assert caught.value.error_code == "connect_refused"
    assert count == ["connect_refused"] * 3


@pytest.mark.parametrize(
    ("given", "options", "attempts", "code"),
    [
        ("net down", {}, 3, "connect_failed"),
        (APITimeoutError("slow", phase="connect"), {}, 3, "connect_timeout"),
        # The request may have arrived, so a POST is not sent again.
        ("net down", {"stage": "request"}, 1, "connection_error"),
        (Failure(APIConnectionError("no", error_code="mine"), "connect"), {}, 3, "mine"),
    ],
)
@on_every_flavour
async def test_a_mock_fails_like_a_network(world, given, options, attempts, code):
    count = []

    async def fails(request: Any, call_next: Any) -> Any:
        count.append(1)
        raise TransportError(given, **options)

    async with behind(world, "http://127.0.0.1:1", [fails]) as client:
        with pytest.raises(APIConnectionError) as caught:
            await text_of(client)
    assert caught.value.error_code == code
    assert len(count) == attempts


@pytest.mark.parametrize(
    ("given", "options", "error", "words"),
    [
        (None, {}, TypeError, "expected a message (str), a MeshAPIError or a Failure, got None"),
        (OSError("down"), {}, TypeError, "got OSError; raise it as it is"),
        (OSError, {}, TypeError, "got the class OSError"),
        ("down", {"stage": "conect"}, ValueError, "stage: expected one of pool, closed, connect,"),
        (
            Failure(APIConnectionError("down"), "connect"),
            {"stage": "request"},
            TypeError,
            "stage: given together with a Failure, which has one",
        ),
    ],
)
def test_a_transport_error_says_what_it_takes(given, options, error, words):
    with pytest.raises(error) as caught:
        TransportError(given, **options)
    assert words in str(caught.value)


@pytest.mark.parametrize("stage", ["connect", "request"])
def test_a_transport_error_is_copied_with_its_stage(stage):
    error = TransportError("net down", stage=stage)
    assert str(error) == "net down"
    assert copy.copy(error).failure is error.failure
    assert error.failure.stage == stage


@pytest.mark.parametrize("kind", ["BytesResponse", "MiddlewareResponse"])
@pytest.mark.filterwarnings("error")
@on_every_flavour
async def test_a_response_of_the_other_client_says_which_to_use(world, kind):
    right, wrong = ("", "Async") if world.name == "sync" else ("Async", "")
    made: Any = getattr(transports, f"{wrong}BytesResponse")(200)
    if kind != "BytesResponse":
        made = getattr(transports, wrong + kind)(made)

    async def mock(request: Any, call_next: Any) -> Any:
        return made

    async with behind(world, "http://127.0.0.1:1", [mock]) as client:
        with pytest.raises(TypeError) as caught:
            await text_of(client)
    assert str(caught.value).endswith(
        f"mock: expected a response of {right}MeshAPI, got {wrong}{kind}; use {right}{kind}"
    )


@pytest.mark.filterwarnings("error")
def test_a_forgotten_await_is_named():
    async def mock(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def main() -> None:
        async with AsyncMeshAPI(
            base_url="http://127.0.0.1:1", token=TOKEN, middleware=[mock]
        ) as client:
            await client.models.list()

    with pytest.raises(TypeError, match=r"got coroutine; write await call_next\(request\)$"):
        asyncio.run(main())


@on_every_flavour
async def test_an_error_of_ours_is_final(world):
    count = []

    async def refuses(request: Any, call_next: Any) -> Any:
        count.append(1)
        raise APIConnectionError("not today", error_code="mine")

    async with behind(world, "http://127.0.0.1:1", [refuses]) as client:
        with pytest.raises(APIConnectionError, match="not today"):
            await text_of(client)
    assert count == [1]


@on_every_flavour
async def test_a_wrapper_that_breaks_raises_its_own_error(world):
    class Breaking(AsyncMiddlewareResponse):
        async def read(self, until: Optional[float] = None) -> bytes:
            await super().read(until)
            raise Mistake("mine")

    class BlockingBreaking(MiddlewareResponse):
        def read(self, until: Optional[float] = None) -> bytes:
            super().read(until)
            raise Mistake("mine")

    async def wrap(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        kind: Any = BlockingBreaking if world.name == "sync" else Breaking
        return kind(getattr(response, "_target", response))

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [wrap]) as client:
            for call in (text_of, streamed_text):
                with pytest.raises(Mistake, match="mine"):
                    await call(client)
            await world.until(lambda: server.open_now == 0)
            assert slots(world, client) == (0, 0)


@pytest.mark.parametrize("value", [None, "text", 200, {"status": 200}])
@on_every_flavour
async def test_what_is_no_response_is_a_mistake_that_is_named(world, value):
    async def forgets(request: Any, call_next: Any) -> Any:
        await call_next(request)
        return value

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [forgets]) as client:
            with pytest.raises(TypeError, match=r"forgets: expected a response .* got "):
                await text_of(client)
            assert slots(world, client) == (0, 0)
        assert len(server.requests) == 1


@on_every_flavour
async def test_what_is_no_request_is_a_mistake_that_is_named(world):
    async def wrong(request: Any, call_next: Any) -> Any:
        return await call_next(request.url)

    async with behind(world, "http://127.0.0.1:1", [wrong]) as client:
        with pytest.raises(TypeError, match=r"call_next: expected a Request, got "):
            await text_of(client)


@on_every_flavour
async def test_after_it_has_returned_it_cannot_go_on(world):
    kept = []

    async def keeps(request: Any, call_next: Any) -> Any:
        kept.append(partial(call_next, request))
        return await call_next(request)

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [keeps]) as client:
            await text_of(client)
            with pytest.raises(RuntimeError, match="keeps has returned already"):
                await kept[0]()
        assert len(server.requests) == 1


@on_every_flavour
async def test_an_error_response_is_seen_and_becomes_the_typed_error(world):
    seen = []

    async def note(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append(response.status)
        return response

    with ScriptedServer(answering(failed(401, "unauthorized"))) as server:
        async with behind(world, server.url, [note]) as client:
            with pytest.raises(AuthenticationError):
                await text_of(client)
    assert seen == [401]


# Time limits, and ends from outside


@pytest.mark.parametrize("place", ["itself", "what it sends", "what it reads"])
@on_every_flavour
async def test_the_limit_of_the_whole_call_holds_for_it(world, place):
    if world.name == "sync" and place == "itself":
        return  # a thread cannot be interrupted

    async def slow(request: Any, call_next: Any) -> Any:
        if place == "itself":
            await world.sleep(15)
        response = await call_next(request)
        if place == "what it reads":
            await response.read_all()
        return response

    def script(peer: Peer) -> None:
        peer.receive()
        if place == "what it reads":
            peer.send(stream_head())
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        limits = Timeout(connect=5, read=None, write=5, pool=5, total=0.2)
        async with behind(world, server.url, [slow], timeout=limits) as client:
            began = time.monotonic()
            with pytest.raises(APITimeoutError) as caught:
                await text_of(client)
            assert caught.value.error_code == "total_timeout"
            assert time.monotonic() - began < 10
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_what_it_reads_has_the_read_limit(world):
    async def reads(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        await response.read_all()
        return response

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head())
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        limits = Timeout(connect=5, read=0.1, write=5, pool=5)
        async with behind(world, server.url, [reads], timeout=limits) as client:
            with pytest.raises(APITimeoutError) as caught:
                await text_of(client)
            assert caught.value.error_code == "read_timeout"


@pytest.mark.parametrize("whose", ["stream", "client"])
@pytest.mark.parametrize("place", ["itself", "what it sends", "after what it sent"])
@over
@on_every_flavour
async def test_closing_ends_it(world, over, place, whose):
    if world.name == "sync" and (place != "what it sends" or over == "httpx"):
        return  # a thread cannot be interrupted, and httpx's own waits are tested elsewhere
    reached = []

    async def waits(request: Any, call_next: Any) -> Any:
        if place == "itself":
            reached.append(1)
            await world.sleep(15)
        response = await call_next(request)
        reached.append(1)
        await world.sleep(15)
        return response

    def script(peer: Peer) -> None:
        peer.receive()
        if place == "after what it sent":
            peer.send(stream_head())
        else:
            reached.append(1)
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [passing, waits], over) as client:
            stream = client.chat.completions.stream(**ASK)

            async def reads() -> None:
                async for _ in stream:
                    pass

            async def closes() -> None:
                await world.until(lambda: reached)
                await world.sleep(0.02)
                await (stream.close() if whose == "stream" else client.close())

            began = time.monotonic()
            outcome, _ = await world.together(reads, closes)
            assert time.monotonic() - began < 10
            if whose == "client":
                assert isinstance(outcome, MeshAPIError)
                assert outcome.error_code == "client_closed"
            else:
                assert outcome is None
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_a_response_of_another_call_is_refused_and_that_call_goes_on(world):
    kept = []

    async def keeps(request: Any, call_next: Any) -> Any:
        if not kept:
            kept.append(await call_next(request))
        return kept[0]

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [keeps]) as client:
            stream = client.chat.completions.stream(**ASK)
            chunks = [(await stream.__anext__()).text]
            with pytest.raises(RuntimeError, match="the response of another attempt"):
                await text_of(client)
            chunks += [chunk.text async for chunk in stream]
    assert "".join(chunks) == "pong"


def test_two_readers_of_one_response_do_not_wait_for_ever():
    """On an asyncio stream, the second one would take the place of the first."""

    def halting(peer: Peer) -> None:
        for _ in peer.requests():
            head, body = good().split(b"\r\n\r\n")
            peer.send(head + b"\r\n\r\n")
            assert refused.wait(10)
            peer.send(body)

    async def reads_twice(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        first = asyncio.ensure_future(response.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="the response is being read already"):
            await response.read()
        refused.set()
        body = await first + await response.read_all()
        return AsyncBytesResponse(200, response.headers, body)

    async def main() -> None:
        async with AsyncMeshAPI(
            base_url=server.url, token=TOKEN, middleware=[reads_twice]
        ) as client:
            assert await text_of(client) == "pong"

    refused = threading.Event()
    with ScriptedServer(halting) as server:
        asyncio.run(main())


# Secrets


@on_every_flavour
async def test_a_secret_that_it_adds_is_in_no_error(world):
    async def adds(request: Any, call_next: Any) -> Any:
        changed = request.with_headers({"x-signature-of-ours": SECRET})
        return await call_next(changed.with_url(f"{server.url}/v1/x?token={SECRET}-2"))

    def script(peer: Peer) -> None:
        for request in peer.requests():
            assert SECRET.encode() in request.head
            peer.send(failed(401, "unauthorized", f"no: {SECRET}, {SECRET}-2"))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [adds]) as client:
            with pytest.raises(AuthenticationError) as caught:
                await text_of(client)
    error = caught.value
    assert SECRET not in repr(vars(error)) + str(error) + repr(error.args)
    assert "no: ***" in str(error)


@on_every_flavour
async def test_a_header_that_it_adds_by_itself_is_in_no_error(world):
    import msgspec

    async def adds(request: Any, call_next: Any) -> Any:
        headers = (*request.headers, ("x-key", SECRET))
        return await call_next(msgspec.structs.replace(request, headers=headers))

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(401, "unauthorized", f"no: {SECRET}"))

    with ScriptedServer(script) as server:
        async with behind(world, server.url, [adds]) as client:
            with pytest.raises(AuthenticationError) as caught:
                await text_of(client)
    assert SECRET not in repr(vars(caught.value)) + str(caught.value)


@on_every_flavour
async def test_a_proxy_that_echoes_its_password_does_not_show_it(world):
    password = "pr0xy-passw0rd-canary"
    basic = b2a_base64(f"user:{password}".encode(), newline=False).decode()

    def echo(peer: Peer) -> None:
        for request in peer.requests():
            assert basic.encode() in request.head
            peer.send(failed(401, "unauthorized", f"no: {basic}, {password}"))

    async def passes(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    with ScriptedServer(echo) as server:
        proxy = server.url.replace("://", f"://user:{password}@")
        async with behind(world, "http://gateway.example", [passes], proxy=proxy) as client:
            with pytest.raises(AuthenticationError) as caught:
                await text_of(client)
    text = repr(vars(caught.value)) + str(caught.value)
    assert "no: ***" in text
    assert password not in text
    assert basic not in text


@on_every_flavour
async def test_a_request_shows_no_secret(world):
    seen = []

    async def shows(request: Any, call_next: Any) -> Any:
        changed = request.with_headers({"x-key": SECRET})
        seen.append(f"{changed!r} {changed} {changed.headers} {changed.header('x-key')}")
        return await call_next(changed)

    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [shows]) as client:
            await text_of(client)
        assert server.requests[0].headers["x-key"] == SECRET
    assert SECRET not in seen[0]
    assert TOKEN not in seen[0]


# The argument


async def _of_async(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def _of_blocking(request: Any, call_next: Any) -> Any:
    return call_next(request)


async def _generates(request: Any, call_next: Any) -> Any:
    yield


class Objects:
    """Middleware as objects."""

    class Async:
        async def __call__(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

        async def method(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    class Blocking:
        def __call__(self, request: Any, call_next: Any) -> Any:
            return call_next(request)

        def method(self, request: Any, call_next: Any) -> Any:
            return call_next(request)


async def _with_name(name: str, request: Any, call_next: Any) -> Any:
    return await call_next(request)


def _blocking_with_name(name: str, request: Any, call_next: Any) -> Any:
    return call_next(request)


@on_every_flavour
async def test_functions_methods_partials_and_objects_are_recognised(world):
    kinds: list[Any] = [
        _of_async,
        Objects.Async(),
        Objects.Async().method,
        partial(_with_name, "n"),
    ]
    if world.name == "sync":
        kinds = [
            _of_blocking,
            Objects.Blocking(),
            Objects.Blocking().method,
            partial(_blocking_with_name, "n"),
            lambda request, call_next: call_next(request),
        ]
    with ScriptedServer(serve) as server:
        client = world.client(server.url, middleware=kinds)
        kinds.clear()
        async with client:
            assert await text_of(client) == "pong"


class _Other:
    blocking = (_of_async, Objects.Async(), Objects.Async().method, partial(_with_name, "n"))
    of_async = (
        _of_blocking,
        Objects.Blocking(),
        Objects.Blocking().method,
        partial(_blocking_with_name, "n"),
    )


@pytest.mark.parametrize("number", range(4))
@on_every_flavour
async def test_the_kind_is_checked_when_the_client_is_made(world, number):
    kinds: Any = _Other.blocking if world.name == "sync" else _Other.of_async
    fitting = _of_blocking if world.name == "sync" else _of_async
    with pytest.raises(InvalidParamsError) as caught:
        world.client_class(token=TOKEN, middleware=[fitting, kinds[number]])
    message = str(caught.value)
    assert message.startswith("middleware[1]: expected a")
    assert ("is async" if world.name == "sync" else "is not async") in message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (_of_blocking, "a list of functions, got the function _of_blocking; write middleware=[fn]"),
        (None, "a list of functions, got None; leave it out"),
        ("text", "a list of functions, got str"),
        ({}, "a list of functions, got dict"),
        ([None], "a function, got None"),
        ([Objects.Blocking], "a function, got the class Blocking; write Blocking()"),
        (
            [_generates],
            (
                "a function, got the generator function _generates; return the response, instead of"
                " yielding it"
            ),
        ),
        (
            [lambda request: None],
            "a function that takes (request, call_next), got <lambda>(request)",
        ),
    ],
)
def test_wrong_middleware_is_refused_with_what_to_write(value, message):
    with pytest.raises(InvalidParamsError) as caught:
        MeshAPI(token=TOKEN, middleware=value)
    where = "middleware[0]" if isinstance(value, list) else "middleware"
    assert str(caught.value) == f"{where}: expected {message}"


@pytest.mark.parametrize("none", [[], ()])
@on_every_flavour
async def test_without_middleware_a_call_has_its_connection_itself(world, none):
    async with world.client("http://127.0.0.1:1", middleware=none) as client:
        transport = client._transport
        assert getattr(transport, "_target", transport) is getattr(
            client._sockets, "_target", client._sockets
        )


def test_a_response_of_bytes_is_checked():
    with pytest.raises(TypeError, match="status: expected int, got str"):
        BytesResponse("200")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="body: expected bytes, got str"):
        BytesResponse(200, {}, "text")  # type: ignore[arg-type]
    response = BytesResponse.json({"a": 1}, status=201, headers={"x-y": "z"})
    assert (response.status, dict(response.headers)) == (
        201,
        {"content-type": "application/json", "x-y": "z"},
    )
    assert response.read_all() == response.read() == b'{"a": 1}'
    assert response.read() == b""
    assert "a" not in repr(response).partition("(")[2].replace("bytes", "")


# Leaks in memory


@on_every_flavour
async def test_a_call_leaves_no_cycle_behind(world):
    with ScriptedServer(serve) as server:
        async with behind(world, server.url, [passing, passing]) as client:
            await text_of(client)
            await streamed_text(client)
            gc.collect()
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                await text_of(client)
                await streamed_text(client)
                gc.collect()
                left = [each for each in gc.garbage if type(each).__module__.startswith("meshapi")]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
            assert left == []
