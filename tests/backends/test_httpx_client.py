"""An injected client of httpx or httpx2 as the transport, blocking, on asyncio and on trio.

On real sockets, with the real libraries: what a server sees and what a caller gets is the same as
with our own connections, except where `CANNOT` says otherwise.
"""

import contextlib
import gc
import threading
import time
from typing import Any

import httpx
import httpx2
import pytest
from backends.test_fault_matrix import (
    FAULTS,
    LATE,
    LIMIT,
    Fault,
    error_of,
    expect_no_token,
    in_peace,
    response_of,
    stalling,
)

import meshapi_core.retries as retries_of_the_core
from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncMeshAPI,
    MeshAPI,
    MeshAPIError,
    RateLimitError,
    RedirectError,
    RetryPolicy,
    Timeout,
)
from meshapi.testing import LocalGateway
from meshapi_backends import (
    AsyncHTTPXTransport,
    CallRunner,
    HTTPXTransport,
    current_blocking_network,
)
from meshapi_core import FileSource, MeshAPIConfig, Service, SignedPut
from meshapi_core.endpoints import Completions
from meshapi_core.machines.pace import INTERIM_TIMES
from support.certificates import serving, trusting
from support.flavours import ASK, FLAVOURS, TOKEN, World, drive, on_every_flavour
from support.scripted_server import Peer, Script, ScriptedServer
from support.wire import (
    chunk,
    chunked,
    completion,
    dump,
    failed,
    frame,
    good,
    head,
    make_response,
    serve,
    stream_head,
    texts,
)

on_both_libraries = pytest.mark.parametrize(
    "library",
    [
        pytest.param(httpx, id="httpx"),
        pytest.param(httpx2, id="httpx2", marks=pytest.mark.exhaustive),
    ],
)

FIELD = {"sync": "httpx_client", "asyncio": "async_httpx_client", "trio": "async_httpx_client"}

MIB = 1024 * 1024


def class_of(world: World, library: Any) -> Any:
    return library.Client if world.name == "sync" else library.AsyncClient


@contextlib.asynccontextmanager
async def injected(world: World, library: Any, kind: Any = None, **options: Any) -> Any:
    """A client of the library, made and closed as its user would."""
    options = {"verify": False, "trust_env": False, **options}
    http = (kind or class_of(world, library))(**options)
    if world.name == "sync":
        with http:
            yield http
    else:
        async with http:
            yield http


def client_on(world: World, http: Any, url: str, **options: Any) -> Any:
    return world.client(url, **{FIELD[world.name]: http}, **options)


@contextlib.asynccontextmanager
async def client_of(world: World, library: Any, url: str, **options: Any) -> Any:
    """One of our clients on one of the library's; both are closed afterwards."""
    async with injected(world, library) as http, client_on(world, http, url, **options) as client:
        yield client


async def close(world: World, http: Any) -> None:
    if world.name == "sync":
        http.close()
    else:
        await http.aclose()


def put(url: str, content: Any) -> SignedPut:
    return SignedPut(url=url, content_type="text/plain", source=FileSource(content))


async def run(client: Any, call: Any) -> Any:
    """Run a call as a resource does."""
    target = getattr(client, "_target", client)
    outcome = target._runner.run(call)
    return outcome if target is not client else await outcome


# What works


@on_both_libraries
@on_every_flavour
async def test_every_kind_of_call_works_on_one_kept_connection(world, library):
    with ScriptedServer(serve) as server:
        async with client_of(world, library, server.url) as client:
            for call in ("create", "stream") * 3:
                assert await response_of(client, call) == "pong"
        assert server.connections == 1
        assert len(server.requests) == 6


@pytest.mark.slow
@on_both_libraries
@on_every_flavour
async def test_the_local_gateway_answers_through_it(world, library):
    with LocalGateway() as gateway:
        options = {"token": gateway.token} if hasattr(gateway, "token") else {}
        async with client_of(world, library, gateway.url, **options) as client:
            assert await response_of(client)
            parts = [part async for part in client.chat.completions.stream(**ASK)]
            assert parts[0].choices[0].delta
            assert (await client.models.list())[0].id


