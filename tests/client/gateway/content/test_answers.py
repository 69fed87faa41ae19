"""The gateway's answers depend on the question alone."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi.gateway.content.answers import answer, shorten, words
from meshapi.gateway.content.schema_samples import sample
from meshapi.gateway.content.tool_calls import ToolCall, calls

KEYWORDS = (
    "type properties required additionalProperties propertyNames minProperties items prefixItems "
    "minItems maxItems enum const default $ref allOf anyOf oneOf minimum maximum exclusiveMinimum "
    "exclusiveMaximum multipleOf minLength maxLength pattern format contentEncoding"
).split()

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tool(name: str, description: str = "", parameters: Any = None) -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


@given(st.text())
@example(" a\n\nb ")
def test_words_joined_again_are_the_text(text: str) -> None:
    pieces = words(text)
    assert "".join(pieces) == text
    assert all(len(piece.split()) == 1 for piece in pieces[:-1])


@given(st.text())
def test_repeat_gives_back_anything_to_the_letter(text: str) -> None:
    assert answer(f"Repeat: {text}") == text


@given(st.text().filter(lambda text: not text.lower().lstrip().startswith("repeat:")))
def test_any_question_has_an_answer_and_always_the_same(question: str) -> None:
    assert answer(question)
    assert answer(question) == answer(question)


@given(st.integers(-(10**9), 10**9), st.sampled_from("+-*"), st.integers(0, 10**9))
def test_sums_are_right(left: int, sign: str, right: int) -> None:
    result = {"+": left + right, "-": left - right, "*": left * right}[sign]
    assert answer(f"What is {left}{sign}{right}?") == f"{left} {sign} {right} = {result}."


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is 2+2?", "2 + 2 = 4."),
        ("0.1 + 0.2 =", "0.1 + 0.2 = 0.3."),
        ("calculate 6 x 7", "6 * 7 = 42."),
        ("1/3", "1 / 3 = 0.333333333333."),
        ("7/0", "Nothing can be divided by zero."),
        ("Count to 5.", "1 2 3 4 5"),
        ("count from 7 to 3", "7 6 5 4 3"),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("Hello!", "Hello! How can I help you today?"),
        ("", "Hello! How can I help you today?"),
    ],
)
def test_the_documented_questions_get_the_documented_answers(question: str, expected: str) -> None:
    assert answer(question) == expected


@pytest.mark.parametrize("question", ["2024-11-20", "hillock", "the capital of Mars", "1+1+1"])
def test_other_questions_are_said_back(question: str) -> None:
    assert question in answer(question)


def test_a_count_ends_before_it_fills_the_memory() -> None:
    assert len(words(answer("Count to 999999999"))) == 10_000


@given(st.text(), st.lists(st.text(max_size=2), max_size=3), st.none() | st.integers(1, 5))
def test_a_shortened_text_is_a_beginning_without_stop_sequences(
    text: str, stop: list[str], max_words: int
) -> None:
    short, reason = shorten(text, stop=stop, max_words=max_words)
    assert text.startswith(short)
    assert not any(sequence in short for sequence in stop if sequence)
    assert max_words is None or len(short.split()) <= max_words
    assert reason in ("stop", "length")


def test_arguments_have_the_name_and_the_number_of_the_question() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "maximum": 10},
            "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
            "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
            "exact": {"type": "boolean"},
        },
        "$defs": {"Place": {"properties": {"name": {"anyOf": [{"type": "string"}]}}}},
    }
    assert sample(schema, "How warm will it be in New York over 17 days?") == {
        "city": "New York",
        "days": 10,
        "unit": "celsius",
        "places": [{"name": "New York"}],
        "exact": True,
    }


def test_a_schema_that_contains_itself_has_an_end() -> None:
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert sample(schema, "?")["child"]["child"]


@pytest.mark.slow
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
        | st.sampled_from(
            ["object", "array", "string", "integer", "number", "#", "a{3}", "^[^a]$"]
        ),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYWORDS),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_schema_of_a_tool_breaks_the_gateway(schema: Any) -> None:
    made = calls([tool("look_up", parameters={"properties": {"x": schema}})], "required", "?")
    assert json.loads(made[0].arguments).keys() == {"x"}


def test_the_tool_whose_words_fit_is_called() -> None:
    tools = [tool("get_time"), tool("get_weather", "Weather in a city", CITY)]
    (call,) = calls(tools, "auto", "What is the weather in Paris?")
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})


def test_all_tools_that_are_named_are_called() -> None:
    tools = [tool("get_time"), tool("get_weather"), tool("get_news")]
    made = calls(tools, None, "Use get_weather and get_time.")
    assert [call.name for call in made] == ["get_time", "get_weather"]


@given(st.text())
def test_fragments_of_arguments_joined_again_are_the_arguments(arguments: str) -> None:
    head, *rest = ToolCall("call_1", "f", arguments).deltas(2)
    assert head["function"] == {"name": "f", "arguments": ""}
    assert "".join(part["function"]["arguments"] for part in rest) == arguments
    assert {part["index"] for part in [head, *rest]} == {2}
    assert re.fullmatch(r"call_\w+", head["id"])
