"""Templates: the texts of a call are filled from rows, and nothing else in it changes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import Call, InvalidParamsError
from meshapi_core.bulk.templates import CallTemplate
from meshapi_core.endpoints import Completions, Embeddings, Responses
from meshapi_core.readers import JSONReader

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
"""Any text that UTF-8 has."""

NAMES = st.sampled_from(["text", "kind", "_a1", "größe", "x"])


class Missing:
    """Compares as `pandas.NA` does: to neither equal nor different."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


def chat(content: Any, **fields: Any) -> Call[Any]:
    messages = [{"role": "user", "content": content}]
    return Completions.create.build(model="m", messages=messages, **fields)


def filled(call: Call[Any], row: Any) -> Any:
    body = CallTemplate(call).fill(row, "calls[0]").body
    assert isinstance(body, bytes)
    return msgspec.json.decode(body)


def content_of(call: Call[Any], row: Any) -> Any:
    return filled(call, row)["messages"][0]["content"]


@given(TEXTS, TEXTS, TEXTS, NAMES)
@example('"}],"model":"evil"', "{text}", "\\", "text")
def test_a_value_is_in_the_call_as_it_is_in_the_row(
    value: str, before: str, after: str, name: str
) -> None:
    before, after = before.replace("{", "("), after.replace("}", ")")
    call = chat(f"{before}{{{name}}}{after}")
    found = filled(call, {name: value, "other": 1})
    assert found["messages"] == [{"role": "user", "content": f"{before}{value}{after}"}]
    assert found["model"] == "m"


BRACELESS = TEXTS.map(lambda text: text.replace("{", "").replace("}", ""))
"""Other braces are themselves here, and mistakes for `str.format`."""

PIECES = st.one_of(
    BRACELESS, NAMES.map(lambda name: f"{{{name}}}"), NAMES.map(lambda name: f"{{{{{name}}}}}")
)


@given(st.lists(PIECES))
def test_a_text_is_filled_as_str_format_would(pieces: list[str]) -> None:
    text = "{x} " + "".join(pieces)
    row = {name: f"<{name}>" for name in ("text", "kind", "_a1", "größe", "x")}
    assert content_of(chat(text), row) == text.format(**row)


@given(st.integers(1, 7), st.integers(1, 7))
def test_pairs_of_braces_around_a_name_are_braces(opening: int, closing: int) -> None:
    text = "{x}" + "{" * opening + "name" + "}" * closing
    pairs = min(opening, closing)
    inner = "{" * (pairs // 2), "VALUE" if pairs % 2 else "name", "}" * (pairs // 2)
    expected = "1" + "{" * (opening - pairs) + "".join(inner) + "}" * (closing - pairs)
    assert content_of(chat(text), {"x": "1", "name": "VALUE"}) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": 1}}',
        "{}",
        "{ name }",
        "{0}",
        "{a.b}",
        "{a-b}",
        r"\d{2,4}",
        "{",
        "}{",
        "{a b}",
        "{name:>10}",
    ],
)
def test_other_braces_are_themselves(text: str) -> None:
    assert content_of(chat(f"{text} {{x}}"), {"x": "1"}) == f"{text} 1"


def test_a_template_is_filled_at_every_depth_and_in_every_text() -> None:
    content = [
        {"type": "text", "text": "Look at {thing}:"},
        {"type": "image_url", "image_url": {"url": "{url}"}},
    ]
    call = chat(content, user="{thing}")
    found = filled(call, {"thing": "a fox", "url": "https://example.com/fox.png"})
    assert found["messages"][0]["content"] == [
        {"type": "text", "text": "Look at a fox:"},
        {"type": "image_url", "image_url": {"url": "https://example.com/fox.png"}},
    ]
    assert found["user"] == "a fox"


def test_schemas_and_notes_stay_as_they_are() -> None:
    schema = {"type": "string", "pattern": "^{x}{name}$", "description": "{name}"}
    function = {"name": "f", "description": "{name}", "parameters": schema}
    held = {
        "tools": [{"type": "function", "function": function}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": schema},
        },
    }
    found = filled(chat("{x}", **held), {"x": "1"})
    assert {name: found[name] for name in held} == held
    text: Any = {"format": {"type": "json_schema", "name": "s", "schema": schema}}
    call = Responses.create.build(model="m", input="{x}", text=text)
    assert filled(call, {"x": "1"})["text"] == text


PLAIN = TEXTS.map(lambda text: text.replace("{", ""))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        PLAIN,
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
)


