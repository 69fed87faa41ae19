"""Requests that take more than one write, and streams that are read in unusual ways."""

import pickle
import sys
import threading
from typing import Any

import pytest

from meshapi import APIConnectionError, Limits, MeshAPI, StreamUsageError, Timeout
from meshapi_backends import TransportError
from meshapi_backends._failures import is_time_limit
from meshapi_core import Failure, failure_of
from support.certificates import serving, trusting
from support.flavours import ASK, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import chunk, chunked, frame, good, serve, stream_head, texts

KIB = 1024


def ask_of(size: int) -> "dict[str, Any]":
    return {"model": "m", "messages": [{"role": "user", "content": "x" * size}]}


@pytest.mark.parametrize("size", [60 * KIB, 70 * KIB, 300 * KIB, 4 * KIB * KIB])
@on_every_flavour
async def test_a_request_of_any_size_is_sent_whole_over_tls(world, size):
    """TLS 1.3 session tickets arrive while the body is written; they are not an early response."""
    with ScriptedServer(serve, tls=serving()) as server:
        for _ in range(3):
            async with world.client(server.url, tls=trusting()) as client:
                response = await client.chat.completions.create(**ask_of(size))
                assert response.choices[0].message.content == "pong"
        assert [len(request.body) > size for request in server.requests] == [True] * 3


@on_every_flavour
async def test_interim_responses_while_a_request_is_written_do_not_stop_it(world):
    def script(peer: Peer) -> None:
        head = peer.receive_head()
        assert head is not None
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n")
        while left:
            left -= len(peer.take())
        peer.send(good())

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=5, max_retries=0) as client:
            response = await client.chat.completions.create(**ask_of(8 * KIB * KIB))
            assert response.choices[0].message.content == "pong"


@on_every_flavour
async def test_a_waiting_caller_gets_a_turn_beside_one_that_never_stops(world):
    with ScriptedServer(serve) as server:
        options = {"limits": Limits(max_connections=1), "timeout": Timeout(pool=5)}
        async with world.client(server.url, **options) as client:
            turns, began = [], {}

            async def ask(name: str, times: int) -> None:
                # On a busy machine a thread may start late.
                began[name] = len(turns)
                for _ in range(times):
                    await client.chat.completions.create(**ASK)
                    turns.append(name)

            await world.together(
                *((lambda name=name: ask(name, 30)) for name in ("first", "second"))
            )
            # A released connection is kept for the caller that waits: neither gets ahead.
            assert len(turns) == 60
            for name, start in began.items():
                assert name in turns[start : start + 5], turns


@pytest.mark.slow
@on_every_flavour
async def test_the_idle_limit_does_not_count_what_a_slow_consumer_takes(world):
    seen = threading.Event()

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
        seen.wait(5)
        peer.send(chunked(*texts("b", "c"), frame("[DONE]")))

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(idle=0.2)) as client:
            words = []
            async for part in client.chat.completions.stream(**ASK):
                words.append(part.choices[0].delta.content)
                if len(words) == 1:
                    await world.sleep(0.3)
                    seen.set()
            assert words[:3] == ["a", "b", "c"]


@on_every_flavour
async def test_a_stream_that_could_not_begin_says_so_again(world):
    with ScriptedServer(serve) as server:
        url = server.url
    async with world.client(url, max_retries=0) as client:
        stream = client.chat.completions.stream(**ASK)
        for _ in range(2):
            with pytest.raises(APIConnectionError) as caught:
                [part async for part in stream]
            assert caught.value.error_code == "connect_refused"
        with pytest.raises(APIConnectionError):
            await stream.__aenter__()


@on_every_flavour
async def test_a_stream_that_was_closed_cannot_be_entered(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            await stream.close()
            with pytest.raises(RuntimeError, match="closed"):
                await stream.__aenter__()


def test_a_stream_has_one_reader_at_a_time():
    begun, release = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.receive()
        begun.set()
        release.wait(5)
        peer.send(stream_head() + chunked(*texts("a"), frame("[DONE]")))

    with ScriptedServer(script) as server, MeshAPI(base_url=server.url, token="rsk_test") as client:
        stream = client.chat.completions.stream(**ASK)
        reader = threading.Thread(target=lambda: list(stream))
        reader.start()
        assert begun.wait(5)
        with pytest.raises(StreamUsageError, match="already being read"):
            next(stream)
        release.set()
        reader.join(5)
        assert len(server.requests) == 1


def test_the_systems_own_timeout_is_not_taken_for_ours():
    import errno

    system = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    assert is_time_limit(TimeoutError())
    assert not is_time_limit(system)
    failure = failure_of(system, "connect", where="http://example.test")
    assert failure.error.error_code == "connect_failed"


def test_a_transport_error_can_be_pickled():
    error = TransportError(Failure(APIConnectionError("no", error_code="reset"), "response"))
    again = pickle.loads(pickle.dumps(error))
    assert again.failure.stage == "response"
    assert str(again) == "no"


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run there")
def test_it_works_on_uvloop():
    import asyncio

    import uvloop

    from meshapi import AsyncMeshAPI

    async def main(url: str) -> "list[str]":
        async with AsyncMeshAPI(base_url=url, token="rsk_test") as client:
            response = await client.chat.completions.create(**ASK)
            large = await client.chat.completions.create(**ask_of(4 * KIB * KIB))
            stream = [part async for part in client.chat.completions.stream(**ASK)]
            texts = [part.choices[0].delta.content or "" for part in stream if part.choices]
            return [
                response.choices[0].message.content,
                large.choices[0].message.content,
                "".join(texts),
            ]

    with ScriptedServer(serve) as server:
        loop = uvloop.new_event_loop()
        try:
            asyncio.set_event_loop(None)
            assert loop.run_until_complete(main(server.url)) == ["pong"] * 3
        finally:
            loop.close()
