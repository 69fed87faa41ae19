"""POST /v1/chat/completions: whole responses, streams, tools, and refusals."""

import http.client
import json
import re
import time
from typing import Any, Optional

import pytest

from meshapi.gateway.endpoints.chat import completion
from meshapi.testing import LocalGateway
from support.chat_calls import COMPLETIONS, ask, complete, streamed_text, text_of
from support.gateway_calls import TOKEN, call

WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class TestWholeResponses:
    def test_have_every_documented_member(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("What is 2+2?", model="openai/gpt-4o"))
        body = response.json()
        assert response.headers["content-type"] == "application/json"
        assert (body["object"], body["model"]) == ("chat.completion", "openai/gpt-4o")
        assert body["id"].startswith("chatcmpl-")
        assert abs(body["created"] - time.time()) < 60
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "2 + 2 = 4."},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ]
        assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}

    def test_answer_the_last_message_of_the_user(self, gateway: LocalGateway) -> None:
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is 1+1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": [{"type": "text", "text": "What is 3*3?"}], "name": None},
        ]
        assert text_of(complete(gateway, {"messages": messages})) == "3 * 3 = 9."

    def test_come_from_the_default_model_if_none_is_named(self, gateway: LocalGateway) -> None:
        assert complete(gateway, ask("Hi")).json()["model"] == "openai/gpt-4o-mini"

    def test_come_from_the_first_known_fallback(self, gateway: LocalGateway) -> None:
        body = ask("Hi", model="acme/none", models=["acme/no", "openai/gpt-4o", "auto"])
        assert complete(gateway, body).json()["model"] == "openai/gpt-4o"

    def test_name_the_model_that_the_router_chose(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("Hi", model="auto"))
        assert response.json()["x_resolved_model_id"] == response.json()["model"]
        assert response.headers["x-auto-routed"] == "true"

    def test_come_n_at_a_time(self, gateway: LocalGateway) -> None:
        choices = complete(gateway, ask("What is 2+2?", n=3)).json()["choices"]
        assert [choice["index"] for choice in choices] == [0, 1, 2]
        assert len({choice["message"]["content"] for choice in choices}) == 3

    def test_end_at_max_tokens_and_at_stop(self, gateway: LocalGateway) -> None:
        short = complete(gateway, ask("Count to 9", max_tokens=3)).json()["choices"][0]
        assert (short["message"]["content"], short["finish_reason"]) == ("1 2 3", "length")
        stopped = complete(gateway, ask("Count to 9", stop=["7", " 5"])).json()["choices"][0]
        assert (stopped["message"]["content"], stopped["finish_reason"]) == ("1 2 3 4", "stop")

    def test_keep_to_a_schema_that_was_asked_for(self, gateway: LocalGateway) -> None:
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        wanted = {"type": "json_schema", "json_schema": {"name": "City", "schema": schema}}
        response = complete(gateway, ask("Where is Oslo?", response_format=wanted))
        assert json.loads(text_of(response)) == {"city": "Oslo"}
        response = complete(gateway, ask("What is 2+2?", response_format={"type": "json_object"}))
        assert json.loads(text_of(response)) == {"answer": "2 + 2 = 4."}

    @pytest.mark.parametrize("text", ["Ünï 日本 🎉", "a\u2028b\x85c", '"\\\n', "\x00"])
    def test_say_any_character(self, gateway: LocalGateway, text: str) -> None:
        assert text_of(complete(gateway, ask(f"Repeat: {text}"))) == text
        assert (
            streamed_text(complete(gateway, ask(f"Repeat: {text}", stream=True)).chunks()) == text
        )

    def test_survive_half_a_surrogate_pair(self, gateway: LocalGateway) -> None:
        assert text_of(complete(gateway, ask("Repeat: \ud83d!"))) == "?!"


