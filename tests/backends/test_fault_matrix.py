"""Every way in which a network can fail, and its outcome, on every flavour.

Each fault is a script for a server. What is checked for each of them:

- the error's class and code, the same on every flavour;
- how many connections it took, that is, what was retried;
- that the state is balanced and no connection is left open on either side;
- that the next request on the same client succeeds;
- that it did not take longer than its limit (with a margin for busy machines);
- that the token is in no message, traceback (with locals) or log record.

`on_every_flavour` adds: no descriptor is open, no task is left, the loop logs no errors.
`FAULTS` is the matrix; the tests below it do not fit into a row.
"""

import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

import pytest

import meshapi_core.retries as retries_of_the_core
from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ConflictError,
    ContentTooLargeError,
    InternalServerError,
    Limits,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    Timeout,
    UnprocessableEntityError,
)
from support.certificates import serving, trusting
from support.flavours import ASK, QUICK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, Script, ScriptedServer
from support.wire import (
    DONE,
    REQUEST_ID,
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
    streamed,
    texts,
)

LIMIT = 0.1
"""Seconds of the limits that faults run into."""

LATE = 8.0
"""Seconds more than its limit that a fault may take on a loaded machine; servers wait longer."""

BIG: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "x" * (16 * 1024 * 1024)}],
}
"""A request larger than all buffers between the two ends."""

GOOD = dump(completion("pong"))


class Fault(NamedTuple):
    """A row of the matrix.

    Fields:
        play: what the server does until it is healthy.
        error: the exact class that the caller gets.
        code: its error_code.
        connections: how many are opened until the call gives up.
        status: the status of the error.
        calls: "create", "stream" or both.
        options: the options of the client.
        ask: the parameters of the request.
    """

    play: Script
    error: type[MeshAPIError]
    code: str
    connections: int = 1
    status: int = 0
    calls: tuple[str, ...] = ("create", "stream")
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    ask: dict[str, Any] = ASK


def after_request(*pieces: bytes) -> Script:
    """A script: read one request, send these bytes and close."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(*pieces)

    return script


def then(script: Script, last: Callable[[Peer], None]) -> Script:
    """A script, and the last thing it does."""

    def both(peer: Peer) -> None:
        script(peer)
        last(peer)

    return both


def stalling(*pieces: bytes) -> Script:
    return then(after_request(*pieces), Peer.wait_until_left)


def dripping(first: bytes, slowly: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(first)
        peer.drip(slowly, 0.01)

    return script


def flooding_slowly(first: bytes, again: bytes) -> Script:
    """A script: the same, at a speed that brings more than a trickle."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(first)
        peer.drip(again * 40, LIMIT / 3, step=len(again))

    return script


def pinging(peer: Peer) -> None:
    """A script: one event, then comments for as long as the client stays."""
    peer.receive()
    peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
    ping = chunked(b": ping\n\n", end=False)
    peer.drip(ping * 500, 0.01, step=len(ping))


