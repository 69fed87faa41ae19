"""Secrets stay secret, whatever servers do with them: the token, the values of extra headers and
query parameters, signed URLs. Each kind of failure is inspected as an error tracker would do it.
"""

import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from client.test_content_codings import client_over, collected, over_both_transports

from meshapi import (
    MeshAPIError,
    RealtimeConnectionClosed,
    RealtimeError,
    RedirectError,
    ResponseDecodeError,
    Timeout,
)
from meshapi_core.types.rag import InitUploadResponse
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.realtime_server import RealtimePeer, connected, upgraded
from support.reporters import seen
from support.scripted_server import Peer, Script, ScriptedServer
from support.turns import by_turns
from support.wire import chunk, dump, failed, frame, head, make_response, stream_head

SIGNATURE = "s3cret.signature.0123456789"
QUERY = f"X-Signature={SIGNATURE}&X-Date=20260101"
LONG = "x" * 475

EXTRA = "sk-extra-0123456789"
OTHER = "rsk_test_another_canary_of_every_flavour"


def fixed(response: bytes) -> Script:
    def script(peer: Peer) -> None:
        if peer.receive() is not None:
            peer.send(response)

    return script


# Secrets that the gateway quotes

ECHOES: dict[str, bytes] = {
    "json": failed(401, "invalid_api_key", f"Incorrect API key provided: {TOKEN}."),
    "details": failed(422, TOKEN, "no", details=[{"msg": TOKEN, "loc": ["header", TOKEN]}]),
    "provider": failed(400, "x", "no", provider_error={"a": [{"b": f"Bearer {TOKEN}"}]}),
    "text": make_response(400, f"bad header: Bearer {TOKEN}".encode(), kind="text/plain"),
    "cut off": make_response(400, f"{LONG} Bearer {TOKEN}".encode(), kind="text/plain"),
    "page": make_response(400, f"<title>{TOKEN}</title>".encode(), kind="text/html"),
    "header": make_response(403, b"{}", f"X-Echo: Bearer {TOKEN}", f"X-Request-Id: {TOKEN}"),
    "redirect": make_response(302, b"", f"Location: https://h/login?token={TOKEN}"),
    "redirect path": make_response(302, b"", f"Location: https://h/{TOKEN}/login"),
    "200 that is no json": make_response(200, f"bad key {TOKEN}".encode()),
    "200 of another kind": make_response(200, dump([TOKEN])),
    "200 with an error": make_response(200, dump({"error": {"message": TOKEN}})),
    "no http": f"SSH-2.0-{TOKEN}\r\n\r\n".encode(),
    "bad field": f"HTTP/1.1 200 OK\r\n{TOKEN} : x\r\n\r\n".encode(),
    "bad length": f"HTTP/1.1 200 OK\r\nContent-Length: {TOKEN}\r\n\r\n".encode(),
    "cut short": head(200, "Content-Length: 999") + TOKEN.encode(),
    "event": stream_head() + b"%x\r\n" % 200 + frame({"error": {"message": TOKEN}}).ljust(200),
    "event of text": make_response(
        200, f"event: error\ndata: {TOKEN}\n\n".encode(), kind="text/event-stream"
    ),
    "bad event": make_response(
        200, b'data: {"a": %s\n\n' % TOKEN.encode(), kind="text/event-stream"
    ),
    "no event": make_response(200, TOKEN.encode(), kind="text/event-stream"),
    "another type": make_response(200, TOKEN.encode(), f"X-Echo: {TOKEN}", kind="text/html"),
    "coding": make_response(200, b"abc", f"Content-Encoding: {TOKEN}"),
}


@by_turns
@pytest.mark.parametrize("echo", ECHOES)
@over_both_transports
@on_every_flavour
async def test_the_token_is_in_no_error_though_the_gateway_quotes_it(
    world: World, over: str, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Callable[[Any], Any]] = [
        lambda client: client.chat.completions.create(**ASK),
        lambda client: collected(client.chat.completions.stream(**ASK)),
    ]
    caplog.set_level(logging.DEBUG)
    for call in calls:
        with ScriptedServer(fixed(ECHOES[echo])) as server:
            async with client_over(world, over, server.url) as client:
                try:
                    await call(client)
                except MeshAPIError as exc:
                    told = seen(exc)
                    assert TOKEN not in told
                    assert TOKEN[:20] not in told
                    assert TOKEN not in str(exc)
    assert TOKEN not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("meshapi")
    )


