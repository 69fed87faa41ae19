"""The contract of transports: one test for all of them, on every kind of event loop they support.

On real sockets: over HTTP/1.1, and over HTTP/2 with TLS where a transport speaks it.
"""

import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    MeshAPIError,
    RedirectError,
    RetryPolicy,
    Timeout,
)
from meshapi_core import FileSource, SignedPut
from support.asgi_server import SERVER, SPEECH, ASGIServer, Place
from support.flavours import ASK, TOKEN, World
from support.reporters import seen
from support.scripted_server import Peer, ScriptedServer
from support.transports import Sender, close, lines_of, on_every_transport, on_loop, on_transports
from support.wire import good

LIMIT = 0.2
"""Seconds of the limits that calls run into."""

LATE = 8.0
"""Seconds more than its limit that a call may take on a loaded machine."""

ONCE = RetryPolicy(max_retries=0)


class Servers:
    """One server for each version of HTTP."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._http1 = self._stack.enter_context(ASGIServer())
        self._http2 = self._stack.enter_context(ASGIServer(http2=True))

    def place(self, sender: Sender, play: str) -> Place:
        return (self._http2 if sender.http2 else self._http1).place(play)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    found = Servers()
    yield found
    found.close()


@contextlib.asynccontextmanager
async def client_on(world: World, sender: Sender, url: str, **options: Any) -> AsyncIterator[Any]:
    async with sender.options(world) as how, world.client(url, **{**how, **options}) as client:
        yield client


async def response_of(client: Any, call: str = "create") -> str:
    if call == "create":
        response = await client.chat.completions.create(**ASK)
        return str(response.choices[0].message.content)
    words = [
        part.choices[0].delta.content or "" async for part in client.chat.completions.stream(**ASK)
    ]
    return "".join(words)


async def error_of(client: Any, call: str = "create") -> MeshAPIError:
    with pytest.raises(MeshAPIError) as caught:
        await response_of(client, call)
    return caught.value


on_both_calls = pytest.mark.parametrize("call", ["create", "stream"])


@on_every_transport
async def test_calls_work_and_share_a_connection(world, sender, servers):
    place = servers.place(sender, "good")
    async with client_on(world, sender, place.url) as client:
        for call in ("create", "stream") * 3:
            assert await response_of(client, call) == "pong"
    assert {request.version for request in place.requests} == {"2" if sender.http2 else "1.1"}
    assert place.connections == (1 if sender.keeps else 6)
    headers = place.requests[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-length"] == str(len(place.requests[0].body))
    assert headers["accept-encoding"] == "identity"


@on_every_transport
async def test_calls_work_at_the_same_time(world, sender, servers):
    place = servers.place(sender, "good")
    async with client_on(world, sender, place.url) as client:
        outcomes = await world.together(*[lambda: response_of(client)] * 8)
    assert outcomes == ["pong"] * 8
    assert len(place.requests) == 8


@on_every_transport
async def test_a_stream_that_is_left_early_costs_nothing_later(world, sender, servers):
    place = servers.place(sender, "stalls")
    async with client_on(world, sender, place.url) as client:
        async with client.chat.completions.stream(**ASK) as stream:
            assert (await stream.__anext__()).choices[0].delta.content == "a"
        if sender.tells:
            await world.until(place.requests[0].left.is_set)
        assert await response_of(client) == "pong"


@on_both_calls
@on_every_transport
async def test_a_refused_request_is_one_typed_error(world, sender, servers, call):
    place = servers.place(sender, "refused")
    async with client_on(world, sender, place.url) as client:
        error = await error_of(client, call)
    assert type(error) is BadRequestError
    assert (error.status, error.error_code, error.request_id) == (
        400,
        "invalid_model",
        "req_01TEST",
    )
    assert len(place.requests) == 1


@on_transports(lambda sender, world: sender.times)
async def test_a_busy_gateway_is_asked_again(world, sender, servers):
    place = servers.place(sender, "busy")
    async with client_on(world, sender, place.url) as client:
        assert await response_of(client) == "pong"
    assert len(place.requests) == 3
    assert place.connections == (1 if sender.keeps else 3)


@on_transports(lambda sender, world: sender.sockets and not sender.http2)
async def test_bytes_after_a_response_are_not_the_next_one(world, sender, servers):
    """In the same packet: RFC 9112, section 6.3."""

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            peer.send(good() + good("of somebody else") if n == 0 else good())

    with ScriptedServer(script) as server:
        async with client_on(world, sender, server.url) as client:
            for _ in range(3):
                assert await response_of(client) == "pong"


@on_every_transport
async def test_no_redirect_is_followed(world, sender, servers):
    place = servers.place(sender, "moved")
    async with client_on(world, sender, place.url) as client:
        assert type(await error_of(client)) is RedirectError
    assert len(place.requests) == 1


@on_transports(lambda sender, world: sender.sockets)
async def test_a_refused_connection_is_an_error(world, sender, servers):
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{placeholder.getsockname()[1]}"
        async with client_on(world, sender, url, retry=ONCE) as client:
            error = await error_of(client)
    assert (type(error), error.error_code) == (APIConnectionError, "connect_refused")


# Time limits


# http.client has one limit
@on_transports(lambda sender, world: sender.sockets and sender.name != "own")
async def test_connecting_has_a_limit(world, sender, servers):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        options = {"timeout": Timeout(connect=LIMIT), "retry": ONCE}
        async with client_on(world, sender, url, **options) as client:
            error = await timely(error_of(client))
    assert (type(error), error.error_code) == (APITimeoutError, "connect_timeout")


async def timely(call: Any) -> Any:
    began = time.monotonic()
    outcome = await call
    assert time.monotonic() - began < LIMIT + LATE
    return outcome


@on_both_calls
@on_transports(lambda sender, world: sender.times)
async def test_the_wait_for_the_head_has_a_limit(world, sender, servers, call):
    place = servers.place(sender, "silent")
    async with client_on(world, sender, place.url, timeout=Timeout(read=LIMIT)) as client:
        error = await timely(error_of(client, call))
        assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")
        assert await response_of(client.with_options(timeout=5), call) == "pong"
    assert len(place.requests) == 2


@on_both_calls
@on_transports(lambda sender, world: sender.times)
async def test_the_wait_for_the_body_has_a_limit(world, sender, servers, call):
    place = servers.place(sender, "stalls")
    async with client_on(world, sender, place.url, timeout=Timeout(read=LIMIT)) as client:
        error = await timely(error_of(client, call))
        assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")
        assert await response_of(client.with_options(timeout=5), call) == "pong"


@pytest.mark.parametrize("play", ["silent", "stalls"])
@on_transports(lambda sender, world: sender.limits and sender.times)
async def test_the_whole_call_has_a_limit(world, sender, servers, play):
    place = servers.place(sender, play)
    async with client_on(world, sender, place.url, timeout=Timeout(total=LIMIT)) as client:
        error = await timely(error_of(client))
        assert (type(error), error.error_code) == (APITimeoutError, "total_timeout")
        assert await response_of(client.with_options(timeout=5)) == "pong"


# Bodies


@on_every_transport
async def test_a_form_with_a_file_arrives(world, sender, servers):
    content = [b"a" * 100_000, b"b" * 200_000]
    place = servers.place(sender, "good")
    async with client_on(world, sender, place.url) as client:
        response = await client.audio.transcribe(b"".join(content), model="m")
    assert response.text == "pong"
    (request,) = place.requests
    assert b"".join(content) in request.body
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")


@on_every_transport
async def test_a_signed_upload_arrives_without_the_token(world, sender, servers):
    place = servers.place(sender, "good")
    content = [b"a" * 100_000, b"b" * 200_000]
    put = SignedPut(
        url=f"{place.url}/file?signature=s%2F1",
        content_type="text/plain",
        source=FileSource(content),
    )
    async with client_on(world, sender, place.url) as client:
        runner = getattr(client, "_target", client)._runner
        outcome = runner.run(put)
        if on_loop(world):
            await outcome
    (request,) = place.requests
    assert (request.method, request.query) == ("PUT", b"signature=s%2F1")
    assert request.body == b"".join(content)
    assert request.headers["content-length"] == "300000"
    assert "authorization" not in request.headers


@on_every_transport
async def test_bytes_are_downloaded(world, sender, servers):
    place = servers.place(sender, "good")
    async with client_on(world, sender, place.url) as client:
        assert await client.files.content("file_1") == SPEECH


@on_both_calls
@on_every_transport
async def test_a_compressed_response_is_decoded_where_it_was_asked_for(
    world, sender, servers, call
):
    place = servers.place(sender, "gzipped")
    async with client_on(world, sender, place.url) as client:
        asking = client.with_options(extra_headers={"Accept-Encoding": "gzip"})
        assert await response_of(asking, call) == "pong"
        assert await response_of(client, call) == "pong"
    assert [request.headers["accept-encoding"] for request in place.requests] == [
        "gzip",
        "identity",
    ]


# Who ends what


@pytest.mark.parametrize("play", ["silent", "stalls"])
@on_both_calls
@on_transports(lambda sender, world: sender.waits and on_loop(world))
async def test_a_cancelled_call_loses_nothing(world, sender, servers, play, call):
    place = servers.place(sender, play)
    async with client_on(world, sender, place.url) as client:
        with anyio.CancelScope() as scope:

            async def cancels() -> None:
                await world.until(lambda: place.requests)
                scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(cancels)
                await response_of(client, call)
        assert scope.cancelled_caught
        if sender.tells:
            await world.until(place.requests[0].left.is_set)
        assert await response_of(client, call) == "pong"


@pytest.mark.parametrize("play", ["silent", "stalls"])
@on_transports(lambda sender, world: sender.waits and sender.closes)
async def test_closing_ends_a_call_at_once(world, sender, servers, play):
    place = servers.place(sender, play)
    async with sender.options(world) as how, world.client(place.url, **how) as client:

        async def closes() -> None:
            await world.until(lambda: place.requests)
            await client.aclose()
            if "transport" in how:
                await close(how["transport"])

        error, closed = await timely(world.together(lambda: error_of(client), closes))
        assert closed is None
        assert (type(error), error.error_code) == (APIConnectionError, "client_closed")
        again = await error_of(client)
        assert again.error_code == "client_closed"


@on_every_transport
async def test_a_stream_is_closed_from_elsewhere(world, sender, servers):
    """While another task or thread waits for its next chunk."""
    place = servers.place(sender, "stalls")
    async with client_on(world, sender, place.url, retry=ONCE) as client:
        stream = client.chat.completions.stream(**ASK)
        received: list[Any] = []

        async def reads() -> None:
            async for part in stream:
                received.append(part)

        async def closes() -> None:
            await world.until(lambda: len(received) == 2)
            await stream.aclose()

        if sender.closes and sender.waits:
            assert await timely(world.together(reads, closes)) == [None, None]
        else:
            async with stream:
                await stream.__anext__()
        assert await response_of(client) == "pong"


# Secrets


@on_transports(lambda sender, world: sender.hides and sender.times)
async def test_the_token_is_in_no_error_and_in_no_log(world, sender, servers, caplog):
    caplog.set_level(logging.DEBUG)
    place = servers.place(sender, "echo")
    async with client_on(world, sender, place.url) as client:
        error = await error_of(client)
        assert type(error) is AuthenticationError
        assert TOKEN not in seen(error)
    for play in ("silent", "stalls"):
        place = servers.place(sender, play)
        async with client_on(world, sender, place.url, timeout=Timeout(read=LIMIT)) as client:
            assert TOKEN not in seen(await error_of(client))
    # The server's own library logs in the server's thread.
    logged = [each.getMessage() for each in caplog.records if each.threadName != SERVER]
    assert TOKEN not in "".join(logged)


@on_transports(lambda sender, world: sender.hides and sender.sockets)
async def test_nor_is_it_where_nobody_listens(world, sender, servers):
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{placeholder.getsockname()[1]}"
        async with client_on(world, sender, url, retry=ONCE) as client:
            assert TOKEN not in seen(await error_of(client))


# The documented ones


@pytest.mark.parametrize("name", ["PlainTransport", "SessionTransport"])
def test_a_transport_of_your_own_takes_thirty_lines(name):
    assert lines_of(name) <= 30
