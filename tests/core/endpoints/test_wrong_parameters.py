"""What people pass to endpoints by mistake, and the whole message that they get.

Types of other libraries are recognised by their names: neither the package nor this test imports
them.
"""

import datetime
import decimal
import io
import pathlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from meshapi_core import InvalidParamsError
from meshapi_core.endpoints import (
    Audio,
    Batches,
    Completions,
    Embeddings,
    Files,
    Images,
    Models,
    Rag,
    Responses,
    Web,
)
from meshapi_core.types import (
    ChatCompletionParams,
    ChatMessage,
    ContentPartText,
    SpeechParams,
    Tool,
)

MESSAGES = [{"role": "user", "content": "hi"}]
EXAMPLE = '{"role": "user", "content": "..."}'
A_LOOP: list[Any] = []
A_LOOP.append(A_LOOP)


def of_library(library: str, name: str, **methods: Any) -> Any:
    """An object whose type looks like one of another library."""
    return type(name, (), {"__module__": f"{library}._core", **methods})()


def float32() -> Any:
    return of_library("numpy", "float32", __float__=lambda _: 1.0, tolist=None)


@dataclass
class Turn:
    role: str


class Person:
    """The parts of a pydantic model that matter here."""

    @classmethod
    def model_json_schema(cls) -> "dict[str, Any]":
        return {}

    def model_dump(self) -> "dict[str, Any]":
        return {}


async def unawaited() -> None: ...


