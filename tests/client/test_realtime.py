"""`client.realtime` against the local gateway, and without the defects of other clients.

`test_peer_defects.py` introduces those.
"""

import base64
import copy
import logging
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AsyncMeshAPI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    RealtimeConnectionClosed,
    RealtimeError,
    RealtimeMessage,
    RetryPolicy,
    StreamUsageError,
)
from meshapi.testing import LocalGateway
from support.flavours import FLAVOURS, TOKEN, World, on_every_flavour
from support.realtime_server import (
    CLOSE,
    RealtimePeer,
    acceptance,
    close_frame,
    connected,
    error_frame,
    upgraded,
)
from support.scripted_server import Peer, ScriptedServer
from support.wire import REQUEST_ID, failed

MODEL = "openai/gpt-realtime-mini"
NO_RETRIES = RetryPolicy(max_retries=0)
TEXT_ONLY: dict[str, Any] = {
    "output_modalities": ["text"],
    "audio": {"input": {"turn_detection": None}},
}


@pytest.fixture(scope="module")
def shared_gateway():
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway):
    shared_gateway.reset()
    return shared_gateway


@asynccontextmanager
async def connected_to(world: World, gateway: LocalGateway, **options: Any) -> AsyncIterator[Any]:
    """A session of a new client."""
    client = world.client(gateway.url)
    async with client, client.realtime.connect(**options) as session:
        yield session


def question(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}


async def ask(session: Any, text: str) -> str:
    """The gateway's answer to a text."""
    await session.send(question(text))
    await session.send({"type": "response.create"})
    done = await session.wait_for("response.done", timeout=5)
    (item,) = done.event["response"]["output"]
    said: str = item["content"][0].get("text") or item["content"][0].get("transcript")
    return said


# A conversation


@on_every_flavour
async def test_a_conversation_in_text(world, gateway):
    async with world.client(gateway.url) as client:
        async with client.realtime.connect(model=MODEL) as session:
            assert (await session.receive(5)).type == "session.created"
            assert (session.closed, session.close_code, session.close_reason) == (False, None, None)
            assert session.subprotocol == "openai-realtime"
            assert session.request_id.startswith("req_")
            await session.update(TEXT_ONLY)
            updated = await session.wait_for("session.updated", timeout=5)
            assert updated.event["session"]["output_modalities"] == ["text"]
            await session.send(question("Repeat: one two three"))
            await session.send({"type": "response.create"})
            types, text = [], ""
            async for message in session:
                types.append(message.type)
                if message.type == "response.output_text.delta":
                    text += message.event["delta"]
                    assert message.audio is None
                if message.type == "response.done":
                    break
            assert text == "one two three"
            assert types[0] == "conversation.item.added"
            assert await ask(session, "Repeat: again") == "again"
        assert (session.closed, session.close_code) == (True, 1000)


@on_every_flavour
async def test_a_conversation_in_audio(world, gateway):
    async with world.client(gateway.url) as client:
        session = await client.realtime.connect(model=MODEL)
        await session.update({"audio": {"input": {"turn_detection": None}}})
        sound = bytes(24000)  # half a second
        for start in range(0, len(sound), 4800):
            await session.send_audio(memoryview(sound)[start : start + 4800])
        await session.commit_audio()
        await session.send({"type": "response.create"})
        heard, deltas = b"", 0
        async for message in session:
            if message.audio is not None:
                assert message.type == "response.output_audio.delta"
                assert base64.b64decode(message.event["delta"]) == message.audio
                heard += message.audio
                deltas += 1
            if message.type == "response.done":
                break
        assert (len(heard), deltas > 1) == (24000, True)
        assert max(abs(sample) for (sample,) in struct.iter_unpack("<h", heard)) > 1000
        await session.close()
        assert session.closed


@on_every_flavour
async def test_a_session_is_closed_with_a_code_and_a_reason(world, gateway):
    async with world.client(gateway.url) as client:
        session = await client.realtime.connect(model=MODEL)
        assert (await session.receive(5)).type == "session.created"
        for wrong in (999, 1005, 1006, 5000, "1000", True):
            with pytest.raises((TypeError, ValueError)):
                await session.close(wrong)
        with pytest.raises(ValueError, match="reason"):
            await session.close(1000, "x" * 124)
        assert not session.closed
        await session.close(code=4000, reason="enough")
        assert (session.close_code, session.closed) == (4000, True)
        await session.close()
        assert session.close_code == 4000
        with pytest.raises(RealtimeConnectionClosed):
            await session.receive()


