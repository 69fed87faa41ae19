"""codec: bytes to values, strictly, then leniently."""

import contextlib
import json
from typing import Any, ClassVar, Optional, Union

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.codec import decoding
from meshapi_core.codec.decoding import decode
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types._base import OpenRecord, ResponseModel
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
responses = st.sampled_from(list(DECODERS))


def read(document: Any, kind: Any = ChatCompletionResponse) -> Any:
    return decode(msgspec.json.encode(document), DECODERS[kind])


def message_of(message: Any) -> Any:
    return read({"choices": [{"index": 0, "message": message}]}).choices[0].message


@given(json_values, responses)
def test_any_json_gives_a_response_if_it_is_an_object_else_the_documented_error(document, kind):
    if isinstance(document, dict):
        assert isinstance(read(document, kind), kind)
        return
    with pytest.raises(ResponseDecodeError) as caught:
        read(document, kind)
    assert caught.value.error_code == "parse_error"
    assert "$: expected dict" in str(caught.value)


@given(st.binary(), responses)
@example(b"\xff", ChatCompletionChunk)
@example(b'{"id":"\xff"}', ChatCompletionChunk)
def test_any_bytes_give_a_response_or_the_documented_error(body, kind):
    with contextlib.suppress(ResponseDecodeError):
        assert isinstance(decode(body, DECODERS[kind]), kind)


@given(st.data(), responses, json_values)
def test_one_odd_value_leaves_every_other_field_as_it_was(data, kind, odd):
    document = sample(shape(kind))
    whole = read(document, kind)
    place = data.draw(st.sampled_from(list(places(document, shape(kind)))))
    place.holder[place.key] = odd
    # A row that cannot be built is dropped from its list, and the following rows move up.
    # A content part with another type is another kind of part, and stays as it was sent.
    is_row = isinstance(place.holder, list) or (place.key == "type" and "content[" in place.path)
    reach = place.path.rpartition("[")[0] if is_row else place.path
    try:
        response = read(document, kind)
    except ResponseDecodeError as exc:
        # About something essential.
        assert reach in exc.message
        return
    for path in differences(whole, response):
        assert path.startswith(reach)


@given(st.data(), responses, json_objects)
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
    response = read({**document, **fresh}, kind)
    assert all(path.startswith(place.path) for path in differences(whole, response))


class TestT4OneOddRowDoesNotBreakTheResponse:
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


class Inner(OpenRecord, kw_only=True, dict=True):
    name: str = ""
    inner: "Optional[Inner]" = None


class Outer(ResponseModel, kw_only=True, dict=True):
    rows: list[Inner] = msgspec.field(default_factory=list)
    by_name: dict[str, Inner] = msgspec.field(default_factory=dict)
    either: Union[None, str, Inner] = None


def test_parts_of_a_strict_response_keep_what_they_were_decoded_from():
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


def test_responses_without_such_parts_are_not_parsed_twice(monkeypatch):
    monkeypatch.setattr(decoding, "parse", None)
    body = b'{"choices": [{"index": 0, "message": {"content": "a"}}]}'
    assert decode(body, msgspec.json.Decoder(ChatCompletionResponse)).choices


def test_a_type_that_holds_itself_is_walked_once():
    assert decoding.keeps_parts(Inner)
    assert decoding.keeps_parts(list[Outer])
    assert not decoding.keeps_parts(ChatCompletionResponse)
    assert not decoding.keeps_parts(list[int])


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

    def test_a_usual_response_is_not_read_twice_for_them(self, monkeypatch):
        monkeypatch.setattr(decoding, "parse", None)
        sent = {key: value for key, value in self.SENT.items() if key == "role"}
        assert message_of({**sent, "content": "hi"}).model_extra == {}
