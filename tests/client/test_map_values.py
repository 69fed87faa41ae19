"""Calls that ask for a value of a type, made in bulk: `parse.build(...)`."""

import inspect
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import pytest

from meshapi import (
    AsyncMeshAPI,
    ContentFilterError,
    InvalidParamsError,
    MeshAPI,
    ModelRefusalError,
    OutputTruncatedError,
    OutputValidationError,
    StructuredOutputError,
    UnsupportedSchemaError,
)
from meshapi.testing import LocalGateway
from meshapi_core import Call
from meshapi_core.endpoints import Batches, Completions, Embeddings, Models, Responses
from support.flavours import World, on_every_flavour
from support.turns import by_turns

TOKEN = "rsk_test_values"
MODEL = "openai/gpt-4o-mini"


@dataclass
class City:
    name: str
    people: int


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


@pytest.fixture
def gateway(server: LocalGateway) -> LocalGateway:
    server.reset()
    return server


def ask(text: str, model: str = MODEL, kind: Any = City) -> Call[Any]:
    messages = [{"role": "user", "content": text}]
    return Completions.parse.build(model=model, messages=messages, response_format=kind)


def respond(text: str, model: str = MODEL, kind: Any = City) -> Call[Any]:
    return Responses.parse.build(model=model, input=text, response_format=kind)


def sent(gateway: LocalGateway) -> list[Any]:
    return [each for each in gateway.requests if each.path != "/v1/usage/rate-limits"]


async def run(world: World, gateway: LocalGateway, calls: Any, **options: Any) -> tuple[Any, Any]:
    async with world.client(gateway.url, token=TOKEN) as client:
        mapped = world.dress(client.map(calls, **{"order": "input", **options}))
        items = [item async for item in mapped]
        return items, mapped.summary()


@pytest.mark.parametrize("make", [ask, respond])
@on_every_flavour
async def test_items_have_the_value(world: World, gateway: LocalGateway, make: Any) -> None:
    rows = [{"id": n, "n": n} for n in (7, 8)]
    template = make("There are {n} people in Berlin.")
    items, summary = await run(world, gateway, rows, template=template)
    assert [item.result().parsed for item in items] == [City("Berlin", 7), City("Berlin", 8)]
    assert [item.finish_reason for item in items] == ["stop", "stop"]
    assert (summary.succeeded, summary.attempts) == (2, 2)
    async with world.client(gateway.url, token=TOKEN) as client:
        assert (await client.estimate(rows, template=template)).calls == 2


FAULTS = {
    "mesh/not-json": OutputValidationError,
    "mesh/wrong-json": OutputValidationError,
    "mesh/refusal": ModelRefusalError,
    "mesh/length": OutputTruncatedError,
    "mesh/content-filter": ContentFilterError,
}
FACTS = ("error_code", "message", "text", "path", "reason", "status", "attempts")


def facts(error: Any) -> list[object]:
    return [type(error), *(getattr(error, name, None) for name in FACTS)]


@pytest.mark.parametrize("make", [ask, respond])
@on_every_flavour
async def test_a_value_that_does_not_fit_is_the_error_that_parse_raises(
    world: World, gateway: LocalGateway, make: Any, tmp_path: Path
) -> None:
    text = "There are 7 people in Berlin."
    raised: list[Any] = []
    async with world.client(gateway.url, token=TOKEN) as client:
        chat, responses = client.chat.completions.parse, client.responses.parse
        for model in FAULTS:
            with pytest.raises(StructuredOutputError) as caught:
                if make is ask:
                    messages = [{"role": "user", "content": text}]
                    await chat(model=model, messages=messages, response_format=City)
                else:
                    await responses(model=model, input=text, response_format=City)
            raised.append(caught.value)
    gateway.reset()
    options: dict[str, Any] = {"journal": tmp_path / "run.jsonl", "retry_failed": False}
    for recorded in (False, True):
        items, summary = await run(world, gateway, [make(text, m) for m in FAULTS], **options)
        assert [facts(item.error) for item in items] == [facts(error) for error in raised]
        assert [type(item.error) for item in items] == [*FAULTS.values()]
        for item, error in zip(items, raised):
            assert item.recorded is recorded
            assert item.error.response.raw.keys() == error.response.raw.keys()
            assert item.request_id
            # The model has answered, and is paid for it.
            assert item.usage.output_tokens > 0
        assert (summary.failed, len(sent(gateway))) == (len(FAULTS), len(FAULTS))
        assert [item.finish_reason for item in items] == [
            *("stop", "stop", "refusal", "length", "content_filter")
        ]