@on_every_flavour
async def test_what_cannot_be_an_event_is_refused_before_anything_is_sent(world, gateway):
    async with world.client(gateway.url) as client:
        async with client.realtime.connect(model=MODEL) as session:
            for wrong in ({}, {"type": 1}, {"type": ""}, [], None, "text", {"type": "x", "y": {1}}):
                with pytest.raises(InvalidParamsError):
                    await session.send(wrong)
            with pytest.raises(InvalidParamsError):
                await session.send_audio("sound")
            with pytest.raises(InvalidParamsError):
                await session.update([])
            assert [(await session.receive(5)).type] == ["session.created"]
            with pytest.raises(APITimeoutError):
                await session.receive(0.01)
        for wrong in ("", None, 1):
            with pytest.raises(InvalidParamsError):
                await client.realtime.connect(model=wrong)
        with pytest.raises(InvalidParamsError):
            await client.realtime.connect(model=MODEL, auth="cookie")
        with pytest.raises(TypeError):
            await client.realtime.connect(model=MODEL, reconnect=True)
    assert len(gateway.requests) == 1


# Connecting


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
@on_every_flavour
async def test_the_token_goes_where_it_is_told_and_nowhere_else(world, gateway, auth):
    async with connected_to(world, gateway, model=MODEL, auth=auth) as session:
        assert (await session.receive(5)).type == "session.created"
        assert session.subprotocol == "openai-realtime"
    (request,) = gateway.requests
    places = {
        "query": request.query,
        "subprotocol": request.headers.get("sec-websocket-protocol", ""),
        "header": request.headers.get("authorization", ""),
    }
    assert [name for name, value in places.items() if TOKEN in value] == [auth]
    assert request.headers["x-meshapi-sdk"].startswith("python/")
    assert "sec-websocket-extensions" not in request.headers


@on_every_flavour
async def test_a_token_that_can_be_no_subprotocol_is_sent_nowhere(world, gateway):
    async with world.client(gateway.url, token="rsk_test/other=") as client:
        with pytest.raises(ValueError, match=r"the token has characters other") as no:
            await client.realtime.connect(model=MODEL, auth="subprotocol")
        assert "rsk_test" not in str(no.value)
        if world.name != "sync":
            with pytest.raises(ValueError, match=r"^auth: "):
                client.realtime.connect(model=MODEL, auth="subprotocol")
    assert gateway.requests == []


@on_every_flavour
async def test_a_refused_upgrade_is_the_error_of_any_other_call(world, gateway):
    async with world.client(gateway.url, retry=NO_RETRIES) as client:
        cases = [
            ("nobody/knows", NotFoundError, "model_not_found"),
            ("openai/gpt-4o", BadRequestError, "model_capability_not_supported"),
            ("mesh/rate-limited", RateLimitError, "rate_limit_exceeded"),
            ("mesh/flaky", InternalServerError, "provider_not_available"),
        ]
        for model, kind, code in cases:
            with pytest.raises(kind) as caught:
                await client.realtime.connect(model=model)
            assert caught.value.error_code == code
            assert caught.value.request_id.startswith("req_")
            assert caught.value.message
    for auth in ("query", "subprotocol", "header"):
        async with world.client(gateway.url, token="rsk_test_other") as client:
            with pytest.raises(AuthenticationError) as caught:
                async with client.realtime.connect(model=MODEL, auth=auth):
                    pass
            assert caught.value.request_id.startswith("req_")


@on_every_flavour
async def test_a_refused_upgrade_is_tried_again_where_the_policy_says_so(world, gateway):
    async with world.client(gateway.url) as client:
        async with client.realtime.connect(model="mesh/flaky") as session:
            assert (await session.receive(5)).type == "session.created"
        assert len(gateway.requests) == 3
        with pytest.raises(InternalServerError):
            await client.with_options(max_retries=1).realtime.connect(model="mesh/flaky")
        assert len(gateway.requests) == 5


