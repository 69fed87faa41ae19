"""Names that look misspelt in plain dicts: named in a warning, once, or refused."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshapi_core.endpoints import Completions
from meshapi_core.endpoints.batches import Batches
from meshapi_core.endpoints.images import Images
from meshapi_core.endpoints.rag import Rag
from meshapi_core.endpoints.templates import Templates
from meshapi_core.endpoints.videos import Videos
from meshapi_core.errors import InvalidParamsError, ParamsWarning
from meshapi_core.params import unknown_names as module
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.params.unknown_names import misspelt, near
from meshapi_core.types.chat import ChatCompletionMessage, ChatCompletionParams, ChatMessage, Tool
from meshapi_core.types.embeddings import EmbeddingsParams
from support.structs import forms, json_objects, shape, texts

FIELDS = sorted({*ChatMessage.__struct_fields__, *ChatCompletionParams.__struct_fields__})
QUESTION: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Nothing has been warned of yet."""
    named: set[Any] = vars(module)["_named"]
    before = named.copy()
    named.clear()
    yield
    named.clear()
    named |= before


def warned(build: Any, *args: Any, **fields: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        build(*args, **fields)
    assert all(each.category is ParamsWarning for each in seen)
    assert all(each.filename == __file__ for each in seen), "the line of the caller is shown"
    return [str(each.message) for each in seen]


@pytest.mark.parametrize(
    ("build", "fields", "message"),
    [
        (
            Completions.create.build,
            {"messages": [*QUESTION, {"role": "user", "content": "x", "nmae": "Bob"}]},
            "messages[1].nmae: no such field in ChatMessage, sent as given; did you mean na",
        ),
        (
            Completions.stream.build,
            {"messages": [{"role": "user", "content": "x", "contents": "y"}]},
            "messages[0].contents: no such field in ChatMessage, sent as given; did you mea",
        ),
        (
            Completions.create.build,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "x", "cache_contrl": {}}],
                    }
                ]
            },
            "messages[0].content[0].cache_contrl: no such field in ContentPartText",
        ),
        (
            Completions.create.build,
            {"messages": QUESTION, "tools": [{"function": {"name": "f", "paramters": {}}}]},
            "tools[0].function.paramters: no such field in ToolFunction",
        ),
        (
            Completions.create.build,
            {"messages": QUESTION, "provider": {"allowFallback": True}},
            "provider.allowFallback: no such field in ProviderPreferences",
        ),
        (
            Images.edit.build,
            {"model": "m", "image": {"url": "x", "urll": "y"}},
            "image.urll: no such field in ImageRef",
        ),
        (
            Videos.generate.build,
            {"model": "m", "content": [{"type": "text", "text": "x", "rol": "y"}]},
            "content[0].rol: no such field in VideoContentItem",
        ),
        (
            Batches.create.build,
            {"requests": [{"custom_id": "1", "body": {"modle": "m", "messages": QUESTION}}]},
            "requests[0].body.modle: no such field in ChatCompletionParams",
        ),
        (
            Templates.create.build,
            {"name": "n", "messages": [{"role": "user", "contents": "x"}]},
            "messages[0].contents: no such field in TemplateMessage",
        ),
    ],
)
def test_a_misspelt_name_is_warned_of_once_and_sent_as_it_is(build, fields, message):
    (text,) = warned(build, **fields)
    assert text.startswith(message)
    assert warned(build, **fields) == []
    body = json.loads(build(**fields).body)
    for name, value in fields.items():
        if name != "requests":
            assert body[name] == value


def test_each_name_of_each_type_is_warned_of():
    message = {"role": "user", "content": "x", "nmae": 1, "naem": 2}
    tools = [{"function": {"name": "f", "naem": 1}}]
    texts = warned(Completions.create.build, messages=[message, message], tools=tools)
    assert [text.partition(":")[0] for text in texts] == [
        "messages[0].nmae",
        "messages[0].naem",
        "tools[0].function.naem",
    ]


def test_where_warnings_are_errors_each_of_them_is():
    fields = {"messages": [{"role": "user", "content": "x", "nmae": "Bob"}]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(ParamsWarning, match="nmae"):
                Completions.create.build(**fields)


def test_no_more_names_are_kept_than_a_program_can_mean(monkeypatch):
    monkeypatch.setattr(module, "_MOST_NAMED", 2)
    messages = [{"role": "user", "content": "x", f"name{digit}": 1} for digit in range(5)]
    assert len(warned(Completions.create.build, messages=messages)) == 2


@pytest.mark.parametrize(
    ("build", "fields", "message"),
    [
        (
            Completions.create.build,
            {"messages": [*QUESTION, {"role": "user", "contents": "x"}]},
            "messages[1].contents: no such field in ChatMessage; did you m",
        ),
        (
            Completions.create.build,
            {"messages": [{"role": "assistant", "toolCalls": [], "content": None}]},
            None,
        ),
        (
            Completions.create.build,
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"fileId": 1}}]}]},
            "messages[0].content[0].file.fileId: no such field in InputFile",
        ),
        (
            Batches.create.build,
            {
                "requests": [
                    {"custom_id": "1", "body": {"messages": [{"role": "user", "cntent": 1}]}}
                ]
            },
            "requests[0].body.messages[0].cntent: no such field in ChatMessage",
        ),
    ],
)
def test_a_part_that_says_nothing_but_by_a_misspelt_name_is_refused(build, fields, message):
    if message is None:
        # An empty content may be meant, so it is sent.
        assert len(warned(build, **fields)) == 1
        return
    for _ in range(2):
        with pytest.raises(InvalidParamsError) as caught:
            build(**fields)
        assert str(caught.value).startswith(message)


