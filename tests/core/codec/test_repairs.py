"""repairs: values of another kind than declared, converted or reported."""

import sys
import warnings
from typing import Any, Optional, Union

import msgspec
import pytest

from meshapi_core.codec.decoding import decode, fit
from meshapi_core.errors import ResponseDecodeError, ResponseWarning
from meshapi_core.types._base import OpenRecord, Record, ResponseModel
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionResponse,
    ContentPartText,
    UsageInfo,
)

pytestmark = pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")


DECODERS: dict[Any, Any] = {
    kind: msgspec.json.Decoder(kind) for kind in (ChatCompletionResponse, ChatCompletionChunk)
}


def read(document: Any, kind: Any = ChatCompletionResponse) -> Any:
    return decode(msgspec.json.encode(document), DECODERS[kind])


def message_of(message: Any) -> Any:
    return read({"choices": [{"index": 0, "message": message}]}).choices[0].message


class Tagged(Record, kw_only=True, tag_field="kind", tag="one"):
    size: int


class OtherTagged(Record, kw_only=True, tag_field="kind", tag="two"):
    name: str


class Row(Record, kw_only=True):
    ok: bool
    ratio: float
    item: Union[Tagged, OtherTagged]
    names: list[str]
    extra: dict[str, int]
    either: Union[int, str]
    maybe: Optional[int]


class Odd(ResponseModel, kw_only=True):
    rows: list[Row] = msgspec.field(default_factory=list)
    vector: Optional[list[float]] = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class Strict(Record, kw_only=True):
    number: int

    def __post_init__(self) -> None:
        if self.number == 13:
            raise ValueError("no thirteen")


class TestLeniency:
    def test_required_fields_take_the_blank_of_their_kind(self):
        (row,) = fit({"rows": [{}]}, Odd).rows
        assert row == Row(
            ok=False,
            ratio=0.0,
            item=Tagged(size=0),
            names=[],
            extra={},
            either=0,
            maybe=None,
        )

    def test_tags_choose_the_member_of_a_union(self):
        rows = fit({"rows": [{"item": {"kind": "two", "name": 7}}]}, Odd).rows
        assert rows[0].item == OtherTagged(name="7")

    def test_a_list_of_numbers_is_whole_or_not_at_all(self):
        assert fit({"vector": [1.0, None, 2.0]}, Odd).vector is None
        assert fit({"vector": [1, 2.5], "rows": 1}, Odd).vector == [1.0, 2.5]

    def test_a_dict_loses_only_the_odd_member(self):
        assert fit({"counts": {"a": 1, "b": "x"}}, Odd).counts == {"a": 1}

    def test_a_number_too_large_for_a_float_is_no_float(self):
        assert fit({"rows": [{"ratio": 10**400}]}, Odd).rows[0].ratio == 0.0

    def test_nothing_is_coerced_where_a_member_of_the_union_fits(self):
        assert fit({"rows": [{"either": 5}]}, Odd).rows[0].either == 5
        assert fit({"rows": [{"either": "5"}]}, Odd).rows[0].either == "5"

    def test_what_a_type_refuses_by_its_own_rule_is_left_out(self):
        assert fit([{"number": 13}, {"number": 7}], list[Strict]) == [Strict(number=7)]

    def test_a_list_at_the_top_keeps_its_good_rows(self):
        assert fit([{"total_tokens": 1}, 5], list[UsageInfo]) == [UsageInfo(total_tokens=1)]

    def test_the_wrong_kind_at_the_top_names_both_kinds(self):
        with pytest.raises(ResponseDecodeError, match=r"expected list, got dict"):
            fit({}, list[ChatCompletionMessage])


class Inner(OpenRecord, kw_only=True, dict=True):
    name: str = ""
    inner: "Optional[Inner]" = None


@pytest.mark.parametrize("depth", [100, 500, 900, 980, 985, 990, 995, 1000, 3000, 8000, 100_000])
@pytest.mark.parametrize("odd", ["", ', "name": null'])
def test_deep_nesting_is_a_response_or_a_parse_error(depth, odd):
    from meshapi_core.types import BatchListResponse, ModelInfo

    nested = "[" * depth + "]" * depth
    for kind, body in (
        (BatchListResponse, f'{{"data": [{{"id": "b", "metadata": {{"a": {nested}}}{odd}}}]}}'),
        (list[ModelInfo], f'[{{"id": "m", "future": {nested}{odd}}}]'),
    ):
        try:
            decode(body.encode(), msgspec.json.Decoder(kind))
        except ResponseDecodeError as exc:
            assert exc.error_code == "parse_error"