class TestStreams:
    def test_go_role_words_reason_usage_done(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("Count to 3.", stream=True))
        assert response.headers.get_content_type() == "text/event-stream"
        *chunks, usage = response.chunks()
        assert [chunk["choices"][0] for chunk in chunks] == [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None},
            {"index": 0, "delta": {"content": "1"}, "finish_reason": None},
            {"index": 0, "delta": {"content": " 2"}, "finish_reason": None},
            {"index": 0, "delta": {"content": " 3"}, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ]
        assert usage["choices"] == []
        assert usage["usage"]["total_tokens"] == 6
        assert re.fullmatch(r"\d\.\d+", usage["cost"])
        assert {chunk["object"] for chunk in [*chunks, usage]} == {"chat.completion.chunk"}
        assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1

    def test_say_the_same_as_the_whole_response(self, gateway: LocalGateway) -> None:
        question = ask("Write a haiku about Python.")
        whole = text_of(complete(gateway, question))
        assert streamed_text(complete(gateway, {**question, "stream": True}).chunks()) == whole
        assert "\n" in whole

    def test_carry_n_choices_side_by_side(self, gateway: LocalGateway) -> None:
        chunks = complete(gateway, ask("Count to 3.", stream=True, n=2)).chunks()
        assert streamed_text(chunks, 0) == "1 2 3"
        assert streamed_text(chunks, 1) == "1 2 3 (Choice 2.)"
        order = [choice["index"] for chunk in chunks[2:8] for choice in chunk["choices"]]
        assert order == [0, 1, 0, 1, 0, 1]

    def test_name_the_routed_model_in_headers(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("Hi", stream=True, model="auto"))
        assert response.headers["x-resolved-model-id"] == response.chunks()[0]["model"]

    @pytest.mark.slow
    def test_keep_the_pace(self) -> None:
        with LocalGateway(token=TOKEN, words_per_second=40) as gateway:
            started = time.monotonic()
            complete(gateway, ask("Count to 12", stream=True))
            assert 0.3 <= time.monotonic() - started < 8

    def test_send_each_word_on_its_own(self, gateway: LocalGateway) -> None:
        with LocalGateway(token=TOKEN, words_per_second=0.001) as slow:
            connection = http.client.HTTPConnection(slow.url[len("http://") :], timeout=10)
            body = json.dumps(ask("Count to 2", stream=True))
            fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request("POST", COMPLETIONS, body, fields)
            assert b'"role":"assistant"' in connection.getresponse().readline()
            connection.close()


class TestTools:
    def test_are_called_when_they_are_given(self, gateway: LocalGateway) -> None:
        body = ask("What is the weather in Paris?", tools=[WEATHER_TOOL], tool_choice="auto")
        choice = complete(gateway, body).json()["choices"][0]
        (made,) = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert (made["type"], made["function"]["name"]) == ("function", "get_weather")
        assert json.loads(made["function"]["arguments"]) == {"city": "Paris"}

    def test_are_called_bit_by_bit_in_a_stream(self, gateway: LocalGateway) -> None:
        body = ask("What is the weather in Paris?", tools=[WEATHER_TOOL], stream=True)
        chunks = complete(gateway, body).chunks()
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        head, *rest = [part for delta in deltas for part in delta.get("tool_calls", [])]
        assert head["id"].startswith("call_")
        assert (head["type"], head["function"]["name"]) == ("function", "get_weather")
        assert len(rest) > 1
        arguments = "".join(part["function"]["arguments"] for part in [head, *rest])
        assert json.loads(arguments) == {"city": "Paris"}
        assert {part["index"] for part in [head, *rest]} == {0}
        assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"

    def test_are_left_alone_on_request(self, gateway: LocalGateway) -> None:
        body = ask("What is 2+2?", tools=[WEATHER_TOOL], tool_choice="none")
        assert text_of(complete(gateway, body)) == "2 + 2 = 4."

    def test_are_chosen_by_name(self, gateway: LocalGateway) -> None:
        other = {"type": "function", "function": {"name": "get_time"}}
        choice = {"type": "function", "function": {"name": "get_time"}}
        body = ask("The weather in Paris?", tools=[WEATHER_TOOL, other], tool_choice=choice)
        message = complete(gateway, body).json()["choices"][0]["message"]
        assert [made["function"]["name"] for made in message["tool_calls"]] == ["get_time"]

    @pytest.mark.parametrize("choice", ["auto", "required"])
    def test_results_are_answered_in_words(self, gateway: LocalGateway, choice: str) -> None:
        function = {"name": "get_weather", "arguments": "{}"}
        made = {"id": "1", "type": "function", "function": function}
        messages = [
            {"role": "user", "content": "What is the weather in Paris?"},
            {"role": "assistant", "tool_calls": [made]},
            {"role": "tool", "tool_call_id": "1", "content": "18 degrees"},
        ]
        body = {"messages": messages, "tools": [WEATHER_TOOL], "tool_choice": choice}
        assert text_of(complete(gateway, body)) == "The tool answered: 18 degrees"


