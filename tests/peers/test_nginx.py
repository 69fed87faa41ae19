"""nginx between the client and the gateway, set up as people set it up."""

import signal
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from peers import calls
from peers.calls import InSteps
from peers.nginx import Nginx
from peers.options import trusting_authority
from peers.programs import free_ports, until

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    ContentTooLargeError,
    InternalServerError,
    MeshAPIError,
    RedirectError,
    RetryPolicy,
    SocketOptions,
    StreamInterruptedError,
)
from meshapi.testing import LocalGateway
from support.certificates import authority, trusting
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import chunk, chunked, frame, serve, stream_head

pytestmark = pytest.mark.slow

NO_RETRIES: "dict[str, Any]" = {"retry": RetryPolicy(max_retries=0)}
GZIP = """
gzip on;
gzip_types application/json text/event-stream;
gzip_min_length 1;
"""
GZIP_PLEASE = {"accept-encoding": "gzip"}


def port_of(server: Any) -> int:
    return int(server.url.rpartition(":")[2])


async def text_of(client: Any) -> str:
    text: str = (await client.chat.completions.create(**ASK)).choices[0].message.content
    return text


async def error_of(client: Any) -> MeshAPIError:
    with pytest.raises(MeshAPIError) as caught:
        await text_of(client)
    assert TOKEN not in str(caught.value)
    return caught.value


# Streams


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@on_every_flavour
async def test_a_stream_arrives_chunk_by_chunk(world: World, tls: bool, compressed: bool) -> None:
    steps = InSteps()
    with ScriptedServer(steps) as server, Nginx(server.port, tls=tls, server=GZIP) as nginx:
        options = trusting_authority() if tls else {}
        async with world.client(nginx.url, **options) as client:
            if compressed:
                client = client.with_options(extra_headers=GZIP_PLEASE)
            await steps.read(client)
        until(nginx.requests)
        assert nginx.requests()[0].encoding == ("gzip" if compressed else "-")


@pytest.mark.parametrize(
    "location",
    ["proxy_buffering on;", "chunked_transfer_encoding off; proxy_buffering off;"],
    ids=["buffered", "without-chunked-coding"],
)
@on_every_flavour
async def test_a_stream_is_complete(world: World, gateway: LocalGateway, location: str) -> None:
    with Nginx(port_of(gateway), location=location) as nginx:
        async with world.client(nginx.url) as client:
            await calls.stream(client)
            await calls.stream(client)


@on_every_flavour
async def test_a_stream_that_nginx_gives_up_is_interrupted(world: World) -> None:
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head(), chunked(frame(chunk("half")), end=False))
        peer.wait_until_left()

    give_up = "proxy_buffering off; proxy_read_timeout 1s;"
    with ScriptedServer(script) as server, Nginx(server.port, location=give_up) as nginx:
        async with world.client(nginx.url) as client:
            with pytest.raises(StreamInterruptedError):
                async with client.chat.completions.stream(**ASK) as chunks:
                    async for _ in chunks:
                        pass


# Compression


@on_every_flavour
async def test_a_response_is_compressed_if_asked_for(world: World, gateway: LocalGateway) -> None:
    with Nginx(port_of(gateway), server=GZIP) as nginx:
        async with world.client(nginx.url) as client:
            compressed = client.with_options(extra_headers=GZIP_PLEASE)
            for one in (client, compressed):
                await calls.chat(one)
                await calls.stream(one)
        until(lambda: len(nginx.requests()) == 4)
        assert [one.encoding for one in nginx.requests()] == ["-", "-", "gzip", "gzip"]


# Kept connections


@on_every_flavour
async def test_nginx_closes_a_connection_after_some_requests(
    world: World, gateway: LocalGateway
) -> None:
    with Nginx(port_of(gateway), server="keepalive_requests 3;") as nginx:
        async with world.client(nginx.url, **NO_RETRIES) as client:
            for _ in range(4):
                await calls.chat(client)
                await calls.stream(client)
            outcomes = await world.together(*[lambda: calls.chat(client)] * 8)
        assert outcomes == [None] * 8
        until(lambda: len(nginx.requests()) == 16)
        assert [one.number for one in nginx.requests()[:8]] == list("12312312")
        assert {one.status for one in nginx.requests()} == {"200"}


