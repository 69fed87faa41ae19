"""Calls submitted as batches to the local gateway, on every flavour, and cancelled."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from meshapi import (
    APIStatusError,
    AsyncMeshAPI,
    InvalidParamsError,
    JobFailedError,
    JobTimeoutError,
    MeshAPI,
    Progress,
    RateLimitError,
)
from meshapi.testing import LocalGateway
from meshapi_core import Call
from meshapi_core.endpoints import Completions
from meshapi_core.types import ChatCompletionResponse
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_batching"
SOON = {"poll_interval": 0.005}
GOOD, UNORDERED, EXPIRED = "openai/gpt-4o-mini", "mesh/unordered", "mesh/job-expired"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def client_of(world: World, gateway: LocalGateway) -> Any:
    return world.client(gateway.url, token=TOKEN)


def ask(question: str, model: str = GOOD) -> Call[ChatCompletionResponse]:
    message = {"role": "user", "content": question}
    return Completions.create.build(model=model, messages=[message])


SUMS = [ask(f"What is {n}+2?", model) for n in range(3) for model in (GOOD, UNORDERED)]


@on_every_flavour
async def test_calls_come_back_in_order(world: World, gateway: LocalGateway) -> None:
    told: list[Progress] = []
    async with client_of(world, gateway) as client:
        made = await client.batches.submit(SUMS, on_progress=told.append)
        assert len(made.batch_ids) == 2
        assert [each.job_id for each in told[1:]] == list(made.batch_ids)
        async with client.batches.results(made, **SOON) as results:
            items = [item async for item in results]
            batches = await results.until_done()
    assert [item.id for item in items] == [f"call-{n}" for n in range(6)]
    assert [item.result().text for item in items] == [
        f"{n} + 2 = {n + 2}." for n in range(3) for _ in range(2)
    ]
    assert [batch.id for batch in batches] == list(made.batch_ids)


@on_every_flavour
async def test_the_same_calls_sent_one_by_one_give_the_same(
    world: World, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        made = await client.batches.submit([ask("What is 2+2?")])
        (item,) = [item async for item in client.batches.results(made, **SOON)]
        direct = await client.chat.completions.create(
            model=GOOD, messages=[{"role": "user", "content": "What is 2+2?"}]
        )
    assert type(item.value) is type(direct)
    assert item.value.text == direct.text
    assert item.value.usage == direct.usage


@on_every_flavour
async def test_requests_of_a_batch_come_in_the_order_asked_for(
    world: World, gateway: LocalGateway
) -> None:
    requests = [
        {
            "custom_id": name,
            "body": {"model": UNORDERED, "messages": [{"role": "user", "content": "Hi"}]},
        }
        for name in ("c", "a", "b")
    ]
    async with client_of(world, gateway) as client:
        batch = await client.batches.create(requests=requests)
        for form in (requests, ["c", "a", "b"]):
            results = client.batches.results(batch, requests=form, **SOON)
            assert [item.id async for item in results] == ["c", "a", "b"]
        assert [item.id async for item in client.batches.results(batch.id)] == ["b", "a", "c"]


@on_every_flavour
async def test_failures_are_items(world: World, gateway: LocalGateway) -> None:
    calls = [ask("Hi"), ask("Fail: no"), ask("Hi", EXPIRED), ask("Ho", EXPIRED)]
    async with client_of(world, gateway) as client:
        made = await client.batches.submit(calls)
        items = [item async for item in client.batches.results(made, **SOON)]
    assert [item.error is None for item in items] == [True, False, True, False]
    assert isinstance(items[1].error, APIStatusError)
    assert isinstance(items[3].error, JobFailedError)
    assert items[3].error.error_code == "batch_expired"


@on_every_flavour
async def test_a_batch_that_failed_as_a_whole_fails_its_calls(
    world: World, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        made = await client.batches.submit([ask("Hi", "mesh/job-failed")])
        (item,) = [item async for item in client.batches.results(made, **SOON)]
    assert isinstance(item.error, JobFailedError)
    assert item.error.error_code == "provider_job_failed"


@pytest.mark.slow
@on_every_flavour
async def test_it_waits_while_the_gateway_has_too_many_open_batches(world: World) -> None:
    told: list[Progress] = []
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        async with client_of(world, gateway) as client:
            open_ones = [(await client.batches.submit([ask("Hi")])).batch_ids[0] for _ in range(10)]
            with pytest.raises(JobTimeoutError) as caught:
                await client.batches.submit([ask("Hi")], timeout=0.1)
            assert caught.value.partial.places == (-1,)
            await client.batches.cancel(open_ones[0])
            await client.batches.get(open_ones[0])
            made = await client.batches.submit([ask("Hi")], on_progress=told.append)
            assert made.places == (0,)


@on_every_flavour
async def test_wrong_calls_are_refused_before_anything_is_sent(
    world: World, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        sent = len(gateway.requests)
        with pytest.raises(InvalidParamsError, match=r"calls\[1\]: expected a Call, got str"):
            await client.batches.submit([ask("Hi"), "Hi"])
        with pytest.raises(InvalidParamsError, match="batch: expected"):
            async for _ in client.batches.results(5):
                pass
        assert len(gateway.requests) == sent


def test_a_raw_client_says_that_it_cannot(gateway: LocalGateway) -> None:
    with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
        raw: Any = client.with_raw_response.batches
        with pytest.raises(TypeError):
            raw.submit(SUMS)


@on_every_flavour
async def test_calls_run_in_batches(world: World, gateway: LocalGateway) -> None:
    told: list[Progress] = []
    async with client_of(world, gateway) as client:
        results = client.batches.run(iter(SUMS), on_progress=told.append, **SOON)
        items = [item async for item in results]
        submission = await results.until_done()
    texts = {item.id: item.result().text for item in items}
    assert texts == {f"call-{n}": f"{n // 2} + 2 = {n // 2 + 2}." for n in range(6)}
    assert len(items) == 6
    assert submission.places == (0, 1) * 3
    assert {each.job_id for each in told} == set(submission.batch_ids)
    assert (told[-1].done, told[-1].total) == (6, None)


@on_every_flavour
async def test_calls_come_from_an_async_iterable(world: World, gateway: LocalGateway) -> None:
    async def asked() -> AsyncIterator[Call[ChatCompletionResponse]]:
        for call in SUMS:
            await world.sleep(0)
            yield call

    async with client_of(world, gateway) as client:
        sent = len(gateway.requests)
        results = client.batches.run(asked(), **SOON)
        if world.name == "sync":
            with pytest.raises(InvalidParamsError, match="got an async iterable; use AsyncMesh"):
                await results.until_done()
            assert len(gateway.requests) == sent
        else:
            assert len([item.result() async for item in results]) == 6


@pytest.mark.parametrize("model", [EXPIRED, "mesh/job-cancelled", "mesh/flaky"])
@on_every_flavour
async def test_what_may_succeed_is_submitted_again(
    world: World, gateway: LocalGateway, model: str
) -> None:
    """Half of each batch expires, or is cancelled; or two rows out of three fail with a 429."""
    async with client_of(world, gateway) as client:
        calls = [ask(f"What is {n}+2?", model) for n in range(5)]
        results = client.batches.run(calls, resubmit=9, **SOON)
        items = [item async for item in results]
        submission = await results.until_done()
    assert sorted(item.id for item in items) == [f"call-{n}" for n in range(5)]
    assert all("+ 2 =" in item.result().text for item in items)
    assert len(submission.batch_ids) > 1


@on_every_flavour
async def test_what_cannot_succeed_is_an_item(world: World, gateway: LocalGateway) -> None:
    calls = [
        ask("Hi"),
        ask("Fail: no"),
        ask("Hi", "mesh/job-failed"),
        ask("Hi", "mesh/rate-limited"),
    ]
    async with client_of(world, gateway) as client:
        items = {item.id: item async for item in client.batches.run(calls, resubmit=0, **SOON)}
    assert len(items) == 4
    assert items["call-0"].error is None
    assert items["call-1"].error.error_code == "provider_job_failed"
    assert items["call-2"].error.error_code == "provider_job_failed"
    with pytest.raises(RateLimitError):
        items["call-3"].result()


@on_every_flavour
async def test_a_run_that_was_left_is_taken_up_by_another(
    world: World, gateway: LocalGateway
) -> None:
    calls = [ask("Hi", "mesh/stall"), ask("What is 2+2?"), ask("Ho", "mesh/stall")]
    async with client_of(world, gateway) as client:
        with pytest.raises(JobTimeoutError, match="under_way=") as caught:
            await client.batches.run(calls, timeout=0.1, **SOON).until_done()
        stalled, _ = caught.value.partial.batch_ids
        await client.batches.cancel(stalled)
        sent = len(gateway.requests)
        results = client.batches.run(calls, under_way=caught.value.partial, **SOON)
        items = {item.id: item async for item in results}
        assert {request.method for request in gateway.requests[sent:]} == {"GET"}
    assert items["call-1"].result().text == "2 + 2 = 4."
    assert items["call-0"].error.error_code == items["call-2"].error.error_code == "job_cancelled"


@pytest.mark.slow
@on_every_flavour
async def test_more_batches_than_the_gateway_takes_run_one_after_another(world: World) -> None:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        async with client_of(world, gateway) as client:
            for _ in range(6):
                await client.batches.submit([ask("Hi", "mesh/stall")])
            models = [model.id async for model in client.models.list() if "/" in model.id]
            chosen = [model for model in models if not model.startswith("mesh/")][:8]
            results = client.batches.run([ask("Hi", model) for model in chosen], **SOON)
            assert len([item async for item in results]) == len(chosen) > 4


def test_submit_that_is_cancelled_anywhere_has_told_of_every_batch(gateway: LocalGateway) -> None:
    """What is under way at the gateway is known to the program, but for the one being made."""

    async def main(steps: int) -> bool:
        told: list[str] = []
        async with AsyncMeshAPI(base_url=gateway.url, token=TOKEN) as client:
            before = {batch.id async for batch in client.batches.list(limit=100)}
            submitting = client.batches.submit(
                SUMS, on_progress=lambda each: told.append(each.job_id)
            )
            task = asyncio.ensure_future(submitting)
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            after = {batch.id async for batch in client.batches.list(limit=100)}
            made = after - before
            assert made >= set(told[1:])
            assert len(made - set(told[1:])) <= 1
            for batch_id in made:
                await client.batches.cancel(batch_id)
                await client.batches.get(batch_id)
        return task.cancelled()

    assert asyncio.run(main(0))
    steps = 1
    while asyncio.run(main(steps)) and steps < 4000:
        steps += max(1, steps // 4)


def test_results_that_are_cancelled_anywhere_can_be_had_again(gateway: LocalGateway) -> None:
    async def main() -> None:
        async with AsyncMeshAPI(base_url=gateway.url, token=TOKEN) as client:
            made = await client.batches.submit(SUMS)
            for steps in (0, 1, 3, 10, 30, 100):
                task = asyncio.ensure_future(collected(client, made))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            items = await collected(client, made)
            assert [item.result().text for item in items][:2] == ["0 + 2 = 2."] * 2

    async def collected(client: AsyncMeshAPI, made: Any) -> list[Any]:
        return [item async for item in client.batches.results(made, poll_interval=0.002)]

    asyncio.run(main())
