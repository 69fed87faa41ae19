"""types.chat: requests, responses, and messages that are sent back."""

import copy
import json
import pickle
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshapi_core.types
from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types import chat
from meshapi_core.types._base import Record, ResponseModel, attach
from meshapi_core.types.chat import (
    AudioOutputOptions,
    ChatCompletionChunk,
    ChatCompletionChunkDelta,
    ChatCompletionFields,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    ContentPartAudio,
    ContentPartFile,
    ContentPartImage,
    ContentPartText,
    ContentPartVideo,
    ImageDetail,
    ImageOptions,
    InputAudio,
    InputFile,
    ProviderPreferences,
    Tool,
    ToolCall,
    ToolCallFunction,
    ToolChoiceFunction,
    ToolChoiceObject,
    ToolFunction,
    UsageInfo,
    VideoUrl,
)
from support.metas import meta_with
from support.structs import forms, json_objects, json_values, sample, shape, texts

STRUCTS: list[Any] = [
    kind
    for kind in vars(chat).values()
    if isinstance(kind, type) and issubclass(kind, Record) and kind.__name__ in chat.__all__
]
RESPONSES = [kind for kind in STRUCTS if issubclass(kind, ResponseModel)]
structs = st.sampled_from(STRUCTS).flatmap(
    lambda kind: forms(shape(kind)).map(lambda fields: msgspec.convert(fields, kind))
)
RESPONSE = msgspec.json.Decoder(ChatCompletionResponse)
CHUNK = msgspec.json.Decoder(ChatCompletionChunk)


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(ChatCompletionParams, None, fields, {}))


def sent_message(message: Any) -> Any:
    return sent(messages=[message])["messages"][0]


def response_with(message: Any) -> Any:
    body = msgspec.json.encode({"choices": [{"index": 0, "message": message}]})
    return decode(body, RESPONSE).choices[0].message


@given(structs)
def test_every_struct_survives_its_own_json(value):
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


@given(structs)
def test_every_struct_can_be_pickled_and_copied(value):
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value


@pytest.mark.parametrize("kind", STRUCTS)
def test_every_field_goes_out_under_its_own_name(kind):
    whole = sample(shape(kind))
    assert msgspec.to_builtins(msgspec.convert(whole, kind)) == whole


@pytest.mark.parametrize("kind", STRUCTS)
def test_every_struct_takes_keywords_alone(kind):
    whole = sample(shape(kind))
    assert kind(**whole).__struct_fields__ == tuple(whole)
    with pytest.raises(TypeError):
        kind("positional")


@pytest.mark.parametrize("kind", [k for k in STRUCTS if issubclass(k, ResponseModel)])
def test_a_response_needs_nothing(kind):
    assert kind().choices == []
    assert kind().choices is not kind().choices


def test_the_package_exports_everything_in_the_module():
    assert set(chat.__all__) <= set(dir(meshapi_core.types))
    assert all(getattr(meshapi_core.types, name) is getattr(chat, name) for name in chat.__all__)
    assert {kind.__name__ for kind in STRUCTS} <= set(chat.__all__)


def test_keywords_are_the_fields_of_the_params_but_for_stream():
    names = set(ChatCompletionParams.__struct_fields__) - {"stream"}
    assert set(ChatCompletionFields.__annotations__) == names