# msgspec finds that the first does not fit, and the repair takes several calls for each level. The
# second is too deep even for msgspec.
@pytest.mark.parametrize(("name", "depth"), [(5, 0.3), ("a", 100)])
def test_values_that_are_too_deep_to_be_repaired_are_a_parse_error(name, depth):
    value: Any = {"name": name}
    # Some libraries raise the limit when they are imported.
    for _ in range(int(depth * sys.getrecursionlimit())):
        value = {"inner": value}
    with pytest.raises(ResponseDecodeError, match="nested too deeply") as caught:
        fit(value, Inner)
    assert caught.value.error_code == "parse_error"


class Fields(ResponseModel, kw_only=True):
    text: str = ""
    count: Optional[int] = None
    created: int = 0
    expires_at: Optional[int] = None
    ratio: float = 0.5
    yes: Optional[bool] = None
    words: list[str] = msgspec.field(default_factory=list)
    numbers: list[float] = msgspec.field(default_factory=list)
    free: dict[str, Any] = msgspec.field(default_factory=dict)
    inner: Optional[Inner] = None
    inners: list[Inner] = msgspec.field(default_factory=list)
    frees: list[dict[str, Any]] = msgspec.field(default_factory=list)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "sent", "wanted"),
    [
        ("text", {"a": [1, None, "ä"]}, '{"a":[1,null,"ä"]}'),
        ("text", [1], "[1]"),
        ("text", True, "true"),
        ("text", 12, "12"),
        ("text", 0.5, "0.5"),
        ("count", "12", 12),
        ("count", " -7 ", -7),
        ("count", "12.0", 12),
        ("count", 12.0, 12),
        ("count", "1e3", 1000),
        ("count", [12], 12),
        ("created", 1700000000.75, 1700000000),
        ("created", "1700000000.75", 1700000000),
        ("created", "2024-01-01T00:00:00Z", 1704067200),
        ("expires_at", "2024-01-01T01:00:00.5+01:00", 1704067200),
        ("ratio", "0.25", 0.25),
        ("ratio", 1, 1.0),
        ("yes", "true", True),
        ("yes", "False", False),
        ("yes", 1, True),
        ("yes", 0, False),
        ("yes", "0", False),
        ("words", "one", ["one"]),
        ("words", '["a", "b"]', ["a", "b"]),
        ("words", [1, True], ["1", "true"]),
        ("words", {}, []),
        ("numbers", ["1", 2], [1.0, 2.0]),
        ("numbers", [[1, 2]], [1.0, 2.0]),
        ("numbers", "[1, 2]", [1.0, 2.0]),
        ("free", '{"a": 1}', {"a": 1}),
        ("free", [{"a": 1}], {"a": 1}),
        ("free", [], {}),
        ("inner", [{"name": "a"}], Inner(name="a")),
        ("inner", '{"name": "a"}', Inner(name="a")),
        ("inner", [], None),
        ("inners", {"name": "a"}, [Inner(name="a")]),
        ("inners", {}, []),
        ("frees", {"a": 1}, [{"a": 1}]),
    ],
)
def test_what_loses_nothing_is_converted_without_a_word(name, sent, wanted):
    response = fit({name: sent}, Fields)
    assert getattr(response, name) == wanted
    assert type(getattr(response, name)) is type(wanted)


