"""Small decisions of the runners and hosts, which would otherwise break unnoticed."""

import random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from meshapi import (
    APIConnectionError,
    Limits,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core import Headers
from support.flavours import ASK, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import chunked, completion, dump, good, head, make_response, stream_head, texts


@on_every_flavour
async def test_a_whole_response_over_the_limit_is_refused(world, monkeypatch):
    body = dump(completion("x" * 1000))

    def in_two_pieces(peer: Peer) -> None:
        for _ in peer.requests():
            response = make_response(200, body)
            peer.send(response[:-500])
            peer.drip(response[-500:], 0.01, 250)

    monkeypatch.setattr("meshapi_core.machines.responses.MAX_BODY_SIZE", len(body) - 100)
    with ScriptedServer(in_two_pieces) as server:
        async with world.client(server.url) as client:
            with pytest.raises(ResponseDecodeError) as caught:
                await client.chat.completions.create(**ASK)
    assert caught.value.error_code == "response_too_large"


@on_every_flavour
async def test_a_response_that_breaks_off_keeps_its_request_id(world):
    def break_off(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Content-Length: 100") + b"{")

    with ScriptedServer(break_off) as server:
        async with world.client(server.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
    assert (caught.value.status, caught.value.request_id) == (200, "req_01TEST")


@on_every_flavour
async def test_a_complete_stream_whose_body_does_not_end_gives_its_connection_up(world):
    def never_end(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(*texts("a"), end=False))
        peer.wait_until_left()

    with ScriptedServer(never_end) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            stream = client.chat.completions.stream(**ASK)
            assert [item async for item in stream]
            # While the program still has the stream.
            assert world.pool_state(client).slots == 0
            await world.until(lambda: server.open_now == 0)
            assert stream.closed


@on_every_flavour
async def test_a_complete_stream_whose_body_goes_on_gives_its_connection_up(world):
    def babble(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(*texts("a"), end=False))
        peer.drip(1000 * chunked(b": still here\n\n", end=False), 0.005, 19)

    with ScriptedServer(babble) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            stream = client.chat.completions.stream(**ASK)
            assert [item async for item in stream]
            assert world.pool_state(client).slots == 0
            await world.until(lambda: server.open_now == 0)
            assert stream.closed


@on_every_flavour
async def test_idempotency_keys_do_not_repeat_where_a_program_seeds_its_random_numbers(world):
    with ScriptedServer(lambda peer: [peer.send(good()) for _ in peer.requests()]) as server:
        async with world.client(server.url) as client:
            for _ in range(2):
                random.seed(1)
                await client.batches.create(input_file_id="f")
        keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(set(keys)) == 2


class BegunResponse:
    """A stream that has begun, as a foreign transport returns it."""

    status = 200
    headers = Headers([(b"content-type", b"text/event-stream")])
    cut = False

    def __init__(self) -> None:
        self.aborted = False

    def read(self, until: Any = None) -> Any:
        raise AssertionError("nobody reads this response")

    def abort(self) -> None:
        self.aborted = True


class DeafTransport:
    """Does not notice that a stream was closed: its response comes all the same."""

    closed = False

    def __init__(self, response: BegunResponse) -> None:
        self.response = response
        self.meanwhile: Any = None

    def send(self, request: Any, **options: Any) -> Any:
        self.meanwhile()
        return self.response

    def close(self) -> None:
        pass


class AsyncDeafTransport(DeafTransport):
    async def send(self, request: Any, **options: Any) -> Any:
        await self.meanwhile()
        return self.response

    async def aclose(self) -> None:
        pass


@on_every_flavour
async def test_a_response_that_comes_after_its_stream_was_closed_is_given_up(world):
    response = BegunResponse()
    transport = (DeafTransport if world.name == "sync" else AsyncDeafTransport)(response)
    async with world.client("http://127.0.0.1:1", transport=transport) as client:
        stream = client.chat.completions.stream(**ASK)
        transport.meanwhile = stream._target.close if world.name == "sync" else stream.aclose
        assert [item async for item in stream] == []
        assert response.aborted


class RaisingTransport(DeafTransport):
    """Raises the exceptions of its HTTP client as they are."""

    def __init__(self, *events: Any) -> None:
        self.events = list(events)
        self.sent = 0

    def send(self, request: Any, **options: Any) -> Any:
        self.sent += 1
        event = self.events.pop(0)
        if isinstance(event, BaseException):
            raise event
        return event


class AsyncRaisingTransport(RaisingTransport):
    async def send(self, request: Any, **options: Any) -> Any:
        return super().send(request, **options)

    async def aclose(self) -> None:
        pass


@on_every_flavour
@pytest.mark.parametrize(
    ("raised", "code", "sent"),
    [
        (ConnectionRefusedError("nobody there"), "connect_refused", 3),
        (ConnectionResetError("gone"), "reset", 1),
        (TimeoutError(), "read_timeout", 1),
        (ValueError("a bug of the client's"), "connection_error", 1),
    ],
)
async def test_whatever_a_transport_raises_is_understood(world, raised, code, sent):
    kind = RaisingTransport if world.name == "sync" else AsyncRaisingTransport
    transport = kind(raised, raised, raised)
    async with world.client("http://127.0.0.1:1", transport=transport) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**ASK)
    assert caught.value.error_code == code
    assert caught.value.__cause__ is raised
    assert transport.sent == sent


@on_every_flavour
async def test_exceptions_of_the_program_are_raised_unchanged(world):
    kind = RaisingTransport if world.name == "sync" else AsyncRaisingTransport
    async with world.client("http://127.0.0.1:1", transport=kind(KeyboardInterrupt())) as client:
        with pytest.raises(KeyboardInterrupt):
            await client.chat.completions.create(**ASK)


class SilentResponse(BegunResponse):
    """A response whose body never comes."""

    async def read(self, until: Any = None) -> Any:
        await anyio.sleep_forever()
        return b""


@on_every_flavour
async def test_a_response_of_a_foreign_client_whose_read_was_interrupted_is_given_up(world):
    if world.name == "sync":
        return  # a thread is interrupted by signals: see test_interrupted_reads
    response = SilentResponse()
    transport = AsyncDeafTransport(response)
    async with world.client("http://127.0.0.1:1", transport=transport) as client:
        stream = client.chat.completions.stream(**ASK)
        transport.meanwhile = anyio.lowlevel.checkpoint
        with anyio.move_on_after(0.05):
            await stream.__anext__()
        assert response.aborted
        with pytest.raises(StreamInterruptedError):
            await stream.__anext__()
