"""What type checkers must say about structured output. Checked, never run.

It has no negative cases, for which each checker has its own comment.
"""

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, Optional, Union

from msgspec import Struct
from typing_extensions import TypedDict, assert_type

from meshapi import (
    AsyncChatCompletionStream,
    AsyncMeshAPI,
    AsyncParsedChatCompletionStream,
    AsyncParsedResponsesStream,
    ChatCompletionChunk,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatCompletionStream,
    MeshAPI,
    OutputValidationError,
    ParsedChatCompletion,
    ParsedChatCompletionStream,
    ParsedResponse,
    ParsedResponsesStream,
    ResponsesStream,
    ResponsesStreamEvent,
    UsageInfo,
)


@dataclass
class Person:
    name: str


class Pet(Struct):
    name: str


class Place(TypedDict):
    city: str


class Point(NamedTuple):
    x: int


class Colour(Enum):
    RED = "red"


PARAMS = ChatCompletionParams(messages=[])


def each_kind_of_type_is_inferred(client: MeshAPI) -> None:
    chat = client.chat.completions
    assert_type(chat.parse(messages=[], response_format=Person), ParsedChatCompletion[Person])
    assert_type(chat.parse(messages=[], response_format=Person).parsed, Person)
    assert_type(chat.parse(messages=[], response_format=Pet).parsed, Pet)
    assert_type(chat.parse(messages=[], response_format=Place).parsed, Place)
    assert_type(chat.parse(messages=[], response_format=Point).parsed, Point)
    assert_type(chat.parse(messages=[], response_format=Colour).parsed, Colour)
    assert_type(chat.parse(messages=[], response_format=int).parsed, int)
    assert_type(chat.parse(messages=[], response_format=list[Person]).parsed, list[Person])
    assert_type(chat.parse(messages=[], response_format=dict[str, int]).parsed, dict[str, int])


def forms_that_are_no_classes_are_inferred(client: MeshAPI) -> None:
    chat = client.chat.completions
    assert_type(
        chat.parse(messages=[], response_format=Union[Person, Pet]).parsed, Union[Person, Pet]
    )
    assert_type(chat.parse(messages=[], response_format=Optional[Pet]).parsed, Optional[Pet])
    assert_type(
        chat.parse(messages=[], response_format=Literal["a", "b"]).parsed, Literal["a", "b"]
    )


def a_parsed_response_is_a_response(client: MeshAPI) -> None:
    parsed = client.chat.completions.parse(PARAMS, response_format=Person, validation_retries=2)
    response: ChatCompletionResponse = parsed
    assert_type(response.usage, Optional[UsageInfo])
    assert_type(parsed.choices[0].message.text, str)
    for rejected in parsed.rejected:
        assert_type(rejected, ChatCompletionResponse)


def streams_have_the_value(client: MeshAPI) -> None:
    chat = client.chat.completions
    with chat.stream(messages=[], response_format=Person) as stream:
        assert_type(stream, ParsedChatCompletionStream[Person])
        for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type(stream.parsed, Person)
        assert_type(stream.get_final_completion(), ParsedChatCompletion[Person])
        assert_type(stream.get_final_response().parsed, Person)
        assert_type(stream.response, ChatCompletionResponse)
    assert_type(chat.stream(PARAMS, response_format=list[Pet]).parsed, list[Pet])
    assert_type(
        chat.stream(messages=[], response_format=Union[Person, Pet]).parsed, Union[Person, Pet]
    )
    events = client.responses.stream(input="?", response_format=Optional[Pet])
    assert_type(events, ParsedResponsesStream[Optional[Pet]])
    assert_type(events.parsed, Optional[Pet])
    assert_type(events.get_final_response(), ParsedResponse[Optional[Pet]])
    assert_type(next(events), ResponsesStreamEvent)


def streams_without_a_type_are_as_before(client: MeshAPI, maybe: Optional[dict[str, str]]) -> None:
    chat = client.chat.completions
    assert_type(chat.stream(PARAMS), ChatCompletionStream)
    assert_type(chat.stream(messages=[], response_format=None), ChatCompletionStream)
    assert_type(chat.stream(messages=[], response_format=maybe), ChatCompletionStream)
    assert_type(chat.stream(messages=[], response_format={"type": "text"}), ChatCompletionStream)
    assert_type(
        client.responses.stream(input="", response_format={"type": "text"}), ResponsesStream
    )


async def async_streams_have_the_value(client: AsyncMeshAPI) -> None:
    chat = client.chat.completions
    async with chat.stream(messages=[], response_format=Person) as stream:
        assert_type(stream, AsyncParsedChatCompletionStream[Person])
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type(stream.parsed, Person)
        assert_type(await stream.get_final_completion(), ParsedChatCompletion[Person])
    assert_type(chat.stream(PARAMS), AsyncChatCompletionStream)
    events = client.responses.stream(input="?", response_format=Pet)
    assert_type(events, AsyncParsedResponsesStream[Pet])
    assert_type(await events.get_final_response(), ParsedResponse[Pet])


def responses_are_inferred(client: MeshAPI) -> None:
    found = client.responses.parse(input="?", response_format=list[Pet], validation_retries=1)
    assert_type(found, ParsedResponse[list[Pet]])
    assert_type(found.parsed[0].name, str)
    assert_type(found.output_text, str)


async def the_async_client_has_the_same_types(client: AsyncMeshAPI) -> None:
    chat = client.chat.completions
    started = chat.parse(PARAMS, response_format=Person)
    coroutine = assert_type(started, Coroutine[Any, Any, ParsedChatCompletion[Person]])
    assert_type(await coroutine, ParsedChatCompletion[Person])
    assert_type((await chat.parse(messages=[], response_format=Person)).parsed, Person)
    assert_type(
        (await chat.parse(messages=[], response_format=Union[Person, Pet])).parsed,
        Union[Person, Pet],
    )
    assert_type((await client.responses.parse(input="", response_format=int)).parsed, int)


def errors_have_their_facts(error: OutputValidationError) -> None:
    assert_type((error.text, error.path, error.reason), tuple[str, str, str])
