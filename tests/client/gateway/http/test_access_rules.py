"""Requests that the local gateway refuses early: from foreign web pages, or too large."""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import pytest

from meshapi.gateway.http import request_log
from meshapi.gateway.http.request_log import RecordedHeaders, RecordedRequest, RequestLog
from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN, Response

MIB = 1024 * 1024
LARGEST = 32 * MIB
LARGEST_FORM = 128 * MIB
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def port_of(gateway: LocalGateway) -> int:
    return int(gateway.url.rpartition(":")[2])


def ask(gateway: LocalGateway, line: str, *fields: str, body: Iterable[bytes] = ()) -> Response:
    """Send a head and a body byte for byte; return the response."""
    with socket.create_connection(("127.0.0.1", port_of(gateway)), timeout=10) as peer:
        peer.sendall("\r\n".join([f"{line} HTTP/1.1", *fields, "", ""]).encode())
        for piece in body:
            peer.sendall(piece)
        response = http.client.HTTPResponse(peer, method=line.split()[0])
        response.begin()
        has_body = response.status != 101
        return Response(response.status, response.headers, response.read() if has_body else b"")


def both_ways(gateway: LocalGateway, *fields: str) -> set[tuple[int, Any]]:
    """Status and error code of a GET and of an upgrade, both with the token."""
    host = (
        () if any(field.startswith("Host:") for field in fields) else (f"Host: {place(gateway)}",)
    )
    key = f"Authorization: Bearer {gateway.token}"
    plain = ask(gateway, "GET /v1/models", key, *host, *fields)
    target = f"/v1/realtime?model=openai/gpt-realtime-mini&api_key={gateway.token}"
    upgrade = ask(gateway, f"GET {target}", *WEBSOCKET, *host, *fields)
    return {response.code if response.status >= 400 else (0, None) for response in (plain, upgrade)}


def place(gateway: LocalGateway) -> str:
    return gateway.url[len("http://") :]


FINE = {(0, None)}
REFUSED = {(403, "forbidden")}

FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "2130706433", "box"]


@pytest.mark.parametrize("name", [*FOREIGN, "localhost@evil.example", "[::1", "", "a:b:c"])
@pytest.mark.parametrize("port", ["", ":8000"])
def test_a_name_that_is_not_the_gateways_is_refused(
    gateway: LocalGateway, name: str, port: str
) -> None:
    """DNS rebinding: the page's own host name resolves to this computer."""
    host = f"Host: {name}{port}"
    assert both_ways(gateway, host) == REFUSED
    (first, _) = gateway.requests
    assert (first.path, first.headers["host"]) == ("/v1/models", f"{name}{port}")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost.", "127.0.0.1", "[::1]", "192.168.1.7", "0.0.0.0", "[fe80::1]"],
)
@pytest.mark.parametrize("port", ["", ":1", ":65535"])
def test_localhost_and_addresses_are_taken_with_any_port(
    gateway: LocalGateway, host: str, port: str
) -> None:
    assert both_ways(gateway, f"Host: {host}{port}") == FINE


@pytest.mark.parametrize(
    "origin",
    [*(f"https://{name}" for name in FOREIGN), "null", "http://203.0.113.7", "file://", "evil", ""],
)
def test_a_web_page_of_another_host_is_refused(gateway: LocalGateway, origin: str) -> None:
    assert both_ways(gateway, f"Origin: {origin}") == REFUSED


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "http://LOCALHOST"],
)
def test_a_web_page_of_this_machine_is_not(gateway: LocalGateway, origin: str) -> None:
    assert both_ways(gateway, f"Origin: {origin}") == FINE


def test_a_web_page_of_the_gateways_own_address_is_not(gateway: LocalGateway) -> None:
    here = ("Host: 192.168.1.7:8000", "Origin: http://192.168.1.7:8000")
    assert both_ways(gateway, *here) == FINE
    assert both_ways(gateway, here[0], "Origin: http://192.168.1.7:8001") == REFUSED


def test_names_can_be_allowed() -> None:
    with LocalGateway(token=TOKEN, host="0.0.0.0", allowed_hosts=["Gateway", "a.test."]) as gateway:
        for name in ("gateway:8000", "A.TEST", "localhost", "10.0.0.7:80"):
            assert both_ways(gateway, f"Host: {name}") == FINE
        for name in ("gateway", "a.test:3000"):
            assert both_ways(gateway, "Host: gateway", f"Origin: https://{name}") == FINE
        assert both_ways(gateway, "Host: b.test") == REFUSED
        assert both_ways(gateway, "Host: gateway", "Origin: https://b.test") == REFUSED


def test_a_refusal_says_what_to_do(gateway: LocalGateway) -> None:
    response = ask(gateway, "GET /v1/models", "Host: box:8000")
    assert "'box:8000'" in response.error["message"]
    assert "--allow-host NAME" in response.error["message"]


# Bodies