@pytest.mark.parametrize(
    ("name", "sent", "says"),
    [
        ("text", float("inf"), "text: expected str, got float"),
        ("count", 12.5, "count: expected int, got float"),
        ("count", "12.5", "count: expected int, got str"),
        ("count", "007", "count: expected int, got str"),
        ("count", "", "count: expected int, got str"),
        ("count", "null", "count: expected int, got str"),
        ("count", '"12"', "count: expected int, got str"),
        ("count", True, "count: expected int, got bool"),
        ("count", [1, 2], "count: expected int, got list"),
        ("count", [[1]], "count: expected int, got list"),
        ("count", "9" * 5000, "count: expected int, got str"),
        ("created", "yesterday", "created: expected int, got str"),
        ("created", "2024-01-01T00:00:00", "created: expected int, got str"),
        ("ratio", "half", "ratio: expected float, got str"),
        ("ratio", "NaN", "ratio: expected float, got str"),
        ("ratio", 10**400, "ratio: expected float, got int"),
        ("yes", 2, "yes: expected bool, got int"),
        ("yes", "yes", "yes: expected bool, got str"),
        ("words", ["a", None], r"words[]: expected str, got None"),
        ("words", {"a": 1}, "words: expected list, got dict"),
        ("numbers", [1, None], "numbers[]: expected float, got None"),
        ("numbers", [[1], [2]], "numbers[]: expected float, got list"),
        ("numbers", 5, "numbers: expected list, got int"),
        ("free", [1], "free: expected dict, got list"),
        ("free", "text", "free: expected dict, got str"),
        ("inner", "text", "inner: expected dict, got str"),
        ("inner", 5, "inner: expected dict, got int"),
        ("inners", {"other": 1}, "inners: expected list, got dict"),
        ("inners", [None], "inners[]: expected dict, got None"),
        ("inners", [{"name": float("inf")}], "inners[].name: expected str, got float"),
    ],
)
def test_what_would_be_lost_is_reported(name, sent, says):
    with pytest.warns(ResponseWarning) as caught:
        response = fit({name: sent, "text": sent if name == "text" else "kept"}, Fields)
    (warning,) = caught
    assert says in str(warning.message)
    assert ".raw has the original" in str(warning.message)
    if name != "inners":
        assert getattr(response, name) == getattr(Fields(), name)
    assert response.text == ("" if name == "text" else "kept")


@pytest.mark.filterwarnings("error")
def test_null_and_what_is_missing_take_their_defaults_without_a_word():
    assert fit(dict.fromkeys(Fields.__struct_fields__), Fields) == fit({}, Fields) == Fields()


def test_python_warns_once_for_many_rows_and_responses():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            fit({"inners": [1, 2, 3], "count": 0.5}, Fields)
    assert len(caught) == 2


class TestWhatIsEssentialInAChat:
    def test_a_lost_choice_message_or_call_is_an_error(self):
        for document, where in (
            ({"choices": "none"}, r"choices: expected list, got str"),
            ({"choices": [5]}, r"choices\[0\]: expected dict, got int"),
            ({"choices": [{"index": 0}, None]}, r"choices\[1\]: expected dict, got None"),
            ({"choices": [{"message": {"tool_calls": [5]}}]}, r"\.tool_calls\[0\]: expected dict"),
            (
                {"choices": [{"message": {"tool_calls": [{"function": 5}]}}]},
                r"\.function: expected",
            ),
        ):
            with pytest.raises(ResponseDecodeError, match=where):
                read(document)

    @pytest.mark.filterwarnings("error")
    def test_a_message_that_is_written_otherwise_is_that_message(self):
        assert read({"choices": [{"message": "hi"}]}).choices[0].message.content == "hi"
        assert read({"choices": {"message": {"content": "hi"}}}).choices[0].message.content == "hi"
        assert message_of({"content": {"a": 1}}).content == '{"a":1}'
        assert message_of({"content": {"type": "text", "text": "hi"}}).content == [
            ContentPartText(text="hi")
        ]
        call = {"id": "c", "function": {"name": "f", "arguments": {"type": "text", "text": "x"}}}
        assert message_of({"tool_calls": [call]}).tool_calls[0].function.arguments == (
            '{"type":"text","text":"x"}'
        )

    def delta(self, delta: Any) -> Any:
        return read({"choices": [{"delta": delta}]}, ChatCompletionChunk).choices[0].delta

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize(
        ("content", "text", "thoughts"),
        [
            ([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}], "Hello", None),
            ({"type": "text", "text": "Hello"}, "Hello", None),
            (["Hel", "lo"], "Hello", None),
            ([{"text": "Hello"}], "Hello", None),
            ([{"type": "output_text", "text": {"value": "Hello"}}], "Hello", None),
            (
                [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
                None,
                "hm",
            ),
            (
                [{"type": "reasoning", "text": "h"}, {"type": "thinking", "thinking": "m"}, "so"],
                "so",
                "hm",
            ),
            ([], None, None),
            ({}, None, None),
            (5, "5", None),
        ],
    )
    def test_parts_of_a_delta_are_its_text_and_its_thoughts(self, content, text, thoughts):
        delta = self.delta({"content": content})
        assert (delta.content, delta.reasoning_content) == (text, thoughts)

    def test_a_part_that_has_no_place_in_a_text_is_reported(self):
        content = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {}}]
        with pytest.warns(ResponseWarning, match="delta.content: expected text, got a part of"):
            assert self.delta({"content": content}).content == "see"