class TestRefusals:
    @pytest.mark.parametrize("sent", [None, "Bearer rsk_test_other", f"Basic {TOKEN}", TOKEN, ""])
    def test_of_a_bad_token(self, gateway: LocalGateway, sent: Optional[str]) -> None:
        response = complete(gateway, ask("Hi"), Authorization=sent)
        assert (response.status, response.error["code"]) == (401, "unauthorized")
        assert TOKEN not in response.body.decode()

    @pytest.mark.parametrize("stream", [False, True])
    def test_of_an_unknown_model(self, gateway: LocalGateway, stream: bool) -> None:
        response = complete(gateway, ask("Hi", model="acme/none", stream=stream))
        assert (response.status, response.error["code"]) == (404, "model_not_found")
        assert "acme/none" in response.error["message"]

    @pytest.mark.parametrize(
        ("body", "kind", "where"),
        [
            (b"", "json_invalid", ["body"]),
            (b"{", "json_invalid", ["body"]),
            (b"\xff", "json_invalid", ["body"]),
            (b'{"messages": NaN}', "json_invalid", ["body"]),
            (b"[" * 200_000, "json_invalid", ["body"]),
            (b"[]", "model_attributes_type", ["body"]),
            ({}, "missing", ["body", "messages"]),
            ({"messages": []}, "too_short", ["body", "messages"]),
            ({"messages": "Hi"}, "list_type", ["body", "messages"]),
            ({"messages": ["Hi"]}, "model_attributes_type", ["body", "messages", 0]),
            ({"messages": [{}]}, "missing", ["body", "messages", 0, "role"]),
            ({"messages": [{"role": "me"}]}, "literal_error", ["body", "messages", 0, "role"]),
            (
                {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
                "missing",
                ["body", "messages", 0, "content", 0, "text"],
            ),
            (
                {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
                "union_tag_invalid",
                ["body", "messages", 0, "content", 0],
            ),
            (ask("Hi", model=5), "string_type", ["body", "model"]),
            (ask("Hi", stream=1), "bool_type", ["body", "stream"]),
            (ask("Hi", temperature="hot"), "float_type", ["body", "temperature"]),
            (ask("Hi", timeout=0), "greater_than", ["body", "timeout"]),
            (ask("Hi", max_tokens=1.5), "int_type", ["body", "max_tokens"]),
            (ask("Hi", n=0), "greater_than_equal", ["body", "n"]),
            (ask("Hi", n=9), "less_than_equal", ["body", "n"]),
            (ask("Hi", variables=[]), "dict_type", ["body", "variables"]),
            (ask("Hi", stop=[1]), "string_type", ["body", "stop", 0]),
            (ask("Hi", tools=[{}]), "missing", ["body", "tools", 0, "type"]),
            (ask("Hi", tool_choice="all"), "literal_error", ["body", "tool_choice"]),
            (ask("Hi", tool_choice="required"), "value_error", ["body", "tool_choice"]),
            (
                ask("Hi", response_format={"type": "json_schema"}),
                "missing",
                ["body", "response_format", "json_schema"],
            ),
        ],
    )
    def test_of_a_bad_body_name_the_fault_as_fastapi_does(
        self, gateway: LocalGateway, body: Any, kind: str, where: list[Any]
    ) -> None:
        response = complete(gateway, body)
        assert (response.status, response.error["code"]) == (422, "validation_error")
        first = response.error["details"][0]
        assert (first["type"], first["loc"]) == (kind, where)
        assert first["msg"]

    def test_of_a_bad_body_name_every_fault(self, gateway: LocalGateway) -> None:
        response = complete(gateway, {"messages": [{"role": "me"}, {}], "model": 1, "seed": "x"})
        assert len(response.error["details"]) == 4

    def test_of_a_body_that_is_not_declared_json(self, gateway: LocalGateway) -> None:
        assert complete(gateway, ask("Hi"), Content_Type="text/plain").status == 422
        response = complete(gateway, ask("Hi"), Content_Type="Application/JSON; charset=utf-8")
        assert response.status == 200

    def test_of_a_tool_choice_that_names_no_tool(self, gateway: LocalGateway) -> None:
        choice = {"type": "function", "function": {"name": "fly"}}
        response = complete(gateway, ask("Hi", tools=[WEATHER_TOOL], tool_choice=choice))
        assert response.error["details"][0]["loc"] == ["body", "tool_choice"]

    def test_of_what_only_the_service_can_do(self, gateway: LocalGateway) -> None:
        for members in ({"modality": "image"}, {"modalities": ["audio"]}):
            assert complete(gateway, ask("Hi", **members)).error["code"] == "not_implemented"
        assert complete(gateway, ask("Hi", template="poem")).error["code"] == "not_found"

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/nothing", f"{COMPLETIONS}/"])
    def test_of_an_unknown_path(self, gateway: LocalGateway, path: str) -> None:
        response = call(gateway, "POST", path, b"{}")
        assert (response.status, response.error["code"]) == (404, "not_found")

    def test_of_a_wrong_method(self, gateway: LocalGateway) -> None:
        response = call(gateway, "GET", COMPLETIONS)
        assert (response.status, response.error["code"]) == (405, "method_not_allowed")
        assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("stream", [False, True])
def test_more_words_than_any_model_takes_are_refused(
    gateway: LocalGateway, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "_MOST_WORDS", 9)
    assert complete(gateway, ask("Repeat: a b c", stream=stream, n=2)).status == 200
    response = complete(gateway, ask("Repeat: a b c", stream=stream, n=3))
    assert response.code == (400, "context_length_exceeded")