# What is passed besides, or instead of, messages; and the message.
OF_CHAT: "list[tuple[dict[str, Any], str]]" = [
    ({"temprature": 1}, "temprature: no such parameter; did you mean temperature?"),
    ({"message": []}, "message: no such parameter; did you mean messages?"),
    ({"temp": 1}, "temp: no such parameter; did you mean temperature or template?"),
    ({"top_o": 1}, "top_o: no such parameter; did you mean top_p?"),
    ({"modes": 1}, "modes: no such parameter; did you mean model or models?"),
    ({"maxTokens": 1}, "maxTokens: no such parameter; did you mean max_tokens?"),
    ({"max_output_tokens": 1}, "max_output_tokens: no such parameter; did you mean max_tokens?"),
    ({"stop_sequences": []}, "stop_sequences: no such parameter; did you mean stop?"),
    ({"functions": []}, "functions: no such parameter; did you mean tools?"),
    ({"system": "x"}, 'system: no such parameter; put it first in messages, with role "system"'),
    ({"prompt": "x"}, f"prompt: no such parameter; write messages=[{EXAMPLE}]"),
    (
        {"extra_headers": {}},
        "extra_headers: no such parameter; use client.with_options(extra_headers=...)",
    ),
    (
        {"request_timeout": 5},
        "request_timeout: no such parameter; use client.with_options(timeout=...)",
    ),
    ({"api_key": "rsk_test_1"}, "api_key: no such parameter; pass token=... to the client"),
    (
        {"verbosity": "low"},
        (
            "verbosity: no such parameter; to send it anyway, use"
            " client.with_options(extra_body=...)"
        ),
    ),
    ({"messages": "hello"}, f"messages: expected list, got str; write messages=[{EXAMPLE}]"),
    (
        {"messages": MESSAGES[0]},
        "messages: expected list, got dict; put it in a list: messages=[...]",
    ),
    ({"messages": None}, f"messages: expected list, got None; write messages=[{EXAMPLE}]"),
    ({"messages": b"hello"}, f"messages: expected list, got bytes; write messages=[{EXAMPLE}]"),
    ({"messages": {"hello"}}, "messages: expected list, got set; write list(x)"),
    ({"messages": iter(MESSAGES)}, "messages: expected list, got list_iterator; write list(x)"),
    ({"messages": A_LOOP}, "messages: nested too deeply, or contains itself"),
    ({"messages": ["hello"]}, f"messages[0]: expected ChatMessage, got str; write {EXAMPLE}"),
    ({"model": ""}, "model: expected a model ID, got an empty string"),
    ({"model": b"m"}, "model: expected str, got bytes; write x.decode()"),
    ({"temperature": "1"}, "temperature: expected float, got str; write float(x)"),
    (
        {"temperature": decimal.Decimal(1)},
        "temperature: expected float, got decimal.Decimal; write float(x)",
    ),
    (
        {"max_tokens": decimal.Decimal(1)},
        "max_tokens: expected int, got decimal.Decimal; write int(x)",
    ),
    ({"max_tokens": 1.0}, "max_tokens: expected int, got float; write int(x)"),
    ({"temperature": float32()}, "temperature: expected float, got numpy.float32; write float(x)"),
    (
        {"logprobs": of_library("numpy", "bool", tolist=None)},
        "logprobs: expected bool, got numpy.bool; write bool(x)",
    ),
    (
        {"stop": of_library("numpy", "ndarray", tolist=None)},
        "stop: expected str or list, got numpy.ndarray; write x.tolist()",
    ),
    (
        {"temperature": float("nan")},
        "temperature: expected a finite number, got nan; JSON has no NaN or infinity",
    ),
    ({"logprobs": "yes"}, "logprobs: expected bool, got str; write True or False"),
    ({"models": "a"}, "models: expected list, got str; put it in a list: models=[...]"),
    ({"user": uuid.UUID(int=1)}, "user: expected str, got uuid.UUID; write str(x)"),
    ({"metadata": {1: "a"}}, "metadata: expected str keys, got a key of type int; write str(key)"),
    (
        {"metadata": {"day": datetime.date(2026, 1, 2)}},
        "metadata.day: expected a JSON value, got datetime.date; write x.isoformat()",
    ),
    ({"stream": True}, "stream: expected False, got True; use stream()"),
    ({"reasoning": "high"}, 'reasoning: expected dict, got str; write {"effort": "..."}'),
    (
        {"response_format": "json_object"},
        (
            'response_format: expected dict, got str; write {"type": "json_object"}, or'
            ' {"type": "json_schema", ...}'
        ),
    ),
    (
        {"response_format": '{"type": 1}'},
        "response_format: expected dict, got str; write json.loads(x)",
    ),
    ({"response_format": A_LOOP}, "response_format: nested too deeply, or contains itself"),
    (
        {"response_format": Person},
        (
            "response_format: expected dict, got the class tests.Person;"
            " call parse(response_format=...), which takes a type"
        ),
    ),
    (
        {"response_format": Person()},
        "response_format: expected dict, got tests.Person; write x.model_dump()",
    ),
    (
        {"tools": {"type": "function"}},
        "tools: expected list, got dict; put it in a list: tools=[...]",
    ),
    # The form of Anthropic's API.
    (
        {"tools": [{"name": "f", "input_schema": {}}]},
        (
            "tools[0].function: expected ToolFunction, got nothing; write"
            ' {"type": "function", "function": {"name": "...", "parameters": {...}}}'
        ),
    ),
    # The form of the responses endpoint.
    (
        {"tools": [{"type": "function", "name": "f", "parameters": {}}]},
        (
            "tools[0].function: expected ToolFunction, got nothing; write"
            ' {"type": "function", "function": {"name": "...", "parameters": {...}}}'
        ),
    ),
    (
        {"tools": [print]},
        (
            "tools[0]: expected a JSON value, got builtin_function_or_method; run_tools()"
            " takes functions; or describe it:"
            ' {"type": "function", "function": {"name": "...", "parameters": {...}}}'
        ),
    ),
    (
        {"tool_choice": {"type": "function", "name": "f"}},
        (
            "tool_choice.function: expected ToolChoiceFunction, got nothing; write"
            ' {"type": "function", "function": {"name": "..."}}'
        ),
    ),
]