class TestTheWireIsThatOfTheOfficialSdk:
    """None is left out; defaults other than None are sent."""

    def test_a_plain_request(self):
        message = ChatMessage(role="user", content="What is 2+2?")
        params = ChatCompletionParams(model="openai/gpt-4o-mini", messages=[message])
        assert encode_params(ChatCompletionParams, params, {}, {"stream": False}) == (
            b'{"messages":[{"role":"user","content":"What is 2+2?"}],'
            b'"model":"openai/gpt-4o-mini","stream":false}'
        )

    def test_defaults_of_audio_and_image_are_sent(self):
        body = sent(messages=[], audio=AudioOutputOptions(), image=ImageOptions())
        assert body["audio"] == {"voice": "alloy", "format": "wav"}
        assert body["image"] == {
            "n": 1,
            "size": "1024x1024",
            "quality": "high",
            "response_format": "url",
        }

    def test_a_default_that_the_caller_repeats_is_sent_too(self):
        body = sent(messages=[], audio=AudioOutputOptions(voice="alloy"), image=ImageOptions(n=1))
        assert body["audio"]["voice"] == "alloy"
        assert body["image"]["n"] == 1

    def test_none_is_kept_inside_free_dicts_only(self):
        function = ToolFunction(name="f", parameters={"default": None})
        body = sent(
            messages=[ChatMessage(role="user", content="hi", name=None)],
            tools=[Tool(type="function", function=function)],
            response_format={"strict": None},
            user=None,
        )
        assert body == {
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"default": None}}}
            ],
            "response_format": {"strict": None},
        }

    def test_empty_is_not_none(self):
        fields = {"messages": [], "tools": [], "stop": [], "user": "", "variables": {}, "seed": 0}
        assert sent(**fields, cache=False) == {**fields, "cache": False}

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"tools": [5]}, "tools[0]: expected a tool, got int"),
            ({"tools": [{"type": 5}]}, "tools[0].type: expected str, got int"),
            ({"tools": [{"type": "function"}]}, "tools[0].function: expected ToolFunction, got"),
            ({"tools": [{"function": {"name": 5}}]}, "tools[0].function.name: expected str, got"),
            ({"tool_choice": 5}, "tool_choice: expected str or ToolChoiceObject, got int"),
            ({"tool_choice": {"function": {}}}, "tool_choice.function.name: expected str, got no"),
            (
                {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
                "messages[0].tool_calls[0].function: expected ToolCallFunction, got nothing",
            ),
        ],
    )
    def test_a_part_of_a_known_type_that_is_built_wrong_is_refused_by_name(self, fields, message):
        with pytest.raises(InvalidParamsError) as caught:
            sent(**{"messages": [], **fields})
        assert str(caught.value).startswith(message)

    def test_tools_that_are_given_as_dicts_become_objects_and_their_list_stays(self):
        tools: Any = [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}]
        params = ChatCompletionParams(
            messages=[], tools=tools, tool_choice=cast("Any", {"function": {"name": "f"}})
        )
        assert params.tools == [Tool(function=ToolFunction(name="f")), {"type": "custom"}]
        assert params.tool_choice == ToolChoiceObject(function=ToolChoiceFunction(name="f"))
        assert tools[0] == {"type": "function", "function": {"name": "f"}}

    def test_tool_choice_in_both_forms(self):
        choice = ToolChoiceObject(type="function", function=ToolChoiceFunction(name="f"))
        wire = {"type": "function", "function": {"name": "f"}}
        assert sent(messages=[], tool_choice="required")["tool_choice"] == "required"
        assert sent(messages=[], tool_choice=choice)["tool_choice"] == wire
        assert sent(messages=[], tool_choice=wire)["tool_choice"] == wire

    @pytest.mark.parametrize(
        ("part", "wire"),
        [
            (ContentPartText(type="text", text="hi"), {"type": "text", "text": "hi"}),
            (ContentPartText(text="hi"), {"type": "text", "text": "hi"}),
            (
                ContentPartImage(
                    type="image_url", image_url=ImageDetail(url="https://x/y.png", detail="low")
                ),
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            ),
            (
                ContentPartAudio(
                    type="input_audio", input_audio=InputAudio(data="AAAA", format="wav")
                ),
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            ),
            (
                ContentPartVideo(video_url=VideoUrl(url="https://x/y.mp4"), fps="2"),
                {"type": "video_url", "video_url": {"url": "https://x/y.mp4"}, "fps": "2"},
            ),
            (
                ContentPartFile(file=InputFile(file_id="file_1")),
                {"type": "file", "file": {"file_id": "file_1"}},
            ),
        ],
    )
    def test_each_content_part(self, part, wire):
        assert sent_message(ChatMessage(role="user", content=[part]))["content"] == [wire]
        assert ChatMessage(role="user", content=[wire]).content == [part]
        assert sent_message({"role": "user", "content": [wire]})["content"] == [wire]


