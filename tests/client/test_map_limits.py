"""Limits, budgets, progress and estimates of `client.map`, on every flavour, against the gateway."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meshapi import Budget, PerMinute, Progress
from meshapi.testing import LocalGateway
from meshapi_core.endpoints import Completions
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_map_limits"
MODEL = "openai/gpt-4o-mini"
SPEED = 60.0


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def asks(count: int, **fields: Any) -> list[Any]:
    return [
        Completions.create.build(
            model=MODEL,
            messages=[{"role": "user", "content": f"What is {number} + 1?"}],
            max_tokens=20,
            **fields,
        )
        for number in range(count)
    ]


async def ended(world: World, run: Any) -> Any:
    return await world.settle(run.until_done())


@pytest.mark.slow
@pytest.mark.parametrize("window", ["fixed", "sliding"])
@on_every_flavour
async def test_a_run_ends_whatever_the_gateway_refuses(world: World, window: Any) -> None:
    """The gateway's minute is a second, which no client knows: it only sees refusals."""
    limits: Any = {"requests_per_minute": 40, "window": window, "clock_speed": SPEED}
    with LocalGateway(token=TOKEN, words_per_second=0, **limits) as limited:
        async with world.client(limited.url, token=TOKEN) as client:
            summary = await ended(world, client.map(asks(100), concurrency=30, rate_limit=None))
        refused = sum(request.status == 429 for request in limited.requests)
    assert (summary.calls, summary.succeeded) == (100, 100)
    assert summary.attempts == 100 + refused
    assert refused


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["requests", "tokens"])
@on_every_flavour
async def test_the_limits_that_the_gateway_names_are_kept(world: World, unit: str) -> None:
    with LocalGateway(token=TOKEN, words_per_second=0) as limited:
        setattr(limited, f"{unit}_per_minute", 600 if unit == "requests" else 18_000)
        async with world.client(limited.url, token=TOKEN) as client:
            # A quarter of what a minute allows.
            summary = await ended(world, client.map(asks(150), concurrency=50))
        statuses = {request.status for request in limited.requests}
    assert summary.succeeded == summary.attempts == 150
    assert statuses == {200}


@on_every_flavour
async def test_runs_one_after_the_other_share_a_limit(world: World, gateway: LocalGateway) -> None:
    """As those of an engine's batches do: they have one burst together."""
    limit = PerMinute(requests=60)
    async with world.client(gateway.url, token=TOKEN) as client:
        for _ in range(2):
            summary = await ended(world, client.map(asks(5), rate_limit=limit))
            assert summary.seconds < 0.9
        last = await ended(world, client.with_options(timeout=9).map(asks(2), rate_limit=limit))
    assert last.seconds > 0.9


# Budgets


@pytest.mark.parametrize("how", ["map", "client", "both", "tracker"])
@on_every_flavour
async def test_a_budget_counts_each_call_once(
    world: World, gateway: LocalGateway, how: str
) -> None:
    budget = Budget(requests=12)
    async with world.client(gateway.url, token=TOKEN) as client:
        limited = client.with_options(budget=budget) if how in ("client", "both") else client
        given = {} if how == "client" else {"budget": budget}
        if how == "tracker":
            with client.track_usage(budget=budget):
                summary = await ended(world, client.map(asks(40), concurrency=4, **given))
        else:
            summary = await ended(world, limited.map(asks(40), concurrency=4, **given))
    assert (summary.stopped, summary.limit) == ("budget", "requests")
    assert summary.calls == budget.spent.requests == 12
    assert summary.cost == budget.spent.cost_usd


@pytest.mark.parametrize("limit", ["tokens", "cost_usd"])
@on_every_flavour
async def test_a_budget_of_money_or_model_tokens_is_hardly_exceeded(
    world: World, gateway: LocalGateway, limit: str
) -> None:
    async with world.client(gateway.url, token=TOKEN) as client:
        one = await ended(world, client.map(asks(1)))
        call: Any = one.usage.total_tokens if limit == "tokens" else one.cost
        budget = Budget(**{limit: call * 30})
        summary = await ended(world, client.map(asks(200), concurrency=20, budget=budget))
    spent: Any = budget.spent.total_tokens if limit == "tokens" else budget.spent.cost_usd
    assert (summary.stopped, summary.limit) == ("budget", limit)
    assert call * 25 <= spent <= call * 33