def post(
    gateway: LocalGateway,
    *fields: str,
    path: str = "/v1/chat/completions",
    token: Optional[str] = TOKEN,
    body: Iterable[bytes] = (),
) -> Response:
    usual = [f"Host: {place(gateway)}"]
    if token is not None:
        usual.append(f"Authorization: Bearer {token}")
    if not any(field.startswith("Content-Type") for field in fields):
        usual.append("Content-Type: application/json")
    return ask(gateway, f"POST {path}", *usual, *fields, body=body)


@pytest.mark.parametrize("token", [None, "rsk_test_wrong"])
@pytest.mark.parametrize("framing", [f"Content-Length: {300 * MIB}", "Transfer-Encoding: chunked"])
def test_of_a_request_without_the_token_no_body_is_read(
    gateway: LocalGateway, token: Optional[str], framing: str
) -> None:
    # No byte of the body is ever sent: a gateway that waited for one would wait for ever.
    assert post(gateway, framing, token=token).code == (401, "unauthorized")
    (request,) = gateway.requests
    size = 300 * MIB if "Length" in framing else 0
    assert (request.body, request.size, request.truncated) == (b"", size, size > 0)


def test_a_body_that_is_announced_as_too_large_is_not_read(gateway: LocalGateway) -> None:
    for size in (LARGEST + 1, 300 * MIB, 10**18):
        response = post(gateway, f"Content-Length: {size}")
        assert response.code == (413, "content_too_large")
        assert str(LARGEST) in response.error["message"]
    assert [request.body for request in gateway.requests] == [b""] * 3
    assert gateway.requests[1].size == 300 * MIB


def chunked(*pieces: bytes) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def form(size: int) -> tuple[str, Iterator[bytes]]:
    head = (
        b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai/whisper-1\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    )
    return "multipart/form-data; boundary=xyz", iter(
        [head, *[bytes(MIB)] * (size // MIB), b"\r\n--xyz--\r\n"]
    )


@pytest.mark.slow
def test_a_body_that_turns_out_too_large_is_read_no_further(gateway: LocalGateway) -> None:
    start = b'{"messages":[{"role":"user","content":"'
    for content_type in ("application/json", "multipart/form-data; boundary=xyz"):
        path = "/v1/audio/transcriptions" if "form" in content_type else "/v1/chat/completions"
        beginning = next(form(0)[1]) if "form" in content_type else start
        body = chunked(beginning, *[b"x" * MIB] * (129 if "form" in content_type else 33))
        framing = ("Transfer-Encoding: chunked", f"Content-Type: {content_type}")
        assert post(gateway, *framing, path=path, body=body).code == (413, "content_too_large")
    for request, largest in zip(gateway.requests, (LARGEST, LARGEST_FORM)):
        assert request.truncated
        assert largest < request.size <= largest + 2 * MIB


@pytest.mark.slow
def test_what_is_sent_for_a_reason_is_taken(gateway: LocalGateway) -> None:
    kind, pieces = form(100 * MIB)
    body = b"".join(pieces)
    fields = (f"Content-Length: {len(body)}", f"Content-Type: {kind}")
    response = post(gateway, *fields, path="/v1/audio/transcriptions", body=iter([body]))
    assert response.status == 200, response.body
    question = {"messages": [{"role": "user", "content": "Hi"}], "x": "y" * (31 * MIB)}
    data = json.dumps(question).encode()
    response = post(gateway, f"Content-Length: {len(data)}", body=iter([data]))
    assert response.status != 413


def request_of(size: int, number: int) -> RecordedRequest:
    return RecordedRequest("POST", f"/{number}", "", RecordedHeaders(), bytes(size), size)


def test_the_log_keeps_the_newest_bodies_and_the_sizes_of_all() -> None:
    log = RequestLog(50)
    for number in range(60):
        log.add(request_of(4 * MIB, number))
    kept = log.snapshot()
    assert [request.path for request in kept] == [f"/{number}" for number in range(10, 60)]
    assert [len(request.body) for request in kept] == [0] * 34 + [4 * MIB] * 16
    assert [request.size for request in kept] == [4 * MIB] * 50
    assert [request.truncated for request in kept] == [True] * 34 + [False] * 16
    for number in range(50):
        log.add(request_of(1, number))
    assert all(len(request.body) == 1 for request in log.snapshot())
    log.clear()
    log.add(request_of(MIB, 0))
    assert len(log.snapshot()[0].body) == MIB


def test_the_log_keeps_no_more_headers_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can send them, also without the token."""
    monkeypatch.setattr(request_log, "_KEPT_HEADS", 1_000_000)
    log = RequestLog(50)
    for number in range(20):
        headers = RecordedHeaders(raw=[(b"a", b"")] * 1000)
        log.add(RecordedRequest("GET", f"/{number}", "", headers, b"", 0))
    assert [request.path for request in log.snapshot()] == [
        f"/{number}" for number in range(16, 20)
    ]
    for number in range(60):
        log.add(request_of(1, number))
    assert len(log.snapshot()) == 50
