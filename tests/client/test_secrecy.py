"""Nothing shows a secret, wherever it comes from, whatever happens, and wherever one looks.

The servers quote all that they are sent: the token, headers, the query, the password of a proxy.
`Shown` collects everything that a log, a hook, a trace or an error tracker could show.

What may show by design is in docs/logging-and-tracing.md, "What never shows".
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest
from backends.test_tls_settings import PASSWORD as KEY_PASSWORD
from backends.test_tls_settings import files as files
from client.test_content_codings import collected

from meshapi import Hooks, Limits, MeshAPIError, Reconnect, Timeout
from meshapi_backends import AsyncPoolTransport, PoolTransport
from meshapi_core import Proxies
from support.certificates import serving, trusting
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.realtime_server import MODEL, RealtimePeer, acceptance, frame
from support.scripted_server import Peer, Received, Script, ScriptedServer
from support.secrecy import Shown
from support.transports import Sender, on_transports
from support.turns import by_turns
from support.wire import completion, dump, failed, head, make_response, stream_head
from support.wire import frame as event

NAME = "gateway.example"
USER = "us.er"
PASSWORD = "pr0xy-passw0rd-0123456789"
SIGNATURE = "s1gnature-of-a-url-0123456789"

SECRETS = {
    "the token": TOKEN,
    "the token of the environment": "rsk_test_env_0123456789abcdef",
    "the first token of a function": "rsk_test_one_0123456789abcdef",
    "the second token of a function": "rsk_test_two_0123456789abcdef",
    "a default header": "default-header-0123456789",
    "a default query": "default-query-0123456789",
    "a header of the environment": "env-header-0123456789",
    "an extra header": "extra-header-0123456789",
    "an extra query": "extra-query-0123456789",
    "a header of middleware": "middleware-header-0123456789",
    "a query of middleware": "middleware-query-0123456789",
    "the proxy's password": PASSWORD,
    "the proxy's credentials": f"{USER}:{PASSWORD}",
    "the signature": SIGNATURE,
    "the password of a key": KEY_PASSWORD,
    "a wrong password of a key": "wrong-passw0rd-0123456789",
}


@pytest.fixture(autouse=True)
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server is asked."""
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        if host in ("127.0.0.1", "::1"):
            return real(host, *args, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


# Where secrets come from


class Setup:
    """How a client comes by its secrets.

    Args:
        world: the flavour.
        server: what the client speaks to: the gateway, or a proxy that forwards.
        monkeypatch: sets variables.
    """

    def __init__(self, world: World, server: ScriptedServer, monkeypatch: Any) -> None:
        self.world, self.server, self.monkeypatch = world, server, monkeypatch
        self.url = server.url

    def client(self, **options: Any) -> Any:
        return self.world.client(self.url, **{"default_query": None, **options})

    def proxy_url(self) -> str:
        return self.server.url.replace("://", f"://{USER}:{PASSWORD}@")

    # Each of these returns arguments of the client.

    def arguments(self) -> dict[str, Any]:
        return {
            "default_headers": {"X-Key": SECRETS["a default header"]},
            "default_query": {"key": SECRETS["a default query"]},
        }

    def environment(self) -> dict[str, Any]:
        header = f"X-Key: {SECRETS['a header of the environment']}"
        self.monkeypatch.setenv("MESHAPI_CUSTOM_HEADERS", header)
        self.monkeypatch.setenv("MESHAPI_TOKEN", SECRETS["the token of the environment"])
        self.monkeypatch.setenv("HTTP_PROXY", self.proxy_url())
        self.url = f"http://{NAME}"
        return {"token": None}

    def function(self) -> dict[str, Any]:
        tokens = iter([name for name in SECRETS if name.endswith("function")] * 20)
        return {"token": lambda: SECRETS[next(tokens)]}

    def async_function(self) -> dict[str, Any]:
        ask = self.function()["token"]

        async def later() -> Any:
            await anyio.lowlevel.checkpoint()
            return ask()

        return {"token": ask if self.world.name == "sync" else later}

    def proxy(self) -> dict[str, Any]:
        self.url = f"http://{NAME}"
        return {"proxy": self.proxy_url()}

    def middleware(self) -> dict[str, Any]:
        async def adds(request: Any, call_next: Any) -> Any:
            headers = {"x-signed": SECRETS["a header of middleware"]}
            query = SECRETS["a query of middleware"]
            sign = "&" if "?" in request.plain_target else "?"
            url = f"{request.origin}{request.plain_target}{sign}signed={query}"
            return await call_next(request.with_headers(headers).with_url(url))

        return {"middleware": [self.world.middleware(adds)]}

    def middleware_and_proxy(self) -> dict[str, Any]:
        return {**self.proxy(), **self.middleware(), **self.function()}


SETUPS: dict[str, Callable[[Setup], dict[str, Any]]] = {
    "arguments": Setup.arguments,
    "environment": Setup.environment,
    "function": Setup.function,
    "async function": Setup.async_function,
    "proxy": Setup.proxy,
    "middleware": Setup.middleware,
    "middleware and proxy": Setup.middleware_and_proxy,
}

in_every_setup = pytest.mark.parametrize("setup", SETUPS)


@contextlib.asynccontextmanager
async def client_of(
    world: World, setup: str, server: ScriptedServer, monkeypatch: Any, **options: Any
) -> AsyncIterator[Any]:
    made = Setup(world, server, monkeypatch)
    given = SETUPS[setup](made)
    async with made.client(**{**given, **options}) as client:
        yield client


def with_extras(client: Any) -> Any:
    return client.with_options(
        extra_headers={"X-Extra": SECRETS["an extra header"]},
        extra_query={"extra": SECRETS["an extra query"]},
    )


# What happens


def quoted(request: Received) -> str:
    """All that a server was sent, on one line."""
    return request.head.decode().replace("\r\n", " | ")


def quoting(respond: Callable[[str], bytes], *, ends: bool = False) -> Script:
    """A script that responds with what it was sent."""

    def script(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(respond(quoted(request)))
            if ends:
                return

    return script


def reset(peer: Peer) -> None:
    peer.receive()
    peer.reset()


def silent(peer: Peer) -> None:
    peer.receive()
    peer.wait_until_left()


def dead_connection(peer: Peer) -> None:
    """Closes the connection that it has just said it keeps."""
    if peer.number:
        return
    request = peer.receive()
    if request is not None:
        peer.send(make_response(200, dump(completion(quoted(request)))))
        peer.receive()


def of_text(status: int, *fields: str) -> Script:
    return quoting(lambda said: make_response(status, said.encode(), *fields, kind="text/plain"))


def with_error(status: int) -> Script:
    return quoting(
        lambda said: failed(status, said[:40], said, f"X-Echo: {said}", details=[{"msg": said}])
    )


WAYS: dict[str, Script] = {
    "good": quoting(
        lambda said: make_response(
            200, dump(completion(said)), f"X-Request-Id: {said}", f"Set-Cookie: a={said}"
        )
    ),
    "good stream": quoting(
        lambda said: (
            stream_head(f"X-Request-Id: {said}")
            + b"".join(
                b"%x\r\n%b\r\n" % (len(piece), piece)
                for piece in (event(completion(said)), b"data: [DONE]\n\n", b"")
            )
        )
    ),
    "400": with_error(400),
    "401": with_error(401),
    "407": with_error(407),
    "500": with_error(500),
    "429 of text": of_text(429),
    "redirect": quoting(lambda said: make_response(302, b"", f"Location: https://h/?{said}")),
    "no JSON": quoting(lambda said: make_response(200, said.encode())),
    "an error in a 200": quoting(
        lambda said: make_response(200, dump({"error": {"message": said}}))
    ),
    "cut short": quoting(lambda said: head(200, "Content-Length: 9999") + said.encode(), ends=True),
    "no HTTP": quoting(lambda said: f"SSH-2.0 {said}\r\n\r\n".encode(), ends=True),
    "a bad header": quoting(lambda said: f"HTTP/1.1 200 OK\r\n{said} : x\r\n\r\n".encode()),
    "a bad length": quoting(
        lambda said: f"HTTP/1.1 200 OK\r\nContent-Length: {said}\r\n\r\n".encode()
    ),
    "an unknown coding": quoting(
        lambda said: make_response(200, b"abc", f"Content-Encoding: {said}")
    ),
    "an error in the stream": quoting(
        lambda said: make_response(
            200,
            b"".join(map(event, (completion("x"), {"error": {"message": said}}))),
            kind="text/event-stream",
        )
    ),
    "a stream that breaks": quoting(
        lambda said: stream_head() + b"fff\r\n" + event({"a": said})[:-3], ends=True
    ),
    "reset": reset,
    "closed": lambda peer: None,
    "silent": silent,
    "a dead connection": dead_connection,
}

METHODS: dict[str, Callable[[Any], Any]] = {
    "create": lambda client: client.chat.completions.create(**ASK),
    "stream": lambda client: collected(client.chat.completions.stream(**ASK)),
    "raw": lambda client: client.with_raw_response.chat.completions.create(**ASK),
}


@by_turns
@pytest.mark.parametrize("way", WAYS)
@in_every_setup
@on_every_flavour
async def test_whatever_happens_to_a_call(
    world: World, setup: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"timeout": Timeout(read=0.1 if way == "silent" else 5.0)}
    if way in ("silent", "reset"):
        options["max_retries"] = 0
    with Shown() as shown, ScriptedServer(WAYS[way]) as server:
        # What the model said is content, and so is in a span that has content.
        options.update(shown.options(content="good" not in way and "dead" not in way))
        async with client_of(world, setup, server, monkeypatch, **options) as client:
            for call in METHODS.values():
                await outcome(call, with_extras(client), shown)
            shown.client(client)
    shown.check(SECRETS)
    assert shown.records


async def outcome(call: Callable[[Any], Any], client: Any, shown: Shown) -> None:
    """Make a call, and show what it raises. What it returns is data."""
    try:
        value = await call(client)
        if hasattr(value, "parse"):
            value.parse()
    except MeshAPIError as exc:
        shown.error(exc)


class Stop(BaseException):
    """What a signal handler raises, like KeyboardInterrupt."""


@contextlib.contextmanager
def interrupted_when(server: ScriptedServer) -> Iterator[None]:
    """Raise `Stop` by a signal, some time after a connection was made: while it is waited on.

    Anywhere else, an interrupt may find a secret that is being written, or looked for.
    """

    def stop(*args: object) -> None:
        raise Stop

    def wait() -> None:
        while server.connections == before and not over.wait(0.01):
            pass
        over.wait(0.1)
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before, over = server.connections, threading.Event()
    handler = signal.signal(signal.SIGUSR1, stop)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, handler)


async def interrupted(
    world: World, call: Callable[[Any], Any], client: Any, shown: Shown, server: ScriptedServer
) -> None:
    """Cancel a call, or interrupt it by a signal, and show the exception."""

    async def watched() -> None:
        try:
            await call(client)
        except BaseException as exc:
            shown.error(exc)
            raise

    if world.name == "sync":
        with interrupted_when(server), pytest.raises(Stop):
            await watched()
    else:
        with anyio.move_on_after(0.05) as scope:
            await watched()
        assert scope.cancelled_caught


@pytest.mark.parametrize("method", METHODS)
@in_every_setup
@by_turns
@on_every_flavour
async def test_where_a_call_is_interrupted_or_its_client_closed(
    world: World, setup: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shown() as shown, ScriptedServer(silent) as server:
        async with client_of(world, setup, server, monkeypatch, **shown.options()) as client:

            async def call() -> None:
                await METHODS[method](with_extras(client))

            await interrupted(world, METHODS[method], with_extras(client), shown, server)

            before = len(server.requests)

            async def close() -> None:
                await world.until(lambda: len(server.requests) > before)
                await client.aclose()

            error, _ = await world.together(call, close)
            assert error.error_code == "client_closed"
            shown.error(error)
            (error,) = await world.together(call)
            shown.error(error)
            shown.client(client)
    shown.check(SECRETS)


# Other transports


@on_transports(
    lambda sender, world: (
        sender.sockets and sender.hides and not sender.http2 and sender.name != "native"
    )
)
async def test_whatever_happens_over_another_transport(
    world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the log, only ours: what the other library says is for it to say."""
    for way in ("good", "401", "redirect", "cut short", "no HTTP", "a bad header", "reset"):
        with Shown(all_loggers=False) as shown, ScriptedServer(WAYS[way]) as server:
            async with sender.options(world) as over:
                options = {**shown.options(), **over, "max_retries": 1}
                async with client_of(world, "arguments", server, monkeypatch, **options) as client:
                    for call in METHODS.values():
                        await outcome(call, with_extras(client), shown)
                    shown.client(client)
        shown.check(SECRETS)


@by_turns
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behind", ["middleware", "nothing"])
@on_every_flavour
async def test_whatever_happens_over_a_pool_as_a_transport(
    world: World, behind: str, way: str
) -> None:
    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    kind: Any = PoolTransport if world.name == "sync" else AsyncPoolTransport
    with Shown() as shown, ScriptedServer(WAYS[way]) as proxy:
        route = Proxies.through(proxy.url.replace("://", f"://{USER}:{PASSWORD}@"))
        pool = world.pool_class(world.network, Limits(), proxies=route)
        transport = kind(pool, lambda: world.network)
        options: dict[str, Any] = {**shown.options(), "transport": transport, "max_retries": 1}
        options["timeout"] = Timeout(read=0.1 if way == "silent" else 5.0)
        if behind == "middleware":
            options["middleware"] = [world.middleware(passing)]
        async with world.client(f"http://{NAME}", **options) as client:
            for call in METHODS.values():
                await outcome(call, client, shown)
            shown.client(client)
        await world.dress(transport).aclose()
    shown.check(SECRETS)


# What functions of the program's raise


@by_turns
@pytest.mark.parametrize("place", ["hook", "middleware", "response of middleware", "token"])
@on_every_flavour
async def test_whatever_a_function_of_the_program_raises(world: World, place: str) -> None:
    said: list[str] = []

    def breaks(said: str = "") -> Any:
        raise Mistake(said)

    async def after(request: Any, call_next: Any) -> Any:
        if place.startswith("response"):
            await call_next(request)
        return breaks()

    def quotes(info: Any) -> None:
        said.append(str(info.request.plain_headers()))
        breaks(said[-1])

    with Shown() as shown, ScriptedServer(WAYS["good"]) as server:
        options = {**shown.options(), "default_headers": {"X-Key": SECRETS["a default header"]}}
        if place == "hook":
            # It puts into words what no hook should: the log tells of it, without the secrets.
            options["hooks"] = Hooks(on_request=quotes)
        elif place == "token":
            options["token"] = breaks
        else:
            options["middleware"] = [world.middleware(after)]
        async with world.client(server.url, **options) as client:
            try:
                await client.chat.completions.create(**ASK)
            except Mistake as exc:
                shown.error(exc)
            shown.client(client)
    shown.check(SECRETS)
    if place == "hook":
        assert TOKEN in said[0]
        assert any("Mistake" in line for line in shown.records)


class Mistake(Exception):
    """What a function of the program raises."""


# The log on stderr


def test_the_variable_for_the_log_shows_none_either() -> None:
    with ScriptedServer(WAYS["401"]) as server:
        program = (
            "import meshapi, os\n"
            "with meshapi.MeshAPI(default_query={'key': os.environ['KEY']}) as client:\n"
            "    try: client.models.list()\n"
            "    except meshapi.MeshAPIError: pass"
        )
        variables = {
            "MESHAPI_LOG": "debug",
            "MESHAPI_BASE_URL": server.url,
            "MESHAPI_PROXY": server.url.replace("://", f"://{USER}:{PASSWORD}@"),
            "MESHAPI_TOKEN": SECRETS["the token of the environment"],
            "MESHAPI_CUSTOM_HEADERS": f"X-Key: {SECRETS['a header of the environment']}",
            "KEY": SECRETS["a default query"],
        }
        found = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    assert "DEBUG meshapi: GET /v1/models" in found.stderr
    shown = Shown()
    shown.text("stderr", found.stderr)
    shown.check(SECRETS)


# Uploads to signed URLs


STORAGES: dict[str, Script] = {
    "good": quoting(lambda said: make_response(200, said.encode(), f"X-Request-Id: {said}")),
    "refused": of_text(403),
    "broken": of_text(503),
    "redirect": WAYS["redirect"],
    "no HTTP": WAYS["no HTTP"],
    "reset": reset,
    "closed": WAYS["closed"],
    "silent": silent,
}


@by_turns
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("setup", ["arguments", "async function", "middleware"])
@on_every_flavour
async def test_whatever_happens_to_an_upload(
    world: World, setup: str, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"timeout": Timeout(read=0.1 if storage == "silent" else 5.0), "max_retries": 1}
    with Shown() as shown, ScriptedServer(STORAGES[storage]) as there:
        signed = f"{there.url}/bucket/f?X-Signature={SIGNATURE}&X-Date=20260101"
        begun = make_response(200, dump({"file_id": "f", "signed_url": signed}))
        with ScriptedServer(lambda peer: [peer.send(begun) for _ in peer.requests()]) as gateway:
            options.update(shown.options(content=True))
            async with client_of(world, setup, gateway, monkeypatch, **options) as client:
                try:
                    await with_extras(client).rag.upload_file(
                        file_name="a", mime_type="a/b", content=b"abc"
                    )
                except MeshAPIError as exc:
                    shown.error(exc)
                shown.client(client)
    shown.check(SECRETS)


# Ways through proxies, and TLS


def of_connect(respond: Callable[[str], bytes]) -> Script:
    """A proxy that responds to a CONNECT with what it was sent."""

    def script(peer: Peer) -> None:
        asked = (peer.receive_head() or b"").decode().replace("\r\n", " | ")
        peer.send(respond(asked))
        peer.left_within(0.02)

    return script


def of_socks(*messages: bytes, echoes: bool = False) -> Script:
    """A SOCKS proxy that sends one message for each that it gets."""

    def script(peer: Peer) -> None:
        for message in messages:
            data = peer.take()
            if not data:
                return
            peer.send(message + (data if echoes else b""))
        if peer.take():
            peer.reset()

    return script


TUNNELS: dict[str, tuple[str, Script]] = {
    "407": ("http", of_connect(lambda said: make_response(407, said.encode(), f"X-Echo: {said}"))),
    "502": ("http", of_connect(lambda said: make_response(502, said.encode()))),
    "no HTTP": ("http", of_connect(lambda said: f"SSH-2.0 {said}\r\n\r\n".encode())),
    "a bad header": (
        "http",
        of_connect(lambda said: f"HTTP/1.1 200 OK\r\n{said} : x\r\n\r\n".encode()),
    ),
    "a cut head": ("http", of_connect(lambda said: f"HTTP/1.1 200 OK\r\nX: {said}".encode())),
    "a tunnel to no TLS": (
        "http",
        of_connect(lambda said: f"HTTP/1.1 200 OK\r\n\r\n{said}".encode()),
    ),
    "reset": ("http", lambda peer: (peer.receive_head(), peer.reset())[1]),
    "silent": ("http", lambda peer: (peer.receive_head(), peer.wait_until_left())[1]),
    "closed": ("http", lambda peer: None),
    "SOCKS: another method": ("socks5h", of_socks(b"\x05\xff")),
    "SOCKS: refused": ("socks5h", of_socks(b"\x05\x02", b"\x01\x01")),
    "SOCKS: unreachable": ("socks5h", of_socks(b"\x05\x02", b"\x01\x00", b"\x05\x04")),
    "SOCKS: echo": ("socks5h", of_socks(b"\x05\x02", b"", echoes=True)),
    "SOCKS: reset": ("socks5h", of_socks(b"\x05\x02")),
    "SOCKS: silent": ("socks5h", of_socks(b"\x05\x02", b"")),
    "SOCKS: no TLS": (
        "socks5h",
        of_socks(b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01" + bytes(6)),
    ),
}


@by_turns
@pytest.mark.parametrize("place", ["argument", "environment"])
@pytest.mark.parametrize("tunnel", TUNNELS)
@on_every_flavour
async def test_whatever_happens_in_a_proxy(
    world: World, tunnel: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, script = TUNNELS[tunnel]
    with Shown() as shown, ScriptedServer(script) as proxy:
        url = f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}"
        options: dict[str, Any] = {**shown.options(content=True), "max_retries": 1}
        if place == "argument":
            options["proxy"] = url
        else:
            monkeypatch.setenv("HTTPS_PROXY", url)
        options["timeout"] = Timeout(connect=0.1 if "silent" in tunnel else 2.0)
        async with world.client(f"https://{NAME}", tls=trusting(), **options) as client:
            for call in METHODS.values():
                with pytest.raises(MeshAPIError) as caught:
                    await call(client)
                shown.error(caught.value)
            with pytest.raises(MeshAPIError) as caught:
                await client.realtime.connect(model=MODEL)
            shown.error(caught.value)
            shown.client(client)
        if "silent" in tunnel:
            options["timeout"] = Timeout(connect=5.0)
            async with world.client(f"https://{NAME}", tls=trusting(), **options) as client:
                await interrupted(world, METHODS["create"], client, shown, proxy)
    shown.check(SECRETS)


@by_turns
@pytest.mark.parametrize("way", ["good", "wrong password", "untrusted", "no TLS", "no file"])
@on_every_flavour
async def test_whatever_happens_with_a_client_certificate(
    world: World, way: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = request.getfixturevalue("files")
    key = paths.encrypted_key if way != "no file" else "/no/such/file"
    name = "a wrong password of a key" if way == "wrong password" else "the password of a key"
    if way == "good":
        monkeypatch.setenv("SSL_CERT_FILE", paths.authority)
    tls = None if way == "no TLS" else serving("127.0.0.1")
    with Shown() as shown, ScriptedServer(WAYS["401"], tls=tls) as server:
        url = server.url.replace("http://", "https://")
        options = {**shown.options(content=True), "max_retries": 1}
        options["tls"] = (paths.certificate, key, SECRETS[name])
        options["timeout"] = Timeout(connect=0.1 if way == "no TLS" else 5.0)
        try:
            async with world.client(url, **options) as client:
                for call in METHODS.values():
                    await outcome(call, client, shown)
                shown.client(client)
        except ValueError as exc:
            assert way == "no file"
            shown.error(exc)
    shown.check(SECRETS)


# Sessions


def refusing(respond: Callable[[str], bytes]) -> Script:
    return quoting(respond)


def talking(talk: Callable[[RealtimePeer, str], None]) -> Script:
    def script(peer: Peer) -> None:
        request = peer.receive()
        if request is not None:
            peer.send(acceptance(request))
            talk(RealtimePeer(peer, request), quoted(request)[:90])

    return script


def _speaks(peer: RealtimePeer, said: str) -> None:
    peer.event("error", error={"message": said, "param": said, "code": said})
    peer.event("unheard.of", said=said)
    peer.close(1008, said)


SESSIONS: dict[str, Script] = {
    "speaks": talking(_speaks),
    "refused": with_error(401),
    "refused, with text": of_text(500),
    "redirect": WAYS["redirect"],
    "no HTTP": WAYS["no HTTP"],
    "accepted in vain": quoting(
        lambda said: f"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {said}\r\n\r\n".encode()
    ),
    "a bad frame": talking(lambda peer, said: peer.peer.send(said.encode())),
    "a bad message": talking(lambda peer, said: peer.peer.send(frame(1, said.encode()))),
    "lost": talking(lambda peer, said: peer.peer.reset()),
    "reset": reset,
    "silent": silent,
}


@by_turns
@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
@pytest.mark.parametrize("way", SESSIONS)
@pytest.mark.parametrize("setup", ["arguments", "function", "async function"])
@on_every_flavour
async def test_whatever_happens_to_a_session(
    world: World, setup: str, way: str, auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"max_retries": 1}
    options["timeout"] = Timeout(read=0.1 if way == "silent" else 5.0)
    with Shown() as shown, ScriptedServer(SESSIONS[way]) as server:
        options.update(shown.options(content=True))
        async with client_of(world, setup, server, monkeypatch, **options) as client:
            try:
                session = await with_extras(client).realtime.connect(
                    model=MODEL, auth=auth, reconnect=Reconnect(attempts=1)
                )
                async with session:
                    for _ in range(3):
                        try:
                            shown.text("message", repr(type(await session.receive(5))))
                        except MeshAPIError as exc:
                            shown.error(exc)
                    shown.text("reason", str(session.close_reason))
                    shown.client(session, has_data=True)
            except MeshAPIError as exc:
                shown.error(exc)
            shown.client(client)
    shown.check(SECRETS)


# Wrong arguments


ALL_ARGUMENTS: dict[str, Any] = {
    "token": TOKEN,
    "default_headers": {"X-Key": SECRETS["a default header"]},
    "default_query": {"key": SECRETS["a default query"]},
    "proxy": f"http://{USER}:{PASSWORD}@127.0.0.1:1",
    "tls": ("/certificate", "/key", SECRETS["the password of a key"]),
}

_KEY_TEXT = f"-----BEGIN PRIVATE KEY-----\n{SECRETS['the password of a key']}\n"

WRONG: dict[str, dict[str, Any]] = {
    "url": {"base_url": "no URL"},
    "url with a password": {"base_url": f"https://{USER}:{PASSWORD}@{NAME}"},
    "timeout": {"timeout": "x"},
    "max_retries": {"max_retries": -1},
    "limits": {"limits": 1},
    "retry": {"retry": "x"},
    "user agent": {"user_agent": "\n"},
    "version": {"api_version": ""},
    "sockets": {"sockets": 1},
    "transport": {"transport": 1},
    "hooks": {"hooks": 1},
    "middleware": {"middleware": [1]},
    "telemetry": {"open_telemetry": True},
    "unknown": {"unknown": TOKEN},
    "unknown, near": {"api_key": TOKEN, "proxies": ALL_ARGUMENTS["proxy"]},
    "token of bytes": {"token": TOKEN.encode()},
    "token with a newline": {"token": f"{TOKEN}\n"},
    "token in a list": {"token": [TOKEN]},
    "header of bytes": {"default_headers": {"X-Key": SECRETS["a default header"].encode()}},
    "header with a newline": {"default_headers": {"X-Key": SECRETS["a default header"] + "\n"}},
    "headers in a list": {"default_headers": [("X-Key", SECRETS["a default header"])]},
    "query in a set": {"default_query": {SECRETS["a default query"]}},
    "proxy of bytes": {"proxy": ALL_ARGUMENTS["proxy"].encode()},
    "proxy of another scheme": {"proxy": f"ftp://{USER}:{PASSWORD}@h"},
    "proxy with a slash": {"proxy": f"http://{USER}:{PASSWORD}/@h"},
    "proxy with a port": {"proxy": f"http://{USER}:{PASSWORD}@h:port"},
    "proxy without a scheme": {"proxy": f"{USER}:{PASSWORD}"},
    "tls of one": {"tls": (SECRETS["the password of a key"],)},
    "tls of four": {"tls": ("a", "b", SECRETS["the password of a key"], "d")},
    "tls in a list": {"tls": ["a", "b", SECRETS["the password of a key"]]},
    "tls with no path": {"tls": (1, "b", SECRETS["the password of a key"])},
    "tls without a file": {},
    "tls in the wrong order": {"tls": (__file__, SECRETS["the password of a key"], "key.pem")},
    "tls with the text of a key": {"tls": (__file__, _KEY_TEXT)},
    "tls with the text of a key and a password": {"tls": (__file__, _KEY_TEXT, "password")},
    "tls as the text of a key": {"tls": _KEY_TEXT},
    "password in a list": {"tls": ("a", "b", [SECRETS["the password of a key"]])},
}


@by_turns
@pytest.mark.parametrize("wrong", WRONG)
@on_every_flavour
async def test_whatever_is_wrong_with_an_argument(world: World, wrong: str) -> None:
    with Shown() as shown:
        with pytest.raises((TypeError, ValueError)) as caught:
            world.client(**{"url": f"https://{NAME}", **ALL_ARGUMENTS, **_urls(WRONG[wrong])})
        shown.error(caught.value)
    shown.check(SECRETS)


def _urls(options: dict[str, Any]) -> dict[str, Any]:
    return {("url" if name == "base_url" else name): value for name, value in options.items()}


VARIABLES: dict[str, str] = {
    "MESHAPI_TOKEN": f"{SECRETS['the token of the environment']}\nx",
    "MESHAPI_API_KEY": SECRETS["the first token of a function"],
    "MESHAPI_TIMEOUT": SECRETS["the token of the environment"],
    "MESHAPI_MAX_RETRIES": SECRETS["the token of the environment"],
    "MESHAPI_BASE_URL": f"https://{USER}:{PASSWORD}@{NAME}",
    "MESHAPI_CUSTOM_HEADERS": SECRETS["a header of the environment"],
    "MESHAPI_PROXY": f"ftp://{USER}:{PASSWORD}@h",
    "HTTPS_PROXY": f"http://{USER}:{PASSWORD}@h:port",
    "MESHAPI_LOG": SECRETS["the token of the environment"],
}


@by_turns
@pytest.mark.parametrize("variable", VARIABLES)
@on_every_flavour
async def test_whatever_is_wrong_with_the_environment(
    world: World, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHAPI_TOKEN", SECRETS["the token of the environment"])
    monkeypatch.setenv("MESHAPI_CUSTOM_HEADERS", f"X: {SECRETS['a header of the environment']}")
    monkeypatch.setenv("ALL_PROXY", f"http://{USER}:{PASSWORD}@h")
    monkeypatch.setenv(variable, VARIABLES[variable])
    with Shown() as shown:
        with pytest.raises((TypeError, ValueError)) as caught:
            world.client_class()
        shown.error(caught.value)
    shown.check(SECRETS)