@on_every_flavour
async def test_nginx_closes_connections_that_are_idle(world: World, gateway: LocalGateway) -> None:
    """Also at the very moment when the next request is sent."""
    with Nginx(port_of(gateway), server="keepalive_timeout 50ms;") as nginx:
        async with world.client(nginx.url) as client:
            for number in range(20):
                await calls.chat(client)
                await world.sleep(0.045 + number / 2000)
        connections = {one.connection for one in nginx.requests()}
        assert len(connections) > 1


@on_every_flavour
async def test_no_caller_notices_that_connections_are_closed(
    world: World, gateway: LocalGateway
) -> None:
    """After some requests while others are under way, and all at once when they were idle."""

    def caller(number: int) -> Callable[[], Any]:
        async def call() -> None:
            for turn in range(number, number + 13):
                await (calls.stream if turn % 4 == 0 else text_of)(client)

        return call

    limits = "keepalive_requests 7; keepalive_timeout 500ms;"
    with Nginx(port_of(gateway), server=limits) as nginx:
        async with world.client(nginx.url, timeout=30.0) as client:
            for _ in range(2):
                outcomes = await world.together(*map(caller, range(8)))
                assert outcomes == [None] * 8
                await world.sleep(0.7)
        until(lambda: len(nginx.requests()) >= 208)
        served = nginx.requests()
        assert {one.status for one in served} == {"200"}
        assert max(int(one.number) for one in served) == 7
        assert len({one.connection for one in served}) >= 208 // 7


@on_every_flavour
async def test_calls_go_on_while_nginx_reloads(world: World, gateway: LocalGateway) -> None:
    """The old process closes the kept connections, while requests are on their way to it."""
    made = [0, 0, 0]
    done = threading.Event()

    def caller(number: int, client: Any) -> Any:
        async def call() -> None:
            while not done.is_set():
                await text_of(client)
                async with client.chat.completions.stream(**ASK) as chunks:
                    assert [one async for one in chunks]
                made[number] += 1

        return call

    async def every_caller_has_a_connection() -> None:
        # nginx resets a new connection whose request has not arrived yet, and nobody could know
        # that this POST may be sent again.
        before = list(made)
        await world.until(lambda: all(now > then + 1 for now, then in zip(made, before)))

    with Nginx(port_of(gateway)) as nginx:

        async def reload() -> None:
            try:
                for _ in range(3):
                    await every_caller_has_a_connection()
                    before = reloads(nginx)
                    nginx.signal(signal.SIGHUP)
                    await world.until(lambda before=before: reloads(nginx) > before)
                await every_caller_has_a_connection()
            finally:
                done.set()

        async with world.client(nginx.url) as client:
            callers = [caller(number, client) for number in range(len(made))]
            outcomes = await world.together(*callers, reload)
        assert outcomes == [None] * 4


def reloads(nginx: Nginx) -> int:
    """How often a process of nginx has begun to stop."""
    return nginx.log("error.log").count("gracefully shutting down")


@on_every_flavour
async def test_a_stream_goes_on_while_nginx_reloads(world: World) -> None:
    steps = InSteps()
    with ScriptedServer(steps, serve) as server, Nginx(server.port) as nginx:

        def reload() -> None:
            before = reloads(nginx)
            nginx.signal(signal.SIGHUP)
            until(lambda: reloads(nginx) > before)

        async with world.client(nginx.url, **NO_RETRIES) as client:
            await steps.read(client, reload)
            assert await text_of(client) == "pong"


# Errors


@on_every_flavour
async def test_a_gateway_that_broke_off_is_asked_again(world: World) -> None:
    def leave(peer: Peer) -> None:
        peer.receive()

    with ScriptedServer(leave, leave, serve) as server, Nginx(server.port) as nginx:
        async with world.client(nginx.url) as client:
            assert await text_of(client) == "pong"
        until(lambda: len(nginx.requests()) == 3)
        assert [one.status for one in nginx.requests()] == ["502", "502", "200"]
        # nginx keeps a connection after its own error, and so does the client.
        assert len({one.connection for one in nginx.requests()}) == 1


