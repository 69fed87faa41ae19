"""What only the transport over aiohttp does: it takes a session, with all that is set in it."""

import asyncio
import gzip
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
import trio

from meshapi import APIConnectionError, AsyncMeshAPI, BadRequestError, RetryPolicy
from meshapi.transports import AiohttpTransport
from meshapi_core import FileSource, SignedPut
from support.flavours import ASK, QUICK, TOKEN, AsyncioWorld
from support.scripted_server import Peer, Received, ScriptedServer
from support.wire import completion, dump, good, head, serve

NEVER = RetryPolicy(max_retries=0)


def on_asyncio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test as a task; it gets a server that always responds."""

    def run() -> None:
        with ScriptedServer(played(good())) as server:
            AsyncioWorld().run(lambda world: test(server))

    run.__doc__ = test.__doc__
    return run


async def ask(url: str, session: Any, **options: Any) -> str:
    options = {"token": TOKEN, "timeout": 5.0, "retry": QUICK, **options}
    async with AsyncMeshAPI(base_url=url, transport=AiohttpTransport(session), **options) as client:
        response = await client.chat.completions.create(**ASK)
        return str(response.choices[0].message.content)


async def upload(url: str, session: Any) -> None:
    put = SignedPut(
        url=f"{url}/file?signature=s%2F1", content_type="text/plain", source=FileSource([b"abc"])
    )
    async with AsyncMeshAPI(
        base_url=url, token=TOKEN, transport=AiohttpTransport(session)
    ) as client:
        await client._runner.run(put)


async def respond(script: Callable[[Peer], None], **options: Any) -> str:
    with ScriptedServer(script) as server:
        async with aiohttp.ClientSession(**options) as session:
            return await ask(server.url, session, retry=NEVER)


def played(*pieces: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(*pieces)

    return script


# The session's loop


def test_a_session_of_another_loop_is_a_type_error():
    with ScriptedServer(serve) as server:
        first = asyncio.new_event_loop()

        async def session() -> Any:
            return aiohttp.ClientSession()

        made = first.run_until_complete(session())
        with pytest.raises(TypeError, match="belongs to another event loop"):
            asyncio.run(ask(server.url, made))
        first.run_until_complete(made.close())
        first.close()
        assert server.requests == []


def test_trio_is_a_type_error_that_says_what_to_use():
    with ScriptedServer(serve) as server:
        loop = asyncio.new_event_loop()

        async def session() -> Any:
            return aiohttp.ClientSession()

        made = loop.run_until_complete(session())
        with pytest.raises(TypeError, match="runs on asyncio only; on trio, use AsyncHTTPCore"):
            trio.run(ask, server.url, made)
        loop.run_until_complete(made.close())
        loop.close()


@on_asyncio
async def test_a_closed_session_is_a_typed_error(server):
    async with aiohttp.ClientSession() as session:
        assert await ask(server.url, session) == "pong"
    with pytest.raises(APIConnectionError) as caught:
        await ask(server.url, session)
    assert caught.value.error_code == "client_closed"
    assert caught.value.message == "the aiohttp session is closed: make a new one"


@on_asyncio
async def test_the_session_stays_open(server):
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            assert await ask(server.url, session) == "pong"
        assert not session.closed
    assert server.connections == 1


# What is set in a session


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of aiohttp 4
@on_asyncio
async def test_auth_of_a_session_is_refused(server):
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "rsk_test_word")) as session:
        with pytest.raises(TypeError, match="has auth=") as caught:
            AiohttpTransport(session)
    assert "rsk_test_word" not in str(caught.value)


def only(server: ScriptedServer) -> dict[str, str]:
    (request,) = server.requests
    return lowered(request)


def lowered(request: Received) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


@on_asyncio
async def test_headers_and_cookies_of_a_session_go_to_the_api(server):
    own = {"X-Own": "kept", "User-Agent": "theirs", "Authorization": "Bearer rsk_test_of_session"}
    jar = aiohttp.CookieJar(unsafe=True)  # which has cookies of IP addresses, too
    async with aiohttp.ClientSession(headers=own, cookies={"c": "1"}, cookie_jar=jar) as session:
        assert await ask(server.url, session) == "pong"
    sent = only(server)
    assert (sent["x-own"], sent["cookie"]) == ("kept", "c=1")
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["user-agent"].startswith("meshapi")


@on_asyncio
async def test_they_do_not_go_to_signed_urls(server):
    own = {"X-Own": "secret", "Authorization": "Bearer rsk_test_of_session"}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(headers=own, cookies={"c": "1"}, cookie_jar=jar) as session:
        await upload(server.url, session)
        assert not session.closed
        assert await ask(server.url, session) == "pong"
    sent = lowered(server.requests[0])
    assert {"x-own", "authorization", "cookie"}.isdisjoint(sent)
    assert sent["content-type"] == "text/plain"
    assert server.connections == 1, "the session's connections are used for both"


@pytest.mark.parametrize("raising", [True, False])
def test_a_session_that_raises_for_a_status_changes_nothing(raising):
    body = dump({"error": {"code": "invalid_model", "message": "no"}})
    refused = head(400, f"Content-Length: {len(body)}") + body
    with pytest.raises(BadRequestError) as caught:
        asyncio.run(respond(played(refused), raise_for_status=raising))
    assert caught.value.error_code == "invalid_model"


@pytest.mark.parametrize("decompressing", [True, False])
def test_a_session_that_decompresses_changes_nothing(decompressing):
    body = gzip.compress(dump(completion("pong")))
    fields = ("Content-Type: application/json", "Content-Encoding: gzip")
    packed = head(200, *fields, f"Content-Length: {len(body)}") + body
    assert asyncio.run(respond(played(packed), auto_decompress=decompressing)) == "pong"


def test_a_large_head_is_taken():
    """aiohttp alone takes 8 KiB for a line."""
    start, _, rest = good().partition(b"\r\n")
    response = start + b"\r\nX-Large: " + b"x" * 30_000 + b"\r\n" + rest
    assert asyncio.run(respond(played(response))) == "pong"


def test_a_head_that_is_far_too_large_is_a_typed_error():
    start, _, rest = good().partition(b"\r\n")
    response = start + b"\r\nX-Large: " + b"x" * 300_000 + b"\r\n" + rest

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            try:
                peer.send(response)
            except OSError:
                return  # the client has left

    with pytest.raises(APIConnectionError) as caught:
        asyncio.run(respond(script))
    assert TOKEN not in str(caught.value)


# Where a session is passed by itself


@on_asyncio
async def test_a_client_says_what_to_make_of_a_session(server):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TypeError, match=r"write transport=AiohttpTransport\(session\)"):
            AsyncMeshAPI(token=TOKEN, transport=session)  # type: ignore[arg-type]
