"""The context of a span goes to the gateway, and to nobody else; secrets go nowhere."""

import contextlib
import re
from typing import Any

import pytest
from client.test_tour import chunks_of
from opentelemetry.trace import format_span_id, format_trace_id

from meshapi import MeshAPIError
from meshapi.testing import LocalGateway
from support.certificates import serving, trusting
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.proxies import HTTPProxy
from support.realtime_server import CLOSE, RealtimePeer, connected, upgraded
from support.scripted_server import Peer, Received, ScriptedServer
from support.telemetry import OVERS, Telemetry, traced
from support.wire import dump, failed, make_response, serve

PASSWORD = "pa55word-of-the-proxy"
SIGNATURE = "s3cret.signature.0123456789"

over_everything = pytest.mark.parametrize("over", OVERS)


def sent(span: Any) -> str:
    """The header that a span's context becomes."""
    context = span.get_span_context()
    trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"


@over_everything
@on_every_flavour
async def test_the_gateway_gets_the_context_of_the_span(world: World, over: str) -> None:
    telemetry = Telemetry()
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        async with traced(world, gateway.url, telemetry, over) as client:
            await client.chat.completions.create(model="mesh/flaky", messages=ASK["messages"])
            await chunks_of(client.chat.completions.stream(**ASK))
            await client.models.list()
        requests = gateway.requests
    # The first call took three attempts, all in the same span.
    first, second, third = map(sent, telemetry.spans)
    found = [request.headers["traceparent"] for request in requests]
    assert found == [first] * 3 + [second, third]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", first)


@on_every_flavour
async def test_the_upgrade_of_a_session_has_it(world: World) -> None:
    telemetry = Telemetry()

    def script(peer: RealtimePeer) -> None:
        peer.receive_until(CLOSE)
        peer.close()

    options = {"open_telemetry": telemetry.options}
    async with connected(world, upgraded(script), client=options) as (_, server):
        pass
    assert server.requests[0].headers["traceparent"] == sent(telemetry.span)


@on_every_flavour
async def test_a_span_that_exists_is_the_parent_of_what_the_gateway_gets(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            with telemetry.tracer.start_as_current_span("parent") as parent:
                await client.chat.completions.create(**ASK)
    trace_id = format_trace_id(parent.get_span_context().trace_id)
    assert server.requests[0].headers["traceparent"].split("-")[1] == trace_id


@on_every_flavour
async def test_it_can_be_switched_off(world: World) -> None:
    telemetry = Telemetry(propagation=False)
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
    assert "traceparent" not in server.requests[0].headers
    assert len(telemetry.spans) == 1


@on_every_flavour
async def test_the_header_of_the_program_wins(world: World) -> None:
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    telemetry = Telemetry()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.with_options(extra_headers={"traceparent": own}).chat.completions.create(
                **ASK
            )
            await client.with_options(extra_headers={"Traceparent": own}).chat.completions.create(
                **ASK
            )
    for request in server.requests:
        assert request.headers["traceparent"] == own
        assert request.head.lower().count(b"traceparent") == 1


def storage(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(make_response(200, b""))


@over_everything
@on_every_flavour
async def test_a_signed_url_gets_no_context_and_is_in_no_span(world: World, over: str) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})
    with ScriptedServer(storage) as store:
        url = f"{store.url}/bucket/secret-object?X-Signature={SIGNATURE}"
        upload = {"file_id": "f", "signed_url": url, "upload_status": "ready"}

        def gateway(peer: Peer) -> None:
            for _ in peer.requests():
                peer.send(make_response(200, dump(upload)))

        with ScriptedServer(*[gateway] * 2) as server:
            async with traced(world, server.url, telemetry, over) as client:
                await client.rag.upload_file(
                    file_name="a.txt", mime_type="text/plain", content=b"x"
                )
        (put,) = store.requests
        assert "traceparent" not in put.headers
        found: Received = server.requests[0]
        assert "traceparent" in found.headers
        spans = telemetry.spans
        assert (spans[1].attributes or {})["server.port"] == int(store.url.rpartition(":")[2])
    everything = telemetry.everything()
    assert SIGNATURE not in everything
    assert "secret-object" not in everything


@on_every_flavour
async def test_a_proxy_gets_no_context_and_its_password_is_in_no_span(world: World) -> None:
    telemetry = Telemetry()
    right, wrong = f"user:{PASSWORD}", f"user:{PASSWORD}-wrong"
    with (
        HTTPProxy(credentials=right) as proxy,
        ScriptedServer(serve, tls=serving()) as server,
    ):
        for credentials in (right, wrong):
            options = {"proxy": proxy.url_with(credentials), "tls": trusting(), "max_retries": 0}
            async with traced(world, server.url, telemetry, **options) as client:
                with contextlib.suppress(MeshAPIError):
                    await client.chat.completions.create(**ASK)
    asked, refused = proxy.asked
    assert "traceparent" not in {**asked.headers, **refused.headers}
    (request,) = server.requests
    first, second = telemetry.spans
    assert request.headers["traceparent"] == sent(first)
    for span in (first, second):
        assert (span.attributes or {})["server.port"] == server.port
    assert (second.attributes or {})["error.type"] == "proxy_auth"
    assert PASSWORD not in telemetry.everything()


ECHOES = {
    "json": failed(401, "invalid_api_key", f"Incorrect API key provided: {TOKEN}."),
    "code": failed(422, TOKEN, "no"),
    "header": make_response(403, b"{}", f"X-Request-Id: {TOKEN}"),
    "body": make_response(200, f"bad key {TOKEN}".encode()),
    "good": make_response(
        200, dump({"id": "x", "model": "m", "choices": [], "usage": {"prompt_tokens": 1}})
    ),
}


@pytest.mark.parametrize("echo", ECHOES)
@over_everything
@on_every_flavour
async def test_the_token_is_in_no_span_though_the_gateway_quotes_it(
    world: World, over: str, echo: str
) -> None:
    telemetry = Telemetry(metrics={"names": "both"})

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(ECHOES[echo])

    with ScriptedServer(script) as server:
        async with traced(world, server.url, telemetry, over) as client:
            for call in (
                lambda client: client.chat.completions.create(**ASK),
                lambda client: chunks_of(client.chat.completions.stream(**ASK)),
                lambda client: client.with_options(
                    extra_query={"key": SIGNATURE}, extra_headers={"X-Key": SIGNATURE}
                ).chat.completions.create(**ASK),
            ):
                try:
                    await call(client)
                except MeshAPIError:
                    continue
    everything = telemetry.everything()
    assert len(telemetry.spans) == 3
    assert TOKEN not in everything
    assert TOKEN[:20] not in everything
    assert SIGNATURE not in everything
