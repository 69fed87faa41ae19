"""codec: bytes to values, strictly, then forgivingly."""

import contextlib
import json
import warnings
from typing import Any, ClassVar, Optional, Union

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import codec
from meshapi_core.codec import decode, fit, parse
from meshapi_core.errors import ResponseDecodeError, ResponseWarning
from meshapi_core.params import encode_params
from meshapi_core.types._base import Answer, OpenRecord, Record
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ContentPartAudio,
    ContentPartText,
    ToolCall,
    ToolCallFunction,
    UsageInfo,
)
from support.structs import differences, json_objects, json_values, places, sample, shape

pytestmark = pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")

DECODERS: dict[Any, Any] = {
    kind: msgspec.json.Decoder(kind) for kind in (ChatCompletionResponse, ChatCompletionChunk)
}
answers = st.sampled_from(list(DECODERS))


def read(document: Any, kind: Any = ChatCompletionResponse) -> Any:
    return decode(msgspec.json.encode(document), DECODERS[kind])


def message_of(message: Any) -> Any:
    return read({"choices": [{"index": 0, "message": message}]}).choices[0].message


@given(json_values, answers)
def test_any_json_gives_an_answer_if_it_is_an_object_else_the_documented_error(document, kind):
    if isinstance(document, dict):
        assert isinstance(read(document, kind), kind)
        return
    with pytest.raises(ResponseDecodeError) as caught:
        read(document, kind)
    assert caught.value.error_code == "parse_error"
    assert "$: expected dict" in str(caught.value)


@given(st.binary(), answers)
@example(b"\xff", ChatCompletionChunk)
@example(b'{"id":"\xff"}', ChatCompletionChunk)
def test_any_bytes_give_an_answer_or_the_documented_error(body, kind):
    with contextlib.suppress(ResponseDecodeError):
        assert isinstance(decode(body, DECODERS[kind]), kind)


@given(st.data(), answers, json_values)
def test_one_odd_value_leaves_every_other_field_as_it_was(data, kind, odd):
    document = sample(shape(kind))
    whole = read(document, kind)
    place = data.draw(st.sampled_from(list(places(document, shape(kind)))))
    place.holder[place.key] = odd
    # A row that cannot be built leaves its list, and the rows behind it move up.
    # A content part of another type is another thing: it stays as it was sent.
    is_row = isinstance(place.holder, list) or (place.key == "type" and "content[" in place.path)
    reach = place.path.rpartition("[")[0] if is_row else place.path
    try:
        answer = read(document, kind)
    except ResponseDecodeError as exc:
        # Of what is essential.
        assert reach in exc.message
        return
    for path in differences(whole, answer):
        assert path.startswith(reach)


@given(st.data(), answers, json_objects)
def test_missing_null_and_unknown_fields_never_raise(data, kind, unknown):
    document = sample(shape(kind))
    whole = read(document, kind)
    place = data.draw(st.sampled_from(list(places(document, shape(kind)))))
    if isinstance(place.holder, dict) and place.key != "type":
        if data.draw(st.booleans()):
            place.holder[place.key] = None
        else:
            del place.holder[place.key]
    fresh = {f"new_{name}": value for name, value in unknown.items()}
    answer = read({**document, **fresh}, kind)
    assert all(path.startswith(place.path) for path in differences(whole, answer))


@given(json_values)
def test_parse_reads_what_the_standard_library_reads(document):
    assert parse(json.dumps(document).encode()) == document


class TestT4OneOddRowDoesNotBreakTheAnswer:
    def test_usage_without_the_three_counts(self):
        usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        assert read({"usage": usage}).usage == UsageInfo(total_tokens=7)

    def test_an_unknown_content_part_stays_a_dict(self):
        part = {"type": "hologram", "hologram": {"depth": 3}}
        message = message_of({"content": [{"type": "text", "text": "see"}, part, 5]})
        assert message.content == [ContentPartText(text="see"), part, 5]

    def test_a_known_content_part_with_odd_fields_is_still_one(self):
        sound = {"type": "input_audio", "input_audio": {"data": 5.5, "format": "flac2"}}
        message = message_of({"content": [{"type": "text", "text": None}, sound]})
        assert message.content[0] == ContentPartText(text="")
        assert isinstance(message.content[1], ContentPartAudio)
        assert message.content[1].input_audio.format == "flac2"
        assert message.content[1].input_audio.data == "5.5"

    def test_a_numeric_price_becomes_its_text(self):
        assert read({"cost": 0.25}).cost == "0.25"

    def test_a_whole_float_is_good_for_a_count(self):
        assert read({"usage": {"prompt_tokens": 12.0}}).usage.prompt_tokens == 12

    def test_a_tool_call_without_its_required_fields_has_blanks_and_keeps_its_type(self):
        calls = [{"type": "custom", "function": {"name": "f", "arguments": None}}]
        function = ToolCallFunction(name="f", arguments="")
        assert message_of({"tool_calls": calls}).tool_calls == [
            ToolCall(id="", type="custom", function=function)
        ]