@on_every_flavour
async def test_recorded_results_are_parsed_again(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    calls = [ask("There are 7 people in Berlin."), respond("There are 8 people in Rome.")]
    for recorded in (0, 2):
        items, summary = await run(world, gateway, calls, journal=tmp_path / "run.jsonl")
        assert [item.value.parsed for item in items] == [City("Berlin", 7), City("Rome", 8)]
        assert (summary.recorded, len(sent(gateway))) == (recorded, 2)
        assert type(items[0].value).__name__ == "ParsedChatCompletion"


@pytest.mark.slow
@by_turns
@on_every_flavour
async def test_values_come_from_batches(world: World, gateway: LocalGateway) -> None:
    calls = [ask("There are 7 people in Berlin."), ask("?", "mesh/not-json")]
    items, summary = await run(world, gateway, calls, via="batch")
    assert items[0].value.parsed == City("Berlin", 7)
    assert isinstance(items[1].error, OutputValidationError)
    assert items[1].error.response.text == items[1].error.text == "This is not JSON."
    assert (summary.succeeded, summary.failed) == (1, 1)


@on_every_flavour
async def test_a_tracker_counts_an_answer_without_a_value(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url, token=TOKEN) as client:
        with client.track_usage() as usage:
            run = world.dress(client.map([ask("?", "mesh/not-json"), ask("?", "mesh/refusal")]))
            summary = await run.until_done()
    assert usage.total.output_tokens == summary.usage.output_tokens > 0
    assert usage.total.requests == 2


@pytest.mark.parametrize("kind", [City, list[City], Optional[City], Union[City, int], int])
@pytest.mark.parametrize("make", [ask, respond])
def test_such_a_call_goes_to_another_process(make: Any, kind: Any) -> None:
    call = make("There are {n} people in Berlin.", kind=kind)
    copy = pickle.loads(pickle.dumps(call))
    assert copy == call
    assert copy.body == call.body
    assert copy.reader.accept == call.reader.accept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"validation_retries": 1}, "build.., which makes one call; leave it out"),
        ({"validation_retries": -1}, "expected an int, 0 or more"),
        ({"response_format": {"type": "text"}}, "expected a type"),
        ({"response_format": complex}, "complex"),
        ({"temprature": 1}, "did you mean temperature"),
        ({"model": 5}, "^model: "),
    ],
)
@pytest.mark.parametrize("api", [Completions, Responses])
def test_wrong_arguments_are_refused_at_once(api: Any, change: Any, said: str) -> None:
    given = {"messages": [{"role": "user", "content": "x"}]} if api is Completions else {}
    given = given or {"input": "x"}
    expected = UnsupportedSchemaError if said == "complex" else InvalidParamsError
    with pytest.raises(expected, match=said):
        api.parse.build(**{**given, "response_format": City, **change})


def test_what_does_not_go_with_one_value_is_refused() -> None:
    given: Any = Completions.parse
    with pytest.raises(InvalidParamsError, match="response_format: expected a value, got nothing"):
        given.build(messages=[])
    with pytest.raises(InvalidParamsError, match="background: parse"):
        Responses.parse.build(input="x", response_format=City, background=True)
    with pytest.raises(InvalidParamsError, match="n: expected 1"):
        Completions.parse.build(messages=[], response_format=City, n=2)


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_the_methods_of_a_client_build_calls_too(kind: Any) -> None:
    client = kind(token=TOKEN)
    messages: list[Any] = [{"role": "user", "content": "Hi"}]
    for resource, made in ((client.chat.completions, Completions), (client.responses, Responses)):
        fields: Any = {"messages": messages} if made is Completions else {"input": "Hi"}
        for name in ("create", "stream"):
            built = getattr(resource, name).build(model=MODEL, **fields)
            assert built == getattr(made, name).build(model=MODEL, **fields)
        built = resource.parse.build(model=MODEL, response_format=City, **fields)
        assert built == made.parse.build(model=MODEL, response_format=City, **fields)
    assert client.models.list.build() == Models.list.build()
    assert client.batches.list.build() == Batches.list.build()
    create = client.embeddings.create
    assert create.build(input="Hi") == Embeddings.create.build(input="Hi")
    assert client.with_options(timeout=5).embeddings.create.build(input="Hi")
    with pytest.raises(InvalidParamsError, match="did you mean input"):
        create.build(inputs="Hi")
    with pytest.raises(InvalidParamsError, match="no such parameter"):
        client.batches.get.build("b", timeout=5)


def test_a_method_that_builds_is_still_a_function() -> None:
    with MeshAPI(token=TOKEN) as client:
        create = client.chat.completions.create
        assert inspect.isfunction(create)
        assert create is client.chat.completions.create
        assert "model" in inspect.signature(create).parameters
    waiting = AsyncMeshAPI(token=TOKEN).chat.completions
    assert inspect.iscoroutinefunction(waiting.create)
    assert inspect.iscoroutinefunction(waiting.parse)