@on_every_flavour
async def test_a_gateway_that_is_gone_is_an_error_in_the_end(world: World) -> None:
    with Nginx(free_ports(1)[0]) as nginx:
        async with world.client(nginx.url) as client:
            error = await error_of(client)
            with pytest.raises(InternalServerError):
                await calls.stream(client)
            with pytest.raises(InternalServerError):
                await calls.realtime(client)
        assert isinstance(error, InternalServerError)
        assert error.status == 502
        assert "<html" not in str(error)


@on_every_flavour
async def test_a_gateway_that_is_slow_is_asked_again(world: World) -> None:
    def stall(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    impatient = "proxy_read_timeout 1s;"
    with (
        ScriptedServer(stall, serve) as server,
        Nginx(server.port, location=impatient) as nginx,
    ):
        async with world.client(nginx.url) as client:
            assert await text_of(client) == "pong"
        until(lambda: len(nginx.requests()) == 2)
        assert [one.status for one in nginx.requests()] == ["504", "200"]


@pytest.mark.parametrize("kind", ["bytes", "pieces"])
@on_every_flavour
async def test_an_upload_that_is_too_large(world: World, gateway: LocalGateway, kind: str) -> None:
    """nginx responds before it has read the body, and then it closes the connection."""
    content = calls.AUDIO * 8
    pieces = [content[start : start + 65536] for start in range(0, len(content), 65536)]
    with Nginx(port_of(gateway), server="client_max_body_size 16k;") as nginx:
        async with world.client(nginx.url) as client:
            with pytest.raises(ContentTooLargeError) as caught:
                await client.audio.transcribe(
                    content if kind == "bytes" else pieces, model="openai/whisper-1"
                )
            # The connection may be gone; the client is as good as before.
            await calls.chat(client)
        assert caught.value.status == 413
        assert "<html" not in str(caught.value)


@on_every_flavour
async def test_a_redirect_to_tls_is_not_followed(world: World, gateway: LocalGateway) -> None:
    redirect = "return 301 https://127.0.0.1:9$request_uri;"
    with Nginx(port_of(gateway), server=redirect) as nginx:
        async with world.client(nginx.url) as client:
            error = await error_of(client)
    assert isinstance(error, RedirectError)
    assert "https://127.0.0.1:9" in str(error)


# TLS


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@on_every_flavour
async def test_every_version_of_tls(world: World, gateway: LocalGateway, version: str) -> None:
    with Nginx(port_of(gateway), tls=True, server=f"ssl_protocols {version};") as nginx:
        async with world.client(nginx.url, **trusting_authority()) as client:
            for call in calls.ALL:
                await call(client)


@on_every_flavour
async def test_http_and_https_by_mistake(world: World, gateway: LocalGateway) -> None:
    with Nginx(port_of(gateway), tls=True) as nginx:
        async with world.client(nginx.url.replace("https:", "http:")) as client:
            error = await error_of(client)
    assert isinstance(error, BadRequestError)
    with Nginx(port_of(gateway)) as nginx:
        async with world.client(nginx.url.replace("http:", "https:")) as client:
            assert type(await error_of(client)) is APIConnectionError


@on_every_flavour
async def test_a_certificate_of_nobody_we_know(world: World, gateway: LocalGateway) -> None:
    with Nginx(port_of(gateway), tls=True) as nginx:
        async with world.client(nginx.url) as client:
            error = await error_of(client)
    assert isinstance(error, APIConnectionError)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


def identity(ca: trustme.CA) -> ssl.SSLContext:
    """A context that trusts our authority, with a client certificate of another."""
    context = trusting()
    ca.issue_cert("client@example.org").configure_cert(context)
    return context


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@on_every_flavour
async def test_client_certificates(world: World, gateway: LocalGateway, version: str) -> None:
    ca = trustme.CA()
    server = f"""
        ssl_verify_client on;
        ssl_client_certificate {{folder}}/clients.pem;
        ssl_protocols {version};
    """
    files = {"clients.pem": ca.cert_pem.bytes()}
    with Nginx(port_of(gateway), tls=True, server=server, files=files) as nginx:
        async with world.client(nginx.url, tls=identity(ca)) as client:
            for call in calls.ALL:
                await call(client)
        for options, hint in (
            (trusting_authority(), "tls=(certificate, key)"),
            ({"tls": identity(authority())}, "does not accept the client certificate"),
        ):
            async with world.client(nginx.url, **options) as client:
                error = await error_of(client)
                with pytest.raises(BadRequestError):
                    await calls.stream(client)
                with pytest.raises(BadRequestError):
                    await calls.realtime(client)
            assert isinstance(error, BadRequestError)
            assert hint in str(error)


@pytest.mark.parametrize("password", [None, "canary-of-the-key"], ids=["plain", "encrypted"])
@on_every_flavour
async def test_certificates_of_files(
    world: World,
    gateway: LocalGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: Optional[str],
) -> None:
    """As users have them: our authority in one file, our certificate and its key in two."""
    authorities, certificate, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authorities.write_bytes(authority().cert_pem.bytes())
    ca = trustme.CA()
    issued = ca.issue_cert("client@example.org")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(private_key(issued, password))
    server = "ssl_verify_client on; ssl_client_certificate {folder}/clients.pem;"
    files = {"clients.pem": ca.cert_pem.bytes()}
    with Nginx(port_of(gateway), tls=True, server=server, files=files) as nginx:
        for path in (authorities, str(authorities)):
            async with world.client(nginx.url, tls=path) as client:
                assert isinstance(await error_of(client), BadRequestError)
        # With these, the system's authorities are trusted.
        monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
        identity = (certificate, key) if password is None else (certificate, key, password)
        async with world.client(nginx.url, tls=identity) as client:
            for call in calls.ALL:
                await call(client)


def private_key(issued: trustme.LeafCert, password: Optional[str]) -> bytes:
    """The key of a certificate as PEM, encrypted if there is a password."""
    if password is None:
        return issued.private_key_pem.bytes()
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )


