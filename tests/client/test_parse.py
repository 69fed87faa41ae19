"""Structured output on every flavour, asked of the local gateway and of a scripted server."""

import inspect
import json
import pickle
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Callable, Literal, Optional, Union

import pytest

from meshapi import (
    APIStatusError,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    ContentFilterError,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    ModelRefusalError,
    OutputTruncatedError,
    OutputValidationError,
    ParsedChatCompletion,
    ParsedResponse,
    ResponsesParams,
    StructuredOutputError,
    UnsupportedSchemaError,
)
from meshapi.testing import LocalGateway
from support.flavours import World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import make_response


@dataclass
class City:
    name: str
    people: int


@dataclass
class Bad:
    call: Callable[[], int]


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

CHAT: "tuple[str, dict[str, Any]]" = ("chat.completions", {"messages": MESSAGES})
RESPONSES: "tuple[str, dict[str, Any]]" = ("responses", {"input": QUESTION})

both = pytest.mark.parametrize("api", [CHAT, RESPONSES], ids=["chat", "responses"])


async def parse(client: Any, api: "tuple[str, dict[str, Any]]", **fields: Any) -> Any:
    name, asked = api
    group = client.responses if name == "responses" else client.chat.completions
    return await group.parse(**{"model": MODEL, **asked, **fields})


def said_last(api: "tuple[str, dict[str, Any]]", gateway: LocalGateway) -> Any:
    body = gateway.requests[-1].json()
    return body["input"] if api is RESPONSES else body["messages"]


