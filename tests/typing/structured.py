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
    AsyncMeshAPI,
    ChatCompletionParams,
    ChatCompletionResponse,
    MeshAPI,
    OutputValidationError,
    ParsedChatCompletion,
    ParsedResponse,
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
