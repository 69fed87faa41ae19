"""The lists of the local gateway, on every flavour: rows, pages and what goes wrong."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from meshapi import AsyncMeshAPI, InvalidParamsError, MeshAPI, ResponseDecodeError
from meshapi.testing import LocalGateway
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_pages"
BODY = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        with MeshAPI(base_url=running.url, token=TOKEN) as client:
            for number in range(7):
                body = {"model": "openai/gpt-4o-mini", **BODY}
                client.batches.create(requests=[{"custom_id": str(number), "body": body}])
                client.responses.create(input=str(number))
                client.documents.generate(format="csv", prompt=str(number))
                content = [{"type": "text", "text": "a cat"}]
                client.videos.generate(model="bytedance/seedance-1-0-pro", content=content)
                client.rag.upload_file(file_name="a.txt", mime_type="text/plain", content=b"x")
        yield running


def client_of(world: World, gateway: LocalGateway) -> Any:
    return world.client(gateway.url, token=TOKEN)


LISTS: dict[str, dict[str, Any]] = {
    "batches.list": {"limit": 3},
    "responses.list": {"limit": 3},
    "documents.list": {"limit": 3},
    "videos.list": {"limit": 3},
    "rag.list": {"limit": 3},
    "models.search": {"limit": 10},
    "audio.list_voices": {"page_size": 2},
    "usage.events": {"limit": 10},
}
WHOLE = ("models.list", "models.free", "models.paid", "templates.list", "api_versions.list")


def method(client: Any, name: str) -> Any:
    resource, _, last = name.rpartition(".")
    return getattr(getattr(client, resource), last)


@pytest.mark.parametrize("name", LISTS)
@on_every_flavour
async def test_every_list_crosses_its_pages(world: World, name: str, gateway: LocalGateway) -> None:
    async with client_of(world, gateway) as client:
        ask = method(client, name)
        rows = [row async for row in ask(**LISTS[name])]
        size = next(iter(LISTS[name].values()))
        assert len(rows) > size
        pages = [page async for page in ask(**LISTS[name]).pages()]
        assert len(pages) == -(-len(rows) // size)
        page = await ask(**LISTS[name])
        if name != "usage.events":
            assert await world.rows(page) == rows


@pytest.mark.parametrize("name", WHOLE)
@on_every_flavour
async def test_a_whole_list_is_its_only_page(
    world: World, name: str, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        whole = await method(client, name)()
        assert [row async for row in method(client, name)()] == list(whole)
        assert [page async for page in method(client, name)().pages()] == [whole]
        assert list(whole.pages()) == [whole]


@on_every_flavour
async def test_wrong_parameters_are_refused_before_anything_is_sent(
    world: World, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        sent = len(gateway.requests)
        for wrong in ({"limit": "three"}, {"size": 3}):
            with pytest.raises(InvalidParamsError):
                await client.batches.list(**wrong)
            with pytest.raises(InvalidParamsError):
                async for _ in client.batches.list(**wrong):
                    pass
        assert len(gateway.requests) == sent


@on_every_flavour
async def test_a_gateway_that_repeats_a_page_ends_the_loop(world: World) -> None:
    with LocalGateway(token=TOKEN) as gateway:
        async with client_of(world, gateway) as client:
            for _ in range(3):
                row = {"custom_id": "1", "body": {"model": "mesh/repeated-page", **BODY}}
                await client.batches.create(requests=[row])
                await client.documents.generate(
                    format="csv", prompt="x", model="mesh/repeated-page"
                )
            for ask in (client.batches.list, client.documents.list):
                rows = []
                with pytest.raises(ResponseDecodeError, match="never end"):
                    async for row in ask(limit=2):
                        rows.append(row)
                assert len(rows) <= 4


def test_a_task_and_a_nursery_take_an_unasked_list(gateway: LocalGateway) -> None:
    async def on_asyncio() -> int:
        async with AsyncMeshAPI(base_url=gateway.url, token=TOKEN) as client:
            first, second = await asyncio.gather(
                asyncio.create_task(client.batches.list(limit=1)), client.models.list()
            )
            return len(first.data) + len(second)

    async def on_trio() -> None:
        client = AsyncMeshAPI(base_url=gateway.url, token=TOKEN)
        async with client, trio.open_nursery() as nursery:
            nursery.start_soon(client.batches.list)

    assert asyncio.run(on_asyncio()) > 1
    trio.run(on_trio)


@on_every_flavour
async def test_a_raw_client_returns_the_response_of_one_page(
    world: World, gateway: LocalGateway
) -> None:
    async with client_of(world, gateway) as client:
        response = await client.with_raw_response.batches.list(limit=1)
        assert len(response.parse().data) == 1
