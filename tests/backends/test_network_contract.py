"""The contract of all networks and their network streams, with and without TLS."""

import asyncio
import errno
import gc
import re
import socket
import ssl
import sys
import threading
import time
import warnings
import weakref
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, Optional

import pytest

from meshapi import APIConnectionError, APITimeoutError
from meshapi_backends._networks.addresses import Address, interleaved
from meshapi_backends._networks.asyncio import NETWORK
from meshapi_core import SocketOptions
from support.addresses import Recorded, silent_address
from support.certificates import serving, trusting
from support.flavours import ASK, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import good, serve

SHORT = 0.05
"""A limit that is meant to pass."""

LARGE = bytes(range(256)) * 4096 * 8
"""8 MiB: more than the buffers of both ends hold."""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Resolving:
    """The real network, but with another resolver."""

    def __init__(self, world: World, *addresses: Address) -> None:
        self._world = world
        self._network = world.network
        self._addresses = list(addresses)
        self.tried: list[Address] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def resolve(self, host: str, port: int, timeout: Optional[float]) -> Any:
        return self._answer(self._addresses)

    def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        self.tried.append(address)
        return self._network.connect(address, timeout, sockets)

    def connect_first(self, dialing: Any, sockets: Any) -> Any:
        return self._network.connect_first(Recorded(dialing, self.tried), sockets)

    def _answer(self, value: Any) -> Any:
        if self._world.name == "sync":
            return value
        return _returning(value)


async def _returning(value: Any) -> Any:
    return value


def local(port: int) -> Address:
    return Address(socket.AF_INET, ("127.0.0.1", port))


def echo(peer: Peer) -> None:
    while True:
        data = peer.take()
        if not data:
            return
        peer.send(data)


