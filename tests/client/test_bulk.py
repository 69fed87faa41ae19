"""What clients do with many calls, on every flavour, against the local gateway."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from meshapi import AsyncMeshAPI, InvalidParamsError, MeshAPI
from meshapi.testing import LocalGateway
from meshapi_core import Call
from meshapi_core.bulk import Estimate
from meshapi_core.endpoints import Completions
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_bulk"
MODEL = "openai/gpt-4o-mini"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def ask(question: str, model: str = MODEL) -> Call[Any]:
    messages = [{"role": "user", "content": question}]
    return Completions.create.build(model=model, messages=messages, max_tokens=10)


@on_every_flavour
async def test_an_estimate_asks_for_the_prices_and_for_nothing_else(
    world: World, gateway: LocalGateway
) -> None:
    gateway.reset()
    async with world.client(gateway.url, token=TOKEN) as client:
        found = await client.estimate([ask("one"), ask("two", "nobody/knows")])
        rows = [{"text": "one"}]
        priced = await client.models.list()
        templated = await client.estimate(rows, template=ask("{text}"), prices=priced)
    assert (found.calls, found.unpriced, found.output_tokens) == (2, 1, 20)
    assert found.cost_usd > 0
    assert [*found.by_model] == [MODEL, "nobody/knows"]
    assert templated.by_model[MODEL] == found.by_model[MODEL]
    assert [request.path for request in gateway.requests] == ["/v1/models"] * 2


@on_every_flavour
async def test_an_async_iterable_is_read_on_event_loops(
    world: World, gateway: LocalGateway
) -> None:
    async def calls() -> AsyncIterator[Call[Any]]:
        for number in range(3):
            await world.sleep(0)
            yield ask(str(number))

    async with world.client(gateway.url, token=TOKEN) as client:
        if world.name == "sync":
            with pytest.raises(InvalidParamsError, match="AsyncMeshAPI takes it"):
                await client.estimate(calls())
        else:
            assert (await client.estimate(calls())).calls == 3


def typed(client: MeshAPI) -> Estimate:
    return client.estimate([ask("one")])


async def typed_on_a_loop(client: AsyncMeshAPI) -> Estimate:
    return await client.estimate([ask("one")])