def flooding(first: bytes, again: bytes) -> Script:
    """A script: the same, without a pause, for as long as the client stays."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(first)
        while True:
            peer.send(again)

    return script


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"


def thinking(peer: Peer) -> None:
    """A script: interim responses, each in time, for as long as the client stays."""
    peer.receive()
    peer.drip(INTERIM * 1000, LIMIT / 4, step=len(INTERIM))


READ = {"timeout": Timeout(read=LIMIT)}
# For faults after the head, which has to come in time on a busy machine, too.
READ_ON = {"timeout": Timeout(read=5 * LIMIT)}
# Longer, because it includes connecting and the head.
TOTAL = {"timeout": Timeout(read=5.0, total=5 * LIMIT)}
IDLE = {"timeout": Timeout(read=5.0, idle=LIMIT)}

FAULTS: dict[str, Fault] = {
    "reset before the head": Fault(then(after_request(), Peer.reset), APIConnectionError, "reset"),
    "end before the head": Fault(after_request(), APIConnectionError, "disconnected"),
    "end in the status line": Fault(
        after_request(b"HTTP/1.1 2"), APIConnectionError, "disconnected"
    ),
    "end in the header fields": Fault(
        after_request(head()[:-4]), APIConnectionError, "disconnected"
    ),
    "reset after the head, create": Fault(
        then(after_request(head(200, "Content-Length: 9")), Peer.reset),
        APIConnectionError,
        "reset",
        calls=("create",),
        status=200,
    ),
    "reset after the head, stream": Fault(
        then(after_request(stream_head()), Peer.reset),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "end within a chunk, create": Fault(
        after_request(head(200, "Transfer-Encoding: chunked"), b"ff\r\n{"),
        APIConnectionError,
        "truncated",
        calls=("create",),
        status=200,
    ),
    "end before the last chunk, create": Fault(
        after_request(head(200, "Transfer-Encoding: chunked"), chunked(GOOD, end=False)),
        APIConnectionError,
        "truncated",
        calls=("create",),
        status=200,
    ),
    "end within a chunk, stream": Fault(
        after_request(stream_head() + chunked(frame(chunk("a")), end=False) + b"ff\r\nda"),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "end between chunks, stream": Fault(
        after_request(stream_head() + chunked(frame(chunk("a")), end=False)),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "shorter than promised": Fault(
        after_request(head(200, "Content-Length: 1000"), GOOD),
        APIConnectionError,
        "truncated",
        calls=("create",),
        status=200,
    ),
    "body ends with the connection, create": Fault(
        after_request(head(200), GOOD[:-9]),
        ResponseDecodeError,
        "parse_error",
        calls=("create",),
        status=200,
    ),
    "body ends with the connection, stream": Fault(
        after_request(head(200, kind="text/event-stream"), frame(chunk("a"))),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "silence before the head": Fault(stalling(), APITimeoutError, "read_timeout", options=READ),
    "silence within the body": Fault(
        stalling(head(200, "Content-Length: 1000"), b"{"),
        APITimeoutError,
        "read_timeout",
        calls=("create",),
        status=200,
        options=READ,
    ),
    "silence within the stream": Fault(
        stalling(stream_head(), chunked(frame(chunk("a")), end=False)),
        APITimeoutError,
        "read_timeout",
        calls=("stream",),
        options=READ,
    ),
    "silence between events": Fault(
        stalling(stream_head(), chunked(frame(chunk("a")), end=False)),
        APITimeoutError,
        "idle_timeout",
        calls=("stream",),
        options=IDLE,
    ),
    "comments and no events": Fault(
        pinging, APITimeoutError, "idle_timeout", calls=("stream",), options=IDLE
    ),
    "a head that drips": Fault(
        dripping(b"", head(200, *["X-Drip: " + "a" * 500] * 9)),
        APITimeoutError,
        "total_timeout",
        options=TOTAL,
    ),
    "a body that drips": Fault(
        dripping(head(200, "Content-Length: 5000"), b" " * 5000),
        APITimeoutError,
        "total_timeout",
        status=200,
        calls=("create",),
        options=TOTAL,
    ),
    "a stream that drips": Fault(
        dripping(stream_head(), chunked(*[frame(chunk("a"))] * 99)),
        APITimeoutError,
        "total_timeout",
        calls=("stream",),
        options=TOTAL,
    ),
    "a head that drips, and no limit but that of reading": Fault(
        dripping(b"", head(200, *["X-Drip: " + "a" * 500] * 9)),
        APITimeoutError,
        "read_timeout",
        options=READ,
    ),
    "a body that drips, and no limit but that of reading": Fault(
        dripping(head(200, "Content-Length: 5000"), b" " * 5000),
        APITimeoutError,
        "read_timeout",
        status=200,
        calls=("create",),
        options=READ_ON,
    ),
    "a body in tiny chunks": Fault(
        dripping(head(200, "Transfer-Encoding: chunked"), b"1\r\n \r\n" * 500),
        APITimeoutError,
        "read_timeout",
        status=200,
        calls=("create",),
        options=READ_ON,
    ),
    "an error that breaks off": Fault(
        after_request(head(413, "Content-Length: 900"), b"<title>413 Too Large"),
        ContentTooLargeError,
        "content_too_large",
        status=413,
    ),
    "an error whose body is reset": Fault(
        then(after_request(head(401, "Transfer-Encoding: chunked")), Peer.reset),
        AuthenticationError,
        "unauthorized",
        status=401,
    ),
    "an error that drips": Fault(
        dripping(head(400, "Content-Length: 5000"), b" " * 5000),
        APITimeoutError,
        "read_timeout",
        status=400,
        options=READ_ON,
    ),
    "an error that drips by the KiB": Fault(
        flooding_slowly(head(400, "Content-Length: 60000"), b" " * 1500),
        APITimeoutError,
        "read_timeout",
        status=400,
        options=READ_ON,
    ),
    "trailers that drip": Fault(
        dripping(
            head(200, "Transfer-Encoding: chunked") + chunked(GOOD, end=False),
            b"0\r\n" + b"X-Drip: a\r\n" * 500,
        ),
        APITimeoutError,
        "read_timeout",
        status=200,
        calls=("create",),
        options=READ_ON,
    ),
    "a chunk extension that drips, create": Fault(
        dripping(head(200, "Transfer-Encoding: chunked"), b"5;" + b"a" * 5000),
        APITimeoutError,
        "read_timeout",
        status=200,
        calls=("create",),
        options=READ_ON,
    ),
    "a chunk extension that drips, stream": Fault(
        dripping(stream_head() + chunked(frame(chunk("a")), end=False), b"5;" + b"a" * 5000),
        APITimeoutError,
        "read_timeout",
        calls=("stream",),
        options=READ_ON,
    ),
    "comments without a pause": Fault(
        flooding(stream_head(), chunked(b": ping\n\n", end=False)),
        APITimeoutError,
        "idle_timeout",
        calls=("stream",),
        options=IDLE,
    ),
    "tiny chunks without a pause": Fault(
        flooding(stream_head(), b"1\r\n:\r\n" * 1000),
        APITimeoutError,
        "total_timeout",
        calls=("stream",),
        options=TOTAL,
    ),
    "a body without an end": Fault(
        flooding(head(200, "Transfer-Encoding: chunked"), b"1\r\n \r\n" * 1000),
        APITimeoutError,
        "total_timeout",
        status=200,
        calls=("create",),
        options=TOTAL,
    ),
    "a stream without an end": Fault(
        flooding(stream_head(), chunked(frame(chunk("a")), end=False) * 20),
        APITimeoutError,
        "total_timeout",
        calls=("stream",),
        options=TOTAL,
    ),
    "interim responses without end": Fault(
        flooding(b"", INTERIM * 100), ProtocolError, "too_many_1xx"
    ),
    "interim responses, each in time": Fault(
        thinking, APITimeoutError, "read_timeout", options=READ
    ),
    "a chunk extension without end, create": Fault(
        flooding(head(200, "Transfer-Encoding: chunked") + b"5;", b"a" * 5000),
        ProtocolError,
        "framing",
        status=200,
        calls=("create",),
    ),
    "chunk extensions without end, stream": Fault(
        flooding(stream_head(), b"9;%b\r\n: ping\n\n\r\n" % (b"a" * 5000)),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "trailers without end": Fault(
        flooding(head(200, "Transfer-Encoding: chunked") + b"0\r\n", b"X: a\r\n" * 1000),
        ProtocolError,
        "framing",
        status=200,
        calls=("create",),
    ),
    "HTTP/2 and nothing else": Fault(
        stalling(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
        ProtocolError,
        "bad_response",
    ),
    "no HTTP, and no line end": Fault(stalling(b"220 ready"), ProtocolError, "bad_response"),
    "something else than HTTP": Fault(
        stalling(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ProtocolError, "bad_response"
    ),
    "a status that does not exist": Fault(
        stalling(b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"), ProtocolError, "bad_response"
    ),
    "a head without end": Fault(
        stalling(head(200, "X: " + "a" * 300_000)), ProtocolError, "headers_too_large"
    ),
    "two lengths": Fault(
        stalling(head(200, "Content-Length: 1", "Content-Length: 2")),
        ProtocolError,
        "framing",
    ),
    "another protocol": Fault(
        after_request(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        ProtocolError,
        "unexpected_upgrade",
    ),
    "a large request is refused while it is written": Fault(
        lambda peer: (peer.receive_head(), peer.send(failed(413, "content_too_large"))),
        ContentTooLargeError,
        "content_too_large",
        status=413,
        ask=BIG,
    ),
    "a large request is refused and the connection reset": Fault(
        lambda peer: (peer.receive_head(), peer.send(failed(401, "unauthorized")), peer.reset()),
        AuthenticationError,
        "unauthorized",
        status=401,
        ask=BIG,
    ),
    "a request that nobody reads": Fault(
        Peer.wait_for_the_end,
        APITimeoutError,
        "write_timeout",
        calls=("create",),
        options={"timeout": Timeout(write=LIMIT)},
        ask=BIG,
    ),
    "a web page": Fault(
        after_request(make_response(200, b"<html>hello</html>", kind="text/html")),
        ResponseDecodeError,
        "parse_error",
        status=200,
    ),
    "nothing": Fault(
        after_request(make_response(200, b"")), ResponseDecodeError, "parse_error", status=200
    ),
    "nothing, and it says so": Fault(
        after_request(head(204)), ResponseDecodeError, "parse_error", status=204
    ),
    "an error under a 200": Fault(
        after_request(
            make_response(200, dump({"id": "gen-1", "error": {"code": 429, "message": "no"}}))
        ),
        RateLimitError,
        "rate_limit_exceeded",
        status=200,
    ),
    "a choice that ended in an error": Fault(
        after_request(
            make_response(
                200, dump({"choices": [{"finish_reason": "error", "error": {"code": 502}}]})
            )
        ),
        InternalServerError,
        "upstream_error",
        status=200,
    ),
    "an error as the one event": Fault(
        after_request(streamed(frame({"error": {"code": 402, "message": "no"}}), DONE)),
        PaymentRequiredError,
        "spend_limit_exceeded",
        status=200,
        calls=("create",),
    ),
    "an error line at the end": Fault(
        after_request(streamed(frame(chunk("a")), dump([{"error": {"code": 503}}]))),
        InternalServerError,
        "upstream_error",
        calls=("stream",),
    ),
    "an error field": Fault(
        after_request(streamed(frame(chunk("a")), b'error: {"code":404,"message":"no"}\n\n')),
        NotFoundError,
        "not_found",
        calls=("stream",),
    ),
    "an error frame": Fault(
        after_request(
            streamed(
                frame(chunk("a")),
                frame({"error": {"code": "rate_limit_exceeded", "message": "no"}}),
                DONE,
            )
        ),
        RateLimitError,
        "rate_limit_exceeded",
        calls=("stream",),
    ),
    "an error event": Fault(
        after_request(streamed(b"event: error\ndata: overloaded\n\n")),
        # Without an error code, the class is the most general one.
        APIStatusError,
        "upstream_error",
        calls=("stream",),
    ),
    "no [DONE]": Fault(
        after_request(streamed(frame(chunk("a")))),
        StreamInterruptedError,
        "stream_interrupted",
        calls=("stream",),
    ),
    "a redirection": Fault(
        after_request(make_response(307, b"", "Location: http://127.0.0.1:9/elsewhere")),
        RedirectError,
        "redirect",
        status=307,
    ),
    "no such token": Fault(
        after_request(failed(401, "unauthorized")), AuthenticationError, "unauthorized", status=401
    ),
    "not allowed": Fault(
        after_request(failed(403, "forbidden")), PermissionDeniedError, "forbidden", status=403
    ),
    "no such model": Fault(
        after_request(failed(404, "model_not_found")),
        NotFoundError,
        "model_not_found",
        status=404,
    ),
    "a conflict": Fault(
        after_request(failed(409, "conflict")), ConflictError, "conflict", status=409
    ),
    "a wrong field": Fault(
        after_request(failed(422, "validation_error")),
        UnprocessableEntityError,
        "validation_error",
        status=422,
    ),
    "too many requests, create": Fault(
        after_request(failed(429, "rate_limit_exceeded")),
        RateLimitError,
        "rate_limit_exceeded",
        connections=3,
        status=429,
        calls=("create",),
    ),
    "too many requests, stream": Fault(
        after_request(failed(429, "rate_limit_exceeded")),
        RateLimitError,
        "rate_limit_exceeded",
        status=429,
        calls=("stream",),
    ),
    "come back tomorrow": Fault(
        after_request(failed(429, "rate_limit_exceeded", "no", "Retry-After: 86400")),
        RateLimitError,
        "rate_limit_exceeded",
        status=429,
        calls=("create",),
    ),
}

CELLS = [
    pytest.param(
        fault,
        call,
        id=f"{name}-{call}" if len(fault.calls) > 1 else name,
        marks=pytest.mark.slow if fault.ask is BIG else (),
    )
    for name, fault in FAULTS.items()
    for call in fault.calls
]


@pytest.mark.parametrize(("fault", "call"), CELLS)
@on_every_flavour
async def test_a_fault_is_one_typed_error_and_the_client_goes_on(world, fault, call, caplog):
    caplog.set_level(1)

    def script(peer: Peer) -> None:
        (serve if peer.server.healthy.is_set() else fault.play)(peer)

    options = {"limits": Limits(max_connections=1), **fault.options}
    with ScriptedServer(script) as server:
        async with world.client(server.url, **options) as client:
            began = time.monotonic()
            error = await error_of(client, call, fault.ask)
            elapsed = time.monotonic() - began
            assert (type(error), error.error_code) == (fault.error, fault.code)
            assert error.status == fault.status
            assert server.connections == fault.connections
            assert elapsed < LIMIT + LATE
            await expect_clean_and_well(world, client, server)
    expect_no_token(error, caplog.text)
    if error.status or error.request_id:
        # The head had come.
        assert error.headers["x-request-id"] == error.request_id == REQUEST_ID
    if isinstance(error, APITimeoutError):
        assert error.error_code == f"{error.phase}_timeout"


async def error_of(client: Any, call: str, ask: dict[str, Any]) -> MeshAPIError:
    with pytest.raises(MeshAPIError) as caught:
        await response_of(client, call, ask)
    return caught.value


def in_peace(client: Any) -> Any:
    """The client for a call that is to succeed, without the short limits that are for faults."""
    return client.with_options(timeout=30.0)


async def response_of(
    client: Any, call: str = "create", ask: dict[str, Any] = ASK
) -> Optional[str]:
    """The text of the response, of either call."""
    completions = client.chat.completions
    if call == "create":
        response = await completions.create(**ask)
        text: Optional[str] = response.choices[0].message.content
        return text
    pieces = [part.choices[0].delta.content or "" async for part in completions.stream(**ask)]
    return "".join(pieces)


async def expect_clean_and_well(world: World, client: Any, server: ScriptedServer) -> None:
    """Nothing is in use or waits; the next request succeeds, on any connection."""
    pool_state = world.pool_state(client)
    assert (pool_state.slots, pool_state.waiting) == (pool_state.idle, 0)
    server.healthy.set()
    server.ending.set()  # for scripts that wait without reading
    await world.until(lambda: server.open_now <= pool_state.idle)
    server.ending.clear()
    for call in ("create", "stream"):
        assert await response_of(in_peace(client), call) == "pong"


def expect_no_token(error: BaseException, logged: str) -> None:
    assert_no_circle(error)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    for text in (str(error), repr(error), "".join(shown), logged):
        assert TOKEN not in text


def assert_no_circle(error: Optional[BaseException]) -> None:
    """The chain of an error's causes has an end."""
    seen = set()
    while error is not None:
        assert id(error) not in seen
        seen.add(id(error))
        error = error.__cause__