# Sockets


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@on_every_flavour
async def test_a_unix_socket(world: World, gateway: LocalGateway, tls: bool) -> None:
    listen = "listen unix:{folder}/socket ssl;" if tls else "listen unix:{folder}/socket;"
    with Nginx(port_of(gateway), tls=tls, server=listen) as nginx:
        options: dict[str, Any] = trusting_authority() if tls else {}
        sockets = SocketOptions(uds=str(nginx.folder / "socket"))
        # The port of the URL does not count.
        url = f"{nginx.url.rpartition(':')[0]}:9"
        async with world.client(url, sockets=sockets, **options) as client:
            for call in calls.ALL:
                await call(client)
        until(lambda: len(nginx.requests()) == 4)
        assert {one.client for one in nginx.requests()} == {"unix:"}


@on_every_flavour
async def test_a_local_address(world: World, gateway: LocalGateway) -> None:
    with Nginx(port_of(gateway)) as nginx:
        sockets = SocketOptions(local_address="127.0.0.2")
        async with world.client(nginx.url, sockets=sockets) as client:
            for call in calls.ALL:
                await call(client)
        until(lambda: len(nginx.requests()) == 4)
        assert {one.client for one in nginx.requests()} == {"127.0.0.2"}


# Realtime


@on_every_flavour
async def test_an_upgrade_that_nginx_does_not_pass_on(world: World, gateway: LocalGateway) -> None:
    """As it does unless it is told otherwise."""
    without = "proxy_set_header Upgrade ''; proxy_set_header Connection close;"
    with Nginx(port_of(gateway), location=without) as nginx:
        async with world.client(nginx.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await calls.realtime(client)
    assert caught.value.status == 426
    assert "A proxy on the way may have removed the Upgrade header" in str(caught.value)


@on_every_flavour
async def test_pings_keep_an_idle_session(world: World, gateway: LocalGateway) -> None:
    """nginx closes a WebSocket on which nothing was sent for `proxy_read_timeout`."""
    with Nginx(port_of(gateway), location="proxy_read_timeout 1500ms;") as nginx:
        async with (
            world.client(nginx.url) as client,
            client.realtime.connect(model="openai/gpt-realtime-mini", ping_interval=0.1) as session,
        ):
            assert (await session.receive(5)).type == "session.created"
            with pytest.raises(APITimeoutError):
                await session.receive(2.0)
            assert not session.closed