@both
@on_every_flavour
async def test_the_response_comes_with_the_value(
    world: World, gateway: LocalGateway, api: Any
) -> None:
    async with connected(world, gateway) as client:
        response = await parse(client, api, response_format=City)
        assert response.parsed == City("Berlin", 7)
        assert response.rejected == ()
        assert response.meta.status == 200
        assert response.raw["id"] == response.id
        assert response.usage is not None
        assert type(response) is (ParsedResponse if api is RESPONSES else ParsedChatCompletion)
        text = response.output_text if api is RESPONSES else response.choices[0].message.text
        assert json.loads(text) == {"name": "Berlin", "people": 7}
        for copy in (pickle.loads(pickle.dumps(response)), deepcopy(response)):
            assert (copy, copy.parsed) == (response, response.parsed)
    body = gateway.requests[-1].json()
    schema = body["text"]["format"] if api is RESPONSES else body["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("City", True)


@both
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[City], [City("Berlin", 7)]),
        (int, 7),
        (Literal["yes", "no"], "no"),
        (Optional[City], City("Berlin", 7)),
        (dict[str, int], {"Berlin": 7}),
    ],
)
@on_every_flavour
async def test_what_is_no_object_is_wrapped_on_its_way(
    world: World, gateway: LocalGateway, api: Any, kind: Any, value: Any
) -> None:
    async with connected(world, gateway) as client:
        assert (await parse(client, api, response_format=kind)).parsed == value


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
async def test_a_model_that_gives_no_value_raises_an_error_with_its_text(
    world: World, gateway: LocalGateway, api: Any, model: str, error: Any, text: str
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(StructuredOutputError) as caught:
            await parse(client, api, response_format=City, model=model)
    assert type(caught.value) is error
    assert caught.value.text.startswith(text)
    assert caught.value.response.id
    assert caught.value.request_id == caught.value.meta.request_id != ""
    assert (caught.value.status, caught.value.attempts) == (200, 1)
    assert isinstance(caught.value, MeshAPIError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.text) == (str(caught.value), caught.value.text)


@both
@on_every_flavour
async def test_a_model_that_is_wrong_once_is_asked_again(
    world: World, gateway: LocalGateway, api: Any
) -> None:
    async with connected(world, gateway) as client:
        response = await parse(
            client, api, response_format=City, model="mesh/wrong-json-once", validation_retries=3
        )
    assert type(response.parsed) is City
    (rejected,) = response.rejected
    assert rejected.id != response.id
    assert len(gateway.requests) == 2
    first, *correction = said_last(api, gateway)
    assert first == MESSAGES[0]
    assert correction[0] == {"role": "assistant", "content": '{"wrong":[null]}'}
    assert correction[1]["role"] == "user"
    assert "Object missing required field `name`" in correction[1]["content"]


@both
@on_every_flavour
async def test_a_model_is_asked_again_no_more_often_than_allowed(
    world: World, gateway: LocalGateway, api: Any
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(OutputValidationError, match="not JSON"):
            await parse(
                client, api, response_format=City, model="mesh/not-json", validation_retries=2
            )
    assert len(gateway.requests) == 3
    assert len(said_last(api, gateway)) == 5


@both
@pytest.mark.parametrize("model", ["mesh/refusal", "mesh/length", "mesh/content-filter"])
@on_every_flavour
async def test_only_a_wrong_value_is_asked_for_again(
    world: World, gateway: LocalGateway, api: Any, model: str
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(StructuredOutputError):
            await parse(client, api, response_format=City, model=model, validation_retries=5)
    assert len(gateway.requests) == 1


@on_every_flavour
async def test_parameters_as_one_object(world: World, gateway: LocalGateway) -> None:
    messages = [ChatMessage(role="user", content=QUESTION)]
    params = ChatCompletionParams(model=MODEL, messages=messages)
    asked = ResponsesParams(model=MODEL, input=QUESTION, text={"verbosity": "low"})
    async with connected(world, gateway) as client:
        chat = await client.chat.completions.parse(params, response_format=City)
        assert chat.parsed == City("Berlin", 7)
        response = await client.responses.parse(asked, response_format=City)
        assert response.parsed == City("Berlin", 7)
    assert gateway.requests[-1].json()["text"]["verbosity"] == "low"
    # What was passed is as it was.
    assert params.response_format is None
    assert asked.text == {"verbosity": "low"}


@both
@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"response_format": Bad}, UnsupportedSchemaError, r"^Bad\.call: Callable has no JSON"),
        ({"response_format": {"type": "json_object"}}, InvalidParamsError, "a type, got dict"),
        ({"response_format": City("a", 1)}, InvalidParamsError, "a type, got .*City; pass a class"),
        ({"response_format": "City"}, InvalidParamsError, "a type, got str"),
        ({"response_format": None}, InvalidParamsError, "a type, got None"),
        ({}, InvalidParamsError, "^response_format: expected a value, got nothing"),
        ({"text_format": City}, InvalidParamsError, "text_format: .* mean response_format"),
        ({"response_format": City, "validation_retries": -1}, InvalidParamsError, "0 or more, got"),
        ({"response_format": City, "validation_retries": True}, InvalidParamsError, "got True"),
        ({"response_format": City, "temprature": 1}, InvalidParamsError, "mean temperature"),
    ],
)
@on_every_flavour
async def test_mistakes_are_refused_before_anything_is_sent(
    world: World, gateway: LocalGateway, api: Any, fields: Any, error: Any, said: str
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(error, match=said):
            await parse(client, api, **fields)
    assert len(gateway.requests) == 0


@both
@pytest.mark.parametrize("kind", [City, list[City], Optional[City]])
@on_every_flavour
async def test_create_says_that_parse_takes_a_type(
    world: World, gateway: LocalGateway, api: Any, kind: Any
) -> None:
    name, asked = api
    async with connected(world, gateway) as client:
        group = client.responses if name == "responses" else client.chat.completions
        with pytest.raises(InvalidParamsError, match=r"call parse.*, which takes a type"):
            await group.create(**asked, response_format=kind)
        with pytest.raises(InvalidParamsError, match=r"only parse\(\) takes it"):
            await group.create(**asked, validation_retries=1)
    assert len(gateway.requests) == 0


@pytest.mark.parametrize(
    ("api", "fields", "said"),
    [
        (CHAT, {"n": 2}, "^n: expected 1"),
        (CHAT, {"messages": None}, "^messages"),
        (RESPONSES, {"background": True}, "^background: parse"),
        (RESPONSES, {"text": {"format": {"type": "text"}}}, r"^text\.format: given together"),
    ],
)
@on_every_flavour
async def test_parameters_that_do_not_go_with_one_value(
    world: World, gateway: LocalGateway, api: Any, fields: Any, said: str
) -> None:
    async with connected(world, gateway) as client:
        with pytest.raises(InvalidParamsError, match=said):
            await parse(client, api, response_format=City, **fields)
    params = ChatCompletionParams(messages=[], response_format={"type": "json_object"})
    async with connected(world, gateway) as client:
        with pytest.raises(InvalidParamsError, match=r"^response_format: given"):
            await client.chat.completions.parse(params, response_format=City)
    assert len(gateway.requests) == 0


@on_every_flavour
async def test_a_model_that_calls_tools_gives_no_value(world: World, gateway: LocalGateway) -> None:
    function = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": function}]
    async with connected(world, gateway) as client:
        with pytest.raises(StructuredOutputError, match="called tools") as caught:
            await parse(
                client,
                CHAT,
                response_format=City,
                tools=tools,
                tool_choice="required",
                validation_retries=3,
            )
    assert len(gateway.requests) == 1
    assert caught.value.response.choices[0].message.tool_calls


def serving(body: Any, status: int = 200) -> Any:
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(make_response(status, json.dumps(body).encode()))

    return script


def choice(finish: Optional[str] = "stop", **message: Any) -> Any:
    return {"id": "c", "choices": [{"finish_reason": finish, "message": message}]}


def output(status: str, *parts: Any, **more: Any) -> Any:
    message = {"type": "message", "content": [*parts]}
    return {"id": "r", "status": status, "output": [message] if parts else [], **more}


WHOLE = '{"name":"a","people":1}'
TEXT = {"type": "output_text", "text": WHOLE}
HALF = {"type": "output_text", "text": WHOLE[:5]}


@pytest.mark.parametrize(
    ("api", "body", "error", "said"),
    [
        (CHAT, {"id": "c", "choices": []}, StructuredOutputError, "no choices"),
        (CHAT, choice(content=""), OutputValidationError, "it is empty"),
        (CHAT, choice("length", content=WHOLE[:-1]), OutputTruncatedError, "limit"),
        (CHAT, choice("content_filter", content=WHOLE), ContentFilterError, "filter"),
        (CHAT, choice(content=WHOLE, refusal="No."), ModelRefusalError, r"refused: No\."),
        (RESPONSES, output("completed"), OutputValidationError, "it is empty"),
        (RESPONSES, output("completed", {"type": "refusal"}), ModelRefusalError, "refused"),
        (RESPONSES, output("incomplete", HALF), OutputTruncatedError, "limit"),
        (
            RESPONSES,
            output("incomplete", TEXT, incomplete_details={"reason": "content_filter"}),
            ContentFilterError,
            "filter",
        ),
        (
            RESPONSES,
            output("failed", error={"message": "out of luck"}),
            StructuredOutputError,
            "the status of the response is 'failed': out of luck",
        ),
        (
            RESPONSES,
            {"id": "r", "status": "completed", "output": [{"type": "function_call"}]},
            StructuredOutputError,
            "called tools",
        ),
    ],
)
@on_every_flavour
async def test_each_way_to_give_no_value(
    world: World, api: Any, body: Any, error: Any, said: str
) -> None:
    with ScriptedServer(serving(body)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(StructuredOutputError, match=said) as caught:
                await parse(client, api, response_format=City)
    assert type(caught.value) is error
    assert caught.value.response.id in ("c", "r")


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (CHAT, choice("length", content=WHOLE)),
        (RESPONSES, output("incomplete", TEXT)),
        (RESPONSES, output("completed", {"type": "reasoning", "text": "?"}, TEXT)),
    ],
)
@on_every_flavour
async def test_a_whole_value_is_taken_in_spite_of_a_limit(
    world: World, api: Any, body: Any
) -> None:
    with ScriptedServer(serving(body)) as server:
        async with world.client(server.url) as client:
            response = await parse(client, api, response_format=City)
    assert response.parsed == City("a", 1)


@both
@on_every_flavour
async def test_an_error_of_the_gateway_is_the_one_that_create_raises(
    world: World, api: Any
) -> None:
    with ScriptedServer(serving({"error": {"code": "x", "message": "no"}}, 404)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(APIStatusError, match="no"):
                await parse(client, api, response_format=City, validation_retries=2)
        assert len(server.requests) == 1


def test_a_response_that_was_not_parsed_has_no_value() -> None:
    for kind in (ParsedChatCompletion[Union[City, Bad]], ParsedResponse[City]):
        with pytest.raises(AttributeError):
            kind().parsed  # noqa: B018
    assert issubclass(ParsedChatCompletion, ChatCompletionResponse)


def test_the_signature_says_what_is_returned() -> None:
    client = MeshAPI(token="rsk_test_signatures")
    for method, returned in (
        (client.chat.completions.parse, "ParsedChatCompletion[Any]"),
        (client.responses.parse, "ParsedResponse[Any]"),
    ):
        shown = inspect.signature(method)
        assert shown.return_annotation == returned
        assert {"response_format", "validation_retries", "model"} <= shown.parameters.keys()
    client.close()