def test_the_search_for_the_token_finds_one():
    token = str(TOKEN)
    try:
        raise ValueError(token[0])
    except ValueError as exc:
        with pytest.raises(AssertionError):
            expect_no_token(exc, "")


# No connection


@on_every_flavour
async def test_a_refused_connection_is_tried_again(world, caplog):
    caplog.set_level(1)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        async with world.client(f"http://127.0.0.1:{sock.getsockname()[1]}") as client:
            for call in ("create", "stream"):
                error = await error_of(client, call, ASK)
                assert (type(error), error.error_code) == (APIConnectionError, "connect_refused")
                assert isinstance(error.__cause__, ConnectionRefusedError)
                expect_no_token(error, caplog.text)
            pool_state = world.pool_state(client)
            assert (pool_state.slots, pool_state.waiting) == (0, 0)


@on_every_flavour
async def test_a_server_that_comes_up_meanwhile_gets_the_request(world):
    """A refused connection is retried, for streams, too: nothing has been sent."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        policy = RetryPolicy(max_retries=100, initial_delay=0.01, max_delay=0.01)
        async with world.client(f"http://127.0.0.1:{port}", retry=policy) as client:
            server = threading.Thread(target=_accept_once, args=(placeholder,))
            server.start()
            assert await response_of(client, "stream") == "late"
            server.join(10)


def _accept_once(placeholder: socket.socket) -> None:
    time.sleep(0.03)
    placeholder.settimeout(10)
    placeholder.listen(8)
    peer = placeholder.accept()[0]
    with peer:
        peer.settimeout(10)
        peer.recv(65536)
        peer.sendall(streamed(*texts("late")))


@on_every_flavour
async def test_a_name_that_does_not_exist_is_dns(world, monkeypatch):
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with world.client("http://gateway.invalid") as client:
        error = await error_of(client, "create", ASK)
    assert (type(error), error.error_code) == (APIConnectionError, "dns")
    assert "gateway.invalid" in str(error)


@on_every_flavour
async def test_the_end_of_a_handshake_is_tried_again(world):
    def end(peer: Peer) -> None:
        """Close during the handshake."""

    with ScriptedServer(end) as server:
        url = server.url.replace("http:", "https:")
        async with world.client(url, tls=trusting()) as client:
            error = await error_of(client, "create", ASK)
        assert error.error_code in ("tls_handshake", "reset")
        assert server.connections == 1 + QUICK.max_retries


@on_every_flavour
async def test_a_handshake_that_stalls_is_tried_again(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        url = server.url.replace("http:", "https:")
        options = {"tls": trusting(), "timeout": Timeout(connect=0.05)}
        async with world.client(url, **options) as client:
            error = await error_of(client, "stream", ASK)
        assert (type(error), error.error_code) == (APITimeoutError, "connect_timeout")
        await world.until(lambda: server.open_now == 0)
        assert server.connections == 1 + QUICK.max_retries


@on_every_flavour
async def test_faults_under_tls_are_the_same(world):
    def cut(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("a")), end=False))

    with ScriptedServer(cut, then(after_request(), Peer.reset), tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            error = await error_of(client, "stream", ASK)
            assert type(error) is StreamInterruptedError
            assert error.partial.choices[0].message.content == "a"
            error = await error_of(client, "create", ASK)
            assert (type(error), error.error_code) == (APIConnectionError, "reset")
            expect_no_token(error, "")


# Bodies that end with the connection

AUDIO = b"RIFF" + bytes(500)


def without_length(body: bytes, kind: str, *, goodbye: bool) -> Script:
    """A script: responses without a length, whose TLS connection ends properly or is cut."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, kind=kind), body)
        if goodbye:
            peer.say_goodbye()

    return script


