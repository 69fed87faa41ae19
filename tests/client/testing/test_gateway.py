"""The local gateway, seen from the other end of a socket by a client that is not ours."""

import ast
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import pytest

import meshapi.testing
from meshapi.testing import LocalGateway, create_app

TOKEN = "rsk_test_gateway"
COMPLETIONS = "/v1/chat/completions"
REQUEST_ID = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")

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


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    broken: bool

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        envelope = self.json()
        assert envelope["request_id"] == self.headers["x-request-id"]
        return envelope["error"]

    def frames(self) -> list[str]:
        """The data of each event; a comment counts as one, a half event at the end does not."""
        return [
            event[len("data: ") :] if event.startswith("data: ") else event
            for event in self.body.decode().split("\n\n")[:-1]
        ]

    def chunks(self) -> list[Any]:
        *chunks, done = self.frames()
        assert done == "[DONE]"
        return [json.loads(chunk) for chunk in chunks]


def ask(question: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], **members}


def call(
    gateway: LocalGateway,
    method: str,
    path: str,
    body: Union[None, bytes, dict[str, Any]] = None,
    **headers: Optional[str],
) -> Answer:
    fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})  # type: ignore[misc]
    connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {name: value for name, value in fields.items() if value is not None}
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        try:
            return Answer(response.status, response.headers, response.read(), broken=False)
        except http.client.IncompleteRead as error:
            return Answer(response.status, response.headers, error.partial, broken=True)
    finally:
        connection.close()


def complete(gateway: LocalGateway, body: Union[bytes, dict[str, Any]], **headers: Any) -> Answer:
    return call(gateway, "POST", COMPLETIONS, body, **headers)


