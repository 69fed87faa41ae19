"""The metrics of calls, under the names of the conventions and the older ones."""

from typing import Any

import pytest
from client.test_tour import chunks_of

from meshapi.telemetry import names
from meshapi.testing import LocalGateway
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.telemetry import Telemetry, traced
from support.wire import DONE, chunk, completion, dump, frame, make_response, streamed

USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 8,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 6},
}
TOKENS = {
    "gen_ai.client.inference.usage.input_tokens": 9,
    "gen_ai.client.inference.usage.output_tokens": 8,
    "gen_ai.client.inference.usage.cache_read.input_tokens": 5,
    "gen_ai.client.inference.usage.cache_write.input_tokens": 2,
    "gen_ai.client.inference.usage.reasoning.output_tokens": 6,
    "gen_ai.client.inference.operation.input_tokens": 9,
    "gen_ai.client.inference.operation.output_tokens": 8,
}
CURRENT = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    *TOKENS,
}
OLDER = {
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "gen_ai.client.token.usage",
}


def with_usage(peer: Peer) -> None:
    for request in peer.requests():
        if request.json().get("stream"):
            said = [frame(chunk("a")), frame(chunk("b")), frame(chunk(None, "stop"))]
            peer.send(streamed(*said, frame({**chunk(""), "choices": [], "usage": USAGE}), DONE))
        else:
            peer.send(make_response(200, dump(completion("a", usage=USAGE))))


def value(points: list[Any]) -> float:
    """The value of the only data point: of a counter, or the sum of a histogram."""
    (point,) = points
    total: float = getattr(point, "value", None) or point.sum
    return total


async def measured(world: World, **options: Any) -> Telemetry:
    """What is measured of a whole response and a stream."""
    telemetry = Telemetry(**options)
    with ScriptedServer(with_usage) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
            await chunks_of(client.chat.completions.stream(**ASK))
    return telemetry


@on_every_flavour
async def test_the_current_names_are_the_default(world: World) -> None:
    telemetry = await measured(world)
    points = telemetry.points()
    assert {*points} == CURRENT
    # Of two calls.
    assert {name: value(points[name]) for name in TOKENS} == {
        name: 2 * count for name, count in TOKENS.items()
    }
    assert points["gen_ai.client.inference.duration"][0].count == 2
    assert points["gen_ai.client.inference.time_to_first_chunk"][0].count == 1
    assert points["gen_ai.client.inference.time_per_output_chunk"][0].count == 3
    assert 0 < value(points["gen_ai.client.inference.duration"]) < 10


@on_every_flavour
async def test_the_older_names(world: World) -> None:
    points = (await measured(world, metrics={"names": "older"})).points()
    assert {*points} == OLDER
    usage = {
        point.attributes["gen_ai.token.type"]: (point.sum, point.count)
        for point in points["gen_ai.client.token.usage"]
    }
    assert usage == {"input": (18, 2), "output": (16, 2)}
    assert value(points["gen_ai.client.operation.duration"]) > 0


@on_every_flavour
async def test_both_names(world: World) -> None:
    points = (await measured(world, metrics={"names": "both"})).points()
    assert {*points} == CURRENT | OLDER
    both = [points[f"gen_ai.client.{group}.duration"] for group in ("inference", "operation")]
    assert value(both[0]) == value(both[1])


@on_every_flavour
async def test_metrics_have_the_attributes_of_the_conventions(world: World) -> None:
    telemetry = await measured(world, metrics={"names": "both"}, conversation_id="conv_1")
    for name, points in telemetry.points().items():
        for point in points:
            found = dict(point.attributes)
            own = {names.TOKEN_TYPE, names.TOKEN_MODALITY} & {*found}
            assert bool(own) == ("usage" in name)
            assert found.pop("gen_ai.token.modality", "unknown") == "unknown"
            found.pop("gen_ai.token.type", None)
            assert found.pop("server.port") > 0
            assert found == {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "meshapi",
                "gen_ai.request.model": "openai/gpt-4o-mini",
                "gen_ai.response.model": "openai/gpt-4o-mini",
                "server.address": "127.0.0.1",
            }


@on_every_flavour
async def test_metrics_have_the_kinds_units_and_buckets_of_the_conventions(world: World) -> None:
    telemetry = await measured(world, metrics={"names": "both"})
    for name, (kind, unit) in telemetry.instruments().items():
        is_counter = name.startswith("gen_ai.client.inference.usage.")
        assert kind == ("Sum" if is_counter else "Histogram")
        assert unit == ("{token}" if "token" in name else "s")
    points = telemetry.points()
    seconds = points["gen_ai.client.inference.time_to_first_chunk"][0].explicit_bounds
    tokens = points["gen_ai.client.token.usage"][0].explicit_bounds
    assert seconds == pytest.approx(
        (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    )
    assert tokens[:3] == (1, 4, 16)
    assert tokens[-1] == 67108864
    assert len(tokens) == 14


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (
            "current",
            {
                "gen_ai.client.embeddings.duration",
                "gen_ai.client.embeddings.operation.input_tokens",
                "gen_ai.client.operation.duration",
            },
        ),
        ("older", {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}),
        (
            "both",
            {
                "gen_ai.client.embeddings.duration",
                "gen_ai.client.embeddings.operation.input_tokens",
                "gen_ai.client.operation.duration",
                "gen_ai.client.token.usage",
            },
        ),
    ],
)
@on_every_flavour
async def test_embeddings_and_searches(world: World, which: str, expected: set[str]) -> None:
    telemetry = Telemetry(metrics={"names": which})
    with LocalGateway(token=TOKEN) as gateway:
        async with traced(world, gateway.url, telemetry) as client:
            await client.embeddings.create(input="a")
            await client.rag.search(query="a", top_k=3)
    points = telemetry.points()
    assert {*points} == expected
    count = sum(point.count for point in points["gen_ai.client.operation.duration"])
    assert count == (1 if which == "current" else 2)
    assert (telemetry.spans[1].attributes or {})["gen_ai.retrieval.top_k"] == 3