def test_an_input_that_says_nothing_but_by_a_misspelt_name_is_refused():
    fields = {"input": [{"type": "image_url", "imageUrl": {"url": "x"}}]}
    with pytest.raises(
        InvalidParamsError, match=r"^input\[0\]\.imageUrl: .*did you mean image_url"
    ):
        build_params(EmbeddingsParams, None, fields, {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"messages": [{"rol": "user", "content": "x"}]},
            "messages[0].role: expected str, got nothing; write role instead of rol",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "txt": "x"}]}]},
            "messages[0].content[0].text: expected str, got nothing; write text instead of txt",
        ),
        (
            {"mesages": QUESTION},
            ("mesages: no such parameter; did you mean messages?"),
        ),
    ],
)
def test_what_is_missing_and_misspelt_is_refused_with_both_names(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        Completions.create.build(**fields)
    assert str(caught.value) == message


def test_a_dict_that_becomes_an_object_is_looked_at_too():
    value = {"function": {"name": "f", "descripton": "x"}}
    (text,) = warned(Tool.model_validate, value)
    assert text.startswith("function.descripton: no such field in ToolFunction")


# What must not be warned of


@given(forms(shape(ChatCompletionMessage)), json_objects)
def test_what_a_model_answers_goes_back_without_a_warning(message, tool):
    fields = {
        "messages": [*QUESTION, {**message, "role": "assistant", "extra_content": {}}],
        "tools": [{"type": "custom", "custom": tool}],
    }
    assert (
        misspelt(build_params(ChatCompletionParams, None, fields, {}), ChatCompletionParams) == []
    )


@given(json_objects)
def test_free_dicts_are_not_looked_into(value):
    schema = {"descripton": value, "type": "object"}
    fields = {
        "messages": QUESTION,
        "tools": [{"function": {"name": "f", "parameters": schema}}],
        "metadata": {"nmae": "x"},
        "response_format": {"typ": value},
    }
    assert warned(Completions.create.build, **fields) == []
    assert warned(Rag.search.build, query="q", filter={"query_": 1}) == []


@pytest.mark.parametrize(
    "name", ["cache_control", "prefix", "parts", "reasoning", "thinking_blocks", "x", "", "id"]
)
def test_names_that_look_like_none_are_sent_without_a_word(name):
    messages = [{"role": "user", "content": "x", name: "y"}]
    assert warned(Completions.create.build, messages=messages) == []
    sent = json.loads(encode_params(ChatCompletionParams, None, {"messages": messages}))
    assert sent["messages"] == messages


# Likeness


@st.composite
def one_mistake(draw: st.DrawFn) -> tuple[str, str]:
    """A known name, and the same with a letter left out, added, changed or swapped."""
    name = draw(st.sampled_from([field for field in FIELDS if len(field) > 3]))
    at = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from("abcxyz_"))
    rest = name[at + 1 :]
    wrong = [rest, letter + name[at:], letter + rest, rest[:1] + name[at] + rest[1:]]
    return name, name[:at] + draw(st.sampled_from(wrong))


@given(one_mistake())
def test_a_name_with_one_mistake_is_found(names):
    name, wrong = names
    assume(wrong not in FIELDS)
    assert near(wrong, [name]) == name


@given(texts, texts)
def test_names_that_differ_in_length_by_more_than_two_letters_are_never_alike(one, other):
    letters = [name.replace("_", "").replace("-", "").lower() for name in (one, other)]
    assume(abs(len(letters[0]) - len(letters[1])) > 2)
    assert near(one, [other]) is None


@pytest.mark.parametrize(
    ("name", "known", "best"),
    [
        ("toolCalls", ["tool_call_id", "tool_calls"], "tool_calls"),
        ("tool-choice", ["tool_choice"], "tool_choice"),
        ("MaxTokens", ["max_tokens", "max_completion_tokens"], "max_tokens"),
        ("conetnts", ["content"], "content"),
        ("string", ["strict"], None),
        ("video_url", ["image_url"], None),
        ("to", ["top"], None),
        ("", ["n"], None),
        ("content", [], None),
    ],
)
def test_the_most_similar_name_is_the_one_that_was_meant(name, known, best):
    assert near(name, known) == best