class TestS13FramesOfUnexpectedShape:
    def test_a_chunk_without_id_and_created(self):
        chunk = read({"choices": [{"delta": {"content": "hi"}}]}, ChatCompletionChunk)
        assert (chunk.id, chunk.created, chunk.choices[0].delta.content) == ("", 0, "hi")

    def test_a_tool_call_delta_without_index(self):
        delta = {"tool_calls": [{"function": {"arguments": "{"}}]}
        chunk = read({"choices": [{"delta": delta}]}, ChatCompletionChunk)
        assert chunk.choices[0].delta.tool_calls[0].index is None
        assert chunk.choices[0].delta.tool_calls[0].function.arguments == "{"

    def test_a_frame_that_is_only_a_string_is_the_documented_error(self):
        with pytest.raises(ResponseDecodeError, match=r"\$: expected dict, got str"):
            read("ping", ChatCompletionChunk)

    @pytest.mark.parametrize("choices", [None, {}, "[]"])
    def test_choices_that_are_no_list_but_mean_none(self, choices):
        assert read({"id": "c", "choices": choices}, ChatCompletionChunk).choices == []


class TestBytesThatMsgspecRefuses:
    BODY = b'{"id":"a\\ud83d","choices":[{"%s":{"content":"\\ude00\\ud83db"}}]}'

    def test_a_lone_surrogate_is_replaced(self):
        answer = decode(self.BODY % b"message", DECODERS[ChatCompletionResponse])
        assert (answer.id, answer.choices[0].message.content) == ("a\ufffd", "\ufffd\ufffdb")

    def test_of_a_chunk_it_stays_where_the_next_one_may_go_on(self):
        chunk = decode(self.BODY % b"delta", DECODERS[ChatCompletionChunk])
        assert chunk.choices[0].delta.content == "\ude00\ufffdb"

    def test_a_surrogate_pair_is_one_character(self):
        assert parse(b'["\\ud83d\\ude00", "\\ud800"]') == ["\U0001f600", "\ufffd"]

    def test_surrogates_in_keys_are_replaced_too(self):
        assert parse(b'{"\\ud800": {"k": ["\\udfff"]}}') == {"\ufffd": {"k": ["\ufffd"]}}

    def test_invalid_utf8_is_replaced(self):
        assert decode(b'{"id":"\xff!"}', DECODERS[ChatCompletionChunk]).id == "\ufffd!"

    def test_a_byte_order_mark_is_passed_over(self):
        assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}

    def test_a_log_probability_of_minus_infinity_costs_nobody_the_answer(self):
        body = b'{"choices":[{"logprobs":{"p":-Infinity},"finish_reason":"stop"}]}'
        answer = decode(body, DECODERS[ChatCompletionResponse])
        assert answer.choices[0].finish_reason == "stop"
        assert answer.choices[0].logprobs == {"p": float("-inf")}

    def test_a_number_beyond_a_double_leaves_the_rest(self):
        answer = decode(b'{"id":"x","created":1e400}', DECODERS[ChatCompletionResponse])
        assert (answer.id, answer.created) == ("x", 0)

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"unknown":' + b"[" * 100_000,
            b'{"a":' * 100_000,
            b'["\\ud800",' + b"[" * 100_000,
        ],
        ids=["list", "unknown field", "objects", "after a surrogate"],
    )
    def test_deep_nesting_is_the_documented_error(self, body):
        with pytest.raises(ResponseDecodeError):
            parse(body)
        with pytest.raises(ResponseDecodeError):
            decode(body, DECODERS[ChatCompletionChunk])

    @pytest.mark.parametrize("body", [b"", b" ", b"<html>", b'{"a":1}x', b'{"a"', b"nul"])
    def test_what_is_no_json_is_the_documented_error(self, body):
        with pytest.raises(ResponseDecodeError, match="the body is not JSON"):
            parse(body)

    def test_a_message_never_holds_the_body(self):
        with pytest.raises(ResponseDecodeError) as caught:
            parse(b'{"secret": rsk_test_123}')
        assert "rsk_test" not in str(caught.value)

    def test_an_endless_integer_is_a_value_or_the_documented_error(self):
        with contextlib.suppress(ResponseDecodeError):
            assert parse(b'["\\ud800",' + b"9" * 10_000 + b"]")


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


class Odd(Answer, kw_only=True):
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


