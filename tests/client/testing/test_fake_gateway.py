"""`FakeGateway`: no sockets, a clock that does not wait, and faults of bytes."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from house.fresh import modules_after
from hypothesis import given, settings
from hypothesis import strategies as st

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AsyncMeshAPI,
    AuthenticationError,
    MeshAPI,
    MeshAPIError,
    PerMinute,
    RateLimitError,
    RetryPolicy,
    Timeout,
)
from meshapi.testing import ByteFault, FakeGateway, LocalGateway, block_network, broken_stream
from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.gateway import FakeNetworks
from meshapi_core.endpoints import Completions
from support.flavours import World, on_every_flavour
from support.gateway_sessions import MODEL
from support.scripted_server import ScriptedServer

ASK: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "What is 2+2?"}],
}
ONCE = RetryPolicy(max_retries=0)


def client_of(world: World, gateway: FakeNetworks, **options: Any) -> Any:
    given = {"token": "rsk_demo", "transport": gateway, "retry": None, "timeout": 60, **options}
    return world.client("http://gateway.test", **given)


async def error_of(call: Any) -> MeshAPIError:
    with pytest.raises(MeshAPIError) as caught:
        await call
    return caught.value


# The clock


@on_every_flavour
async def test_five_retries_after_thirty_seconds_take_no_time(world):
    with FakeGateway() as gateway:
        gateway.next_error(429, retry_after=30, count=5)
        async with client_of(world, gateway, max_retries=5, timeout=600) as client:
            response = await client.chat.completions.create(**ASK)
    assert response.text == "2 + 2 = 4."
    assert response.meta.attempts == 6
    assert [wait >= 30 for wait in gateway.clock.waits] == [True] * 5
    assert gateway.clock.now == pytest.approx(sum(gateway.clock.waits))


@pytest.mark.parametrize("call", ["create", "stream"])
@on_every_flavour
async def test_a_model_that_stalls_runs_into_the_time_limit(world, call):
    with FakeGateway() as gateway:
        async with client_of(world, gateway, timeout=30, max_retries=0) as client:
            completions = client.chat.completions
            if call == "create":
                error = await error_of(completions.create(**{**ASK, "model": "mesh/stall"}))
            else:
                gateway.next_fault(ByteFault.stalled(20, of="body"))
                error = await error_of(completions.stream(**ASK).get_final_completion())
    assert type(error) is APITimeoutError
    assert gateway.clock.now == 30


@on_every_flavour
async def test_a_stream_has_its_pace_on_the_clock(world):
    with FakeGateway(words_per_second=2) as gateway:
        async with client_of(world, gateway) as client:
            await client.chat.completions.stream(**ASK).get_final_text()
    assert gateway.clock.now == pytest.approx(2.5)


@on_every_flavour
async def test_a_wait_for_a_job_polls_on_the_clock(world):
    with FakeGateway() as gateway:
        async with client_of(world, gateway) as client:
            made = await client.videos.generate_and_wait(
                model="bytedance/seedance-1-0-lite", content=[{"type": "text", "text": "a fox"}]
            )
    assert made.url
    assert gateway.clock.waits
    assert gateway.clock.now == pytest.approx(sum(gateway.clock.waits))


@on_every_flavour
async def test_the_limits_of_the_gateway_are_on_the_same_clock(world):
    """So a run with a limit of the same size meets no 429, however fast it really is."""
    rows = [f"Count to {number}." for number in range(1, 13)]

    def ask(text: str) -> Any:
        return Completions.create.build(
            model=ASK["model"], messages=[{"role": "user", "content": text}]
        )

    with FakeGateway(requests_per_minute=6) as gateway:
        async with client_of(world, gateway, max_retries=0) as client:
            run = client.map([ask(text) for text in rows], rate_limit=PerMinute(requests=6))
            items = await world.rows(getattr(run, "_target", run))
    assert [item.error for item in items] == [None] * 12
    assert gateway.clock.now >= 50


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_wait_at_the_same_time(backend):
    async def main() -> None:
        with FakeGateway() as gateway:
            gateway.next_error(429, retry_after=30, count=20)
            async with gateway.async_client(max_retries=1) as client:

                async def ask() -> None:
                    assert (await client.chat.completions.create(**ASK)).text == "2 + 2 = 4."

                async with anyio.create_task_group() as group:
                    for _ in range(20):
                        group.start_soon(ask)
        assert len(gateway.clock.waits) == 20
        assert gateway.clock.now < 2 * 31

    anyio.run(main, backend=backend)


@on_every_flavour
async def test_calls_at_the_same_time_all_end(world):
    with FakeGateway() as gateway:
        gateway.next_error(503, count=8)
        async with client_of(world, gateway, max_retries=9) as client:
            outcomes = await world.together(*[lambda: client.chat.completions.create(**ASK)] * 8)
    assert [outcome.text for outcome in outcomes] == ["2 + 2 = 4."] * 8


@on_every_flavour
async def test_a_clock_that_does_not_run_is_moved_by_hand(world):
    with FakeGateway(runs=False) as gateway:
        async with client_of(world, gateway, timeout=30, max_retries=0) as client:
            ended = []

            async def ask() -> Any:
                try:
                    return await client.chat.completions.create(**{**ASK, "model": "mesh/stall"})
                finally:
                    ended.append(True)

            async def advance() -> None:
                await world.until(lambda: gateway.requests)
                assert gateway.clock.now == 0
                # Again and again, as the call may not wait yet.
                await world.until(lambda: gateway.advance(10) or ended)

            error, _ = await world.together(ask, advance)
    assert type(error) is APITimeoutError


def test_a_clock_goes_forward_only():
    with FakeGateway() as gateway:
        with pytest.raises(ValueError, match="0 or more, got -1"):
            gateway.advance(-1)
        gateway.advance(90)
        assert repr(gateway.clock) == "<VirtualClock at 90 s>"


@on_every_flavour
async def test_middleware_and_hooks_are_on_the_clock(world):
    seen = []

    async def passes(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append(response.status)
        return response

    with FakeGateway() as gateway:
        gateway.next_error(503, retry_after=20)
        how = {"middleware": [world.middleware(passes)]}
        async with client_of(world, gateway, **how) as client:
            response = await client.chat.completions.create(**ASK)
    assert seen == [503, 200]
    assert response.meta.elapsed >= 20


# One gateway


def test_one_gateway_serves_blocking_and_async_clients():
    async def ask(client: AsyncMeshAPI) -> str:
        async with client:
            return (await client.chat.completions.create(**ASK)).text

    with FakeGateway() as gateway, gateway.client() as client:
        assert client.chat.completions.create(**ASK).text == "2 + 2 = 4."
        for backend in ("asyncio", "trio"):
            assert anyio.run(ask, gateway.async_client(), backend=backend) == "2 + 2 = 4."
        assert len(gateway.requests) == 3


@pytest.mark.parametrize("url", [None, "https://api.example.com/prefix", "http://[::1]:9"])
def test_every_url_leads_to_the_gateway(url):
    with FakeGateway() as gateway:
        options: Any = {} if url is None else {"base_url": url}
        with MeshAPI(transport=gateway, token="rsk_demo", **options) as client:
            if url is not None and "prefix" in url:
                with pytest.raises(MeshAPIError):
                    client.chat.completions.create(**ASK)
            else:
                client.chat.completions.create(**ASK)
    (request,) = gateway.requests
    assert request.path.endswith("/chat/completions")


def test_a_wrong_token_is_refused():
    with FakeGateway("rsk_test_right") as gateway, gateway.client(token="rsk_test_no") as client:
        client = client.with_options(max_retries=0)
        with pytest.raises(AuthenticationError):
            client.models.list()


@on_every_flavour
async def test_an_upload_stays_in_memory(world):
    with FakeGateway() as gateway:
        async with client_of(world, gateway) as client:
            heard = await client.audio.transcribe(bytes(3_000_000), model="openai/whisper-1")
    assert "3,000,000 bytes" in heard.text


@on_every_flavour
async def test_a_signed_upload_arrives(world):
    with FakeGateway() as gateway:
        async with client_of(world, gateway) as client:
            await client.rag.upload_and_embed(("fox.txt", b"The fox is red."))
    assert [request.method for request in gateway.requests].count("PUT") == 1


@on_every_flavour
async def test_a_closed_gateway_refuses(world):
    gateway = FakeGateway()
    async with client_of(world, gateway, retry=ONCE) as client:
        await client.models.list()
        gateway.close()
        gateway.close()
        error = await error_of(client.models.list())
    assert (type(error), error.error_code) == (APIConnectionError, "connect_refused")


@pytest.mark.slow
def test_what_it_needs_is_no_server():
    loaded = modules_after(
        "from meshapi.testing import FakeGateway",
        "with FakeGateway() as gateway, gateway.client() as client: client.models.list()",
    )
    assert not loaded & {"uvicorn", "trio"}


def test_an_application_that_needs_an_event_loop_is_an_error(caplog):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(1)

    caplog.set_level(logging.ERROR, "meshapi.testing")
    transport = FakeNetworks(app, VirtualClock())
    client = MeshAPI(transport=transport, token="rsk_test_app", retry=ONCE)
    with client, pytest.raises(MeshAPIError) as caught:
        client.models.list()
    assert caught.value.status == 500
    assert caplog.records


# Faults of bytes


@settings(max_examples=15)
@given(st.integers(5, 200))
def test_the_pieces_of_a_response_change_nothing(size):
    with FakeGateway(cut=size) as gateway, gateway.client() as client:
        assert client.chat.completions.stream(**ASK).get_final_text() == "2 + 2 = 4."
        assert client.chat.completions.create(**ASK).text == "2 + 2 = 4."


@on_every_flavour
async def test_a_lost_connection_is_tried_again_on_a_new_one(world):
    with FakeGateway() as gateway:
        for fault in (ByteFault.lost(), ByteFault.refused(), ByteFault.lost(30, reset=True)):
            gateway.next_fault(fault)
        async with client_of(world, gateway, max_retries=3) as client:
            response = await client.models.list()
    assert response.meta.attempts == 4


FAULTS = [
    ByteFault.lost(),
    ByteFault.lost(reset=True),
    ByteFault.lost(40),
    ByteFault.lost(of="body"),
    ByteFault.lost(50, of="body"),
    ByteFault.lost(50, of="body", reset=True),
    ByteFault.garbage(),
    ByteFault.garbage(b"", 5, of="head"),
    ByteFault.garbage(b"\0\xff" * 9, 70, of="body"),
    ByteFault.repeated(0, 40),
    ByteFault.repeated(9, 12, of="body"),
]


class Outcome:
    """What a program sees of a call: its text, or what of it arrived, and its error."""

    def __init__(self, client: MeshAPI, call: str, **how: Any) -> None:
        self.error: Any = None
        self.text = ""
        ask = {**ASK, **how}
        client = client.with_options(request_id="req_of_this_test")
        try:
            if call == "create":
                self.text = client.chat.completions.create(**ask).text
            else:
                for chunk in client.chat.completions.stream(**ask):
                    self.text += chunk.text
        except MeshAPIError as exc:
            partial = getattr(exc, "partial", None)
            # What cannot be parsed is quoted, with IDs that are new each time.
            said = "" if exc.error_code == "parse_error" else str(exc)
            self.error = (type(exc), exc.error_code, said, getattr(partial, "text", None))

    def __repr__(self) -> str:
        return f"{self.text!r} {self.error}"

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]


class Taped(FakeGateway):
    """A fake gateway, and the bytes of the last response as they were to arrive."""

    def tape(self, call: str) -> bytes:
        pipe = self._host.connect(("gateway.test", 80))
        body = json.dumps({**ASK, "stream": call == "stream"}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\nauthorization: Bearer "
        head += b"rsk_demo\r\nx-request-id: req_of_this_test\r\n"
        head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
        pipe.put(head % len(body) + body)
        data = bytes(pipe.arrived)
        pipe.leave()
        return data


@pytest.mark.parametrize("call", ["create", "stream"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_same_bytes_from_a_socket_are_the_same_error(fault, call):
    with Taped() as gateway, gateway.client(retry=ONCE) as client:
        gateway.next_fault(fault)
        on_fake = Outcome(client, call)
        gateway.next_fault(fault)
        data = gateway.tape(call)

    def script(peer: Any) -> None:
        peer.receive()
        peer.send(data)
        if fault.kind == "reset":
            peer.reset()

    with (
        ScriptedServer(script) as server,
        gateway.client(base_url=server.url, transport=None, retry=ONCE) as client,
    ):
        assert Outcome(client, call) == on_fake
    assert on_fake.error or fault.kind == "repeated"


@pytest.fixture(scope="module")
def local() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as gateway:
        yield gateway


# Without those that take seconds of a real clock.
MODELS = [
    *("mesh/rate-limited", "mesh/flaky", "mesh/broken-stream", "mesh/error-in-stream"),
    *("mesh/refusal", "mesh/length", "mesh/content-filter", "mesh/wrong-json", "mesh/not-json"),
    *("mesh/unknown-tool", "mesh/loose-deltas", "mesh/nobody-knows"),
]


@pytest.mark.parametrize("call", ["create", "stream"])
@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_fails_does_it_as_on_the_local_gateway(local, model, call):
    local.reset()
    with MeshAPI(base_url=local.url, token=local.token, retry=ONCE) as client:
        on_sockets = Outcome(client, call, model=model)
    with FakeGateway() as gateway, gateway.client(retry=ONCE) as client:
        assert Outcome(client, call, model=model) == on_sockets


def test_a_fault_is_checked():
    with FakeGateway() as gateway:
        with pytest.raises(TypeError, match="expected a ByteFault, got str"):
            gateway.next_fault("lost")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="next_response"):
            gateway.next_fault(broken_stream())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="after: expected 0 or more, got -1"):
        ByteFault.lost(-1)
    with pytest.raises(TypeError, match="after: expected a number of bytes, got str"):
        ByteFault.lost("7")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data: expected bytes, got str"):
        ByteFault.garbage("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stop: expected more than start"):
        ByteFault.repeated(3, 3)
    with pytest.raises(ValueError, match="of: expected"):
        ByteFault.lost(of="tail")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cut: expected 1 or more, got 0"):
        FakeGateway(cut=0)
    with FakeGateway() as gateway:
        with pytest.raises(ValueError, match=r"^count: expected 1 or more, got 0$"):
            gateway.next_fault(ByteFault.lost(), count=0)
        with pytest.raises(ValueError, match=r"^count: expected 1 or more, got 0$"):
            gateway.next_error(429, count=0)


def test_a_reset_forgets_the_faults_and_the_waits():
    with FakeGateway() as gateway, gateway.client(timeout=Timeout(total=5)) as client:
        gateway.next_error(503, retry_after=1)
        client.models.list()
        assert gateway.clock.waits
        gateway.next_fault(ByteFault.lost(), count=9)
        gateway.reset()
        assert client.models.list().meta.attempts == 1
        assert gateway.clock.waits == []


def test_rate_limits_end_with_their_minute():
    with FakeGateway(requests_per_minute=1) as gateway, gateway.client(max_retries=0) as client:
        client.models.list()
        with pytest.raises(RateLimitError):
            client.chat.completions.create(**ASK)
            client.chat.completions.create(**ASK)
        gateway.advance(61)
        client.chat.completions.create(**ASK)


@on_every_flavour
async def test_it_is_reached_by_every_name_while_the_network_is_blocked(world, monkeypatch):
    monkeypatch.setenv("MESHAPI_BLOCK_NETWORK", "1")
    with FakeGateway() as gateway:
        options = {"token": gateway.token, "transport": gateway, "retry": ONCE, "timeout": 60}
        async with world.client("https://api.example.com", **options) as client:
            await client.chat.completions.create(**ASK)
            with block_network(allow=[]):
                await client.chat.completions.create(**ASK)
                async with client.realtime.connect(model=MODEL):
                    pass
    assert len(gateway.requests) == 3


# Realtime


@on_every_flavour
async def test_a_session_calls_functions_and_is_interrupted(world):
    def get_weather(city: str) -> str:
        """Return the weather in a city."""
        return f"sunny in {city}"

    with FakeGateway(words_per_second=2) as gateway:
        async with (
            client_of(world, gateway) as client,
            client.realtime.connect(model=MODEL) as session,
        ):
            turns = session.turns(tools=[get_weather])
            await session.send_text("get_weather in Rome")
            calls, said = [await turns.receive(60) for _ in range(2)]
            assert [call.parsed_arguments for call in calls.tool_calls] == [{"city": "Rome"}]
            assert "sunny in Rome" in said.transcript
            began = gateway.clock.now
            assert began > 0

            await session.send_text("Count to 100.")
            await session.send({"type": "response.cancel"})
            cut = await turns.receive(60)
            assert (cut.status, cut.reason) == ("cancelled", "client_cancelled")
            assert gateway.clock.now - began < 45


@pytest.mark.parametrize(
    "model", ["mesh/broken-stream", "mesh/slow", "mesh/stall", "mesh/close-1011", "mesh/nobody"]
)
@on_every_flavour
async def test_a_session_fails_as_its_model_does(world, model):
    with FakeGateway() as gateway:
        async with client_of(world, gateway, retry=ONCE) as client:
            try:
                async with client.realtime.connect(model=model) as session:
                    turns = session.turns()
                    await session.send_text("What is 2+2?")
                    outcome: Any = (await turns.receive(20)).status
            except MeshAPIError as exc:
                outcome = exc.error_code
    assert (
        outcome
        == {
            "mesh/broken-stream": "lost",
            "mesh/slow": "completed",
            "mesh/stall": "read_timeout",
            "mesh/close-1011": "upstream_error",
            "mesh/nobody": "model_not_found",
        }[model]
    )