def hang(peer: Peer) -> None:
    peer.receive()
    peer.wait_until_left()


def reset(peer: Peer) -> None:
    peer.receive()
    peer.reset()


BROKEN: dict[str, Script] = {"closed": lambda peer: None, "reset": reset, "silent": hang}


@pytest.mark.parametrize("fault", BROKEN)
@over_both_transports
@on_every_flavour
async def test_nor_is_it_where_the_connection_breaks(world: World, over: str, fault: str) -> None:
    with ScriptedServer(BROKEN[fault]) as server:
        async with client_over(world, over, server.url) as client:
            client = client.with_options(timeout=Timeout(read=0.1), extra_headers={"X-Key": EXTRA})
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
    told = seen(caught.value)
    assert TOKEN not in told
    assert EXTRA not in told


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
@on_every_flavour
async def test_nor_is_it_where_a_session_is_refused(world: World, auth: str) -> None:
    for name in ("json", "text", "cut off", "header", "redirect", "no http", "200 that is no json"):
        with ScriptedServer(fixed(ECHOES[name])) as server:
            async with world.client(server.url, max_retries=0) as client:
                with pytest.raises(MeshAPIError) as caught:
                    await client.realtime.connect(model="openai/gpt-realtime", auth=auth)
        assert TOKEN not in seen(caught.value), name