@on_both_libraries
@on_every_flavour
async def test_it_works_over_tls_that_the_injected_client_verifies(world, library):
    with ScriptedServer(serve, tls=serving()) as server:
        async with (
            injected(world, library, verify=trusting()) as http,
            client_on(world, http, server.url) as client,
        ):
            assert await response_of(client) == "pong"
            assert await response_of(client, "stream") == "pong"


@on_both_libraries
@on_every_flavour
async def test_a_refused_attempt_is_repeated_on_the_same_connection(world, library):
    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            peer.send(good() if n == 2 else failed(503, "provider_not_available"))

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            assert await response_of(client) == "pong"
        assert len(server.requests) == 3
        assert server.connections == 1


@on_both_libraries
@on_every_flavour
async def test_a_client_derived_from_theirs_works(world, library):
    class Tracing(class_of(world, library)):
        """A derived client, as programs have them."""

    Tracing.__module__ = "somewhere.else"
    with ScriptedServer(serve) as server:
        async with (
            injected(world, library, Tracing) as http,
            client_on(world, http, server.url) as client,
        ):
            assert await response_of(client) == "pong"


@on_both_libraries
@on_every_flavour
async def test_a_mounted_mock_answers_instead_of_the_network(world, library):
    seen = []

    def handler(request: Any) -> Any:
        seen.append((request.method, str(request.url), request.content))
        return library.Response(200, json=completion("mocked"))

    mounts = {"all://gateway.test": library.MockTransport(handler)}
    async with (
        injected(world, library, mounts=mounts) as http,
        client_on(world, http, "http://gateway.test/base") as client,
    ):
        assert await response_of(client) == "mocked"
        await run(client, put("http://gateway.test/file?signature=s", [b"a", b"b" * MIB]))
    (method, url, body), upload = seen[0], seen[1]
    assert (method, url) == ("POST", "http://gateway.test/base/v1/chat/completions")
    assert b"ping" in body
    assert upload == ("PUT", "http://gateway.test/file?signature=s", b"a" + b"b" * MIB)


@on_both_libraries
@on_every_flavour
async def test_hooks_may_read_the_request_and_the_response_before_us(world, library):
    seen = []

    def request_hook(request: Any) -> None:
        seen.append(request.content)

    def response_hook(response: Any) -> None:
        seen.append(response.read())

    async def async_request_hook(request: Any) -> None:
        request_hook(request)

    async def async_response_hook(response: Any) -> None:
        seen.append(await response.aread())

    hooks = [request_hook, response_hook]
    if world.name != "sync":
        hooks = [async_request_hook, async_response_hook]
    with ScriptedServer(serve) as server:
        options = {"event_hooks": {"request": hooks[:1], "response": hooks[1:]}}
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url) as client,
        ):
            assert await response_of(client) == "pong"
            assert await response_of(client, "stream") == "pong"
        assert server.connections == 1
    assert seen[0] == server.requests[0].body
    assert seen[1] == dump(completion("pong"))


@on_both_libraries
@on_every_flavour
async def test_a_hook_that_raises_for_the_status_changes_no_error(world, library):
    def raises(response: Any) -> None:
        response.raise_for_status()

    async def raises_async(response: Any) -> None:
        raises(response)

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(429, "rate_limit_exceeded"))

    hook = raises if world.name == "sync" else raises_async
    with ScriptedServer(script) as server:
        async with (
            injected(world, library, event_hooks={"response": [hook]}) as http,
            client_on(world, http, server.url) as client,
        ):
            error = await error_of(client, "create", ASK)
        assert (type(error), error.status) == (RateLimitError, 429)
        assert len(server.requests) == 3


# Whose settings apply


@on_both_libraries
@on_every_flavour
async def test_our_url_and_limits_hold_whatever_the_injected_client_has(world, library):
    """`base_url` and `timeout` are those given to us."""
    with ScriptedServer(stalling()) as server:
        options = {"base_url": "http://127.0.0.1:9/other", "timeout": 0.001, "params": {"t": "1"}}
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url + "/base", timeout=Timeout(read=LIMIT)) as client,
        ):
            began = time.monotonic()
            error = await error_of(client, "create", ASK)
            assert LIMIT <= time.monotonic() - began < LIMIT + LATE
        assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")
        assert server.requests[0].line == b"POST /base/v1/chat/completions?t=1 HTTP/1.1"