class Outer(Answer, kw_only=True, dict=True):
    rows: list[Inner] = msgspec.field(default_factory=list)
    by_name: dict[str, Inner] = msgspec.field(default_factory=dict)
    either: Union[None, str, Inner] = None


def test_parts_of_a_strict_answer_keep_what_they_were_decoded_from():
    sent = {
        "rows": [{"name": "a", "x": 1}, {"inner": {"y": 2}}],
        "by_name": {"k": {"z": 3}},
        "either": {"w": 4},
    }
    for rows in (sent["rows"], [*sent["rows"], None]):
        outer = decode(msgspec.json.encode({**sent, "rows": rows}), msgspec.json.Decoder(Outer))
        assert [row.model_extra for row in outer.rows] == [{"x": 1}, {}]
        assert outer.rows[1].inner.y == 2
        assert outer.by_name["k"].z == 3
        assert outer.either.w == 4


def test_answers_without_such_parts_are_not_parsed_twice(monkeypatch):
    monkeypatch.setattr(codec, "parse", None)
    body = b'{"choices": [{"index": 0, "message": {"content": "a"}}]}'
    assert decode(body, msgspec.json.Decoder(ChatCompletionResponse)).choices


def test_a_type_that_holds_itself_is_walked_once():
    assert codec.keeps_parts(Inner)
    assert codec.keeps_parts(list[Outer])
    assert not codec.keeps_parts(ChatCompletionResponse)
    assert not codec.keeps_parts(list[int])


@pytest.mark.parametrize("depth", [100, 500, 900, 980, 985, 990, 995, 1000, 3000, 8000, 100_000])
@pytest.mark.parametrize("odd", ["", ', "name": null'])
def test_deep_nesting_is_an_answer_or_a_parse_error(depth, odd):
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


# msgspec sees of the first that it does not fit; the repair needs several calls for each level. The
# other one is too deep for msgspec, too.
@pytest.mark.parametrize(("name", "depth"), [(5, 300), ("a", 100_000)])
def test_values_that_are_too_deep_to_be_repaired_are_a_parse_error(name, depth):
    value: Any = {"name": name}
    for _ in range(depth):
        value = {"inner": value}
    with pytest.raises(ResponseDecodeError, match="nested too deeply") as caught:
        fit(value, Inner)
    assert caught.value.error_code == "parse_error"


class Fields(Answer, kw_only=True):
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
    answer = fit({name: sent}, Fields)
    assert getattr(answer, name) == wanted
    assert type(getattr(answer, name)) is type(wanted)


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
        answer = fit({name: sent, "text": sent if name == "text" else "kept"}, Fields)
    (warning,) = caught
    assert says in str(warning.message)
    assert ".raw has what came" in str(warning.message)
    if name != "inners":
        assert getattr(answer, name) == getattr(Fields(), name)
    assert answer.text == ("" if name == "text" else "kept")


@pytest.mark.filterwarnings("error")
def test_null_and_what_is_missing_take_their_defaults_without_a_word():
    assert fit(dict.fromkeys(Fields.__struct_fields__), Fields) == fit({}, Fields) == Fields()


def test_python_says_it_once_for_many_rows_and_answers():
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


class TestUnknownFieldsOfAChat:
    SENT: ClassVar[Any] = {
        "role": "assistant",
        "content": [{"type": "text", "text": "hi", "x": 1, "cache_control": {"a": 1}},
                    {"type": "image_url", "image_url": {"url": "u", "y": 2}}],
        "reasoning": "hm",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}",
                        "z": 3}, "extra_content": {"google": {"thought_signature": "SIG"}}}],
    }  # fmt: skip

    @pytest.mark.parametrize("odd", [{}, {"refusal": 5}])
    def test_they_are_attributes_and_go_out_as_they_came(self, odd):
        message = message_of({**self.SENT, **odd})
        assert message.reasoning == "hm"
        assert message.content[0].x == 1
        assert message.content[1].image_url.y == 2
        assert message.tool_calls[0].extra_content["google"]["thought_signature"] == "SIG"
        assert message.tool_calls[0].function.z == 3
        wanted = {**self.SENT, **({"refusal": "5"} if odd else {})}
        assert message.model_dump(exclude_none=True) == wanted
        for back in (message, message.model_dump(exclude_none=True), wanted):
            body = encode_params(ChatCompletionParams, None, {"messages": [back]})
            assert json.loads(body)["messages"] == [wanted]
        again = ChatCompletionMessage.model_validate(message.model_dump())
        assert again == message

    def test_a_usual_answer_is_not_read_twice_for_them(self, monkeypatch):
        monkeypatch.setattr(codec, "parse", None)
        sent = {key: value for key, value in self.SENT.items() if key == "role"}
        assert message_of({**sent, "content": "hi"}).model_extra == {}
