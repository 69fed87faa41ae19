"""Hosts that format a request themselves send the token, not asterisks."""

import asyncio
import http.client
import json
import os
import socket
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from meshapi.testing import LocalGateway
from meshapi_core import MeshAPIConfig, Request
from meshapi_core.endpoints import Completions

Sends = Callable[[Request], "tuple[int, bytes]"]


@pytest.fixture(scope="module")
def request_() -> Iterator[Request]:
    with LocalGateway() as gateway:
        config = MeshAPIConfig(base_url=gateway.url, token=gateway.token)
        messages = [{"role": "user", "content": "What is 2+2?"}]
        call = Completions.create.build(model="openai/gpt-4o-mini", messages=messages)
        yield call.request(config, os.urandom)


def by_aiohttp(request: Request) -> "tuple[int, bytes]":
    async def main() -> "tuple[int, bytes]":
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                request.plain_url,
                data=request.body,
                headers=request.plain_headers(),
            ) as response,
        ):
            return response.status, await response.read()

    return asyncio.run(main())


def by_http_client(request: Request) -> "tuple[int, bytes]":
    connection = http.client.HTTPConnection(request.origin.host, request.origin.port)
    headers = dict(request.plain_headers())
    connection.request(request.method, request.plain_target, request.body, headers)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def by_hand_in_text(request: Request) -> "tuple[int, bytes]":
    assert isinstance(request.body, bytes)
    lines = [
        f"{request.method} {request.plain_target} HTTP/1.1",
        f"host: {request.origin.authority}",
    ]
    lines += [f"{name}: {value}" for name, value in request.plain_headers()]
    lines += [f"content-length: {len(request.body)}", "connection: close", "", ""]
    return exchanged(request, "\r\n".join(lines).encode("latin-1") + request.body)


def by_hand_in_bytes(request: Request) -> "tuple[int, bytes]":
    assert isinstance(request.body, bytes)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.plain_target.encode())]
    lines += [b"%b: %b" % pair for pair in request.raw_headers]
    lines += [b"host: %b" % request.origin.authority.encode(), b"connection: close"]
    lines += [b"content-length: %d" % len(request.body), b"", b""]
    return exchanged(request, b"\r\n".join(lines) + request.body)


def exchanged(request: Request, data: bytes) -> "tuple[int, bytes]":
    with socket.create_connection((request.origin.host, request.origin.port), timeout=10) as pipe:
        pipe.sendall(data)
        head, _, body = b"".join(iter(lambda: pipe.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("send", [by_aiohttp, by_http_client, by_hand_in_text, by_hand_in_bytes])
def test_the_gateway_knows_the_token(send: Sends, request_: Request) -> None:
    status, body = send(request_)
    assert (status, body[:1]) == (200, b"{")
    assert "4" in json.loads(body)["choices"][0]["message"]["content"]