@on_every_flavour
async def test_twins_have_their_own_options_and_the_same_connections(world, gateway):
    async with world.client(gateway.url) as client:
        twin = client.with_options(extra_headers={"X-Twin": "yes"}, extra_query={"a": "b c"})
        async with twin.realtime.connect(model=MODEL) as session:
            assert (await session.receive(5)).type == "session.created"
            assert len(world.pool_state(client)._detached) == 1
    (request,) = gateway.requests
    assert request.headers["x-twin"] == "yes"
    assert "a=b%20c" in request.query
    with pytest.raises(APIConnectionError) as caught:
        await twin.realtime.connect(model=MODEL)
    assert caught.value.error_code == "client_closed"


@on_every_flavour
async def test_a_client_on_anothers_transport_opens_sessions_on_its_own(world, gateway):
    if world.name == "sync":
        other: Any = httpx.Client(verify=False)
        client = world.client(gateway.url, httpx_client=other)
    else:
        other = httpx.AsyncClient(verify=False)
        client = world.client(gateway.url, async_httpx_client=other)
    async with client, client.realtime.connect(model=MODEL) as session:
        assert (await session.receive(5)).type == "session.created"
    if world.name == "sync":
        other.close()
    else:
        await other.aclose()


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
def test_a_client_with_a_transport_of_its_own_has_sessions_too(client_class):
    class Elsewhere:
        def send(self, *args: Any, **options: Any) -> Any:
            raise AssertionError("sessions do not run here")

        def close(self) -> None: ...

        async def aclose(self) -> None: ...

    client = client_class(token=TOKEN, transport=Elsewhere())
    assert client.realtime is client.realtime
    assert TOKEN not in repr(client.realtime)
    with pytest.raises(TypeError, match="pickled"):
        client.realtime.__reduce__()


def test_what_awaits_or_enters_a_session_gets_one_of_its_own_each_time(gateway):
    async def scenario(world: World) -> None:
        async with world.client(gateway.url) as client:
            manager = client.realtime.connect(model=MODEL)
            first, second = await manager, await manager
            assert first is not second
            async with first, second, manager as third:
                assert third not in (first, second)
                with pytest.raises(StreamUsageError, match="entered"):
                    await manager.__aenter__()

    FLAVOURS[1].run(scenario)


# Models that fail on purpose


@on_every_flavour
async def test_a_gateway_that_says_nothing_costs_the_limit_and_not_the_session(world, gateway):
    async with world.client(gateway.url) as client:
        options: dict[str, Any] = {"close_timeout": 0.05}
        async with client.realtime.connect(model="mesh/stall", **options) as session:
            assert (await session.receive(5)).type == "session.created"
            with pytest.raises(APITimeoutError):
                await session.receive(0.02)
            await session.send({"type": "response.create"})
            with pytest.raises(APITimeoutError):
                await session.wait_for("response.done", timeout=0.02)
            assert not session.closed


@on_every_flavour
async def test_a_dropped_connection_is_no_end(world, gateway):
    async with connected_to(world, gateway, model="mesh/broken-stream") as session:
        await session.update(TEXT_ONLY)
        await session.send(question("Count to 8."))
        await session.send({"type": "response.create"})
        types = []
        with pytest.raises(RealtimeConnectionClosed) as caught:
            async for message in session:
                types.append(message.type)
        assert "response.output_text.delta" in types
        assert (caught.value.code, caught.value.clean) == (1006, False)
        assert session.close_code == 1006


@on_every_flavour
async def test_a_normal_close_is_one(world, gateway):
    async with connected_to(world, gateway, model="mesh/close-1000") as session:
        await session.update(TEXT_ONLY)
        await session.send(question("Hi"))
        await session.send({"type": "response.create"})
        types = [message.type async for message in session]
        assert types[-1] == "response.done"
        assert (session.close_code, session.close_reason) == (1000, "that was all")


# The defects