async def read_all(stream: Any, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = await stream.read(5.0)
        assert data
        received += data
    return bytes(received)


# Connecting


@on_every_flavour
async def test_bytes_go_both_ways_and_the_end_is_empty(world):
    def script(peer):
        head = peer.receive_head()
        peer.send(head[::-1])

    with ScriptedServer(script) as server:
        stream = await world.open_stream(server.port)
        assert not stream.readable
        await stream.write(b"abc\r\n\r\n", 5.0)
        assert await read_all(stream, 3) == b"cba"
        assert await stream.read(5.0) == b""
        assert await stream.read(5.0) == b"", "and stays so"
        stream.abort()
        stream.abort()


@on_every_flavour
async def test_a_name_is_resolved(world):
    with ScriptedServer(echo) as server:
        stream = await world.open_stream(server.port, host="localhost")
        await stream.write(b"x", 5.0)
        assert await stream.read(5.0) == b"x"
        stream.abort()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@on_every_flavour
async def test_ipv6_is_spoken(world):
    with ScriptedServer(echo, host="::1") as server:
        stream = await world.open_stream(server.port, host="::1")
        await stream.write(b"x", 5.0)
        assert await stream.read(5.0) == b"x"
        stream.abort()


@on_every_flavour
async def test_an_address_that_refuses_costs_one_attempt(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        dead, alive = local(free_port()), local(server.port)
        network = Resolving(world, dead, alive)
        stream = await world.open_stream(server.port, network=network)
        assert network.tried == [dead, alive]
        stream.abort()


HASTY = SocketOptions(happy_eyeballs_delay=0.01)

needs_silence = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a full backlog refuses"
)


@needs_silence
@on_every_flavour
async def test_an_address_that_is_silent_costs_the_delay_and_no_time_limit(world):
    with silent_address() as silent, ScriptedServer(Peer.wait_until_left) as server:
        alive = local(server.port)
        network = Resolving(world, silent, alive)
        stream = await world.open_stream(1, network=network, timeout=None, sockets=HASTY)
        assert network.tried == [silent, alive]
        stream.abort()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@needs_silence
@on_every_flavour
async def test_where_one_family_is_silent_the_other_one_is_next(world):
    with ExitStack() as stack:
        silent, other = (stack.enter_context(silent_address("::1")) for _ in range(2))
        server = stack.enter_context(ScriptedServer(Peer.wait_until_left))
        alive = local(server.port)
        network = Resolving(world, silent, other, alive)
        stream = await world.open_stream(1, network=network, timeout=None, sockets=HASTY)
        assert network.tried == [silent, alive]
        stream.abort()


@needs_silence
@on_every_flavour
async def test_a_refusal_is_no_reason_to_give_a_silent_address_up(world):
    with silent_address() as silent:
        network = Resolving(world, silent, local(free_port()))
        with pytest.raises(TimeoutError):
            await world.open_stream(1, network=network, timeout=SHORT, sockets=HASTY)
        assert len(network.tried) == 2


@needs_silence
@on_every_flavour
async def test_without_a_delay_the_next_address_waits_for_the_previous_one(world):
    patient = SocketOptions(happy_eyeballs_delay=None)
    with silent_address() as silent, ScriptedServer(Peer.wait_until_left) as server:
        network = Resolving(world, silent, local(server.port))
        with pytest.raises(TimeoutError):
            await world.open_stream(1, network=network, timeout=SHORT, sockets=patient)
        assert network.tried == [silent]
        network = Resolving(world, local(free_port()), local(server.port))
        stream = await world.open_stream(1, network=network, sockets=patient)
        assert len(network.tried) == 2
        stream.abort()


@needs_silence
@on_every_flavour
async def test_closing_ends_attempts_that_are_under_way(world):
    with silent_address() as silent, silent_address() as other:
        network = Resolving(world, silent, other)
        async with world.client("http://gateway.test", sockets=HASTY, timeout=None) as client:
            target = getattr(client, "_target", client)
            pool = target._sockets
            pool._network = network if world.name == "sync" else lambda: network

            async def call():
                return await client.chat.completions.create(**ASK)

            async def close():
                await world.until(lambda: len(network.tried) == 2)
                await client.close()

            failure, _ = await world.together(call, close)
    assert isinstance(failure, APIConnectionError)
    assert failure.error_code == "client_closed"


@on_every_flavour
async def test_a_refusal_of_all_addresses_is_the_refusal_of_the_last(world):
    network = Resolving(world, local(free_port()), local(free_port()))
    with pytest.raises(ConnectionRefusedError):
        await world.open_stream(1, network=network)
    assert len(network.tried) == 2


@on_every_flavour
async def test_a_name_without_an_address_is_an_oserror(world):
    with pytest.raises(OSError, match="no address"):
        await world.open_stream(1, network=Resolving(world))


def test_the_families_of_the_addresses_alternate():
    four = [Address(socket.AF_INET, (f"192.0.2.{i}", 1)) for i in range(3)]
    six = Address(socket.AF_INET6, ("2001:db8::1", 1, 0, 0))
    assert interleaved([*four, six, four[0]]) == [four[0], six, *four[1:]]
    assert interleaved([]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog refuses")
@on_every_flavour
async def test_a_connection_that_is_not_accepted_times_out(world):
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for waiting in (first, second):
            waiting.setblocking(False)
            assert waiting.connect_ex(("127.0.0.1", port)) in (0, errno.EINPROGRESS)
        with pytest.raises(TimeoutError):
            await world.open_stream(port, timeout=SHORT)


# Reading and writing


@on_every_flavour
async def test_a_read_that_times_out_loses_nothing(world):
    go = threading.Event()

    def script(peer):
        peer.send(b"first")
        assert go.wait(10)
        peer.send(b"second")
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        stream = await world.open_stream(server.port)
        assert await read_all(stream, 5) == b"first"
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await stream.read(0.01)
        go.set()
        assert await read_all(stream, 6) == b"second"
        stream.abort()


@pytest.mark.slow
@on_every_flavour
async def test_every_read_has_its_own_limit_and_none_that_of_another(world):
    go = threading.Event()

    def script(peer):
        assert go.wait(10)
        threading.Event().wait(SHORT)
        peer.send(b"a")
        threading.Event().wait(10 * SHORT)
        peer.send(b"b")
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        stream = await world.open_stream(server.port)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await stream.read(SHORT)
        go.set()
        assert await stream.read(8 * SHORT) == b"a"
        # Past the time at which the previous read would have given up.
        assert await stream.read(60.0) == b"b"
        with pytest.raises(TimeoutError):
            await stream.read(SHORT)
        assert time.monotonic() - started < 30
        stream.abort()


def test_no_timer_of_asyncio_outlives_its_connection():
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        with ScriptedServer(lambda peer: (peer.send(b"a"), peer.wait_until_left())) as server:
            (address,) = await NETWORK.resolve("127.0.0.1", server.port, None)
            stream = await NETWORK.connect(address, 5.0)
            assert await stream.read(3600.0) == b"a"
            stream.abort()
            for _ in range(3):
                await asyncio.sleep(0)
            assert [timer for timer in loop._scheduled if not timer.cancelled()] == []

    asyncio.run(main())


@on_every_flavour
async def test_a_kept_connection_holds_nothing_of_the_task_that_opened_it(world):
    class Local:
        """A value in a caller's context variable, such as the request in a web server."""

    var: ContextVar[Optional[Local]] = ContextVar("var", default=None)
    clients: list[Any] = []

    async def call() -> None:
        var.set(found[0]())
        assert (await clients[0].chat.completions.create(**ASK)).id

    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            clients.append(client)
            local: Optional[Local] = Local()
            found = [weakref.ref(local)]
            await world.together(call)
            local = None
            await world.sleep(0)  # until here the loop itself holds what it woke us with
            gc.collect()
            assert found[0]() is None
            assert world.pool_state(client)


def test_a_reader_that_was_slow_leaves_nothing_with_its_connection():
    """Reading used to be resumed in the context of the task that read."""

    class Local:
        """A value in a caller's context variable."""

    var: ContextVar[Optional[Local]] = ContextVar("var", default=None)
    size = 4 * 1024 * 1024

    def send_much(peer: Peer) -> None:
        peer.send(bytes(size))
        peer.wait_until_left()

    async def main() -> None:
        with ScriptedServer(send_much) as server:
            (address,) = await NETWORK.resolve("127.0.0.1", server.port, None)
            stream = await NETWORK.connect(address, 5.0)

            async def read() -> "weakref.ref[Local]":
                local = Local()
                var.set(local)
                seen = 0
                while seen < size:
                    seen += len(await stream.read(5.0))
                    await asyncio.sleep(0.001)
                return weakref.ref(local)

            found = await asyncio.create_task(read())
            await asyncio.sleep(0)
            gc.collect()
            assert found() is None
            stream.abort()

    asyncio.run(main())


def test_an_error_of_asyncio_that_is_over_keeps_nobody_alive():
    class Local:
        """A value in a variable of a caller of `read`."""

    async def main() -> None:
        with ScriptedServer(lambda peer: peer.wait_until_left()) as server:
            (address,) = await NETWORK.resolve("127.0.0.1", server.port, None)
            stream = await NETWORK.connect(address, 5.0)

            async def read() -> "weakref.ref[Local]":
                local = Local()
                try:
                    await stream.read(0.01)
                except TimeoutError:
                    return weakref.ref(local)
                raise AssertionError

            found = await read()
            await asyncio.sleep(0)  # until here the loop itself holds what it woke us with
            gc.collect()
            assert found() is None
            stream.abort()

    asyncio.run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run there")
def test_limits_hold_on_uvloop():
    import uvloop

    async def main() -> None:
        with ScriptedServer(echo) as server:
            (address,) = await NETWORK.resolve("127.0.0.1", server.port, None)
            stream = await NETWORK.connect(address, 5.0)
            for _ in range(2):
                await stream.write(b"a", 5.0)
                assert await stream.read(60.0) == b"a"
                with pytest.raises(TimeoutError):
                    await stream.read(0.01)
            stream.abort()

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@on_every_flavour
async def test_readable_sees_bytes_the_end_and_a_reset(world):
    go = threading.Event()

    def bytes_first(peer):
        assert go.wait(10)
        peer.send(b"x")
        peer.wait_until_left()

    def reset(peer):
        assert go.wait(10)
        peer.reset()

    def end(peer):
        assert go.wait(10)

    with ScriptedServer(bytes_first, reset, end) as server:
        streams = [await world.open_stream(server.port) for _ in range(3)]
        assert not any(stream.readable for stream in streams)
        go.set()
        for stream in streams:
            await world.until(lambda stream=stream: stream.readable)
        assert await streams[0].read(5.0) == b"x"
        assert not streams[0].readable
        with pytest.raises(ConnectionResetError):
            await streams[1].read(5.0)
        assert await streams[2].read(5.0) == b""
        for stream in streams:
            stream.abort()
            assert stream.readable, "closed: whoever reads will see"


@on_every_flavour
async def test_abort_wakes_the_reader(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        stream = await world.open_stream(server.port)
        reading = threading.Event()

        async def read():
            reading.set()
            try:
                return await stream.read(None)
            except OSError:
                return b""

        async def abort():
            await world.until(reading.is_set)
            await world.sleep(0.01)
            stream.abort()

        assert await world.together(read, abort) == [b"", None]
        await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_hanging_up_tells_the_peer(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        stream = await world.open_stream(server.port)
        await world.until(lambda: server.connections == 1)
        stream.hang_up()
        await world.until(lambda: server.open_now == 0)
        stream.abort()


@on_every_flavour
async def test_what_is_larger_than_all_buffers_arrives_whole(world):
    with ScriptedServer(echo) as server:
        stream = await world.open_stream(server.port)
        received = []

        async def read():
            received.append(await read_all(stream, len(LARGE)))

        async def write():
            await stream.write(LARGE, 10.0)

        assert await world.together(read, write) == [None, None]
        assert received == [LARGE]
        stream.abort()


@on_every_flavour
async def test_a_reader_that_is_slow_slows_the_server_down(world):
    sent = []

    def script(peer):
        for start in range(0, 4 * len(LARGE), 65536):
            sent.append(start)
            peer.send(LARGE[:65536])

    with ScriptedServer(script) as server:
        stream = await world.open_stream(server.port)
        await world.until(lambda: stream.readable)
        # The server stops when nobody reads; wait until it has made no progress for a while.
        progress = -1
        while progress != len(sent):
            progress = len(sent)
            await world.sleep(0.05)
        assert progress * 65536 < 3 * len(LARGE)
        await read_all(stream, 4 * len(LARGE))
        stream.abort()


@on_every_flavour
async def test_a_write_that_nobody_takes_times_out(world):
    with ScriptedServer(Peer.wait_for_the_end, receive_buffer=4096) as server:
        stream = await world.open_stream(server.port)
        with pytest.raises(TimeoutError):
            for _ in range(8):
                await stream.write(LARGE, SHORT)
        stream.abort()


@on_every_flavour
async def test_writing_to_a_closed_connection_is_an_oserror(world):
    go = threading.Event()

    def script(peer):
        assert go.wait(10)  # a reset at once could overtake the connection itself
        peer.reset()

    with ScriptedServer(script) as server:
        stream = await world.open_stream(server.port)
        go.set()
        await world.until(lambda: stream.readable)
        with pytest.raises(OSError, match=r".") as caught:
            for _ in range(4):
                await stream.write(b"x" * 65536, 5.0)
        assert not isinstance(caught.value, TimeoutError)
        stream.abort()
        with pytest.raises(OSError, match=r"."):
            await stream.write(b"x", 5.0)


# Shared: a reader beside a writer


async def open_shared(world: World, port: int, *, tls: bool = False) -> tuple[Any, Any]:
    """A stream for a reader beside a writer, and its TLS state or None."""
    stream = await world.open_stream(port, context=trusting() if tls else None)
    shared, state = getattr(stream, "_target", stream).shared()
    return world.dress(shared), state


async def write_all(stream: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        sent = await stream.write_some(bytes(view[:65536]), 5.0)
        assert 0 < sent <= 65536
        view = view[sent:]


@on_every_flavour
async def test_shared_one_reads_while_another_writes(world):
    with ScriptedServer(echo) as server:
        stream, tls = await open_shared(world, server.port)
        assert tls is None
        assert stream.writable
        assert not stream.readable
        received = []

        async def read():
            received.append(await read_all(stream, len(LARGE)))

        async def write():
            await write_all(stream, LARGE)

        assert await world.together(read, write) == [None, None]
        assert received == [LARGE]
        stream.abort()
        stream.abort()


@on_every_flavour
async def test_shared_a_limit_of_the_reader_is_not_one_of_the_writer(world):
    stop = threading.Event()

    def script(peer):
        assert stop.wait(10)
        peer.wait_until_left()

    with ScriptedServer(script, receive_buffer=4096) as server:
        stream, _ = await open_shared(world, server.port)

        async def read():
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    await stream.read(0.01)
            assert await stream.read_ready() is None
            stop.set()

        async def write():
            await write_all(stream, LARGE)

        assert await world.together(read, write) == [None, None]
        stream.abort()


def taking(go: threading.Event, received: bytearray) -> Any:
    """A script that reads nothing until it is told to, then everything."""

    def script(peer: Peer) -> None:
        assert go.wait(10)
        while True:
            data = peer.take()
            if not data:
                return
            received.extend(data)

    return script


@on_every_flavour
async def test_shared_a_write_that_nobody_takes_times_out_and_sends_nothing(world):
    go, received = threading.Event(), bytearray()
    with ScriptedServer(taking(go, received), receive_buffer=4096) as server:
        stream, _ = await open_shared(world, server.port)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += await stream.write_some(b"a" * 65536, SHORT)
        go.set()
        assert await stream.write_some(b"c", 5.0) == 1
        await world.until(lambda: len(received) == sent + 1)
        stream.abort()
    assert received == b"a" * sent + b"c"


@on_every_flavour
async def test_shared_what_can_be_sent_at_once_is_sent_and_nothing_waits(world):
    go, received = threading.Event(), bytearray()
    with ScriptedServer(taking(go, received), receive_buffer=4096) as server:
        stream, _ = await open_shared(world, server.port)
        shared, total = getattr(stream, "_target", stream), 0
        while total < len(LARGE):
            sent = shared.send_now(bytes([total % 251]) * 65536)
            assert 0 <= sent <= 65536
            if not sent:
                break
            total += sent
        # On trio every send is a checkpoint.
        assert (total > 0) == (world.name != "trio")
        assert total < len(LARGE)
        go.set()
        assert await stream.write_some(b"c", 5.0) == 1
        await world.until(lambda: len(received) == total + 1)
        stream.abort()
        if world.name != "trio":
            with pytest.raises(OSError, match=r"."):
                shared.send_now(b"late")


@on_every_flavour
async def test_shared_abort_wakes_the_reader_and_the_writer(world):
    with ScriptedServer(Peer.wait_for_the_end, receive_buffer=4096) as server:
        stream, _ = await open_shared(world, server.port)

        async def read():
            return await stream.read(None)

        async def write():
            while True:
                await stream.write_some(b"a" * 65536, None)

        async def abort():
            await world.until(lambda: not stream.writable)
            await world.sleep(0.01)
            stream.abort()

        data, failure, _ = await world.together(read, write, abort)
        assert data == b"" or isinstance(data, OSError)
        assert isinstance(failure, OSError)
        assert not isinstance(failure, TimeoutError)
        assert stream.readable
        with pytest.raises(OSError, match=r"."):
            await stream.write_some(b"x", 5.0)


@on_every_flavour
async def test_shared_the_end_and_a_reset_are_seen(world):
    connected = threading.Event()

    def script(peer):
        peer.send(b"bye")
        if peer.number:
            assert connected.wait(10)  # a reset at once could overtake the connection itself
            peer.reset()

    with ScriptedServer(script) as server:
        for reset in (False, True):
            stream, _ = await open_shared(world, server.port)
            await world.until(lambda stream=stream: stream.readable)
            assert await stream.read(5.0) == b"bye"
            if reset:
                connected.set()
            await world.until(lambda stream=stream: stream.readable)
            if reset:
                with pytest.raises(ConnectionResetError):
                    await stream.read(5.0)
            else:
                assert await stream.read_ready() == b""
            stream.abort()


@on_every_flavour
async def test_shared_tls_is_the_stream_below_and_what_encrypts_for_it(world):
    with ScriptedServer(echo, tls=serving()) as server:
        stream, tls = await open_shared(world, server.port, tls=True)
        assert not tls.write(memoryview(b"abc"))
        secret = tls.data_to_send()
        assert b"abc" not in secret
        assert tls.data_to_send() == b"", "it is given once"
        await write_all(stream, secret)
        while not (data := tls.read()):
            assert data is None
            tls.receive_data(await stream.read(5.0))
        assert data == b"abc"
        tls.receive_data(b"")
        assert tls.read() == b"", "a cut connection is an end"
        stream.abort()


# TLS: the stream


@on_every_flavour
async def test_tls_brings_bytes_both_ways(world):
    with ScriptedServer(echo, tls=serving()) as server:
        stream = await world.open_stream(server.port, context=trusting())
        await stream.write(b"abc", 5.0)
        assert await read_all(stream, 3) == b"abc"
        assert not stream.readable
        for size in (1, 16 * 1024, 16 * 1024 + 1, 100_000):
            await stream.write(LARGE[:size], 5.0)
            assert await read_all(stream, size) == LARGE[:size]
        stream.abort()


@on_every_flavour
async def test_tls_brings_what_is_larger_than_all_buffers(world):
    def script(peer):
        received = 0
        while received < len(LARGE):
            received += len(peer.take())
        peer.send(LARGE)

    with ScriptedServer(script, tls=serving()) as server:
        stream = await world.open_stream(server.port, context=trusting())
        await stream.write(LARGE, 10.0)
        assert await read_all(stream, len(LARGE)) == LARGE
        stream.abort()


@on_every_flavour
async def test_tls_loses_nothing_when_a_read_times_out(world):
    go = threading.Event()

    def script(peer):
        peer.send(b"first")
        assert go.wait(10)
        peer.send(b"second")
        peer.wait_until_left()

    with ScriptedServer(script, tls=serving()) as server:
        stream = await world.open_stream(server.port, context=trusting())
        assert await read_all(stream, 5) == b"first"
        with pytest.raises(TimeoutError):
            await stream.read(SHORT)
        go.set()
        assert await read_all(stream, 6) == b"second"
        stream.abort()


@pytest.mark.parametrize("polite", [True, False])
@on_every_flavour
async def test_tls_ends_with_a_goodbye_and_without(world, polite):
    def script(peer):
        peer.send(b"x")
        if polite:
            peer.say_goodbye()
            peer.wait_until_left()

    with ScriptedServer(script, tls=serving()) as server:
        stream = await world.open_stream(server.port, context=trusting())
        assert await stream.read(5.0) == b"x"
        await world.until(lambda: stream.readable)
        assert not stream.cut
        assert await stream.read(5.0) == b""
        assert stream.cut is not polite
        stream.abort()


# TLS: who the server is


async def error_of(world: World, url: str, **options: Any) -> APIConnectionError:
    async with world.client(url, **options) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(model="m", messages=[{"role": "user"}])
        pool_state = world.pool_state(client)
        assert (pool_state.slots, pool_state.waiting) == (0, 0)
    return caught.value


@on_every_flavour
async def test_a_trusted_certificate_is_accepted(world):
    with ScriptedServer(serve, tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            for _ in range(2):
                await client.chat.completions.create(model="m", messages=[{"role": "user"}])
            chunks = [
                chunk
                async for chunk in client.chat.completions.stream(
                    model="m", messages=[{"role": "user"}]
                )
            ]
        assert [chunk.choices[0].delta.content for chunk in chunks] == ["po", "ng", None]
        assert server.connections == 1, "a session ticket is no reason to give a connection up"


@pytest.mark.parametrize(
    ("name", "expired", "trusted", "reason"),
    [
        ("127.0.0.1", False, False, "unable to get local issuer|self.signed"),
        ("gateway.test", False, True, "IP address mismatch"),
        ("127.0.0.1", True, True, "expired"),
    ],
    ids=["untrusted", "wrong host", "expired"],
)
@on_every_flavour
async def test_a_wrong_identity_is_refused_and_not_tried_again(
    world, name, expired, trusted, reason
):
    with ScriptedServer(serve, tls=serving(name, expired=expired)) as server:
        options = {"tls": trusting()} if trusted else {}
        error = await error_of(world, server.url, **options)
        assert error.error_code == "tls_verify"
        assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
        assert re.search(reason, str(error)), "the message tells why"
        await world.until(lambda: server.open_now == 0)
        assert server.connections == 1
        assert server.requests == [], "nobody has seen the token"


@on_every_flavour
async def test_a_handshake_that_stalls_times_out_and_is_closed(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        url = server.url.replace("http:", "https:")
        error = await error_of(world, url, timeout=SHORT, tls=trusting(), retry=None, max_retries=0)
        assert isinstance(error, APITimeoutError)
        assert error.error_code == "connect_timeout"
        await world.until(lambda: server.open_now == 0)


def in_clear(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.wait_until_left()


@pytest.mark.parametrize("script", [in_clear, lambda peer: None], ids=["plain HTTP", "end"])
@on_every_flavour
async def test_a_peer_that_speaks_no_tls_is_a_failed_handshake(world, script):
    with ScriptedServer(script) as server:
        url = server.url.replace("http:", "https:")
        error = await error_of(world, url, tls=trusting())
        assert error.error_code in ("tls_handshake", "reset")
        assert type(error) is APIConnectionError
        await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_tls_1_1_is_not_spoken(world):
    old = serving()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with ScriptedServer(serve, tls=old) as server:
        error = await error_of(world, server.url, tls=trusting())
        assert error.error_code == "tls_handshake"


@on_every_flavour
async def test_a_kept_connection_that_said_goodbye_is_not_used_again(world):
    def once(peer):
        peer.receive()
        peer.send(good())
        peer.say_goodbye()
        peer.wait_until_left()

    with ScriptedServer(once, tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            for n in (1, 2):
                await client.chat.completions.create(model="m", messages=[{"role": "user"}])
                assert server.connections == n
                state = world.pool_state(client)
                (idle,) = state._idle
                await world.until(lambda idle=idle: idle.stream.readable)