# The content of a message.
OF_CONTENT: "list[tuple[Any, str]]" = [
    (
        b"hello",
        (
            "content: expected a JSON value, got bytes; write x.decode() for text; send an image"
            " as an image_url part"
        ),
    ),
    (
        pathlib.PurePosixPath("a.txt"),
        (
            "content: expected a JSON value, got pathlib.PurePosixPath; write x.read_text() for its"
            " content, or str(x) for its path"
        ),
    ),
    (io.StringIO("a"), "content: expected a JSON value, got io.StringIO; write x.read()"),
    (
        io.BytesIO(b"a"),
        "content: expected a JSON value, got io.BytesIO; read it and encode it as base64 text",
    ),
    (5, "content: expected str or list, got int; write str(x)"),
    ({"type": "text", "text": "a"}, "content: expected str or list, got dict; put it in a list"),
    (
        ["hello"],
        'content[0]: expected a content part, got str; write {"type": "text", "text": "..."}',
    ),
    ([{"text": "a"}], 'content[0].type: expected str, got nothing; add "type": "text"'),
    (
        [{"type": "image_url", "image_url": "https://a.example/b.png"}],
        'content[0].image_url: expected ImageDetail, got str; write {"url": "..."}',
    ),
    (
        [{"type": "image_url", "image_url": {"url": b"png"}}],
        (
            "content[0].image_url.url: expected a JSON value, got bytes; write"
            ' "data:image/png;base64," + base64.b64encode(x).decode()'
        ),
    ),
    (
        "\ud800",
        (
            "content: expected text that UTF-8 can encode, got a lone surrogate at"
            " index 0; decode the"
            ' text with errors="replace"'
        ),
    ),
    (
        of_library("asyncio", "Task", __await__=None),
        "content: expected a JSON value, got asyncio.Task; await it",
    ),
    (
        lambda: "a",
        "content: expected a JSON value, got function; call it, and pass the result",
    ),
    (Turn("user"), "content: expected a JSON value, got tests.Turn; write dataclasses.asdict(x)"),
]

PARAMS = ChatCompletionParams(messages=[])

# Any call, and the message.
OF_OTHERS: "list[tuple[Callable[[], object], str]]" = [
    (
        lambda: Completions.create.build(MESSAGES),
        "params: expected ChatCompletionParams, got list; write messages=...",
    ),
    (
        lambda: Completions.create.build({"messages": []}),
        "params: expected ChatCompletionParams, got dict; pass it as keywords: **params",
    ),
    (
        lambda: Completions.create.build("m", MESSAGES),
        "positional arguments: expected at most 1 (params), got 2; pass the others as keywords",
    ),
    (
        lambda: Completions.create.build(PARAMS, temperature=1),
        (
            "temperature: given together with params; put it into the ChatCompletionParams, or"
            " pass all parameters as keywords"
        ),
    ),
    (
        lambda: Completions.create.build(SpeechParams(input="a")),
        "params: expected ChatCompletionParams, got SpeechParams; pass the parameters as keywords",
    ),
    (
        lambda: Completions.parse.build(response_format=str, validaton_retries=2),
        "validaton_retries: no such parameter; did you mean validation_retries?",
    ),
    (
        lambda: Responses.parse.build(response_format=str, validation_retrys=2),
        "validation_retrys: no such parameter; did you mean validation_retries?",
    ),
    (
        lambda: Web.search.build("cats"),
        "params: expected WebSearchParams, got str; write query=...",
    ),
    (
        lambda: Embeddings.create.build(model="m", text="a"),
        "text: no such parameter; did you mean input?",
    ),
    (
        lambda: Embeddings.create.build(model="m"),
        "input: expected str or list, got nothing; write input=...",
    ),
    (
        lambda: Responses.create.build(model="m", messages=[]),
        "messages: no such parameter; did you mean input?",
    ),
    (
        lambda: Responses.create.build(input="a", reasoning_effort="low"),
        'reasoning_effort: no such parameter; write reasoning={"effort": "..."}',
    ),
    (
        lambda: Responses.create.build(
            input="a",
            tools=[{"type": "function", "function": {"name": "f"}}],
        ),
        (
            "tools[0].name: expected str, got nothing; write"
            ' {"type": "function", "name": "...", "parameters": {...}}'
        ),
    ),
    (
        lambda: Images.edit.build(
            model="m",
            prompt="a",
            image=pathlib.PurePosixPath("a.png"),
        ),
        (
            "image: expected str or ImageRef, got pathlib.PurePosixPath; write"
            ' "data:image/png;base64," + base64.b64encode(x.read_bytes()).decode()'
        ),
    ),
    (
        lambda: Images.generate.build(prompt="a", size=(1024, 1024)),
        'size: expected str, got tuple; write "1024x1024"',
    ),
    (
        lambda: Files.upload.build(),
        "file: expected a file or requests, got nothing; write file=... or requests=[...]",
    ),
    (
        lambda: Files.upload.build(path="a.jsonl"),
        "path: no such parameter; did you mean file?",
    ),
    (
        lambda: Files.upload.build(file=io.StringIO("{}")),
        (
            "file: expected bytes, a path, an open file, or an iterable of bytes, got a file"
            ' opened as text; open it with "rb"'
        ),
    ),
    (
        lambda: Audio.transcribe.build(audio=b"a", model="m"),
        "audio: no such parameter; did you mean file?",
    ),
    (
        lambda: Audio.translate.build(),
        "file: expected a value, got nothing; write file=...",
    ),
    (
        lambda: Audio.translate.build(b"a", file=b"b"),
        "file: given both by position and by keyword; pass it once",
    ),
    (
        lambda: Rag.search.build(query="a", k=3),
        "k: no such parameter; did you mean top_k?",
    ),
    (
        lambda: Rag.list.build(page=2),
        "page: no such parameter; the parameters are limit and offset",
    ),
    (
        lambda: Batches.list.build(5),
        "positional arguments: expected none, got 1; write after=...",
    ),
    (lambda: Files.get.build(""), "file_id: expected an ID, got an empty string"),
    (
        lambda: Files.get.build(None),
        "file_id: expected str, got None",
    ),
    (
        lambda: Files.get.build(5),
        "file_id: expected str, got int; write str(x)",
    ),
    (
        lambda: Files.get.build({"id": "file-1"}),
        'file_id: expected str, got dict; write x["id"]',
    ),
    (
        lambda: Files.get.build(id="file-1"),
        "id: no such parameter; the only parameter is file_id",
    ),
    (
        lambda: Models.get.build("openai//gpt"),
        "model_id: expected a model ID, got one with an empty part",
    ),
    (
        lambda: ChatMessage("user", "hi"),
        (
            "positional arguments of ChatMessage: expected none, got 2; write"
            " ChatMessage(role=..., content=...)"
        ),
    ),
    (
        lambda: ChatMessage(role="user", contents="hi"),
        "contents: no such field in ChatMessage; did you mean content?",
    ),
    (
        lambda: ChatMessage(content="hi"),
        "role: expected str, got nothing; write ChatMessage(role=...)",
    ),
    (
        lambda: ContentPartText(txt="hi"),
        "text: expected str, got nothing; write ContentPartText(text=...)",
    ),
    (
        lambda: ChatCompletionParams(mesages=[]),
        "mesages: no such field in ChatCompletionParams; did you mean messages?",
    ),
    (
        lambda: Tool(name="f"),
        "name: no such field in Tool; the fields are function and type",
    ),
    (
        lambda: ChatCompletionParams.model_validate({"messages": [], "modle": "m"}),
        "modle: no such field in ChatCompletionParams; did you mean model?",
    ),
    (
        lambda: PARAMS.model_copy(update={"modle": "m"}),
        "modle: no such field in ChatCompletionParams; did you mean model?",
    ),
]