def all_of(error: BaseException) -> list[str]:
    """Everything that an error tracker sees of an error and its causes."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return [str(error), repr(error), repr(vars(error)), *told]


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
@on_every_flavour
async def test_the_token_is_shown_by_nothing(world, auth, caplog):
    def refuse(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(401, "invalid_api_key", "No.", "Connection: close"))

    def echo(peer: Peer) -> None:
        request = peer.receive()
        assert request is not None
        line = request.line.decode().split()[1]
        location = f"Location: http://127.0.0.1{line}"
        peer.send(failed(404, "not_found", f"There is no {line}.", location, "Connection: close"))

    def lie(peer: Peer) -> None:
        request = peer.receive()
        assert request is not None
        peer.send(acceptance(request).replace(b"Accept: ", b"Accept: x"))
        peer.wait_until_left()

    def vanish(peer: Peer) -> None:
        peer.receive()
        peer.reset()

    def chatter(peer: RealtimePeer) -> None:
        peer.close(1011, "busy")

    caplog.set_level(logging.DEBUG)
    errors: list[BaseException] = []
    shown: list[str] = []
    with ScriptedServer(refuse, echo, lie, vanish, upgraded(chatter)) as server:
        async with world.client(server.url, retry=NO_RETRIES) as client:
            for _ in range(4):
                with pytest.raises(MeshAPIError) as caught:
                    await client.realtime.connect(model=MODEL, auth=auth)
                errors.append(caught.value)
            session = await client.realtime.connect(model=MODEL, auth=auth)
            shown += [repr(session), str(session), repr(client.realtime)]
            target = getattr(session, "_target", session)
            shown += [f"{name}={value!r}" for name, value in vars(target).items()]
            with pytest.raises(RealtimeConnectionClosed) as closed:
                await session.receive(5)
            errors.append(closed.value)
        port = server.port
        assert any(TOKEN.encode() in request.head for request in server.requests)
    async with world.client(f"http://127.0.0.1:{port}", retry=NO_RETRIES) as client:
        with pytest.raises(APIConnectionError) as refused:
            await client.realtime.connect(model=MODEL, auth=auth)
        errors.append(refused.value)
    for error in errors:
        shown += all_of(error)
    assert any("target = " in text for text in shown), "there was something to look at"
    assert [text for text in shown if TOKEN in text] == []
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(("model", "code"), [("mesh/close-1011", 1011), ("mesh/close-4402", 4402)])
@on_every_flavour
async def test_an_abnormal_end_is_an_error_with_code_and_reason(world, gateway, model, code):
    async with connected_to(world, gateway, model=model, raise_errors=False) as session:
        await session.send({"type": "response.create"})
        types = []
        with pytest.raises(RealtimeConnectionClosed) as caught:
            async for message in session:
                types.append(message.type)
        error = caught.value
        assert types[-1] == "error"
        assert (error.code, error.clean) == (code, True)
        assert error.reason == session.close_reason != ""
        assert error.request_id == session.request_id
        assert session.close_code == code
        with pytest.raises(RealtimeConnectionClosed):
            async for _ in session:
                pass


@on_every_flavour
async def test_a_large_frame_arrives(world, gateway):
    async with connected_to(world, gateway, model="mesh/large-frame") as session:
        await session.send(question("Hi"))
        await session.send({"type": "response.create"})
        message = await session.wait_for("response.output_audio.delta", timeout=5)
        assert len(message.text) > 3 * 1024 * 1024
        assert len(message.audio) == 3 * 1024 * 1024 // 4 * 3
        await session.wait_for("response.done", timeout=5)


@on_every_flavour
async def test_frames_of_an_unexpected_shape_do_not_end_the_session(world):
    def script(peer: RealtimePeer) -> None:
        for text in ("[]", '{"type":"error","error":"string"}', '{"type":"error","error":null}'):
            peer.text(text)
        peer.text('{"type":"error"}')
        peer.event("fine")
        peer.receive_until(CLOSE)
        peer.peer.send(close_frame())

    async with connected(world, upgraded(script)) as (session, _):
        message = await session.receive(5)
        assert (message.text, message.event, message.type) == ("[]", {}, "")
        for _ in range(3):
            with pytest.raises(RealtimeError) as caught:
                await session.receive(5)
            assert caught.value.code
            assert caught.value.message
        assert (await session.receive(5)).type == "fine"


@on_every_flavour
async def test_an_error_event_does_not_end_the_session(world, gateway):
    async with connected_to(world, gateway, model="mesh/error-in-stream") as session:
        await session.update(TEXT_ONLY)
        await session.send(question("Count to 8."))
        await session.send({"type": "response.create"})
        types = []
        while "response.done" not in types:
            try:
                async for message in session:
                    types.append(message.type)
                    if message.type == "response.done":
                        break
            except RealtimeError as exc:
                types.append("error")
                assert exc.code == "gateway_timeout"
                assert exc.request_id == session.request_id
        assert types.count("error") == 1
        assert types.index("error") < types.index("response.done")
        assert not session.closed


@on_every_flavour
async def test_error_events_can_be_messages_like_others(world, gateway):
    async with connected_to(world, gateway, model=MODEL, raise_errors=False) as session:
        await session.send({"type": "no.such.event", "event_id": "mine"})
        message = await session.wait_for("error", timeout=5)
        assert isinstance(message, RealtimeMessage)
        assert message.event["error"]["event_id"] == "mine"
        error = message.error()
        assert isinstance(error, RealtimeError)
        assert error.event_id == "mine"


@on_every_flavour
async def test_an_error_tells_what_it_knows(world, gateway):
    async with connected_to(world, gateway, model=MODEL) as session:
        wrong = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
        event = {"type": "session.update", "session": {"type": "realtime", **wrong}}
        await session.send({**event, "event_id": "mine"})
        with pytest.raises(RealtimeError) as caught:
            await session.wait_for("session.updated", timeout=5)
        error = caught.value
        assert (error.code, error.error_code) == ("not_implemented", "not_implemented")
        assert (error.param, error.event_id) == ("session.audio.output.format.type", "mine")
        assert error.request_id == session.request_id
        assert str(error).startswith("realtime[not_implemented]: ")
        assert await ask(session, "Repeat: still here") == "still here"


@on_every_flavour
async def test_failures_to_connect_are_errors_of_ours_with_everything_in_them(world):
    def refuse(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(402, "spend_limit_exceeded", "No balance.", "Connection: close"))

    with ScriptedServer(refuse) as server:
        async with world.client(server.url, retry=NO_RETRIES) as client:
            with pytest.raises(PaymentRequiredError) as caught:
                await client.realtime.connect(model=MODEL)
        port = server.port
    assert caught.value.message == "No balance."
    assert caught.value.request_id == REQUEST_ID
    async with world.client(f"http://127.0.0.1:{port}", retry=NO_RETRIES) as client:
        with pytest.raises(APIConnectionError) as refused:
            await client.realtime.connect(model=MODEL)
    assert refused.value.error_code == "connect_refused"


@pytest.mark.slow
def test_no_library_for_websockets_is_needed(gateway):
    program = f"""
        import sys
        for name in ("websockets", "aiohttp", "websocket", "httpx", "httpx_ws"):
            sys.modules[name] = None
        from meshapi import MeshAPI
        client = MeshAPI(base_url={gateway.url!r}, token={TOKEN!r})
        with client, client.realtime.connect(model={MODEL!r}) as session:
            print(session.receive(10).type)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == [b"session.created"]