def text_of(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()["choices"][0]["message"]["content"]


def streamed_text(chunks: list[Any], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(c["delta"].get("content") or "" for c in choices if c["index"] == index)


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: LocalGateway) -> LocalGateway:
    shared.reset()
    return shared


class TestWholeAnswers:
    def test_have_every_documented_member(self, gateway: LocalGateway) -> None:
        answer = complete(gateway, ask("What is 2+2?", model="openai/gpt-4o"))
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
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
        answer = complete(gateway, ask("Hi", model="auto"))
        assert answer.json()["x_resolved_model_id"] == answer.json()["model"]
        assert answer.headers["x-auto-routed"] == "true"

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
        answer = complete(gateway, ask("Where is Oslo?", response_format=wanted))
        assert json.loads(text_of(answer)) == {"city": "Oslo"}
        answer = complete(gateway, ask("What is 2+2?", response_format={"type": "json_object"}))
        assert json.loads(text_of(answer)) == {"answer": "2 + 2 = 4."}

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
        answer = complete(gateway, ask("Count to 3.", stream=True))
        assert answer.headers.get_content_type() == "text/event-stream"
        *chunks, usage = answer.chunks()
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

    def test_say_the_same_as_the_whole_answer(self, gateway: LocalGateway) -> None:
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
        answer = complete(gateway, ask("Hi", stream=True, model="auto"))
        assert answer.headers["x-resolved-model-id"] == answer.chunks()[0]["model"]

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
        answer = complete(gateway, ask("Hi"), Authorization=sent)
        assert (answer.status, answer.error["code"]) == (401, "unauthorized")
        assert TOKEN not in answer.body.decode()

    @pytest.mark.parametrize("stream", [False, True])
    def test_of_an_unknown_model(self, gateway: LocalGateway, stream: bool) -> None:
        answer = complete(gateway, ask("Hi", model="acme/none", stream=stream))
        assert (answer.status, answer.error["code"]) == (404, "model_not_found")
        assert "acme/none" in answer.error["message"]

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
        answer = complete(gateway, body)
        assert (answer.status, answer.error["code"]) == (422, "validation_error")
        first = answer.error["details"][0]
        assert (first["type"], first["loc"]) == (kind, where)
        assert first["msg"]

    def test_of_a_bad_body_name_every_fault(self, gateway: LocalGateway) -> None:
        answer = complete(gateway, {"messages": [{"role": "me"}, {}], "model": 1, "seed": "x"})
        assert len(answer.error["details"]) == 4

    def test_of_a_body_that_is_not_declared_json(self, gateway: LocalGateway) -> None:
        assert complete(gateway, ask("Hi"), Content_Type="text/plain").status == 422
        answer = complete(gateway, ask("Hi"), Content_Type="Application/JSON; charset=utf-8")
        assert answer.status == 200

    def test_of_a_tool_choice_that_names_no_tool(self, gateway: LocalGateway) -> None:
        choice = {"type": "function", "function": {"name": "fly"}}
        answer = complete(gateway, ask("Hi", tools=[WEATHER_TOOL], tool_choice=choice))
        assert answer.error["details"][0]["loc"] == ["body", "tool_choice"]

    def test_of_what_only_the_service_can_do(self, gateway: LocalGateway) -> None:
        for members in ({"modality": "image"}, {"modalities": ["audio"]}):
            assert complete(gateway, ask("Hi", **members)).error["code"] == "not_implemented"
        assert complete(gateway, ask("Hi", template="poem")).error["code"] == "not_found"

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/nothing", f"{COMPLETIONS}/"])
    def test_of_an_unknown_path(self, gateway: LocalGateway, path: str) -> None:
        answer = call(gateway, "POST", path, b"{}")
        assert (answer.status, answer.error["code"]) == (404, "not_found")

    def test_of_a_wrong_method(self, gateway: LocalGateway) -> None:
        answer = call(gateway, "GET", COMPLETIONS)
        assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"


class TestRequestIds:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/health"), ("GET", COMPLETIONS), ("GET", "/v1/x"), ("POST", COMPLETIONS)],
    )
    def test_are_on_every_answer_and_differ(
        self, gateway: LocalGateway, method: str, path: str
    ) -> None:
        ids = [call(gateway, method, path).headers["x-request-id"] for _ in range(2)]
        assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
        assert ids[0] != ids[1]

    def test_are_on_streams(self, gateway: LocalGateway) -> None:
        answer = complete(gateway, ask("Hi", stream=True), X_Request_Id="my:id-1._")
        assert answer.headers.get_all("x-request-id") == ["my:id-1._"]

    @pytest.mark.parametrize("sent", ["a", "x" * 64])
    def test_are_the_clients_own_if_it_sends_one(self, gateway: LocalGateway, sent: str) -> None:
        answer = call(gateway, "GET", "/v1/nothing", X_Request_Id=sent)
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == sent

    @pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "é", "{}"])
    def test_are_new_if_the_clients_own_is_unfit(self, gateway: LocalGateway, sent: str) -> None:
        answer = call(gateway, "GET", "/health", X_Request_Id=sent)
        assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])