@on_every_flavour
async def test_what_stands_beside_it_is_still_told(world: World) -> None:
    with ScriptedServer(fixed(ECHOES["json"])) as server:
        async with world.client(server.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
    assert caught.value.message == "Incorrect API key provided: ***."
    assert caught.value.raw["error"]["message"] == "Incorrect API key provided: ***."


@on_every_flavour
async def test_a_good_response_is_not_altered(world: World) -> None:
    body = dump({"choices": [{"message": {"content": TOKEN}, "finish_reason": "stop"}]})
    pieces = frame(chunk(TOKEN)) + frame(chunk(None, "stop"))
    with ScriptedServer(
        fixed(make_response(200, body)), fixed(make_response(200, pieces, kind="text/event-stream"))
    ) as server:
        async with world.client(server.url) as client:
            response = await client.chat.completions.create(**ASK)
            assert response.choices[0].message.content == TOKEN
            chunks = await collected(client.chat.completions.stream(**ASK))
            assert chunks[0].choices[0].delta.content == TOKEN


@over_both_transports
@on_every_flavour
async def test_values_of_extra_headers_and_query_are_in_no_error(world: World, over: str) -> None:
    message = f"unknown key {EXTRA} of {EXTRA.upper()}-query for openai/gpt-4o-mini"
    with ScriptedServer(fixed(failed(403, "x", message))) as server:
        async with client_over(world, over, server.url) as client:
            client = client.with_options(
                extra_headers={"X-Gateway-Key": EXTRA, "X-Request-Id": "my-request-1"},
                extra_query={"tenant": [f"{EXTRA}-query"]},
            )
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
        (request,) = server.requests
    assert request.headers["x-gateway-key"] == EXTRA
    assert f"?tenant={EXTRA}-query ".encode() in request.line
    assert EXTRA not in seen(caught.value)
    assert caught.value.message == "unknown key *** of *** for openai/gpt-4o-mini"


@by_turns
@pytest.mark.parametrize(
    "options",
    [
        {"extra_headers": {"Authorization": f"Bearer {EXTRA}\n"}},
        {"extra_headers": {"X-Good": EXTRA, "X-Key": f"{EXTRA}\r\nx: y"}},
        {"extra_headers": {"X-Key": EXTRA.encode()}},
        {"extra_headers": {"X-Key": [EXTRA]}},
        {"extra_headers": {"Host": EXTRA}},
        {"extra_headers": {7: EXTRA}},
        {"extra_headers": f"X-Key: {EXTRA}"},
        {"extra_headers": [("X-Key", EXTRA)]},
        {"extra_query": {"key": {"a": EXTRA}}},
        {"extra_query": {"key": [[EXTRA]]}},
        {"extra_query": {"key": EXTRA.encode()}},
        {"extra_query": {"key": f"{EXTRA}\ud800"}},
        {"extra_query": {"key": EXTRA, "other": float("nan")}},
        {"extra_query": {"key": EXTRA, 7: "x"}},
        {"extra_query": EXTRA},
        {"extra_headers": {"X-Key": EXTRA}, "extra_query": {"key": EXTRA}, "extra_body": 7},
        {"extra_headers": {"X-Key": EXTRA}, "extra_query": {"key": EXTRA}, "timeout": "x"},
    ],
)
@on_every_flavour
async def test_nor_where_they_are_refused(world: World, options: dict[str, Any]) -> None:
    async with world.client("https://gateway.example") as client:
        target = getattr(client, "_target", client)
        with pytest.raises((TypeError, ValueError)) as caught:
            target.with_options(**options)
    assert EXTRA not in seen(caught.value)


@by_turns
@pytest.mark.parametrize("echo", ECHOES)
@on_every_flavour
async def test_nor_is_a_token_from_a_function_or_a_default_header(world: World, echo: str) -> None:
    tokens = iter([TOKEN, OTHER] * 10)
    options = {
        "token": lambda: next(tokens),
        "default_headers": {"X-Gateway-Key": EXTRA},
        "default_query": {"tenant": EXTRA},
        "max_retries": 0,
    }
    # Both tokens are quoted: after a 401, by the second response.
    quoted = ECHOES[echo].replace(TOKEN.encode(), OTHER.encode())
    for first in (failed(401, "x", f"{TOKEN} {EXTRA}"), ECHOES[echo]):
        with ScriptedServer(fixed(first), fixed(quoted)) as server:
            async with world.client(server.url, **options) as client:
                try:
                    await client.chat.completions.create(**ASK)
                except MeshAPIError as exc:
                    told = seen(exc)
                    for secret in (TOKEN, OTHER, EXTRA):
                        assert secret not in told
                assert EXTRA not in repr([client.config, client.config.extras])
        tokens = iter([TOKEN, OTHER] * 10)


@on_every_flavour
async def test_nor_where_a_default_is_refused(world: World) -> None:
    for wrong in (
        {"default_headers": {"X-Key": f"{EXTRA}\r\nx: y"}},
        {"default_headers": {"X-Key": EXTRA.encode()}},
        {"default_headers": [("X-Key", EXTRA)]},
        {"default_query": {"key": {"a": EXTRA}}},
        {"default_headers": {"X-Key": EXTRA}, "timeout": "x"},
        {"default_headers": {"X-Key": EXTRA}, "token": b"rsk_test_bytes_1"},
        {"default_headers": {"X-Key": EXTRA}, "no_such_argument": 1},
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            world.client("https://gateway.example", **wrong)
        assert EXTRA not in seen_in_meshapi(caught.value)


def seen_in_meshapi(error: BaseException) -> str:
    """What an error tracker shows, without the frames of the test, which has the secret."""
    trace = error.__traceback__
    while trace is not None and "meshapi" not in trace.tb_frame.f_globals["__name__"]:
        trace = trace.tb_next
    return seen(error.with_traceback(trace))


# Signed URLs


def initiated(storage: str) -> bytes:
    return make_response(200, dump({"file_id": "f", "signed_url": f"{storage}/bucket/f?{QUERY}"}))


def fixed_all(response: bytes) -> Script:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(response)

    return script


STORAGES: dict[str, Script] = {
    "refused": fixed_all(
        make_response(403, f"<Code>{SIGNATURE}</Code>{QUERY}".encode(), kind="text/xml")
    ),
    "code": fixed_all(
        make_response(
            403,
            f"<Code>{SIGNATURE.replace('-', '.')}</Code>".encode(),
            f"x-amz-request-id: {QUERY}",
        )
    ),
    "redirect": fixed_all(make_response(307, b"", f"Location: https://other.example/f?{QUERY}#x")),
    "reset": reset,
    "silent": hang,
    "closed": lambda peer: None,
    "no http": fixed_all(f"SSH-2.0 {QUERY}\r\n\r\n".encode()),
    "bad field": fixed_all(f"HTTP/1.1 200 OK\r\n{QUERY} : x\r\n\r\n".encode()),
}


@by_turns
@pytest.mark.parametrize("storage", STORAGES)
@over_both_transports
@on_every_flavour
async def test_a_signed_url_is_in_no_error_of_an_upload(
    world: World, over: str, storage: str
) -> None:
    with (
        ScriptedServer(STORAGES[storage]) as there,
        ScriptedServer(fixed(initiated(there.url))) as gateway,
    ):
        async with client_over(world, over, gateway.url) as client:
            client = client.with_options(timeout=Timeout(read=0.2))
            with pytest.raises(MeshAPIError) as caught:
                await client.rag.upload_file(file_name="a", mime_type="a/b", content=b"abc")
    told = seen(caught.value)
    assert SIGNATURE not in told
    assert SIGNATURE[:12] not in told
    assert TOKEN not in told
    if storage == "redirect":
        assert isinstance(caught.value, RedirectError)
        assert caught.value.headers["location"] == "https://other.example/f?***#x"


@pytest.mark.parametrize(
    "storage", ["ftp://storage.example", "https://a b", "https://[::1", "http://user:s3cret@h", "x"]
)
@on_every_flavour
async def test_nor_where_it_is_no_url_that_can_be_used(world: World, storage: str) -> None:
    with ScriptedServer(fixed(initiated(storage))) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(ResponseDecodeError) as caught:
                await client.rag.upload_file(file_name="a", mime_type="a/b", content=b"abc")
    assert "s3cret" not in seen(caught.value)


@on_every_flavour
async def test_nor_where_the_response_that_holds_it_can_not_be_read(world: World) -> None:
    broken = initiated("https://storage.example")[:-1] + b","
    with ScriptedServer(fixed(broken)) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(ResponseDecodeError) as caught:
                await client.rag.upload_file(file_name="a", mime_type="a/b", content=b"abc")
    assert SIGNATURE not in seen(caught.value)


def test_a_signed_url_in_a_response_is_itself_but_for_its_repr():
    url = f"https://storage.example/f?{QUERY}"
    response = InitUploadResponse(file_id="f", signed_url=url)
    for one in (response, pickle.loads(pickle.dumps(response))):
        assert one.signed_url == url
        assert isinstance(one.signed_url, str)
        assert f"{one.signed_url}" == str(one.signed_url) == url
        assert "".join([one.signed_url]) == url
        assert json.loads(json.dumps({"url": one.signed_url})) == {"url": url}
        assert json.loads(one.model_dump_json())["signed_url"] == url
        assert one.model_dump()["signed_url"] == url
        assert pickle.loads(pickle.dumps(one.signed_url)) == url
        for shown in (repr(one.signed_url), repr(one), repr([one.signed_url])):
            assert SIGNATURE not in shown
            assert "https://storage.example/f" in shown
    assert repr(InitUploadResponse(signed_url="https://h/f").signed_url) == "'https://h/f'"


# Sessions


@on_every_flavour
async def test_error_events_and_the_end_of_a_session_show_no_token(world: World) -> None:
    def script(peer: RealtimePeer) -> None:
        peer.event("error", error={"message": f"bad {TOKEN}", "param": TOKEN})
        peer.close(1008, f"bad key {TOKEN}")

    async with connected(world, upgraded(script)) as (session, _):
        with pytest.raises(RealtimeError) as event:
            await session.receive(5)
        with pytest.raises(RealtimeConnectionClosed) as closed:
            await session.receive(5)
        assert session.close_reason == "bad key ***"
    assert TOKEN not in seen(event.value) + seen(closed.value)
    assert event.value.message.endswith("bad ***")
    assert closed.value.reason == "bad key ***"
