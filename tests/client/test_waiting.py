"""Waiting for jobs of the local gateway, on every flavour."""

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from meshapi import (
    APIConnectionError,
    JobFailedError,
    JobStatusError,
    JobTimeoutError,
    MeshAPI,
    Progress,
)
from meshapi.testing import LocalGateway
from support.flavours import World, on_every_flavour
from support.turns import by_turns

TOKEN = "rsk_test_waiting"
SOON = {"poll_interval": 0.005}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def client_of(world: World, gateway: LocalGateway) -> Any:
    return world.client(gateway.url, token=gateway.token)


def requests(model: str, count: int = 2) -> list[dict[str, Any]]:
    body = {"model": model, "messages": [{"role": "user", "content": "What is 2+2?"}]}
    return [{"custom_id": str(number), "body": body} for number in range(count)]


async def batch(client: Any, model: str, **options: Any) -> Any:
    made = await client.batches.create(requests=requests(model))
    return await client.batches.wait(made, **options)


async def video(client: Any, model: str, **options: Any) -> Any:
    content = [{"type": "text", "text": "a cat"}]
    return await client.videos.generate_and_wait(model=model, content=content, **options)


async def document(client: Any, model: str, **options: Any) -> Any:
    made = await client.documents.generate(format="csv", prompt="x", model=model)
    return await client.documents.wait(made, **options)


async def response(client: Any, model: str, **options: Any) -> Any:
    made = await client.responses.create(model=model, input="What is 2+2?", background=True)
    return await client.responses.wait(made, **options)


async def file(client: Any, model: str, **options: Any) -> Any:
    name = f"{model.replace('/', '-')}.txt"
    return await client.rag.upload_and_embed((name, b"some words"), **options)


JOBS = (batch, video, document, response, file)
GOOD = {
    batch: "openai/gpt-4o-mini",
    video: "bytedance/seedance-1-0-pro",
    document: "openai/gpt-4o-mini",
    response: "openai/gpt-4o-mini",
    file: "notes",
}

each_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
Job = Callable[..., Any]


def status_of(job: Any) -> str:
    return getattr(job, "embedding_status", None) or job.status


@each_job
@on_every_flavour
async def test_a_job_is_returned_when_it_is_done(
    world: World, job: Job, gateway: LocalGateway
) -> None:
    told: list[Progress] = []
    async with client_of(world, gateway) as client:
        done = await job(client, GOOD[job], on_progress=told.append, timeout=10, **SOON)
    assert done.ended
    assert not done.failed
    assert told[-1].what == status_of(done)
    assert len({each.job_id for each in told}) == 1


@by_turns
@each_job
@pytest.mark.parametrize("end", ["failed", "expired", "cancelled"])
@on_every_flavour
async def test_a_bad_end_raises_with_what_the_gateway_said(
    world: World, job: Job, end: str, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        with pytest.raises(JobFailedError) as caught:
            await job(client, f"mesh/job-{end}", **SOON)
    error = caught.value
    assert error.partial.failed
    assert error.request_id
    if end == "failed" and job is not document:
        assert error.error_code == "provider_job_failed"
    elif job is not file:
        assert error.error_code == f"job_{end}"


@by_turns
@each_job
@on_every_flavour
async def test_an_unknown_status_is_an_error(world: World, job: Job, gateway: LocalGateway) -> None:
    async with client_of(world, gateway) as client:
        with pytest.raises(JobStatusError, match="paused") as caught:
            await job(client, "mesh/job-unknown-status", **SOON)
    assert status_of(caught.value.partial) == "paused"


@by_turns
@each_job
@on_every_flavour
async def test_a_job_that_stalls_ends_the_wait_and_can_be_waited_for_again(
    world: World, job: Job, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        with pytest.raises(JobTimeoutError) as caught:
            await job(client, "mesh/stall", timeout=0.05, **SOON)
    partial = caught.value.partial
    known = next(
        value
        for name in ("id", "document_id", "file_id")
        for value in [getattr(partial, name, "")]
        if value
    )
    assert f".wait({known!r})" in caught.value.message


@on_every_flavour
async def test_a_retry_after_is_honoured(world: World, gateway: LocalGateway) -> None:
    pauses: list[float] = []
    async with client_of(world, gateway) as client:
        before = world.network.now()
        await document(client, "mesh/job-retry-after", **SOON)
        pauses.append(world.network.now() - before)
    assert pauses[0] >= 1.0


@on_every_flavour
async def test_an_async_function_can_be_told(world: World, gateway: LocalGateway) -> None:
    told: list[str] = []

    async def tell(progress: Progress) -> None:
        await world.sleep(0)
        told.append(progress.what)

    async with client_of(world, gateway) as client:
        if world.name == "sync":
            with pytest.raises(TypeError, match=r"tell\(\) is asynchronous"):
                await batch(client, GOOD[batch], on_progress=tell, **SOON)
        else:
            await batch(client, GOOD[batch], on_progress=tell, **SOON)
            assert told == ["in_progress", "completed"]


@on_every_flavour
async def test_what_a_told_function_raises_ends_the_wait(
    world: World, gateway: LocalGateway
) -> None:
    def stop(progress: Progress) -> None:
        raise LookupError(progress.job_id)

    async with client_of(world, gateway) as client:
        with pytest.raises(LookupError) as caught:
            await video(client, "mesh/stall", on_progress=stop)
        # The job goes on, and its ID is known.
        assert (await client.videos.retrieve(str(caught.value.args[0]))).status


@on_every_flavour
async def test_closing_the_client_ends_a_wait(world: World, gateway: LocalGateway) -> None:
    client = client_of(world, gateway)
    told: list[Progress] = []

    async def wait() -> None:
        with pytest.raises(APIConnectionError) as caught:
            await video(client, "mesh/stall", on_progress=told.append, poll_interval=60)
        assert caught.value.error_code == "client_closed"
        assert caught.value.partial.id == told[0].job_id

    async def close() -> None:
        await world.until(lambda: told)
        await world.sleep(0.05)
        await client.close()

    assert await world.together(wait, close) == [None, None]


def test_a_raw_client_says_that_it_cannot_wait(gateway: LocalGateway) -> None:
    with MeshAPI(base_url=gateway.url, token=TOKEN) as client, pytest.raises(TypeError):
        client.with_raw_response.batches.wait("b1")