@on_both_libraries
@on_every_flavour
async def test_its_headers_and_cookies_go_with_api_requests_and_ours_win(world, library):
    options = {
        "headers": {
            "X-Team": "blue",
            "AUTHORIZATION": "Basic corporate",
            "Content-Length": "5",
            "Transfer-Encoding": "chunked",
            "User-Agent": "theirs",
        },
        "cookies": {"session": "s1"},
        "auth": ("user", "password"),
    }
    with ScriptedServer(serve) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url) as client,
        ):
            assert await response_of(client) == "pong"
            twin = client.with_options(extra_headers={"X-Team": "red"}, extra_query={"a": "b c"})
            assert await response_of(twin) == "pong"
        first, second = (request.headers for request in server.requests)
    assert first["authorization"] == f"Bearer {TOKEN}"
    assert first["user-agent"].startswith("meshapi-python/")
    assert first["accept-encoding"] == "identity"
    assert (first["x-team"], second["x-team"]) == ("blue", "red")
    assert first["cookie"] == second["cookie"] == "session=s1"
    assert first["content-length"] == str(len(server.requests[0].body))
    assert "transfer-encoding" not in first
    assert server.requests[1].line == b"POST /v1/chat/completions?a=b%20c HTTP/1.1"


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_headers_and_cookies_go_with_requests_of_another_service_too(library):
    """A service whose token is in a header of another name."""
    service = Service(name="Acme", auth_header="api-key", auth_prefix="")
    with ScriptedServer(serve) as server, library.Client(headers={"X-Team": "blue"}) as http:
        config = MeshAPIConfig(service=service, base_url=f"{server.url}/v1", token=TOKEN)
        runner = CallRunner(config, HTTPXTransport(http), current_blocking_network)
        assert Completions(runner).create(**ASK).choices[0].message.content == "pong"
        (request,) = server.requests
    assert request.line == b"POST /v1/chat/completions HTTP/1.1"
    assert (request.headers["api-key"], request.headers["x-team"]) == (TOKEN, "blue")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("content", [b"hello", [b"hel", b"lo"], b"x" * (3 * MIB)])
@on_both_libraries
@on_every_flavour
async def test_a_signed_url_gets_the_content_type_and_nothing_else(world, library, content):
    """No default header, no cookie and no auth of the injected client."""
    options = {
        "headers": {"Authorization": "Basic corporate", "X-Team": "blue"},
        "cookies": {"session": "s1"},
        "params": {"tenant": "t"},
        "auth": ("user", "password"),
    }

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            peer.send(make_response(200 if n else 503, b""))

    with ScriptedServer(script) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, "http://127.0.0.1:9") as client,
        ):
            await run(client, put(f"{server.url}/bucket/a%2Fb?sig=%2B%7E'", content))
    size = len(b"".join(content) if isinstance(content, list) else content)
    for request in server.requests:
        assert request.line == b"PUT /bucket/a%2Fb?sig=%2B%7E' HTTP/1.1"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "content-type": "text/plain",
            "content-length": str(size),
        }
        assert len(request.body) == size
    assert len(server.requests) == 2, "it is repeated, with the whole body"


