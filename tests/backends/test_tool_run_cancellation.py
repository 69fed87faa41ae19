"""A tool run that is cancelled at any place loses nothing, and another run goes on with it.

Each run is cancelled at its first step, its second, and so on. Its history must have whole turns
only; a resumed run must end as an undisturbed one, and must call no function again without saying
that it may have run before.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from meshapi import Deferred, FunctionTool, RequestedCall
from meshapi.testing import LocalGateway
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.flavours import TOKEN, World, on_every_flavour

QUESTION = (
    "get_weather in Rome and get_time in Rome, then get_weather in Paris and get_time in Paris and"
    " approve of Paris, then get_weather in Bonn"
)

WAYS = {"asyncio": ("blocked", "race", "level"), "trio": ("after", "before")}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


class Tools:
    """A function that is awaited, one in a thread, and one whose result comes from elsewhere."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.begun: Counter[str] = Counter()
        self.tools = [FunctionTool(self.get_weather), FunctionTool(self.get_time), self.approve]

    async def get_weather(self, city: str) -> str:
        self.begun[f"get_weather {city}"] += 1
        await self.world.sleep(0.001)
        return f"sunny in {city}"

    def get_time(self, city: str) -> str:
        self.begun[f"get_time {city}"] += 1
        return f"noon in {city}"

    def approve(self, city: str) -> str:
        raise Deferred


def with_results(run: Any) -> dict[str, str]:
    return {call.id: f"approved {call.arguments['city']}" for call in run.pending}


async def to_its_end(resource: Any, tools: "list[Any]", checkpoint: Any, **options: Any) -> Any:
    """Resume until there is an answer, with the result of the deferred call."""
    run = resource.resume_tools(checkpoint, tools=tools, **options)
    result = await run.until_done()
    if result.pending:
        plain = json.loads(json.dumps(run.checkpoint()))
        return await to_its_end(resource, tools, plain, results=with_results(run))
    return result


def shape(messages: "list[Any]") -> list[Any]:
    return [
        (m["role"], m.get("content")) if isinstance(m, dict) else (m.role, m.content)
        for m in messages
    ]


def has_whole_turns(messages: "list[Any]") -> bool:
    asked = [call.id for m in messages[1:] for call in getattr(m, "tool_calls", None) or ()]
    told = [m.tool_call_id for m in messages[1:] if m.role == "tool"]
    return sorted(asked) == sorted(told)


async def struck(world: World, run: Any, blow: Blow) -> Attack:
    kind = EdgeAttack if world.name == "asyncio" else ScopeAttack
    attack: Attack = kind(run.until_done(), blow)
    await world.together(attack.run)
    return attack


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
@on_every_flavour
async def test_a_run_that_is_cancelled_at_any_place_can_be_resumed(
    world: World, stream: bool, gateway: LocalGateway
) -> None:
    if world.name == "sync":
        pytest.skip("there is no cancellation")
    asked = [{"role": "user", "content": QUESTION}]
    async with world.client(gateway.url) as client:
        resource = client.chat.completions

        def start(tools: Tools) -> Any:
            return resource.run_tools(
                model="openai/gpt-4o-mini", messages=asked, tools=tools.tools, stream=stream
            )

        calm = Tools(world)
        first = start(calm)
        await first.until_done()
        wanted = await to_its_end(
            resource, calm.tools, first.checkpoint(), results=with_results(first)
        )
        assert len(wanted.messages) == 11
        for how in WAYS[world.name]:
            step, done = 0, False
            while not done:
                step += 1
                tools = Tools(world)
                run = start(tools)
                attack = await struck(world, run, Blow(how, (step,)))
                done = not attack.blows
                assert run.ended
                assert has_whole_turns(run.messages)
                assert attack.finished or attack.cancelled
                known: list[RequestedCall] = []
                result = await to_its_end(
                    resource,
                    tools.tools,
                    run.checkpoint(),
                    results=with_results(run),
                    before_call=known.append,
                )
                assert shape(result.messages) == shape(wanted.messages)
                told = {
                    f"{call.name} {call.arguments['city']}" for call in known if call.may_have_run
                }
                assert {name for name, count in tools.begun.items() if count > 1} <= told
            assert step > 3