@on_every_flavour
async def test_settings_of_the_client_hold_for_its_sessions(world):
    def silent(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(silent) as server:
        async with world.client(server.url, timeout=0.05, retry=NO_RETRIES) as client:
            with pytest.raises(APITimeoutError) as caught:
                await client.realtime.connect(model=MODEL)
    assert caught.value.phase == "read"


@on_every_flavour
async def test_an_error_without_a_code_has_one(world):
    def script(peer: RealtimePeer) -> None:
        peer.peer.send(error_frame(None))
        peer.peer.send(error_frame("x", param=None, event_id=None))
        peer.receive_until(CLOSE)
        peer.peer.send(close_frame())

    async with connected(world, upgraded(script)) as (session, _):
        with pytest.raises(RealtimeError) as caught:
            await session.receive(5)
        assert isinstance(caught.value.code, str)
        assert caught.value.code not in ("", "None")
        with pytest.raises(RealtimeError) as caught:
            await session.receive(5)
        assert (caught.value.code, caught.value.param, caught.value.event_id) == ("x", None, None)


@on_every_flavour
@pytest.mark.parametrize("kind", [None, 1, "", b"x", ["session.created", "error"]])
async def test_what_is_no_type_is_not_waited_for(world, gateway, kind):
    async with (
        world.client(gateway.url) as client,
        client.realtime.connect(model=MODEL) as session,
    ):
        with pytest.raises(InvalidParamsError) as caught:
            await session.wait_for(kind, 5)
        assert caught.value.field == "type"
        assert (await session.receive(5)).type == "session.created"


@on_every_flavour
async def test_a_session_is_no_value(world, gateway):
    async with world.client(gateway.url) as client:
        async with client.realtime.connect(model=MODEL) as session:
            real = getattr(session, "_target", session)
            for attempt in (copy.copy, pickle.dumps):
                with pytest.raises(TypeError, match="Session objects cannot be copied or pickled"):
                    attempt(real)
        with pytest.raises(StreamUsageError, match=r"was closed; call connect\(\) for a new one"):
            await session.__aenter__()