class TestNothingIsDroppedFromARequest:
    def test_cache_control_on_every_part(self):
        mark = {"type": "ephemeral", "ttl": "1h"}
        parts = [
            ContentPartText(text="t", cache_control=mark),
            ContentPartImage(image_url=ImageDetail(url="u"), cache_control=mark),
            ContentPartAudio(input_audio=InputAudio(format="mp3"), cache_control=mark),
            ContentPartVideo(video_url=VideoUrl(url="u"), cache_control=mark),
            ContentPartFile(file=InputFile(filename="f"), cache_control=mark),
        ]
        content = sent_message(ChatMessage(role="user", content=parts))["content"]
        assert [part["cache_control"] for part in content] == [mark] * 5

    def test_strict_on_a_tool_function(self):
        tool = Tool(function=ToolFunction(name="f", strict=True))
        function = {"name": "f", "strict": True}
        assert sent(messages=[], tools=[tool])["tools"][0]["function"] == function

    @given(json_objects)
    def test_names_that_no_type_knows_reach_the_wire_from_dicts(self, unknown):
        unknown = {f"new_{name}": value for name, value in unknown.items()}
        part = {"type": "text", "text": "t", **unknown}
        tool = {"type": "function", "function": {"name": "f", **unknown}, **unknown}
        message = {"role": "user", "content": [part], **unknown}
        assert sent(messages=[message], tools=[tool]) == {"messages": [message], "tools": [tool]}
        assert sent_message(ChatMessage(role="user", content=[part]))["content"] == [part]

    @given(json_objects)
    def test_an_unknown_part_is_sent_as_given(self, fields):
        part = {**fields, "type": "hologram"}
        assert sent_message(ChatMessage(role="user", content=[part]))["content"] == [part]
        assert sent_message({"role": "user", "content": [part]})["content"] == [part]

    def test_an_unknown_name_deep_in_a_known_part_keeps_the_dict(self):
        part = {"type": "image_url", "image_url": {"url": "u", "new": 1}}
        assert sent_message(ChatMessage(role="user", content=[part]))["content"] == [part]


class TestTheRolesAndPartsOfToday:
    def test_developer_and_file(self):
        message = ChatMessage(
            role="developer", content=[ContentPartFile(file=InputFile(file_data="data:,x"))]
        )
        assert sent_message(message) == {
            "role": "developer",
            "content": [{"type": "file", "file": {"file_data": "data:,x"}}],
        }

    def test_the_fields_that_the_documentation_names_now(self):
        fields: dict[str, Any] = {
            "max_completion_tokens": 9,
            "n": 2,
            "logprobs": True,
            "top_logprobs": 3,
            "logit_bias": {"50256": -100},
            "stream_options": {"include_usage": True},
            "parallel_tool_calls": False,
            "metadata": {"team": "blue"},
            "provider": {"order": ["a"], "new": 1},
            "service_tier": "flex",
            "reasoning": {"effort": "high", "exclude": True},
            "weight_profile": "balanced",
            "modalities": ["text", "image"],
        }
        assert sent(messages=[], **fields) == {"messages": [], **fields}

    def test_provider_preferences_as_a_struct(self):
        preferences = ProviderPreferences(order=["a"], data_collection="deny")
        assert sent(messages=[], provider=preferences)["provider"] == {
            "order": ["a"],
            "data_collection": "deny",
        }


