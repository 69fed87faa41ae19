"""codec: bytes to values, strictly, then forgivingly."""

import contextlib
import json
from typing import Any, Optional, Union

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import codec
from meshapi_core.codec import decode, fit, parse
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.types._base import Answer, OpenRecord, Record
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionResponse,
    ContentPartAudio,
    ContentPartText,
    ToolCall,
    ToolCallFunction,
    UsageInfo,
)
from support.structs import differences, json_objects, json_values, places, sample, shape

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
    for path in differences(whole, read(document, kind)):
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

    def test_rows_that_are_no_objects_are_left_out_and_the_others_stay(self):
        answer = read({"choices": [None, {"index": 1, "finish_reason": "stop"}, 5]})
        assert [choice.finish_reason for choice in answer.choices] == ["stop"]

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

    @pytest.mark.parametrize("choices", [None, {}, "none", 3])
    def test_choices_that_are_no_list(self, choices):
        assert read({"id": "c", "choices": choices}, ChatCompletionChunk).choices == []


class TestBytesThatMsgspecRefuses:
    def test_a_lone_surrogate_is_replaced(self):
        body = b'{"id":"a\\ud83d","choices":[{"delta":{"content":"\\ude00"}}]}'
        chunk = decode(body, DECODERS[ChatCompletionChunk])
        assert (chunk.id, chunk.choices[0].delta.content) == ("a\ufffd", "\ufffd")

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
        assert fit([{"role": "a"}, 5], list[ChatCompletionMessage]) == [
            ChatCompletionMessage(role="a")
        ]

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
    from meshapi_core import BatchListResponse, ModelInfo

    nested = "[" * depth + "]" * depth
    for kind, body in (
        (BatchListResponse, f'{{"data": [{{"id": "b", "metadata": {{"a": {nested}}}{odd}}}]}}'),
        (list[ModelInfo], f'[{{"id": "m", "future": {nested}{odd}}}]'),
    ):
        try:
            decode(body.encode(), msgspec.json.Decoder(kind))
        except ResponseDecodeError as exc:
            assert exc.error_code == "parse_error"