async def bytes_of(client: Any, call: str) -> bytes:
    if call == "content":
        content: bytes = await client.files.content("f1")
        return content
    if call == "synthesize":
        sound: bytes = await client.audio.synthesize(model="m", input="hello", voice="v")
        return sound
    if call == "transcribe":
        response = await client.audio.transcribe(b"RIFF", model="m", response_format="text")
        text: str = response.text
        return text.encode()
    stream = client.files.stream("f1")
    if call == "audio":
        stream = client.audio.stream(model="m", input="hello", voice="v")
    return b"".join([piece async for piece in stream])


BYTES = [
    ("content", "application/octet-stream"),
    ("synthesize", "audio/wav"),
    ("transcribe", "text/plain"),
    ("stream", "application/octet-stream"),
    ("audio", "audio/wav"),
]


@pytest.mark.parametrize(("call", "kind"), BYTES)
@on_every_flavour
async def test_bytes_that_end_with_a_cut_tls_connection_are_truncated(world, call, kind):
    """Anybody on the path can end a TCP connection, but only the server can send close_notify."""
    script = without_length(AUDIO, kind, goodbye=False)
    with ScriptedServer(script, tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            with pytest.raises(MeshAPIError) as caught:
                await bytes_of(client, call)
        error = caught.value
        if call in ("stream", "audio"):
            assert type(error) is StreamInterruptedError
            assert error.__cause__.error_code == "truncated"
        else:
            assert (type(error), error.error_code) == (APIConnectionError, "truncated")
            assert (error.status, error.request_id) == (200, "req_01TEST")
        # Reading a file again does no harm, so it is retried.
        assert server.connections == (1 + QUICK.max_retries if call == "content" else 1)


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(("call", "kind"), BYTES)
@on_every_flavour
async def test_bytes_that_end_with_the_connection_in_good_order_are_whole(world, call, kind, tls):
    script = without_length(AUDIO, kind, goodbye=tls)
    with ScriptedServer(script, tls=serving() if tls else None) as server:
        options = {"tls": trusting()} if tls else {}
        async with world.client(server.url, **options) as client:
            assert await bytes_of(client, call) == AUDIO


@on_every_flavour
async def test_what_tells_its_end_by_itself_needs_no_goodbye(world):
    response = without_length(GOOD, "application/json", goodbye=False)
    stream = without_length(b"".join(texts("pong")), "text/event-stream", goodbye=False)
    unsure = without_length(frame(chunk("a")), "text/event-stream", goodbye=False)
    with ScriptedServer(response, stream, unsure, tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            assert await response_of(client) == "pong"
            assert await response_of(client, "stream") == "pong"
            assert type(await error_of(client, "stream", ASK)) is StreamInterruptedError


@on_every_flavour
async def test_a_length_needs_no_goodbye(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(make_response(200, AUDIO, "Connection: close", kind="audio/wav"))

    with ScriptedServer(script, tls=serving()) as server:
        async with world.client(server.url, tls=trusting()) as client:
            assert await bytes_of(client, "synthesize") == AUDIO
            assert await bytes_of(client, "audio") == AUDIO


# Interim responses


@on_every_flavour
async def test_interim_responses_are_passed_over(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good())

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            for _ in range(3):
                assert await response_of(client) == "pong"
        assert server.connections == 1


@pytest.mark.slow
@on_every_flavour
async def test_a_server_that_says_that_it_works_has_more_time(world):
    """It takes longer than the limit, but with a sign of life within each limit."""

    def script(peer: Peer) -> None:
        peer.receive()
        for _ in range(12):
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            time.sleep(0.05)
        peer.send(good())

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(read=0.5)) as client:
            assert await response_of(client) == "pong"


@pytest.mark.slow
@on_every_flavour
async def test_a_body_that_is_slow_but_comes_is_waited_for(world):
    """More than a trickle, and longer than the read timeout."""
    whole = dump(completion("pong" * 2000))

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, f"Content-Length: {len(whole)}"))
        peer.drip(whole, 0.1, step=1100)

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(read=5 * LIMIT)) as client:
            assert await response_of(client) == "pong" * 2000