@on_both_libraries
@on_every_flavour
async def test_an_error_of_a_signed_url_is_typed_and_shows_no_signature(world, library):
    """Except in what httpx itself logs, which the program decides."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(make_response(403, b"<Code>AccessDenied</Code>", kind="application/xml"))

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await run(client, put(f"{server.url}/a?sig=SECRET", b"x"))
        assert caught.value.status == 403
        with pytest.raises(APIConnectionError) as refused:
            async with client_of(world, library, server.url, max_retries=0) as client:
                await run(client, put("http://127.0.0.1:9/a?sig=SECRET", b"x"))
    assert refused.value.error_code == "connect_refused"
    for error in (caught.value, refused.value):
        assert "SECRET" not in f"{error} {error!r} {error.__cause__} {error.__cause__!r}"


@on_both_libraries
@on_every_flavour
async def test_our_own_errors_within_a_body_pass_through(world, library, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (4 * MIB))

    class Shrinking:
        def __init__(self) -> None:
            self.file = path.open("rb")

        def read(self, size: int = -1) -> bytes:
            path.write_bytes(b"")
            return self.file.read(size)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    def script(peer: Peer) -> None:
        assert peer.receive() is None

    source = Shrinking()
    with ScriptedServer(script) as server, source.file:
        async with client_of(world, library, server.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await run(client, put(f"{server.url}/a", source))
            assert type(caught.value) is MeshAPIError
            assert caught.value.error_code == "source_changed"
            await world.until(lambda: server.open_now == 0)


@pytest.mark.parametrize("status", [301, 307])
@on_both_libraries
@on_every_flavour
async def test_redirects_are_not_followed_even_where_it_would(world, library, status):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(make_response(status, b"", "Location: /elsewhere?key=value"))

    with ScriptedServer(script) as server:
        async with (
            injected(world, library, follow_redirects=True) as http,
            client_on(world, http, server.url) as client,
        ):
            error = await error_of(client, "create", ASK)
        assert (type(error), error.status) == (RedirectError, status)
        assert len(server.requests) == 1


@on_both_libraries
@on_every_flavour
async def test_an_encoded_response_is_decoded_as_on_our_own_connections(world, library):
    import gzip

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            body = gzip.compress(dump(completion("pong")))
            peer.send(make_response(200, body, "Content-Encoding: gzip"))

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            through_theirs = await response_of(client, "create", ASK)
        async with world.client(server.url) as client:
            through_ours = await response_of(client, "create", ASK)
    assert through_theirs == through_ours == "pong"


# What goes wrong

CHOSEN = """
    reset before the head
    end before the head
    reset after the head, stream
    end within a chunk, create
    end between chunks, stream
    silence before the head
    silence within the body
    silence within the stream
    silence between events
    comments and no events
    a head that drips
    a body that drips
    a stream that drips
    something else than HTTP
    a head without end
    two lengths
    another protocol
    a request that nobody reads
    a web page
    no [DONE]
    a head that drips, and no limit but that of reading
    a body that drips, and no limit but that of reading
    a body in tiny chunks
    an error that drips
    trailers that drip
    a chunk extension that drips, create
    a chunk extension that drips, stream
    interim responses, each in time
    comments without a pause
    a stream without an end
""".strip().splitlines()

LATER = {
    "a head that drips, and no limit but that of reading",
    "interim responses, each in time",
}
"""httpx passes over interim responses without a word, so a head may take as long as all of them.