class TestContentPartsWhenAMessageIsMade:
    @pytest.mark.parametrize(
        ("part", "message"),
        [
            (
                5,
                (
                    'content[1]: expected a content part, got int; write {"type": "text", '
                    '"text": "..."}'
                ),
            ),
            (
                "hi",
                (
                    'content[1]: expected a content part, got str; write {"type": "text", '
                    '"text": "..."}'
                ),
            ),
            (
                None,
                (
                    'content[1]: expected a content part, got None; write {"type": "text", '
                    '"text": "..."}'
                ),
            ),
            ({"text": "hi"}, 'content[1].type: expected str, got nothing; add "type": "text"'),
            ({"type": 5}, "content[1].type: expected str, got int"),
            (
                {"type": "text"},
                'content[1].text: expected str, got nothing; write {"type": "text", "text": "..."}',
            ),
            (
                {"type": "input_audio", "input_audio": {"format": 5}},
                "content[1].input_audio.format: expected str, got int; write str(x)",
            ),
        ],
    )
    def test_anything_but_a_part_is_refused(self, part, message):
        content = [{"type": "text", "text": "a"}, part]
        with pytest.raises(InvalidParamsError) as caught:
            ChatMessage(role="user", content=content)
        assert str(caught.value) == message
        with pytest.raises(InvalidParamsError) as caught:
            sent(messages=[{"role": "user", "content": content}])
        assert str(caught.value) == f"messages[0].{message}"

    @pytest.mark.parametrize("value", [object(), b"x", float("nan"), {1}], ids=type)
    def test_what_json_cannot_hold_is_refused_when_it_is_sent(self, value):
        part = {"type": "text", "text": "a", "cache_control": {"ttl": value}}
        message = ChatMessage(role="user", content=[part])
        with pytest.raises(InvalidParamsError) as caught:
            sent_message(message)
        assert caught.value.field == "messages[0].content[0].cache_control.ttl"

    def test_the_callers_list_is_not_changed(self):
        content: list[Any] = [{"type": "text", "text": "a"}]
        ChatMessage(role="user", content=content)
        assert content == [{"type": "text", "text": "a"}]


class TestNothingIsDroppedFromAResponse:
    def test_the_fields_that_the_official_types_do_not_name(self):
        message = {
            "role": "assistant",
            "content": "4",
            "reasoning_content": "2+2",
            "reasoning_details": [{"signature": "s"}],
            "refusal": "no",
            "annotations": [{"type": "url_citation"}],
        }
        routing = {
            "x_resolved_model_id": "openai/gpt-4o",
            "x_auto_routed": True,
            "x_auto_routed_fallback": False,
            "x_auto_routed_fallback_reason": "none",
            "x_classifier_usage": [{"total_tokens": 3}],
            "cost": "0.0000021",
            "system_fingerprint": "fp",
        }
        response = decode(
            msgspec.json.encode({"id": "a", "choices": [{"message": message}], **routing}), RESPONSE
        )
        assert msgspec.to_builtins(response.choices[0].message) == message
        assert {name: getattr(response, name) for name in routing} == routing
        delta = {"reasoning_content": "2+", "refusal": "n", "content": "4"}
        choice = {"delta": delta, "logprobs": {"content": []}}
        chunk = decode(msgspec.json.encode({"choices": [choice], **routing}), CHUNK)
        assert msgspec.to_builtins(chunk.choices[0].delta) == delta
        assert chunk.choices[0].logprobs == {"content": []}
        assert {name: getattr(chunk, name) for name in routing} == routing

    @given(json_objects, texts)
    def test_raw_has_everything(self, unknown, request_id):
        document = {**unknown, "choices": [{"message": {"content": "hi", "new": unknown}}]}
        body = msgspec.json.encode(document)
        meta = meta_with(request_id)
        response = attach(decode(body, RESPONSE), body, meta)
        assert response.raw == document
        assert response.raw is response.raw
        assert response._request_id == meta.request_id

    def test_unknown_enum_values_are_kept(self):
        body = b'{"choices":[{"message":{"role":"oracle"},"finish_reason":"bored"}]}'
        choice = decode(body, RESPONSE).choices[0]
        assert (choice.message.role, choice.finish_reason) == ("oracle", "bored")


