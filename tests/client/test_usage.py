"""What `client.track_usage` counts, and where a `Budget` stops, on every flavour."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import trio

from meshapi import (
    AsyncMeshAPI,
    Budget,
    BudgetExceededError,
    Hooks,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    StreamInterruptedError,
    TotalUsage,
)
from meshapi.testing import LocalGateway
from meshapi_core.types import ModelInfo, ModelPricing
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.realtime_server import RealtimePeer, upgraded
from support.scripted_server import Peer, Script, ScriptedServer, answering
from support.wire import (
    DONE,
    chunk,
    chunked,
    completion,
    dump,
    failed,
    frame,
    good,
    make_response,
    stream_head,
    streamed,
)

MODEL = ASK["model"]
USED = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
ONE = TotalUsage(
    requests=1,
    input_tokens=10,
    output_tokens=5,
    cached_tokens=4,
    reasoning_tokens=2,
    cost_usd=Decimal("0.0015"),
)
UNPRICED = TotalUsage(
    requests=1, input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=2
)
UNPRICED = UNPRICED + TotalUsage(unpriced=1)
PRICED = make_response(200, dump(completion("pong", usage=USED, cost="0.0015")))
PRICED_STREAM = streamed(
    frame(chunk("pong")),
    frame(chunk(None, "stop")),
    frame({**chunk(None), "choices": [], "usage": USED, "cost": "0.0015"}),
    DONE,
)


def inner(client: Any) -> Any:
    """The client itself: `track_usage` is the same on both."""
    return getattr(client, "_target", client)


def always(*responses: bytes) -> Script:
    """A script: the responses in turn, on each connection."""

    def script(peer: Peer) -> None:
        while True:
            for response in responses:
                if next(peer.requests(), None) is None:
                    return
                peer.send(response)

    return script


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as running:
        yield running


@on_every_flavour
async def test_calls_and_streams_of_a_block_are_added_up(world: World) -> None:
    responses = (PRICED, PRICED_STREAM, PRICED, PRICED)
    with ScriptedServer(answering(*responses)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:
                await client.chat.completions.create(**ASK)
                async for _ in client.chat.completions.stream(**ASK):
                    pass
                await client.with_options(timeout=4).chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)
    assert usage.total == ONE + ONE + ONE
    assert usage.by_model == {MODEL: usage.total}
    assert (usage.cost_usd, usage.unpriced) == (Decimal("0.0045"), 0)
    assert repr(usage).startswith("<UsageTracker TotalUsage(requests=3, input_tokens=30")
    assert usage.table().splitlines()[1].split()[-1] == "0.0045"


@on_every_flavour
async def test_whole_and_streamed_responses_name_the_same_cost(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url, token=gateway.token) as client:
        for resource, asked in (
            (client.chat.completions, ASK),
            (client.responses, {"model": MODEL, "input": "ping"}),
        ):
            with inner(client).track_usage() as usage:
                whole = await resource.create(**asked)
                stream = resource.stream(**asked)
                async for _ in stream:
                    pass
            assert whole.cost_usd == stream.response.cost_usd > 0
            assert usage.cost_usd == 2 * whole.cost_usd


@on_every_flavour
async def test_every_kind_of_call_is_counted_by_the_model_that_it_names(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url, token=gateway.token) as client:
        with inner(client).track_usage() as usage:
            said = await client.responses.create(model=MODEL, input="hi")
            async for _ in client.responses.stream(model=MODEL, input="hi"):
                pass
            await client.embeddings.create(model="openai/text-embedding-3-small", input="hi")
            both = {"models": [MODEL, "anthropic/claude-haiku-4.5"], "messages": ASK["messages"]}
            await client.compare.create(**both)
            async for _ in client.compare.stream(**both):
                pass
            raw = client.with_raw_response.embeddings
            await raw.create(model="openai/text-embedding-3-small", input="hi")
            await client.models.list()
    requests = {model: each.requests for model, each in usage.by_model.items()}
    # One request of each comparison is for the comparison itself.
    assert requests[MODEL] == 6
    assert requests["anthropic/claude-haiku-4.5"] == 2
    assert requests["openai/text-embedding-3-small"] == 2
    assert usage.total.requests == 10
    assert usage.by_model[MODEL].output_tokens > said.usage.output_tokens > 0
    assert usage.total.in_progress == 0


@on_every_flavour
async def test_a_model_that_the_gateway_chooses_is_named(world: World) -> None:
    routed = make_response(200, dump(completion("pong")), "X-Resolved-Model-Id: chosen/one")
    unnamed = make_response(200, dump(completion("pong", model="answering/one")))
    with ScriptedServer(answering(routed, unnamed)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:
                for _ in range(2):
                    await client.chat.completions.create(model="auto", messages=ASK["messages"])
    assert {*usage.by_model} == {"chosen/one", "answering/one"}


@on_every_flavour
async def test_a_retried_call_counts_once_and_an_error_costs_nothing(world: World) -> None:
    refused = failed(400, "bad_request")
    with ScriptedServer(answering(failed(503, "busy"), PRICED, refused)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:
                await client.chat.completions.create(**ASK)
                with pytest.raises(MeshAPIError):
                    await client.chat.completions.create(**ASK)
    assert usage.total == ONE + TotalUsage(requests=1)


@on_every_flavour
async def test_a_cost_that_is_not_known_is_never_zero(world: World) -> None:
    silent = make_response(200, dump(completion("pong", usage=USED)))
    with ScriptedServer(answering(silent, silent)) as server:
        async with world.client(server.url) as client:
            prices = [
                ModelInfo(
                    id=MODEL,
                    pricing=ModelPricing(prompt_usd_per_1m="1", completion_usd_per_1m="2"),
                )
            ]
            with inner(client).track_usage() as usage:
                await client.chat.completions.create(**ASK)
                with inner(client).track_usage(prices=prices) as estimated:
                    await client.chat.completions.create(**ASK)
    assert usage.total == UNPRICED + UNPRICED
    assert estimated.total.cost_usd == Decimal("0.00002")
    assert (estimated.total.unpriced, estimated.total.estimated) == (0, 1)


@on_every_flavour
async def test_a_stream_that_is_left_counts_with_what_is_known(world: World) -> None:
    with ScriptedServer(always(PRICED_STREAM)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:
                async with client.chat.completions.stream(**ASK) as stream:
                    async for _ in stream:
                        assert usage.total.in_progress == 1
                        break
                assert usage.total == TotalUsage(requests=1, unpriced=1)
                async with client.chat.completions.stream(**ASK) as stream:
                    async for piece in stream:
                        if piece.usage is not None:
                            assert usage.total.cost_usd == Decimal("0.0015")
                            break
    assert usage.total == ONE + TotalUsage(requests=1, unpriced=1)


@on_every_flavour
async def test_a_stream_that_breaks_may_have_cost_something(world: World) -> None:
    def script(peer: Peer) -> None:
        peer.take()
        peer.send(stream_head() + chunked(frame(chunk("pong")), end=False))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage, pytest.raises(StreamInterruptedError):
                async for _ in client.chat.completions.stream(**ASK):
                    pass
    assert usage.total == TotalUsage(requests=1, unpriced=1)


@on_every_flavour
async def test_nested_blocks_both_count_and_a_closed_one_does_not(world: World) -> None:
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as outer:
                await client.chat.completions.create(**ASK)
                with inner(client).track_usage() as nested, nested:
                    await client.chat.completions.create(**ASK)
                await client.chat.completions.create(**ASK)
            assert inner(client)._watches == []
    assert outer.total == ONE + ONE + ONE
    assert nested.total == ONE


@on_every_flavour
async def test_other_clients_are_not_counted(world: World) -> None:
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client, world.client(server.url) as other:
            with inner(client).track_usage() as usage, inner(other).track_usage() as others:
                await other.chat.completions.create(**ASK)
    assert not usage.total
    assert others.total == ONE


@on_every_flavour
async def test_tasks_and_threads_share_a_tracker(world: World) -> None:
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:

                async def ask() -> None:
                    # Tasks have the tracker from the block; threads open one with it.
                    if world.name == "sync":
                        with usage:
                            await client.chat.completions.create(**ASK)
                    else:
                        await client.chat.completions.create(**ASK)

                await world.together(*[ask] * 8)
    assert usage.total == sum([ONE] * 8, TotalUsage())


def test_a_thread_that_copies_the_context_is_counted_and_another_is_not() -> None:
    with (
        ScriptedServer(always(PRICED)) as server,
        MeshAPI(base_url=server.url, token=TOKEN) as client,
        client.track_usage() as usage,
    ):

        def ask() -> None:
            client.chat.completions.create(**ASK)

        context = contextvars.copy_context()
        targets: list[Any] = [lambda: context.run(ask), lambda: contextvars.Context().run(ask)]
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert usage.total == ONE


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_functions_in_threads_of_a_loop_are_counted(loop: str) -> None:
    with ScriptedServer(always(PRICED)) as server:

        async def main() -> TotalUsage:
            with MeshAPI(base_url=server.url, token=TOKEN) as client:
                ask: Any = client.chat.completions.create
                with client.track_usage() as usage:
                    if loop == "trio":
                        await trio.to_thread.run_sync(lambda: ask(**ASK))
                    else:
                        await asyncio.to_thread(ask, **ASK)
                return usage.total

        assert (trio.run(main) if loop == "trio" else asyncio.run(main())) == ONE


def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


@on_every_flavour
async def test_the_turns_of_a_tool_run_are_counted_and_stopped(
    world: World, gateway: LocalGateway
) -> None:
    asked: Any = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "weather in Paris"}],
        "tools": [weather],
    }
    async with world.client(gateway.url, token=gateway.token) as client:
        with inner(client).track_usage() as usage:
            run = client.chat.completions.run_tools(**asked)
            await run.until_done()
        limited = client.with_options(budget=Budget(requests=1))
        stopped = limited.chat.completions.run_tools(**asked)
        with pytest.raises(BudgetExceededError):
            await stopped.until_done()
    assert usage.total.requests == run.turns == 2
    assert usage.total.total_tokens == run.usage.total_tokens > 0
    assert usage.cost_usd == run.usage.cost_usd > 0


@on_every_flavour
async def test_hooks_and_trackers_go_together(world: World) -> None:
    told: list[Any] = []
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url, hooks=Hooks(on_response=told.append)) as client:
            with inner(client).track_usage() as usage:
                await client.chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)
    assert len(told) == 2
    assert usage.total == ONE


@on_every_flavour
async def test_each_response_of_a_session_is_a_request(world: World) -> None:
    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        for _ in range(2):
            used = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
            peer.event("response.done", response={"id": "r", "usage": used})
        peer.receive_until(0x8)
        peer.close()

    budget = Budget(tokens=10)
    with ScriptedServer(upgraded(script)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage(budget=budget) as usage:
                async with await client.realtime.connect(model="m") as session:
                    for _ in range(3):
                        await session.receive(5)
                with pytest.raises(BudgetExceededError):
                    await client.realtime.connect(model="m")
    expected = TotalUsage(requests=2, input_tokens=14, output_tokens=6, unpriced=2)
    assert usage.by_model == {"m": expected}


# Giving up


@on_every_flavour
async def test_a_stream_that_is_dropped_stays_in_progress(world: World) -> None:
    with ScriptedServer(always(PRICED_STREAM)) as server:
        async with world.client(server.url) as client:
            with inner(client).track_usage() as usage:
                stream = client.chat.completions.stream(**ASK)
                async for _ in stream:
                    break
            # Only closing it says that no more is coming.
            assert usage.total == TotalUsage(requests=1, in_progress=1)
            await stream.close() if world.name == "sync" else await stream.aclose()
            assert usage.total == TotalUsage(requests=1, unpriced=1)


async def _create(client: AsyncMeshAPI) -> None:
    await client.chat.completions.create(**ASK)


async def _stream(client: AsyncMeshAPI) -> None:
    async with client.chat.completions.stream(**ASK) as stream:
        async for _ in stream:
            pass


@pytest.mark.parametrize("victim", [_create, _stream])
@pytest.mark.parametrize("how", ["blocked", "race", "level", "after", "before"])
def test_cancelling_at_any_await_counts_each_request_once(how: str, victim: Any) -> None:
    is_trio = how in {"after", "before"}

    async def attack(url: str, step: int) -> "tuple[Attack, TotalUsage]":
        async with AsyncMeshAPI(base_url=url, token=TOKEN, max_retries=0) as client:
            budget = Budget(requests=1)
            with client.track_usage(budget=budget) as usage:
                run: Any = (ScopeAttack if is_trio else EdgeAttack)(
                    victim(client), Blow(how, (step,))
                )
                if is_trio:
                    await run.run()
                else:
                    await asyncio.ensure_future(run.run())
            assert budget.spent == usage.total
        return run, usage.total

    script = always(PRICED_STREAM if victim is _stream else PRICED)
    for step in range(1, 100):
        with ScriptedServer(script) as server:
            if is_trio:
                run, total = trio.run(attack, server.url, step)
            else:
                run, total = asyncio.run(attack(server.url, step))
        assert total.in_progress == 0
        assert len(server.requests) <= total.requests <= 1
        assert not total or total.cost_usd or total.unpriced
        if not run.blows:
            break
    assert run.finished
    assert total == ONE
    assert step > 3


# Budgets


@on_every_flavour
@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"requests": 2}, 2),
        ({"tokens": 16}, 2),
        ({"tokens": 15}, 1),
        ({"cost_usd": "0.003"}, 2),
        ({"cost_usd": Decimal("0.0031"), "requests": 100}, 3),
        ({"cost_usd": 0}, 0),
    ],
    ids=str,
)
async def test_a_budget_stops_the_next_call_before_it_is_sent(
    world: World, limits: Any, allowed: int
) -> None:
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client:
            budget = Budget(**limits)
            with inner(client).track_usage(budget=budget):
                for _ in range(allowed):
                    assert not budget.used_up
                    await client.chat.completions.create(**ASK)
                sent = len(server.requests)
                with pytest.raises(BudgetExceededError) as caught:
                    await client.chat.completions.create(**ASK)
                with pytest.raises(BudgetExceededError):
                    async for _ in client.chat.completions.stream(**ASK):
                        pass
                with pytest.raises(BudgetExceededError):
                    async with client.chat.completions.stream(**ASK):
                        pass
            await client.chat.completions.create(**ASK)
    assert caught.value.spent.requests == budget.spent.requests == allowed
    assert caught.value.limit in limits
    assert caught.value.allowed == getattr(budget, caught.value.limit)
    assert budget.used_up
    assert len(server.requests) == sent + 1


@on_every_flavour
async def test_options_carry_a_budget_and_keep_the_one_before(world: World) -> None:
    outer, tight = Budget(requests=3), Budget(requests=1)
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client:
            limited = client.with_options(budget=outer)
            tighter = limited.with_options(budget=tight).with_options(timeout=4)
            await tighter.chat.completions.create(**ASK)
            with pytest.raises(BudgetExceededError):
                await tighter.chat.completions.create(**ASK)
            # What the tight budget stopped has taken nothing of the other one.
            assert outer.spent == tight.spent == ONE
            with inner(client).track_usage() as usage:
                await limited.chat.completions.create(**ASK)
                await limited.with_raw_response.chat.completions.create(**ASK)
                with pytest.raises(BudgetExceededError):
                    await limited.chat.completions.create(**ASK)
                await client.chat.completions.create(**ASK)
    assert usage.total == ONE + ONE + ONE
    assert outer.spent == ONE + ONE + ONE
    assert len(server.requests) == 4


@on_every_flavour
async def test_calls_at_once_never_exceed_a_number_of_requests(world: World) -> None:
    budget = Budget(requests=3)
    with ScriptedServer(always(PRICED)) as server:
        async with world.client(server.url) as client:
            limited = client.with_options(budget=budget)

            async def ask() -> bool:
                try:
                    await limited.chat.completions.create(**ASK)
                except BudgetExceededError:
                    return False
                return True

            assert sorted(await world.together(*[ask] * 8)) == [False] * 5 + [True] * 3
    assert len(server.requests) == 3
    assert budget.spent == ONE + ONE + ONE


@on_every_flavour
async def test_a_budget_does_not_stop_what_runs_no_model(world: World) -> None:
    listed = make_response(200, dump({"data": []}))
    with ScriptedServer(answering(PRICED, listed)) as server:
        async with world.client(server.url) as client:
            limited = client.with_options(budget=Budget(requests=1))
            await limited.chat.completions.create(**ASK)
            await limited.models.list()
    assert len(server.requests) == 2


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
def test_a_budget_is_a_budget(client_class: Any) -> None:
    client = client_class(token=TOKEN)
    wrong: Any = 5
    with pytest.raises(TypeError, match="budget: expected Budget"):
        client.track_usage(budget=wrong)
    with pytest.raises(TypeError, match="budget: expected Budget"):
        client.with_options(budget=wrong)


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize("limits", [{"seconds": 5}, {"failures": 0, "requests": 1}])
def test_a_budget_that_only_a_run_can_keep_is_refused_elsewhere(
    client_class: Any, limits: dict[str, Any]
) -> None:
    client = client_class(token=TOKEN)
    budget = Budget(**limits)
    message = f"budget: expected a Budget of .*, got {next(iter(limits))}=; only client.map"
    with pytest.raises(InvalidParamsError, match=message):
        client.track_usage(budget=budget)
    with pytest.raises(InvalidParamsError, match=message):
        client.with_options(budget=budget)


def test_a_budget_shows_its_limits_and_what_is_spent() -> None:
    budget = Budget(cost_usd="0.50", requests=3)
    assert repr(budget) == "<Budget cost_usd=0.50, requests=3; spent: TotalUsage(requests=0)>"


def test_a_client_that_nobody_tracks_watches_nothing() -> None:
    with (
        ScriptedServer(always(good())) as server,
        MeshAPI(base_url=server.url, token=TOKEN) as client,
    ):
        with client.track_usage():
            client.chat.completions.create(**ASK)
        assert client._watches == []
        assert client.with_options(timeout=4)._watches is client._watches
