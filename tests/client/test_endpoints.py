"""Every endpoint on every flavour: the bytes that it sends, and what it returns."""

import re
from typing import Any

import pytest

from meshapi import MeshAPI, __version__
from meshapi_core.endpoints import Resource, flow_endpoint, stream_endpoint
from meshapi_core.endpoints._descriptor import StreamEndpointAs
from meshapi_core.endpoints._pairs import TypedStreamEndpoint
from support.endpoint_rows import Row, all_endpoints, all_rows, declared_resources
from support.flavours import TOKEN, World, on_every_flavour
from support.scripted_server import Peer, Received, ScriptedServer
from support.turns import by_turns

# Some rows hold odd responses.
pytestmark = pytest.mark.filterwarnings("ignore::meshapi.ResponseWarning")

ROWS = all_rows()
ENDPOINTS = all_endpoints(MeshAPI(token=TOKEN))

FLOWS = {
    "batches.submit",
    "batches.wait",
    "documents.wait",
    "rag.upload_and_embed",
    "rag.upload_file",
    "rag.wait",
    "responses.wait",
    "videos.generate_and_wait",
    "videos.wait",
}


PARSED = {"chat.completions.parse", "responses.parse"}
"""Flows with tests of their own: `test_parse`."""

SAVED = {"audio.synthesize_to", "files.download", "images.save"}
"""Flows with tests of their own: `test_downloads`."""


def test_every_endpoint_has_a_row() -> None:
    flows = {name for name, kind in ENDPOINTS.items() if isinstance(kind, flow_endpoint)}
    assert set(ENDPOINTS) - {row.endpoint for row in ROWS} == flows
    assert flows == {*FLOWS, *PARSED, *SAVED}, "a new flow needs tests of its own"


def test_every_row_is_of_an_endpoint() -> None:
    assert {row.endpoint for row in ROWS} <= set(ENDPOINTS)


def test_every_resource_of_the_core_is_on_the_clients() -> None:
    client = MeshAPI(token=TOKEN)
    found = set()

    def walk(holder: Any) -> None:
        for name in dir(holder):
            value = None if name.startswith("_") else getattr(holder, name)
            if isinstance(value, Resource):
                found.add(type(value).__name__)
                walk(value)

    walk(client)
    # That one is a method of the clients.
    assert found == declared_resources() - {"Downloads"}


def make_response(row: Row) -> Any:
    def script(peer: Peer) -> None:
        peer.receive()
        body = row.response_bytes
        head = f"HTTP/1.1 {row.status} Whatever\r\nX-Request-Id: req_of_this_row\r\n"
        if row.response_type:
            head += f"Content-Type: {row.response_type}\r\n"
        if row.status != 204:
            head += f"Content-Length: {len(body)}\r\n"
        peer.send(head.encode() + b"\r\n" + body)

    return script


async def result_of(client: Any, row: Row) -> Any:
    method = client
    for name in row.endpoint.split("."):
        method = getattr(method, name)
    streams = (stream_endpoint, StreamEndpointAs, TypedStreamEndpoint)
    if not isinstance(ENDPOINTS[row.endpoint], streams):
        return await method(*row.args, **row.kwargs)
    async with method(*row.args, **row.kwargs) as stream:
        chunks = [chunk async for chunk in stream]
        assert stream.request_id == "req_of_this_row"
        return chunks


@by_turns
@pytest.mark.parametrize("row", ROWS, ids=str)
@on_every_flavour
async def test_an_endpoint_sends_exactly_this_and_returns_exactly_that(
    world: World, row: Row
) -> None:
    with ScriptedServer(make_response(row)) as server:
        async with world.client(server.url) as client:
            value = await result_of(client, row)
        (request,) = server.requests
    check_request(request, row)
    assert value == row.value
    # A subclass of list or bytes shows more in a notebook, and is one for all else.
    assert type(value) is type(row.value) or isinstance(value, (list, bytes))


def check_request(request: Received, row: Row) -> None:
    target = f"{row.path}?{row.query}" if row.query else row.path
    assert request.line.decode() == f"{row.method} {target} HTTP/1.1"
    fields = request.headers
    key = fields.pop("idempotency-key", None)
    assert (key is not None) == (row.method == "POST"), "POSTs alone have a key"
    body = request.body
    found = re.search("boundary=(.*)", fields.get("content-type", ""))
    if found is not None:
        fields["content-type"] = fields["content-type"].replace(found[1], "BOUNDARY")
        body = body.replace(found[1].encode(), b"BOUNDARY")
    expected = {
        "authorization": f"Bearer {TOKEN}",
        "accept": row.accept,
        "accept-encoding": "identity",
        "user-agent": f"meshapi-python/{__version__}",
        "x-meshapi-sdk": f"python/{__version__}",
        "host": fields["host"],
    }
    if row.expected_type is not None:
        expected["content-type"] = row.expected_type
    if row.expected_type is not None or row.method != "GET":
        expected["content-length"] = str(len(request.body))
    if row.method == "DELETE" and row.expected_type is None:
        expected.pop("content-length")
    assert fields == expected
    if row.body is not None:
        assert body == row.body
    elif row.json is None:
        assert body == b""
    else:
        assert request.json() == row.json