@pytest.mark.parametrize("kind", RESPONSES)
class TestWhatIsAttached:
    BODY = b'{"id":"a","new":[1]}'

    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
        ids=["copy", "deepcopy", "pickle"],
    )
    @pytest.mark.parametrize("parsed", [False, True])
    def test_survives_copies(self, kind, copied, parsed):
        response = attach(
            kind(id="a", usage=UsageInfo(total_tokens=3)), self.BODY, meta_with("req_1")
        )
        if parsed:
            assert response.raw
        again = copied(response)
        assert again == response
        assert type(again) is kind
        assert again.raw == {"id": "a", "new": [1]}
        assert again._request_id == "req_1"

    def test_takes_no_part_in_equality_json_or_repr(self, kind):
        response = attach(kind(id="a"), self.BODY, meta_with("req_1"))
        assert response == kind(id="a")
        assert msgspec.json.encode(response) == b'{"id":"a"}'
        assert repr(response) == f"{kind.__name__}(id='a')"

    def test_is_none_for_a_response_that_no_server_sent(self, kind):
        assert kind().raw is None
        assert kind()._request_id == ""

    def test_a_null_body_is_not_taken_for_a_missing_one(self, kind):
        assert attach(kind(), b"null", meta_with("")).raw is None


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, "text", UsageInfo()])
def test_nothing_is_attached_to_anything_but_a_response(value):
    assert attach(value, b"{}", meta_with("req_1")) is value


@pytest.mark.parametrize("choice", [{}, {"message": None}, {"delta": None}])
def test_a_choice_without_a_message_has_a_blank_one(choice):
    body = msgspec.json.encode({"choices": [choice]})
    message = decode(body, RESPONSE).choices[0].message
    assert (message, message.content) == (ChatCompletionMessage(), None)
    delta = decode(body, CHUNK).choices[0].delta
    assert (delta, delta.content) == (ChatCompletionChunkDelta(), None)


def test_an_absent_message_is_an_empty_one_in_dumps_and_absent_in_raw():
    body = {"choices": [{"message": None}, {}]}
    data = msgspec.json.encode(body)
    response = attach(decode(data, RESPONSE), data, meta_with("req_1"))
    for choice in response.model_dump(exclude_none=True)["choices"]:
        assert choice["message"] == {"role": "assistant"}
    assert response.raw == body


said = st.one_of(
    texts.map(lambda text: ({"type": "text", "text": text}, text)),
    texts.map(lambda text: ({"type": "text", "text": text, "x_new": 1}, text)),
    texts.map(lambda text: ({"type": "output_text", "text": text, "annotations": []}, text)),
    texts.map(lambda text: ({"type": "hologram", "text": text}, "")),
    texts.map(lambda text: ({"type": "thinking", "thinking": text}, "")),
    st.just(({"type": "image_url", "image_url": {"url": "https://x"}}, "")),
)