Not among the chosen ones: httpx counts neither interim responses without a pause nor extensions,
and on asyncio it does not read what a server says before it closes the connection on a large
request.
"""

CELLS = [
    pytest.param(name, FAULTS[name], call, id=f"{name}-{call}")
    for name in map(str.strip, CHOSEN)
    for call in FAULTS[name].calls[:1]
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault", "call"), CELLS)
@on_both_libraries
@on_every_flavour
async def test_a_fault_is_the_same_error_as_on_our_own_connections(
    world, library, name, fault: Fault, call
):
    def script(peer: Peer) -> None:
        (serve if peer.server.healthy.is_set() else fault.play)(peer)

    options = {"limits": library.Limits(max_connections=1)}
    with ScriptedServer(script) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url, **fault.options) as client,
        ):
            began = time.monotonic()
            error = await error_of(client, call, fault.ask)
            limit = LIMIT * INTERIM_TIMES if name in LATER else LIMIT
            assert time.monotonic() - began < limit + LATE
            assert (type(error), error.error_code) == (fault.error, fault.code)
            assert error.status == fault.status
            assert server.connections == fault.connections
            # The only connection that is allowed is free again.
            server.healthy.set()
            server.ending.set()
            await world.until(lambda: server.open_now <= 1)
            server.ending.clear()
            assert await response_of(in_peace(client)) == "pong"
    assert TOKEN not in f"{error} {error!r} {error.__cause__!r}"
    if fault.code not in ("write_timeout", "framing"):
        # While a request is written its bytes stand in httpcore's frames; and what h11 could not
        # read cannot be shown at all.
        expect_no_token(error, "")


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@on_both_libraries
@on_every_flavour
async def test_a_head_that_drips_on_a_kept_connection_is_a_timeout(world, library, secure):
    def script(peer: Peer) -> None:
        for number, _ in enumerate(peer.requests()):
            if number == 1:
                peer.drip(b"HTTP/1.1 200 OK\r\nX-Drip: " + b"a" * 5000, 0.01)
                return
            peer.send(make_response(200, dump(completion("pong"))))

    options: dict[str, Any] = {"verify": trusting()} if secure else {}
    with ScriptedServer(script, tls=serving() if secure else None) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url, max_retries=0) as client,
        ):
            assert await response_of(client) == "pong"
            began = time.monotonic()
            quick = client.with_options(timeout=Timeout(read=LIMIT))
            error = await error_of(quick, "create", ASK)
            assert time.monotonic() - began < LIMIT * INTERIM_TIMES + LATE
            assert (type(error), error.error_code) == (APITimeoutError, "read_timeout")
            assert server.connections == 1
            assert await response_of(client) == "pong"


@on_both_libraries
@on_every_flavour
async def test_a_refused_connection_is_tried_again_and_says_so(world, library):
    with ScriptedServer(serve) as server:
        url = server.url
    async with client_of(world, library, url) as client:
        for call in ("create", "stream"):
            error = await error_of(client, call, ASK)
            assert (type(error), error.error_code) == (APIConnectionError, "connect_refused")
            assert isinstance(error.__cause__, library.ConnectError)


@on_both_libraries
@on_every_flavour
async def test_a_certificate_that_is_not_trusted_is_final(world, library, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with ScriptedServer(serve, tls=serving()) as server:
        async with (
            injected(world, library, verify=True) as http,
            client_on(world, http, server.url) as client,
        ):
            error = await error_of(client, "create", ASK)
        assert (type(error), error.error_code) == (APIConnectionError, "tls_verify")
        assert "its verify=" in str(error)
        assert server.connections == 1


@on_both_libraries
@on_every_flavour
async def test_waiting_for_a_connection_has_a_limit_of_its_own(world, library):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
        peer.wait_until_left()

    options = {"limits": library.Limits(max_connections=1)}
    with ScriptedServer(script) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url, timeout=Timeout(pool=LIMIT)) as client,
            client.chat.completions.stream(**ASK),
        ):
            error = await error_of(client, "create", ASK)
        assert (type(error), error.error_code) == (APITimeoutError, "pool_timeout")


def dying(*connections: int, after: float = 0.0) -> Script:
    """A script: a good response, but on these connections the second request gets none."""

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            if n and peer.number in connections:
                time.sleep(after)
                return
            peer.send(good())

    return script


@on_both_libraries
@on_every_flavour
async def test_a_kept_connection_that_dies_with_a_request_costs_no_error(world, library):
    with ScriptedServer(dying(0)) as server:
        async with client_of(
            world, library, server.url, retry=RetryPolicy(max_retries=0)
        ) as client:
            for _ in range(3):
                assert await response_of(client) == "pong"
        assert server.connections == 2
        assert len(server.requests) == 4


@on_both_libraries
@on_every_flavour
async def test_a_request_is_sent_twice_at_most_however_many_connections_die(world, library):
    """httpx cannot be asked for a new connection, so each kept one used to be tried."""
    together = threading.Barrier(3, timeout=10)

    def script(peer: Peer) -> None:
        peer.receive()
        together.wait()
        peer.send(good())
        peer.receive()

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            assert await world.together(*[lambda: response_of(client)] * 3) == ["pong"] * 3
            assert (await error_of(client, "create", ASK)).error_code == "disconnected"
        assert len(server.requests) == 3 + 2


@pytest.mark.parametrize("call", ["create", "stream"])
@on_both_libraries
@on_every_flavour
async def test_a_request_that_the_server_worked_on_is_not_sent_again(
    world, library, call, monkeypatch
):
    monkeypatch.setattr(retries_of_the_core, "DEAD_WITHIN", 0.05)
    with ScriptedServer(dying(0, after=0.1)) as server:
        async with client_of(
            world, library, server.url, retry=RetryPolicy(max_retries=0)
        ) as client:
            assert await response_of(client) == "pong"
            assert (await error_of(client, call, ASK)).error_code == "disconnected"
        assert len(server.requests) == 2


@on_both_libraries
@on_every_flavour
async def test_a_first_response_that_never_comes_is_not_sent_again(world, library):
    def script(peer: Peer) -> None:
        peer.receive()

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            assert (await error_of(client, "create", ASK)).error_code == "disconnected"
        assert len(server.requests) == 1


# Who closes what


@on_both_libraries
@on_every_flavour
async def test_the_injected_client_stays_open_and_ours_does_not(world, library):
    """It belongs to the program that made it."""
    with ScriptedServer(serve) as server:
        async with injected(world, library) as http:
            async with client_on(world, http, server.url) as client:
                twin = client.with_options(timeout=3)
                await twin.close()
                assert await response_of(client) == "pong"
            for closed in (client, twin):
                error = await error_of(closed, "create", ASK)
                assert (type(error), error.error_code) == (APIConnectionError, "client_closed")
            assert not http.is_closed
            async with client_on(world, http, server.url) as another:
                assert await response_of(another) == "pong"
                await close(world, http)
                error = await error_of(another, "create", ASK)
                assert error.error_code == "client_closed"
                assert error.message == "the httpx client is closed: make a new one"
        assert server.connections == 1


def endless(peer: Peer) -> None:
    """A script: the beginning of a stream, to every request."""
    for _ in peer.requests():
        peer.send(stream_head() + chunked(*texts("a", "b")[:2], end=False))
        peer.wait_until_left()
        return


@pytest.mark.parametrize("taken", [0, 1])
@on_both_libraries
@on_every_flavour
async def test_a_stream_that_is_left_early_gives_its_connection_up(world, library, taken):
    options = {"limits": library.Limits(max_connections=1)}
    with ScriptedServer(endless, serve) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url) as client,
        ):
            async with client.chat.completions.stream(**ASK) as stream:
                for _ in range(taken):
                    await stream.__anext__()
            await world.until(lambda: server.open_now == 0)
            assert await response_of(client) == "pong"


@pytest.mark.parametrize("taken", [0, 1])
@on_both_libraries
@on_every_flavour
async def test_a_stream_that_is_dropped_gives_its_connection_up(world, library, taken):
    options = {"limits": library.Limits(max_connections=1)}
    with ScriptedServer(endless, serve) as server:
        async with (
            injected(world, library, **options) as http,
            client_on(world, http, server.url) as client,
        ):
            stream = client.chat.completions.stream(**ASK)
            await stream.__aenter__()
            for _ in range(taken):
                await stream.__anext__()
            del stream
            gc.collect()
            assert await response_of(client) == "pong"
            await world.until(lambda: server.open_now == 1)


@on_both_libraries
@on_every_flavour
async def test_closing_our_client_ends_a_stream_that_is_being_read(world, library):
    with ScriptedServer(endless) as server:
        async with injected(world, library) as http, client_on(world, http, server.url) as client:
            received = []

            async def reads() -> None:
                async for part in client.chat.completions.stream(**ASK):
                    received.append(part.choices[0].delta.content)

            async def closes() -> None:
                await world.until(lambda: len(received) == 2)
                await world.sleep(0.01)
                await client.aclose()

            began = time.monotonic()
            error, _ = await world.together(reads, closes)
            assert (type(error), error.error_code) == (APIConnectionError, "client_closed")
            assert time.monotonic() - began < LATE
            await world.until(lambda: server.open_now == 0)
            assert not http.is_closed


@on_both_libraries
@on_every_flavour
async def test_a_complete_stream_whose_body_does_not_end_is_not_waited_for(world, library):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(*texts("po", "ng"), end=False))
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url) as client:
            began = time.monotonic()
            assert await response_of(client, "stream") == "pong"
            assert time.monotonic() - began < LATE
            await world.until(lambda: server.open_now == 0)


@pytest.mark.parametrize("call", ["create", "stream"])
@on_both_libraries
@pytest.mark.parametrize("world", FLAVOURS[1:], ids=lambda world: world.name)
def test_cancelling_a_call_gives_its_connection_up(world, library, call):
    import anyio

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Transfer-Encoding: chunked", kind="text/event-stream"))
        peer.wait_until_left()

    async def scenario(world: World) -> None:
        options = {"limits": library.Limits(max_connections=1)}
        with ScriptedServer(script, serve) as server:
            async with (
                injected(world, library, **options) as http,
                client_on(world, http, server.url) as client,
            ):
                with anyio.move_on_after(0.05) as scope:
                    await response_of(client, call)
                assert scope.cancelled_caught
                await world.until(lambda: server.open_now == 0)
                assert await response_of(client, call) == "pong"

    world.run(scenario)


# What is refused


@on_both_libraries
def test_another_kind_of_client_is_refused_by_name(library):
    def refused(ours: Any, field: str, value: Any) -> str:
        with pytest.raises(TypeError) as caught:
            ours(token=TOKEN, **{field: value})
        return str(caught.value)

    name = library.__name__
    with library.Client(verify=False) as blocking:
        expected = "async_httpx_client: expected httpx.AsyncClient or httpx2.AsyncClient, got "
        got = f"{name}.Client; use MeshAPI for it"
        assert refused(AsyncMeshAPI, "async_httpx_client", blocking) == expected + got
    asynchronous = library.AsyncClient(verify=False)
    expected = "httpx_client: expected httpx.Client or httpx2.Client, got "
    got = f"{name}.AsyncClient; use AsyncMeshAPI for it"
    assert refused(MeshAPI, "httpx_client", asynchronous) == expected + got
    got = f"the class {name}.Client; write {name}.Client(...), not the class"
    assert refused(MeshAPI, "httpx_client", library.Client) == expected + got
    assert refused(MeshAPI, "httpx_client", name) == expected + "str"
    assert refused(MeshAPI, "httpx_client", False) == expected + "bool"


def test_it_is_not_combined_with_a_transport():
    with (
        httpx.Client(verify=False) as http,
        pytest.raises(TypeError, match="given together with transport"),
    ):
        MeshAPI(token=TOKEN, transport=HTTPXTransport(http), httpx_client=http)
    http = httpx.AsyncClient(verify=False)
    with pytest.raises(TypeError, match="given together with transport"):
        AsyncMeshAPI(token=TOKEN, transport=AsyncHTTPXTransport(http), async_httpx_client=http)


def test_none_means_our_own_connections():
    with ScriptedServer(serve) as server:
        with MeshAPI(base_url=server.url, token=TOKEN, httpx_client=None) as client:
            assert drive(response_of_blocking(client)) == "pong"
        client = AsyncMeshAPI(base_url=server.url, token=TOKEN, async_httpx_client=None)
        assert "AsyncMeshAPI" in repr(client)


async def response_of_blocking(client: MeshAPI) -> Any:
    return client.chat.completions.create(**ASK).choices[0].message.content


# How much it takes


@pytest.mark.slow
@on_both_libraries
@on_every_flavour
async def test_an_upload_of_any_size_takes_constant_memory(world, library):
    import tracemalloc

    size = 64 * MIB

    def pieces() -> Any:
        for _ in range(64):
            yield bytes(MIB)

    def script(peer: Peer) -> None:
        received = peer.receive_head()
        assert received is not None
        assert f"content-length: {size}".encode() in received
        left = size
        while left:
            left -= len(peer.take())
        peer.send(make_response(200, b""))

    with ScriptedServer(script) as server:
        async with client_of(world, library, server.url, timeout=30) as client:
            tracemalloc.start()
            try:
                await run(client, put(f"{server.url}/a", pieces()))
                assert tracemalloc.get_traced_memory()[1] < 8 * MIB
            finally:
                tracemalloc.stop()