@pytest.mark.slow
@on_every_flavour
async def test_a_stream_may_bring_little_at_a_time(world):
    frames = b"".join(texts("po", "ng"))

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head())
        for place in range(0, len(frames), 60):
            peer.send(chunked(frames[place : place + 60], end=False))
            time.sleep(0.1)
        peer.send(chunked())

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(read=5 * LIMIT)) as client:
            assert await response_of(client, "stream") == "pong"


# Kept connections


def first_good(play: Callable[[Peer], None]) -> Script:
    """A script: one good response, then this."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(good())
        play(peer)

    return script


@pytest.mark.parametrize("call", ["create", "stream"])
@pytest.mark.parametrize(
    "play",
    [lambda peer: None, Peer.reset, Peer.half_close],
    ids=["end", "reset", "half close"],
)
@on_every_flavour
async def test_a_connection_that_ended_while_idle_is_not_used(world, play, call):
    left = threading.Event()

    def ends(peer: Peer) -> None:
        play(peer)
        left.set()
        if play is Peer.half_close:
            assert peer.receive() is None, "nothing is sent on it"

    with ScriptedServer(first_good(ends), serve) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            assert await response_of(client) == "pong"
            await world.until(left.is_set)
            (idle,) = world.pool_state(client)._idle
            await world.until(lambda: idle.stream.readable)
            assert await response_of(client, call) == "pong"
            assert await response_of(client, call) == "pong"
        assert server.connections == 2
        assert len(server.requests) == 3


@pytest.mark.parametrize("call", ["create", "stream"])
@pytest.mark.parametrize("play", [lambda peer: None, Peer.reset], ids=["end", "reset"])
@on_every_flavour
async def test_a_kept_connection_that_dies_with_the_request_on_it_costs_no_error(world, play, call):
    """The request is sent again on a fresh connection at once, and does not count as a retry."""

    def dies(peer: Peer) -> None:
        peer.receive()
        play(peer)

    with ScriptedServer(first_good(dies), serve) as server:
        async with world.client(server.url, retry=RetryPolicy(max_retries=0)) as client:
            assert await response_of(client) == "pong"
            assert await response_of(client, call) == "pong"
            assert await response_of(client, call) == "pong"
        assert server.connections == 2
        assert len(server.requests) == 4


WAIT = 0.1
"""Seconds that a server works in these tests, and then hangs up."""


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("call", ["create", "stream"])
@pytest.mark.parametrize("play", [lambda peer: None, Peer.reset], ids=["end", "reset"])
@on_every_flavour
async def test_a_request_that_the_server_worked_on_is_not_sent_again(
    world, play, call, retries, monkeypatch
):
    """A load balancer with a time limit closes like this; to send again would cost twice."""
    monkeypatch.setattr(retries_of_the_core, "DEAD_WITHIN", WAIT / 2)

    def works(peer: Peer) -> None:
        peer.receive()
        time.sleep(WAIT)
        play(peer)

    with ScriptedServer(first_good(works), serve) as server:
        async with world.client(server.url, retry=RetryPolicy(max_retries=retries)) as client:
            assert await response_of(client) == "pong"
            error = await error_of(client, call, ASK)
            assert error.error_code in ("disconnected", "reset")
            assert len(server.requests) == 2
            assert await response_of(client, call) == "pong"


@on_every_flavour
async def test_what_starts_a_job_is_not_sent_again_however_soon_the_connection_died(world):
    def dies(peer: Peer) -> None:
        peer.receive()

    with ScriptedServer(first_good(dies), serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
            with pytest.raises(APIConnectionError):
                await client.batches.create(
                    requests=[{"custom_id": "1", "body": {"model": "m", "messages": []}}]
                )
            assert len(server.requests) == 2


@on_every_flavour
async def test_a_call_meets_one_dead_connection_and_no_second_one(world):
    """If the fresh connection ends without a response, too, the server does it."""

    def dies(peer: Peer) -> None:
        peer.receive()

    with ScriptedServer(first_good(dies), dies, serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
            assert (await error_of(client, "create", ASK)).error_code == "disconnected"
            assert len(server.requests) == 3


@on_every_flavour
async def test_many_kept_connections_that_died_cost_nobody_an_error(world):
    together = threading.Barrier(4, timeout=10)

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            if n == 0 and peer.number < 4:
                together.wait()
            elif peer.number < 4:
                return
            peer.send(good())

    with ScriptedServer(script) as server:
        async with world.client(server.url, retry=RetryPolicy(max_retries=0)) as client:
            calls = [lambda: response_of(client)] * 4
            assert await world.together(*calls) == ["pong"] * 4
            assert await world.together(*calls) == ["pong"] * 4
        assert 4 < server.connections <= 8


@on_every_flavour
async def test_a_first_response_that_never_comes_is_not_sent_again(world):
    """After a fresh connection ended without a response, the work may be done and billed."""
    with ScriptedServer(after_request()) as server:
        async with world.client(server.url) as client:
            assert (await error_of(client, "create", ASK)).error_code == "disconnected"
        assert len(server.requests) == 1


INJECTED = make_response(200, dump(completion("INJECTED")))


@pytest.mark.parametrize("call", ["create", "stream"])
@on_every_flavour
async def test_surplus_bytes_in_the_packet_of_a_response_answer_nothing(world, call):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(good() + INJECTED)
        peer.wait_until_left()

    with ScriptedServer(script, serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
            assert world.pool_state(client).idle == 0, "no such connection is kept"
            assert await response_of(client, call) == "pong"
        assert server.connections == 2


@pytest.mark.parametrize("surplus", [INJECTED, b"\r\n", b"x"], ids=["answer", "line end", "byte"])
@on_every_flavour
async def test_surplus_bytes_that_come_later_answer_nothing(world, surplus):
    go = threading.Event()

    def late(peer: Peer) -> None:
        assert go.wait(10)
        peer.send(surplus)
        peer.wait_until_left()

    with ScriptedServer(first_good(late), serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
            (idle,) = world.pool_state(client)._idle
            go.set()
            await world.until(lambda: idle.stream.readable)
            assert await response_of(client) == "pong"
        assert server.connections == 2


@pytest.mark.slow
@on_every_flavour
async def test_surplus_bytes_while_a_request_is_written_answer_nothing(world):
    def during(peer: Peer) -> None:
        assert peer.receive_head() is not None
        peer.send(INJECTED)
        peer.wait_until_left()

    with ScriptedServer(first_good(during), serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
            assert await response_of(client, "create", BIG) == "pong"
        assert server.connections == 2


@on_every_flavour
async def test_surplus_bytes_after_a_stream_answer_nothing(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(streamed(*texts("pong")) + INJECTED)
        peer.wait_until_left()

    with ScriptedServer(script, serve) as server:
        async with world.client(server.url) as client:
            assert await response_of(client, "stream") == "pong"
            assert await response_of(client) == "pong"
        assert server.connections == 2


# After the end


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-ndjson", ""])
@on_every_flavour
async def test_a_stream_under_another_label_gives_its_chunks_as_they_come(world, kind):
    """It used to be refused, or read to its end first."""
    read = threading.Event()

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, kind=kind), frame(chunk("a")))
        assert read.wait(5)
        peer.send(frame(chunk("b", "stop")), DONE)

    with ScriptedServer(script) as server:
        async with (
            world.client(server.url) as client,
            client.chat.completions.stream(**ASK) as stream,
        ):
            assert (await stream.__anext__()).choices[0].delta.content == "a"
            read.set()
            assert [c.choices[0].delta.content async for c in stream] == ["b"]


@pytest.mark.parametrize("name", ["request-id", "x-litellm-call-id", "x-amzn-RequestId"])
@on_every_flavour
async def test_a_request_has_an_id_under_any_usual_name(world, name):
    responses = [
        make_response(200, dump(completion("a"))),
        streamed(frame(chunk("a", "stop")), DONE),
    ]
    responses += [make_response(400, b"{}"), head(200, "Content-Length: 9") + b"{"]
    scripts = [
        after_request(response.replace(b"X-Request-Id", name.encode())) for response in responses
    ]
    with ScriptedServer(*scripts) as server:
        async with world.client(server.url) as client:
            response = await client.chat.completions.create(**ASK)
            assert response._request_id == REQUEST_ID
            async with client.chat.completions.stream(**ASK) as stream:
                assert [c._request_id async for c in stream] == [REQUEST_ID]
                assert stream.request_id == REQUEST_ID
            for _ in range(2):
                error = await error_of(client, "create", ASK)
                assert error.request_id == error.headers[name] == REQUEST_ID


@on_every_flavour
async def test_what_follows_done_is_not_read_as_chunks(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(streamed(*texts("pong"), frame(chunk("more")), b"data: {broken\n\n"))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            for _ in range(2):
                assert await response_of(client, "stream") == "pong"
        assert server.connections == 1


@on_every_flavour
async def test_a_stream_without_done_is_complete_with_its_finish_reason(world):
    with ScriptedServer(after_request(streamed(*texts("pong")[:-1]))) as server:
        async with world.client(server.url) as client:
            assert await response_of(client, "stream") == "pong"


# Redirections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@on_every_flavour
async def test_no_redirection_is_followed(world, status):
    with ScriptedServer(serve) as target:
        location = f"Location: {target.url}/v1/chat/completions?key=value"
        with ScriptedServer(after_request(make_response(status, b"", location))) as server:
            async with world.client(server.url) as client:
                error = await error_of(client, "create", ASK)
        assert type(error) is RedirectError
        assert error.status == status
        assert "key=value" not in str(error)
        assert target.connections == 0


# Waiting as asked


@pytest.mark.parametrize("bad", ["-5", "nan", "1e9", "9" * 5000, "soon", ""])
@on_every_flavour
async def test_a_retry_after_that_says_nothing_is_passed_over(world, bad):
    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            field = f"Retry-After: {bad}"
            peer.send(good() if n else failed(429, "rate_limit_exceeded", "no", field))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
        assert len(server.requests) == 2
        assert server.connections == 1


@on_every_flavour
async def test_the_wait_is_what_the_server_asks_for(world):
    times = []

    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            times.append(time.monotonic())
            response = failed(503, "provider_not_available", "no", retry_after_seconds=0.1)
            peer.send(good() if n else response)

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
    assert times[1] - times[0] >= 0.1


@on_every_flavour
async def test_a_server_that_fails_twice_answers_the_third_attempt(world):
    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            peer.send(good() if n == 2 else failed(503, "provider_not_available"))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            assert await response_of(client) == "pong"
        assert len({request.body for request in server.requests}) == 1
        assert len(server.requests) == 3
        assert server.connections == 1, "a response that was read gives its connection back"


@on_every_flavour
async def test_no_retry_begins_beyond_the_limit_of_the_whole_call(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(503, "provider_not_available", "no", "Retry-After: 30"))

    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(total=20.0)) as client:
            began = time.monotonic()
            error = await error_of(client, "create", ASK)
            assert time.monotonic() - began < LATE
        assert (error.status, error.retry_after_seconds) == (503, 30)
        assert len(server.requests) == 1


# Closed by somebody else


@pytest.mark.parametrize("call", ["content", "stream"])
@on_every_flavour
async def test_a_client_that_is_closed_does_not_end_a_body_without_a_length(world, call):
    """What had arrived used to look complete."""
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, kind="application/octet-stream"), b"some of it")
        sent.set()
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:

            async def closes():
                await world.until(sent.is_set)
                await world.sleep(0.02)
                await client.aclose()

            error, _ = await world.together(lambda: bytes_of(client, call), closes)
    assert type(error) is APIConnectionError
    assert error.error_code == "client_closed"


@on_every_flavour
async def test_a_client_that_is_closed_during_a_stream_ends_it_at_once(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            times = []
            received = []

            async def reads():
                try:
                    async for part in client.chat.completions.stream(**ASK):
                        received.append(part.choices[0].delta.content)
                finally:
                    times.append(time.monotonic())

            async def closes():
                await world.until(lambda: received)
                await world.sleep(0.01)
                times.append(time.monotonic())
                await client.aclose()

            error, _ = await world.together(reads, closes)
            assert type(error) is APIConnectionError
            assert error.error_code == "client_closed"
            assert error.partial.choices[0].message.content == "a"
            assert abs(times[1] - times[0]) < LATE
            await world.until(lambda: server.open_now == 0)