class TestFailingModels:
    @pytest.mark.parametrize("stream", [False, True])
    def test_rate_limited_says_when_to_come_back(self, gateway: LocalGateway, stream: bool) -> None:
        answer = complete(gateway, ask("Hi", model="mesh/rate-limited", stream=stream))
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert answer.error["code"] == "rate_limit_exceeded"
        assert answer.error["retry_after_seconds"] == 1

    def test_flaky_fails_twice_and_then_answers(self, gateway: LocalGateway) -> None:
        question = ask("What is 2+2?", model="mesh/flaky")
        answers = [complete(gateway, question) for _ in range(6)]
        assert [answer.status for answer in answers] == [503, 503, 200, 503, 503, 200]
        assert answers[0].error["code"] == "provider_not_available"
        assert text_of(answers[2]) == "2 + 2 = 4."

    def test_flaky_counts_each_user_and_each_gateway_alone(self, gateway: LocalGateway) -> None:
        for user in ("ann", "ben"):
            question = ask("Hi", model="mesh/flaky", user=user)
            assert [complete(gateway, question).status for _ in range(2)] == [503, 503]
        with LocalGateway(token=TOKEN) as other:
            assert complete(other, ask("Hi", model="mesh/flaky", user="ann")).status == 503
        assert complete(gateway, ask("Hi", model="mesh/flaky", user="ann")).status == 200
        gateway.reset()
        assert complete(gateway, ask("Hi", model="mesh/flaky", user="ben")).status == 503

    def test_broken_stream_closes_half_way(
        self, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = complete(gateway, ask("Count to 8", model="mesh/broken-stream", stream=True))
        assert answer.status == 200
        assert answer.broken
        chunks = [json.loads(data) for data in answer.frames()]
        assert streamed_text(chunks) == "1 2 3 4"
        whole = complete(gateway, ask("Count to 8", model="mesh/broken-stream"))
        assert whole.broken
        assert 0 < len(whole.body) < int(whole.headers["content-length"])
        assert not caplog.records

    def test_error_in_stream_sends_an_error_frame(self, gateway: LocalGateway) -> None:
        answer = complete(gateway, ask("Count to 8", model="mesh/error-in-stream", stream=True))
        *chunks, failure, done = answer.frames()
        assert streamed_text([json.loads(data) for data in chunks]) == "1 2 3 4"
        assert json.loads(failure)["error"]["code"] == "gateway_timeout"
        assert done == "[DONE]"
        whole = complete(gateway, ask("Hi", model="mesh/error-in-stream"))
        assert (whole.status, whole.error["code"]) == (504, "gateway_timeout")

    def test_stall_goes_on_with_comments_only(self, gateway: LocalGateway) -> None:
        with raw_request(gateway, ask("Count to 2", model="mesh/stall", stream=True)) as peer:
            received = b""
            while received.count(b": ping\n\n") < 2:
                received += peer.recv(65536)
        assert received.count(b'"content"') == 2
        assert b"[DONE]" not in received

    def test_stall_never_begins_a_whole_answer(self, gateway: LocalGateway) -> None:
        with raw_request(gateway, ask("Hi", model="mesh/stall")) as peer:
            peer.settimeout(0.1)
            with pytest.raises(socket.timeout):
                peer.recv(1)

    @pytest.mark.slow
    def test_slow_is_slow_at_any_pace(self, gateway: LocalGateway) -> None:
        started = time.monotonic()
        assert streamed_text(
            complete(gateway, ask("Repeat: one", model="mesh/slow", stream=True)).chunks()
        )
        assert time.monotonic() - started >= 1.5
        assert text_of(complete(gateway, ask("Repeat: one", model="mesh/slow"))) == "one"


def raw_request(gateway: LocalGateway, body: dict[str, Any]) -> socket.socket:
    data = json.dumps(body).encode()
    host, port = gateway.url[len("http://") :].split(":")
    peer = socket.create_connection((host, int(port)), timeout=10)
    head = (
        f"POST {COMPLETIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    peer.sendall(head.encode() + data)
    return peer


class TestLocalGateway:
    def test_is_ready_at_once_and_gone_after_its_block(self) -> None:
        with LocalGateway(token=TOKEN) as gateway:
            assert call(gateway, "GET", "/health").json() == {"status": "ok"}
        with pytest.raises(ConnectionRefusedError):
            call(gateway, "GET", "/health")
        assert not [thread for thread in threading.enumerate() if gateway.url in thread.name]

    def test_closes_again_without_complaint(self) -> None:
        gateway = LocalGateway(token=TOKEN)
        gateway.close()
        gateway.close()
        with pytest.raises(ConnectionRefusedError):
            call(gateway, "GET", "/health")

    def test_closes_at_once_with_answers_under_way(self, caplog: pytest.LogCaptureFixture) -> None:
        gateway = LocalGateway(token=TOKEN, words_per_second=0)
        peers = [
            raw_request(gateway, ask("Hi", model="mesh/stall", stream=True)),
            raw_request(gateway, ask("Hi", model="mesh/stall")),
            raw_request(gateway, ask("Hi", model="mesh/slow")),
        ]
        assert peers[0].recv(1)
        started = time.monotonic()
        gateway.close()
        assert time.monotonic() - started < 8
        for peer in peers:
            assert_closed(peer)
        assert not caplog.records

    def test_runs_beside_another(self) -> None:
        with LocalGateway(token=TOKEN) as one, LocalGateway(token="rsk_test_other") as other:
            assert one.url != other.url
            assert complete(one, ask("Hi")).status == 200
            assert complete(other, ask("Hi")).status == 401
            assert (len(one.requests), len(other.requests)) == (1, 1)

    def test_takes_the_port_that_it_is_given_and_says_if_it_is_taken(self) -> None:
        with LocalGateway(token=TOKEN) as gateway:
            port = int(gateway.url.rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                LocalGateway(token=TOKEN, port=port)
        with LocalGateway(token=TOKEN, port=port) as again:
            assert again.url == gateway.url

    @pytest.mark.parametrize("pace", [-1.0, float("nan")])
    def test_refuses_a_pace_that_is_none(self, pace: float) -> None:
        with pytest.raises(ValueError, match="words_per_second"):
            LocalGateway(words_per_second=pace)
        with pytest.raises(ValueError, match="words_per_second"):
            create_app(words_per_second=pace)

    def test_keeps_connections_open_for_more_requests(self, gateway: LocalGateway) -> None:
        connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
        connection.connect()
        peer = connection.sock
        for path in ("/health", "/v1/nothing", "/v1/models", "/health"):
            connection.request("GET", path)
            connection.getresponse().read()
            assert connection.sock is peer
        connection.close()

    def test_does_not_wait_for_delayed_acknowledgements(self, gateway: LocalGateway) -> None:
        connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
        took = []
        for _ in range(50):
            started = time.monotonic()
            connection.request("GET", "/health")
            connection.getresponse().read()
            took.append(time.monotonic() - started)
        connection.close()
        # Nagle's algorithm costs 40 ms for each but the first few; a busy machine, for some.
        assert sorted(took)[len(took) // 3] < 0.035

    def test_keeps_requests_as_they_came(self, gateway: LocalGateway) -> None:
        call(gateway, "GET", "/v1/batches/a%2Fb?after=x%20y", X_Test="1")
        complete(gateway, ask("Hi"))
        first, second = gateway.requests
        assert (first.method, first.path, first.query) == (
            "GET",
            "/v1/batches/a%2Fb",
            "after=x%20y",
        )
        assert first.headers["x-test"] == "1"
        assert second.json() == ask("Hi")
        assert json.loads(second.body) == ask("Hi")
        gateway.reset()
        assert gateway.requests == []

    def test_serves_many_at_once(self, gateway: LocalGateway) -> None:
        peers = [raw_request(gateway, ask("What is 2+2?")) for _ in range(100)]
        for peer in peers:
            assert peer.recv(65536).startswith(b"HTTP/1.1 200")
            peer.close()


def assert_closed(peer: socket.socket) -> None:
    """The other end is gone: the rest of what it sent, then an end or a reset."""
    with peer:
        try:
            while peer.recv(65536):
                pass
        except ConnectionResetError:
            pass


def test_the_gateway_shares_no_code_with_what_it_judges() -> None:
    folder = Path(meshapi.testing.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                top = module.split(".")[0]
                assert top not in ("meshapi_core", "meshapi_backends", "msgspec"), path
                assert top != "meshapi" or module.startswith("meshapi.testing"), path
                assert not getattr(node, "level", 0), path


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart"])
def test_without_its_extra_it_says_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try:\n    import meshapi.testing\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert "pip install 'meshapi[gateway]'" in done.stdout
    assert missing in done.stdout