class TestText:
    @given(st.lists(said, max_size=4))
    def test_a_messages_text_is_that_of_its_text_parts(self, parts):
        message = response_with({"content": [part for part, _ in parts]})
        assert message.text == "".join(text for _, text in parts)

    @given(texts)
    def test_a_messages_text_is_its_content(self, text):
        assert response_with({"content": text}).text == text

    @pytest.mark.parametrize(
        "message", [None, {}, {"content": None}, {"content": []}, {"tool_calls": []}]
    )
    def test_it_is_empty_if_there_is_none(self, message):
        assert response_with(message).text == ""

    @given(json_values)
    def test_it_is_a_str_whatever_the_content(self, content):
        assert type(ChatCompletionMessage(content=content).text) is str
        assert type(ChatCompletionMessage(content=[content]).text) is str

    @given(st.none() | texts)
    def test_a_deltas_text_is_its_content_or_empty(self, content):
        assert ChatCompletionChunkDelta(content=content).text == (content or "")

    @pytest.mark.parametrize(
        "value",
        [ChatCompletionMessage(content="hi"), ChatCompletionChunkDelta(content="hi")],
        ids=lambda value: type(value).__name__,
    )
    def test_it_is_not_a_field(self, value):
        assert "text" not in value.model_dump()
        assert "text" not in msgspec.to_builtins(value)
        assert "text" not in repr(value)
        with pytest.raises(AttributeError):
            value.text = "bye"
        assert (value.text, value.model_extra) == ("hi", {})

    @given(st.lists(st.tuples(st.sampled_from([0, 1, None]), texts | st.none()), max_size=3))
    def test_a_chunks_text_is_that_of_the_first_choice(self, pieces):
        choices = [{"index": index, "delta": {"content": text}} for index, text in pieces]
        body = msgspec.json.encode({"choices": choices})
        firsts = [text or "" for index, text in pieces if not index]
        assert decode(body, CHUNK).text == "".join(firsts)

    def test_it_is_not_a_field_of_a_chunk(self):
        chunk = ChatCompletionChunk.model_validate({"choices": [{"delta": {"content": "hi"}}]})
        assert chunk.text == "hi"
        assert "text" not in chunk.model_dump()
        assert "text" not in repr(chunk)

    def test_a_field_of_that_name_is_unchanged(self):
        message = response_with({"content": "hi", "text": "bye"})
        assert (message.text, message.model_extra) == ("hi", {"text": "bye"})
        assert sent_message(message) == {"role": "assistant", "content": "hi", "text": "bye"}


class TestAMessageGoesBackAsItCame:
    def test_it_is_a_chat_message(self):
        assert isinstance(response_with({"content": "hi"}), ChatMessage)

    @given(forms(shape(ChatCompletionMessage)))
    def test_into_messages(self, fields):
        fields["role"] = "assistant"
        message = response_with(fields)
        expected = {name: value for name, value in fields.items() if value is not None}
        if isinstance(fields.get("content"), list):
            expected["content"] = msgspec.to_builtins(message.content)
        if fields.get("tool_calls"):
            expected["tool_calls"] = msgspec.to_builtins(message.tool_calls)
        assert sent_message(message) == expected

    def test_beside_others_in_one_conversation(self):
        call = ToolCall(
            id="call_1",
            type="function",
            function=ToolCallFunction(name="f", arguments="{}"),
            thought_signature="sig",
        )
        message = response_with(msgspec.to_builtins(ChatCompletionMessage(tool_calls=[call])))
        params = ChatCompletionParams(
            messages=[
                ChatMessage(role="user", content="go"),
                message,
                ChatMessage(role="tool", tool_call_id="call_1", content="done"),
            ]
        )
        assert json.loads(encode_params(ChatCompletionParams, params, {}, {}))["messages"] == [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                        "thought_signature": "sig",
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        ]

    @pytest.mark.parametrize("kind", ["custom", ""])
    def test_with_a_tool_call_of_another_type(self, kind):
        calls = [{"id": "1", "type": kind, "function": {"name": "f", "arguments": ""}}]
        message = response_with({"role": "assistant", "tool_calls": calls})
        assert sent_message(message)["tool_calls"] == calls

    def test_without_a_role_it_is_the_assistants(self):
        assert sent_message(response_with({"content": "hi"})) == {
            "role": "assistant",
            "content": "hi",
        }

    @given(json_values)
    def test_with_a_part_of_an_unknown_type(self, value):
        part = {"type": "hologram", "hologram": value}
        message = response_with({"role": "assistant", "content": [part]})
        assert sent_message(message)["content"] == [part]
