"""The four tests that programs need most, on every flavour, without a real wait."""

import inspect
from typing import Any

import pytest

from meshapi import StreamInterruptedError
from meshapi.testing import FakeGateway, broken_stream, reply, tool_call
from support.flavours import World, on_every_flavour

QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "How is the weather?"}]
ASK: dict[str, Any] = {"model": "my/model", "messages": QUESTION}


def client_of(world: World, gateway: FakeGateway) -> Any:
    return world.client(gateway.url, token=gateway.token, transport=gateway, timeout=60)


@on_every_flavour
async def test_a_rate_limit(world: World) -> None:
    with FakeGateway() as gateway:
        gateway.next_error(429, retry_after=2)
        gateway.on("weather", "It is sunny.")
        async with client_of(world, gateway) as client:
            response = await client.chat.completions.create(**ASK)
        assert response.text == "It is sunny."
        assert (len(gateway.requests), len(gateway.clock.waits)) == (2, 1)


@on_every_flavour
async def test_a_broken_stream(world: World) -> None:
    with FakeGateway() as gateway:
        gateway.on("weather", broken_stream("It is sunny today."))
        async with client_of(world, gateway) as client:
            with pytest.raises(StreamInterruptedError) as caught:
                async for _ in client.chat.completions.stream(**ASK):
                    pass
        assert caught.value.partial.text == "It is"


@on_every_flavour
async def test_a_canned_tool_call(world: World) -> None:
    with FakeGateway() as gateway:
        gateway.on("weather", reply(tool_calls=[tool_call("get_weather", {"city": "Rome"})]))
        async with client_of(world, gateway) as client:
            response = await client.chat.completions.create(**ASK)
        assert response.tool_calls[0].parsed_arguments == {"city": "Rome"}
        gateway.assert_all_used()


@on_every_flavour
async def test_what_was_sent(world: World) -> None:
    with FakeGateway() as gateway:
        gateway.on(reply("Sunny."), model="my/model")
        async with client_of(world, gateway) as client:
            await client.chat.completions.create(**ASK)
        assert gateway.last_request.text == "How is the weather?"
        assert gateway.last_request.json()["messages"] == QUESTION


@pytest.mark.parametrize(
    "test",
    [test_a_rate_limit, test_a_broken_stream, test_a_canned_tool_call, test_what_was_sent],
)
def test_each_has_at_most_ten_lines(test: Any) -> None:
    lines = inspect.getsource(test.scenario).splitlines()
    assert len([line for line in lines if line.strip() and line[:1] != "@"]) <= 10