@given(VALUES)
def test_what_has_no_placeholder_keeps_its_value(value: Any) -> None:
    body = json.dumps({"first": value, "last": [value, "{x}", {"{x}": value}]}).encode()
    call = Call(method="POST", path="/v1/x", body=body, reader=JSONReader(object))
    made = CallTemplate(call).fill({"x": "1"}, "").body
    assert isinstance(made, bytes)
    assert json.loads(made) == {"first": value, "last": [value, "1", {"{x}": value}]}


def test_a_list_or_a_dict_that_is_the_whole_text_keeps_its_form() -> None:
    parts = [{"type": "text", "text": 'say "{x}"'}]
    assert content_of(chat("{parts}"), {"parts": parts}) == parts
    call = Embeddings.create.build(model="m", input="{texts}")
    assert filled(call, {"texts": ("a", "b")})["input"] == ["a", "b"]


def test_within_a_text_a_list_or_a_dict_is_json() -> None:
    row = {"record": {"name": 'Ada "the" L.', "tags": [1, None]}}
    text = 'Sum up: {"name":"Ada \\"the\\" L.","tags":[1,null]}.'
    assert content_of(chat("Sum up: {record}."), row) == text


class _Words:
    def __str__(self) -> str:
        return "in words"


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (0.5, "0.5"), (True, "True"), (_Words(), "in words"), (10**30, "1" + "0" * 30)],
)
def test_other_values_are_their_text(value: object, text: str) -> None:
    assert content_of(chat("{x}"), {"x": value}) == text
    assert content_of(chat("<{x}>"), {"x": value}) == f"<{text}>"


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "None"),
        (float("nan"), "NaN, a missing value"),
        (b"x", "bytes"),
        (Missing(), "tests.Missing"),
        ("\ud800", "text with half a character (a lone surrogate)"),
        ([float("nan")], "nan"),
        ({"x": {1, 2}}, "set"),
    ],
)
def test_a_value_that_is_no_text_is_refused(value: object, got: str) -> None:
    for text in ("{x}", "<{x}>"):
        with pytest.raises(InvalidParamsError) as caught:
            CallTemplate(chat(text)).fill({"x": value}, "calls[17]")
        assert caught.value.field == "calls[17]['x']"
        assert caught.value.got == got


def test_a_row_without_the_field_is_refused() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        CallTemplate(chat("Sum up {text}")).fill({"body": 1, "title": 2}, "calls[17]")
    assert str(caught.value) == (
        "calls[17]: expected a field 'text', got only body, title; if the prompt means the braces"
        " themselves, write {{text}} in it"
    )


def test_a_row_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(InvalidParamsError, match=r"calls\[2\]: expected a mapping.*got tuple"):
        CallTemplate(chat("{x}")).fill((1, 2), "calls[2]")


def test_a_template_without_a_placeholder_is_refused() -> None:
    with pytest.raises(InvalidParamsError, match="expected a placeholder"):
        CallTemplate(chat("Sum up {my text}"))


def test_a_template_needs_a_json_object() -> None:
    for body in (b"", b"[1]", b"nonsense {x}"):
        call = Call(method="POST", path="/v1/x", body=body, reader=JSONReader(object))
        with pytest.raises(InvalidParamsError, match="expected a call with a JSON object"):
            CallTemplate(call)


def test_the_names_are_known() -> None:
    assert CallTemplate(chat("{b} {a} {b} {{c}}")).names == ["b", "a"]


def test_all_but_the_body_is_kept() -> None:
    call = chat("{x}")
    made = CallTemplate(call).fill({"x": "1"}, "")
    assert made == chat("1")
    assert made.reader is call.reader


def test_a_text_in_place_of_a_row_is_refused_with_the_row_to_write():
    with pytest.raises(InvalidParamsError) as caught:
        CallTemplate(chat("Sum up: {text}, in {language}")).fill("a long text", "calls[0]")
    assert caught.value.got == "str"
    assert caught.value.hint == "write {'text': ..., 'language': ...}"


def test_a_pair_of_iterrows_is_refused_with_what_gives_rows():
    class Series:
        def to_dict(self) -> dict[str, str]:
            return {"text": "a long text"}

    with pytest.raises(InvalidParamsError) as caught:
        CallTemplate(chat("{text}")).fill((0, Series()), "calls[0]")
    assert caught.value.got == "tuple"
    assert caught.value.hint == 'write df.to_dict("records"), without iterrows()'