@on_every_flavour
async def test_a_budget_of_failures_ends_a_run(world: World, gateway: LocalGateway) -> None:
    unknown = [
        Completions.create.build(model="no/such", messages=[{"role": "user", "content": str(n)}])
        for n in range(50)
    ]
    async with world.client(gateway.url, token=TOKEN) as client:
        run = client.map(unknown, concurrency=2, budget=Budget(failures=3))
        summary = await ended(world, run)
    assert (summary.stopped, summary.limit) == ("budget", "failures")
    assert 4 <= summary.failed <= 5


@on_every_flavour
async def test_a_budget_of_seconds_ends_a_run(world: World, gateway: LocalGateway) -> None:
    budget = Budget(seconds=0)
    async with world.client(gateway.url, token=TOKEN) as client:
        summary = await ended(world, client.map(asks(50), budget=budget))
    assert (summary.calls, summary.stopped, summary.limit) == (0, "budget", "seconds")


@on_every_flavour
async def test_two_runs_share_a_budget(world: World, gateway: LocalGateway) -> None:
    budget = Budget(requests=31)
    async with world.client(gateway.url, token=TOKEN) as client:
        one = client.map(asks(100), concurrency=3, budget=budget)
        other = client.map(asks(100), concurrency=3, budget=budget)
        runs = [one, other]
        while runs:
            for run in [*runs]:
                try:
                    await world.settle(run.__anext__() if world.name != "sync" else next_of(run))
                except (StopIteration, StopAsyncIteration, EndOfRun):
                    runs.remove(run)
    summaries = one.summary(), other.summary()
    assert {(summary.stopped, summary.limit) for summary in summaries} == {("budget", "requests")}
    assert sum(summary.calls for summary in summaries) == budget.spent.requests
    # The other one does not know of what is under way here.
    assert 31 <= budget.spent.requests <= 31 + 3


class EndOfRun(Exception):
    pass


async def next_of(run: Any) -> Any:
    async for item in run:
        return item
    raise EndOfRun


# Progress and estimates


@on_every_flavour
async def test_a_resumed_run_begins_its_progress_where_it_was(
    world: World, gateway: LocalGateway, tmp_path: Path, capsys: Any
) -> None:
    journal = tmp_path / "run.jsonl"
    told: list[Progress] = []
    async with world.client(gateway.url, token=TOKEN) as client:
        await ended(world, client.map(asks(30), journal=journal))
        for count in (40, 40):
            run = client.map(asks(count), journal=journal, on_progress=told.append, progress=True)
            await ended(world, run)
            last = told[-1]
            assert (last.done, last.total) == (40, 40)
            assert "$0.0" in last.what
            told.clear()
    assert last.recorded == 40
    # There is no rate without a call.
    assert "40/40 [00:00<?" in capsys.readouterr().err


@on_every_flavour
async def test_an_estimate_is_near_what_a_run_uses(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url, token=TOKEN) as client:
        summary = await ended(world, client.map(asks(20)))
        written = summary.usage.output_tokens // 20
        estimate = await client.estimate(asks(20), output_tokens=written)
    assert estimate.calls == summary.calls
    assert estimate.input_tokens == pytest.approx(summary.usage.input_tokens, rel=0.6)
    assert estimate.output_tokens == pytest.approx(summary.usage.output_tokens, rel=0.2)
    assert Decimal("0.5") < estimate.cost_usd / summary.cost < 2


# Files


FEW_FILES = """
import asyncio, resource, sys
from meshapi import AsyncMeshAPI, InvalidParamsError, MeshAPI
from meshapi_core.bulk import room
from meshapi_core.endpoints import Completions

resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
url, token, how = sys.argv[1:]
calls = [
    Completions.create.build(model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "?"}])
    for _ in range(200)
]
with MeshAPI(base_url=url, token=token, timeout=20) as client:
    if how == "unknown":
        # As if the program had opened more files than are left to it.
        room._OTHER_FILES = -100
        print(client.map(calls, concurrency=100).until_done().succeeded)
    else:
        try:
            client.map(calls, concurrency=100).until_done()
        except InvalidParamsError as exc:
            print(exc)
        print(client.map(calls).until_done().succeeded)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["known", "unknown"])
def test_a_process_with_few_files_loses_no_call(gateway: LocalGateway, how: str) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FEW_FILES, gateway.url, TOKEN, how]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.splitlines()
    assert lines[-1] == "200"
    if how == "known":
        assert "at most 16" in lines[0]
        assert "ulimit -n 164" in lines[0]
