"""`SocketOptions` on real sockets: Unix sockets, the local end, keep-alive, and what is refused."""

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshapi
import meshapi_core
from meshapi import APIConnectionError, APITimeoutError, InvalidParamsError, Proxy, SocketOptions
from meshapi_backends import TransportError
from meshapi_backends._networks.addresses import Address
from support.certificates import serving, trusting
from support.flavours import ASK, on_every_flavour
from support.realtime_server import CLOSE, close_frame, upgraded
from support.reporters import seen
from support.scripted_server import Peer, ScriptedServer
from support.wire import serve

needs_unix = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets"
)


@pytest.fixture
def path() -> Iterator[str]:
    """The path of a Unix socket: short, as the system allows 108 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, "s")


async def error_of(client: Any) -> APIConnectionError:
    async with client:
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**ASK)
    return caught.value


# Unix sockets


@needs_unix
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_flavour
async def test_every_request_goes_to_the_unix_socket(world, path, tls):
    server = ScriptedServer(serve, uds=path, tls=serving("gateway.test") if tls else None)
    url = "https://gateway.test" if tls else "http://gateway.test"
    options = {"sockets": SocketOptions(uds=path), "tls": trusting() if tls else None}
    with server:
        async with world.client(url, **options) as client:
            assert (await client.chat.completions.create(**ASK)).id
            chunks = [chunk async for chunk in client.chat.completions.stream(**ASK)]
        assert [chunk.choices[0].delta.content for chunk in chunks] == ["po", "ng", None]
        assert server.connections == 1, "it is kept"
        assert server.requests[0].headers["host"] == "gateway.test"


@needs_unix
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_flavour
async def test_a_realtime_session_goes_to_the_unix_socket(world, path, tls):
    def script(peer: Any) -> None:
        peer.event("session.created", session={"id": "s"})
        assert peer.receive_event()["type"] == "ask"
        peer.event("done")
        peer.receive_until(CLOSE)
        peer.peer.send(close_frame())

    url = "https://gateway.test" if tls else "http://gateway.test"
    options = {"sockets": SocketOptions(uds=path), "tls": trusting() if tls else None}
    context = serving("gateway.test") if tls else None
    with ScriptedServer(upgraded(script), uds=path, tls=context):
        client = world.client(url, **options)
        async with client, client.realtime.connect(model="m") as session:
            assert (await session.receive(5)).type == "session.created"
            await session.send({"type": "ask"})
            assert (await session.receive(5)).type == "done"


@needs_unix
@on_every_flavour
async def test_no_proxy_stands_before_a_unix_socket(world, path, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "MESHAPI_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ScriptedServer(serve, uds=path) as server:
        for options in ({}, {"proxy": None}):
            sockets = SocketOptions(uds=path)
            async with world.client("http://gateway.test", sockets=sockets, **options) as client:
                await client.chat.completions.create(**ASK)
    lines = [request.line for request in server.requests]
    assert lines == [b"POST /v1/chat/completions HTTP/1.1"] * 2


@needs_unix
@on_every_flavour
async def test_a_proxy_beside_a_unix_socket_is_refused(world, path):
    proxy = "http://u:pr0xy-passw0rd-canary@127.0.0.1:9"
    for each in (proxy, Proxy.of(proxy)):
        with pytest.raises(InvalidParamsError) as caught:
            world.client("http://gateway.test", sockets=SocketOptions(uds=path), proxy=each)
        assert str(caught.value).startswith("proxy: given together with sockets.uds")
        assert "canary" not in seen(caught.value)


@needs_unix
@on_every_flavour
async def test_a_missing_unix_socket_is_named(world, path):
    error = await error_of(world.client("http://x.test", sockets=SocketOptions(uds=path)))
    assert error.error_code == "connect_failed"
    assert f"sockets.uds={path!r}: there is no such file" in str(error)
    assert isinstance(error.__cause__, FileNotFoundError)


@needs_unix
@on_every_flavour
async def test_a_unix_socket_that_nobody_listens_on_is_named(world, path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    error = await error_of(world.client("http://x.test", sockets=SocketOptions(uds=path)))
    assert error.error_code == "connect_refused"
    assert f"sockets.uds={path!r}: connection refused" in str(error)


@needs_unix
@on_every_flavour
async def test_a_path_that_is_too_long_is_named(world, path):
    long = path + "x" * 200
    error = await error_of(world.client("http://x.test", sockets=SocketOptions(uds=long)))
    assert f"sockets.uds={long!r}: AF_UNIX path too long" in str(error)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
@on_every_flavour
async def test_a_unix_socket_whose_queue_is_full_is_waited_for(world, path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        options = SocketOptions(uds=path)
        with pytest.raises(TimeoutError):
            await world.open_stream(1, sockets=options, timeout=0.05)

        async def make_room():
            await world.sleep(0.03)
            listener.accept()[0].close()

        async def connect():
            return await world.open_stream(1, sockets=options)

        stream, _ = await world.together(connect, make_room)
        stream.abort()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
@on_every_flavour
async def test_closing_ends_the_wait_for_a_full_queue(world, path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        options = {"sockets": SocketOptions(uds=path), "timeout": None}
        async with world.client("http://gateway.test", **options) as client:

            async def call():
                return await client.chat.completions.create(**ASK)

            async def close():
                await world.sleep(0.03)
                await client.close()

            failure, _ = await world.together(call, close)
    assert isinstance(failure, APIConnectionError)
    assert failure.error_code == "client_closed"


@on_every_flavour
async def test_a_system_without_unix_sockets_says_so(world, path, monkeypatch):
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    error = await error_of(world.client("http://x.test", sockets=SocketOptions(uds=path)))
    assert "this system has no Unix sockets" in str(error)


# The local end


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere lo has one address")
@on_every_flavour
async def test_connections_come_from_the_local_address_and_port(world):
    port = free_port()
    sockets = SocketOptions(local_address="127.0.0.2", local_port=port)
    with ScriptedServer(serve) as server:
        async with world.client(server.url, sockets=sockets) as client:
            await client.chat.completions.create(**ASK)
        assert server.sources == [("127.0.0.2", port)]


@on_every_flavour
async def test_a_local_address_that_this_machine_lacks_is_named(world):
    sockets = SocketOptions(local_address="192.0.2.1")
    with ScriptedServer(serve) as server:
        error = await error_of(world.client(server.url, sockets=sockets))
        assert server.connections == 0
    assert error.error_code == "connect_failed"
    assert "cannot connect from sockets.local_address='192.0.2.1': " in str(error)
    assert isinstance(error.__cause__, OSError)
    assert error.__cause__.errno == errno.EADDRNOTAVAIL


@on_every_flavour
async def test_a_local_port_that_is_in_use_is_named(world):
    with socket.socket() as other, ScriptedServer(serve) as server:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sockets = SocketOptions(local_port=port)
        error = await error_of(world.client(server.url, sockets=sockets))
    assert f"cannot connect from sockets.local_port={port}: " in str(error)


@on_every_flavour
async def test_a_local_port_with_a_second_connection_to_the_server_is_named(world):
    with ScriptedServer(lambda peer: peer.wait_until_left()) as server, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 0))
        other.connect(("127.0.0.1", server.port))
        port = other.getsockname()[1]
        sockets = SocketOptions(local_port=port)
        error = await error_of(world.client(server.url, sockets=sockets, max_retries=0))
    assert error.error_code == "connect_failed"
    assert f"cannot connect from sockets.local_port={port}: " in str(error)
    assert "another connection has this port" in str(error)


@on_every_flavour
async def test_a_host_without_an_address_of_the_local_family_is_named(world):
    sockets = SocketOptions(local_address="::1")
    with ScriptedServer(serve) as server:
        error = await error_of(world.client(server.url, sockets=sockets))
    assert "from sockets.local_address='::1': the host has no IPv6 address" in str(error)


@on_every_flavour
async def test_only_addresses_of_the_local_family_are_tried(world, monkeypatch):
    with ScriptedServer(serve) as server:

        class Both:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.network, name)

            def resolve(self, host: str, port: int, timeout: Any) -> Any:
                found = [
                    Address(socket.AF_INET6, ("::1", 1, 0, 0)),
                    Address(socket.AF_INET, ("127.0.0.1", server.port)),
                ]
                return found if world.name == "sync" else _returning(found)

        sockets = SocketOptions(local_address="127.0.0.1")
        stream = await world.open_stream(1, network=Both(), sockets=sockets)
        stream.abort()


async def _returning(value: Any) -> Any:
    return value


@on_every_flavour
async def test_a_socket_that_cannot_be_bound_ends_all_attempts(world):
    class Two:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.network, name)

        def resolve(self, host: str, port: int, timeout: Any) -> Any:
            found = [Address(socket.AF_INET, ("127.0.0.1", number)) for number in (1, 2)]
            return found if world.name == "sync" else _returning(found)

    sockets = SocketOptions(local_address="192.0.2.1")
    with pytest.raises(TransportError, match="local_address"):
        await world.open_stream(1, network=Two(), sockets=sockets)


# Options of TCP


async def options_of(world: Any, sockets: SocketOptions) -> "dict[str, int]":
    with ScriptedServer(Peer.wait_until_left) as server:
        stream = await world.open_stream(server.port, sockets=sockets)
        sock = stream._sock
        found = {"KEEPALIVE": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}
        for name in ("NODELAY", "KEEPIDLE", "KEEPINTVL", "KEEPCNT"):
            if hasattr(socket, f"TCP_{name}"):
                found[name] = sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"))
        stream.abort()
        await world.sleep(0)
    return found


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no such option")
@on_every_flavour
async def test_keep_alive_and_no_delay_are_set_as_told(world):
    default = await options_of(world, SocketOptions())
    assert default["KEEPALIVE"]
    assert default["NODELAY"]
    assert (default["KEEPIDLE"], default["KEEPINTVL"]) == (60, 15)
    told = SocketOptions(keep_alive=7, keep_alive_interval=3, keep_alive_count=4)
    found = await options_of(world, told)
    assert (found["KEEPIDLE"], found["KEEPINTVL"], found["KEEPCNT"]) == (7, 3, 4)
    off = await options_of(world, SocketOptions(keep_alive=None, no_delay=False))
    assert (off["KEEPALIVE"], off["NODELAY"]) == (0, 0)


# The values


def test_it_is_exported():
    assert meshapi.SocketOptions is meshapi_core.SocketOptions is SocketOptions


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"uds": ""}, "sockets.uds: expected the path of a Unix socket, got ''"),
        ({"uds": b"/s"}, "write os.fsdecode(x)"),
        ({"uds": "unix:/s"}, "write the path alone"),
        ({"uds": "/s", "local_port": 9}, "sockets.local_port: expected None beside uds, got 9"),
        ({"uds": "/s", "local_address": "::1"}, "leave out uds or local_address"),
        ({"local_address": "localhost"}, "expected an IP address of this machine"),
        ({"local_address": ("127.0.0.1", 9)}, "write local_address=... and local_port=..."),
        ({"local_port": 0}, "expected an int from 1 to 65535, or None, got 0; write None"),
        ({"local_port": True}, "sockets.local_port: expected an int from 1 to 65535, or None"),
        ({"local_port": "80"}, "sockets.local_port: expected an int"),
        ({"keep_alive": False}, "write None for no probes"),
        ({"keep_alive": 32768}, "expected an int from 1 to 32767, or None, got 32768"),
        ({"keep_alive_interval": None}, "expected an int from 1 to 32767, got None"),
        ({"keep_alive_count": 128}, "expected an int from 1 to 127, or None"),
        ({"no_delay": 1}, "sockets.no_delay: expected True or False, got 1"),
        ({"happy_eyeballs_delay": 250}, "write seconds, not milliseconds"),
        ({"happy_eyeballs_delay": 0}, "expected 0.01 to 2 seconds, or None, got 0"),
        ({"happy_eyeballs_delay": float("nan")}, "got nan"),
        ({"keepalive": 5}, "no such field in SocketOptions"),
    ],
)
def test_a_wrong_field_is_named(fields, said):
    with pytest.raises(InvalidParamsError) as caught:
        SocketOptions(**fields)
    assert said in str(caught.value)


@given(
    st.sampled_from(SocketOptions.__struct_fields__),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
)
def test_a_field_is_kept_or_refused_by_name(name, value):
    try:
        options = SocketOptions(**{name: value})
    except InvalidParamsError as exc:
        assert exc.field == f"sockets.{name}"
    else:
        assert getattr(options, name) == value
        assert hash(options) == hash(SocketOptions(**{name: value}))


@given(st.floats(0.01, 2), st.integers(1, 50), st.one_of(st.none(), st.floats(0.001, 100)))
def test_the_delay_lets_every_address_have_its_turn(delay, addresses, left):
    got = SocketOptions(happy_eyeballs_delay=delay).delay(addresses, left)
    assert got is not None
    assert 0.01 <= got <= delay
    assert left is None or got == 0.01 or got * addresses <= left * 1.001
    assert SocketOptions(happy_eyeballs_delay=None).delay(addresses, left) is None


@pytest.mark.parametrize("path", ["\0abstract", "/tmp/\ud800"])
def test_a_path_that_the_system_cannot_take_is_refused(path):
    with pytest.raises(InvalidParamsError, match="the path of a Unix socket"):
        SocketOptions(uds=path)


def test_a_path_may_be_path_like(tmp_path):
    assert SocketOptions(uds=tmp_path / "s").uds == str(tmp_path / "s")


@on_every_flavour
async def test_a_client_takes_nothing_else(world):
    with pytest.raises(TypeError, match="sockets: expected SocketOptions, got dict"):
        world.client("http://x.test", sockets={"uds": "/s"})


@on_every_flavour
async def test_a_full_queue_is_within_the_time_limit_of_a_call(world, path):
    if sys.platform != "linux":
        pytest.skip("elsewhere a full queue refuses")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        client = world.client(
            "http://x.test", sockets=SocketOptions(uds=path), timeout=0.05
        ).with_options(max_retries=0)
        error = await error_of(client)
    assert isinstance(error, APITimeoutError)
    assert error.phase == "connect"
