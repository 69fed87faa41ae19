"""Structured output of a stream, on every flavour: the value comes when it has ended."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import pytest

from meshapi import (
    ChatCompletionParams,
    ContentFilterError,
    InvalidParamsError,
    ModelRefusalError,
    OutputTruncatedError,
    OutputValidationError,
    ParsedChatCompletion,
    ParsedResponse,
    StreamUsageError,
    StructuredOutputError,
    UnsupportedSchemaError,
)
from meshapi.testing import LocalGateway
from support.flavours import World, on_every_flavour


@dataclass
class City:
    name: str
    people: int


@dataclass
class Bad:
    loose: Any


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(gateway: LocalGateway) -> None:
    gateway.reset()


def connected(world: World, gateway: LocalGateway) -> Any:
    return world.client(gateway.url, token=gateway.token)


QUESTION = "There are 7 people in Berlin."
MESSAGES = [{"role": "user", "content": QUESTION}]
MODEL = "openai/gpt-4o-mini"

both = pytest.mark.parametrize("api", ["chat", "responses"])


def opened(client: Any, api: str, **fields: Any) -> Any:
    if api == "chat":
        return client.chat.completions.stream(**{"model": MODEL, "messages": MESSAGES, **fields})
    return client.responses.stream(**{"model": MODEL, "input": QUESTION, **fields})


async def final(stream: Any, api: str) -> Any:
    return await (stream.get_final_completion() if api == "chat" else stream.get_final_response())


@both
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (City, City("Berlin", 7)),
        (list[City], [City("Berlin", 7)]),
        (dict[str, int], {"Berlin": 7}),
        (Optional[int], 7),
    ],
)
@on_every_flavour
async def test_a_stream_has_the_value_at_its_end(
    world: World, gateway: LocalGateway, api: str, kind: Any, value: Any
) -> None:
    async with connected(world, gateway) as client:
        async with opened(client, api, response_format=kind) as stream:
            with pytest.raises(StreamUsageError, match="not been read to its end"):
                stream.parsed  # noqa: B018
            chunks = [chunk async for chunk in stream]
            assert len(chunks) > 1
            assert stream.parsed == value
        response = await final(stream, api)
        assert type(response) is (ParsedChatCompletion if api == "chat" else ParsedResponse)
        assert response.parsed is stream.parsed
        assert response.rejected == ()
        assert response.meta.request_id == stream.meta.request_id != ""
        # What arrived is there as it came, too.
        assert stream.response == stream.partial
        assert response.id == stream.response.id
        assert json.loads(stream.text) == json.loads(await stream.get_final_text())
    body = gateway.requests[-1].json()
    assert body["stream"] is True
    schema = body["response_format"]["json_schema"] if api == "chat" else body["text"]["format"]
    assert schema["strict"] is True
    assert len(gateway.requests) == 1


@both
@on_every_flavour
async def test_the_final_response_reads_what_is_left(
    world: World, gateway: LocalGateway, api: str
) -> None:
    async with connected(world, gateway) as client:
        async with opened(client, api, response_format=City) as stream:
            await stream.__anext__()
            assert (await final(stream, api)).parsed == City("Berlin", 7)
            assert (await stream.get_final_response()).parsed == stream.parsed
        texts = opened(client, api, response_format=City)
        pieces = [piece async for piece in texts.text_stream]
        assert json.loads("".join(pieces)) == {"name": "Berlin", "people": 7}
        assert texts.parsed == City("Berlin", 7)
        events = opened(client, api, response_format=City)
        assert [event async for event in events.events()]
        assert events.parsed == City("Berlin", 7)


@both
@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("mesh/refusal", ModelRefusalError, "I can't help with that."),
        ("mesh/length", OutputTruncatedError, '{"name":"Be'),
        ("mesh/content-filter", ContentFilterError, '{"name":"Be'),
        ("mesh/wrong-json", OutputValidationError, '{"wrong":[null]}'),
        ("mesh/not-json", OutputValidationError, "This is not JSON."),
    ],
)
@on_every_flavour
async def test_a_stream_without_a_value_is_whole_and_says_why_it_has_none(
    world: World, gateway: LocalGateway, api: str, model: str, error: Any, text: str
) -> None:
    async with connected(world, gateway) as client:
        async with opened(client, api, response_format=City, model=model) as stream:
            # The stream itself has not failed: its chunks come, and its response is whole.
            assert [chunk async for chunk in stream]
        assert stream.complete
        for _ in range(2):
            with pytest.raises(StructuredOutputError) as caught:
                stream.parsed  # noqa: B018
            with pytest.raises(error):
                await final(stream, api)
        assert type(caught.value) is error
        assert caught.value.text.startswith(text)
        assert caught.value.response == stream.response
        assert caught.value.request_id == stream.request_id != ""
        assert caught.value.status == 200
        assert await stream.get_final_text() == stream.text
    assert len(gateway.requests) == 1


@on_every_flavour
async def test_a_model_that_calls_tools_gives_no_value(world: World, gateway: LocalGateway) -> None:
    function = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": function}]
    asked = {"response_format": City, "tools": tools, "tool_choice": "required"}
    async with connected(world, gateway) as client:
        with pytest.raises(StructuredOutputError, match="called tools"):
            await opened(client, "chat", **asked).get_final_completion()


@both
@on_every_flavour
async def test_a_stream_that_was_closed_has_no_value(
    world: World, gateway: LocalGateway, api: str
) -> None:
    async with connected(world, gateway) as client:
        async with opened(client, api, response_format=City) as stream:
            await stream.__anext__()
        with pytest.raises(StreamUsageError):
            stream.parsed  # noqa: B018
        with pytest.raises(StreamUsageError, match=r"is the response so far$"):
            await final(stream, api)
        assert stream.partial is not None


@both
@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"response_format": Bad}, UnsupportedSchemaError, r"^Bad\.loose: Any has no JSON"),
        ({"response_format": City("a", 1)}, InvalidParamsError, "^response_format: expected dict"),
        ({"response_format": City, "validation_retries": 1}, InvalidParamsError, "only parse"),
        ({"response_format": City, "temprature": 1}, InvalidParamsError, "mean temperature"),
    ],
)
@on_every_flavour
async def test_mistakes_are_refused_at_once(
    world: World, gateway: LocalGateway, api: str, fields: Any, error: Any, said: str
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(error, match=said):
            opened(client, api, **fields)
    assert len(gateway.requests) == 0


@on_every_flavour
async def test_parameters_that_do_not_go_with_a_type(world: World, gateway: LocalGateway) -> None:
    params = ChatCompletionParams(messages=[], response_format={"type": "json_object"})
    async with connected(world, gateway) as client:
        chat = client.chat.completions
        with pytest.raises(InvalidParamsError, match=r"^n: expected 1, as there is one value"):
            opened(client, "chat", response_format=City, n=2)
        with pytest.raises(InvalidParamsError, match="given together with the type"):
            chat.stream(params, response_format=City)
        with pytest.raises(InvalidParamsError, match=r"^positional arguments: expected at most 1"):
            chat.stream(None, City, response_format=City)
        with pytest.raises(InvalidParamsError, match=r"^text\.format: given together"):
            text = {"format": {"type": "text"}}
            opened(client, "responses", response_format=City, text=text)
    assert len(gateway.requests) == 0