def told(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidParamsError) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


@pytest.mark.parametrize(("given", "message"), OF_CHAT, ids=[row[1] for row in OF_CHAT])
def test_a_chat_completion(given: "dict[str, Any]", message: str) -> None:
    assert told(lambda: Completions.create.build(**{"messages": MESSAGES, **given})) == message


@pytest.mark.parametrize(("content", "message"), OF_CONTENT, ids=[row[1] for row in OF_CONTENT])
def test_the_content_of_a_message(content: Any, message: str) -> None:
    messages: Any = [{"role": "user", "content": content}]
    assert told(lambda: Completions.create.build(messages=messages)) == f"messages[0].{message}"


@pytest.mark.parametrize(("call", "message"), OF_OTHERS, ids=[row[1] for row in OF_OTHERS])
def test_any_call(call: Callable[[], object], message: str) -> None:
    assert told(call) == message


def test_a_message_has_its_parts() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        Completions.create.build(messages=MESSAGES, temprature=1)
    error = caught.value
    assert (error.field, error.expected, error.got) == ("temprature", "", "no such parameter")
    assert error.hint == "did you mean temperature?"


def test_each_message_says_what_to_do() -> None:
    """Except where that follows from what was expected."""
    rows = [message for table in (OF_CHAT, OF_CONTENT, OF_OTHERS) for *_, message in table]
    plain = [message for message in rows if ";" not in message]
    assert all(re.search(r"empty|contains itself|got None", message) for message in plain)
