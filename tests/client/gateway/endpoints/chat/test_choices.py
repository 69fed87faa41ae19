"""What models say in chat and in responses: tool calls turn by turn, and JSON, right or wrong."""

import json
from typing import Any, Optional

import pytest

from meshapi.testing import LocalGateway
from support.chat_calls import ask, complete, streamed_text
from support.gateway_calls import post

RESPONSES = "/v1/responses"

NUMBER = {
    "type": "object",
    "properties": {"number": {"type": "integer", "minimum": 5}},
    "required": ["number"],
    "additionalProperties": False,
}
WANTED = {"type": "json_schema", "json_schema": {"name": "n", "schema": NUMBER, "strict": True}}


def tool(name: str) -> dict[str, Any]:
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": city}}


TOOLS = [tool("get_weather"), tool("send_mail")]


def say(gateway: LocalGateway, messages: list[Any], **members: Any) -> Any:
    """The message and the finish reason of a response, which are the same in a stream."""
    body = {"messages": messages, **members}
    choice = complete(gateway, body).json()["choices"][0]
    return choice["message"], choice["finish_reason"]


def loop(gateway: LocalGateway, question: str, most: int = 5, **members: Any) -> list[Any]:
    """The calls of each turn, and the text at the end."""
    messages: list[Any] = [{"role": "user", "content": question}]
    turns: list[Any] = []
    while len(turns) < most:
        message, _ = say(gateway, messages, tools=TOOLS, **members)
        if not message.get("tool_calls"):
            return [*turns, message["content"]]
        messages.append(message)
        functions = [call["function"] for call in message["tool_calls"]]
        turns.append([(one["name"], one["arguments"]) for one in functions])
        for call in message["tool_calls"]:
            content = f"result {len(messages)}"
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    return turns


class TestTools:
    def test_that_are_named_more_than_once_are_called_as_often(self, gateway: LocalGateway) -> None:
        turns = loop(gateway, "Compare get_weather for Paris with get_weather for New York.")
        cities = [("get_weather", '{"city":"Paris"}'), ("get_weather", '{"city":"New York"}')]
        assert turns == [cities, "The tool answered: result 2; result 3"]

    def test_are_called_one_turn_after_the_other(self, gateway: LocalGateway) -> None:
        turns = loop(gateway, "Use get_weather for Paris, then send_mail to Ann, then rest.")
        assert turns == [
            [("get_weather", '{"city":"Paris"}')],
            [("send_mail", '{"city":"Ann"}')],
            "The tool answered: result 2; result 4",
        ]

    def test_are_called_one_at_a_time_on_request(self, gateway: LocalGateway) -> None:
        question = "Compare get_weather for Paris with get_weather for Rome."
        (first, _) = loop(gateway, question, parallel_tool_calls=False)
        assert first == [("get_weather", '{"city":"Paris"}')]

    @pytest.mark.parametrize("chained", [False, True])
    def test_of_responses_are_called_in_turns(self, gateway: LocalGateway, chained: bool) -> None:
        tools = [{"type": "function", **one["function"]} for one in TOOLS]
        history: list[Any] = [
            {"role": "user", "content": "get_weather and get_weather, then send_mail"}
        ]
        body: dict[str, Any] = {"tools": tools, "input": history}
        turns: list[Any] = []
        for _ in range(3):
            made = post(gateway, RESPONSES, body).json()
            turns.append([item.get("name") for item in made["output"]])
            outputs = [
                {"type": "function_call_output", "call_id": item["call_id"], "output": "done"}
                for item in made["output"]
                if item["type"] == "function_call"
            ]
            if chained:
                body = {"tools": tools, "input": outputs, "previous_response_id": made["id"]}
            else:
                history += [*made["output"], *outputs]
        assert turns == [["get_weather", "get_weather"], ["send_mail"], [None]]
        assert made["output"][0]["content"][0]["text"] == "The tool answered: done; done; done"

    def test_begin_again_with_the_next_question(self, gateway: LocalGateway) -> None:
        old = [
            {"role": "user", "content": "get_weather"},
            {"role": "tool", "tool_call_id": "1", "content": "warm"},
            {"role": "assistant", "content": "It is warm."},
        ]
        message, reason = say(
            gateway, [*old, {"role": "user", "content": "And in Rome?"}], tools=TOOLS
        )
        assert (len(message["tool_calls"]), reason) == (1, "tool_calls")

    def test_are_called_without_end_by_a_model(self, gateway: LocalGateway) -> None:
        turns = loop(gateway, "The weather in Paris?", 4, model="mesh/tool-loop")
        assert turns == [[("get_weather", '{"city":"Paris"}')]] * 4

    def test_that_do_not_exist_are_called_by_a_model(self, gateway: LocalGateway) -> None:
        turns = loop(gateway, "The weather in Paris?", model="mesh/unknown-tool")
        assert turns == [[("no_such_tool", "{}")], "The tool answered: result 2"]

    @pytest.mark.parametrize(
        ("model", "arguments"),
        [
            ("mesh/wrong-json", ['{"wrong":[null]}']),
            ("mesh/not-json", ["This is not JSON."]),
            ("mesh/wrong-json-once", ['{"wrong":[null]}', '{"city":"Paris"}']),
        ],
    )
    def test_get_wrong_arguments(
        self, gateway: LocalGateway, model: str, arguments: list[str]
    ) -> None:
        *turns, text = loop(gateway, "The weather in Paris?", model=model)
        assert turns == [[("get_weather", wrong)] for wrong in arguments]
        assert text.startswith("The tool answered: ")

    def test_are_streamed_without_their_index(self, gateway: LocalGateway) -> None:
        question = "Compare get_weather for Paris with get_weather for Rome."
        body = ask(question, tools=TOOLS, model="mesh/loose-deltas", stream=True)
        chunks = complete(gateway, body).chunks()
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        parts = [part for delta in deltas for part in delta.get("tool_calls", [])]
        assert not any("index" in part for part in parts)
        assert len({part["id"] for part in parts if "id" in part}) == 2

    def test_are_called_with_half_their_arguments(self, gateway: LocalGateway) -> None:
        members = {"tools": TOOLS, "model": "mesh/length"}
        message, reason = say(gateway, [{"role": "user", "content": "Paris?"}], **members)
        assert reason == "length"
        assert message["tool_calls"][0]["function"]["arguments"] == '{"city":'


class TestFormats:
    def test_are_kept_to_in_streams(self, gateway: LocalGateway) -> None:
        body = ask("Take 3 of 8", response_format=WANTED)
        whole = complete(gateway, body).json()["choices"][0]["message"]["content"]
        assert json.loads(whole) == {"number": 5}
        assert streamed_text(complete(gateway, {**body, "stream": True}).chunks()) == whole

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("model", "texts"),
        [
            ("mesh/wrong-json", ['{"wrong":[null]}'] * 3),
            ("mesh/wrong-json-once", ['{"wrong":[null]}', '{"number":8}', '{"wrong":[null]}']),
            ("mesh/not-json", ["This is not JSON."] * 3),
        ],
    )
    def test_are_not_kept_to_by_models(
        self, gateway: LocalGateway, model: str, texts: list[str], stream: bool
    ) -> None:
        made = [
            complete(gateway, ask("Take 8", model=model, response_format=WANTED, stream=stream))
            for _ in texts
        ]
        if stream:
            assert [streamed_text(one.chunks()) for one in made] == texts
        else:
            said = [one.json()["choices"][0]["message"]["content"] for one in made]
            assert said == texts

    def test_leave_the_text_of_those_models_alone(self, gateway: LocalGateway) -> None:
        for model in ("mesh/wrong-json", "mesh/wrong-json-once", "mesh/not-json"):
            message, _ = say(gateway, ask("What is 2+2?")["messages"], model=model)
            assert message["content"] == "2 + 2 = 4."

    @pytest.mark.parametrize("stream", [False, True])
    def test_of_responses_are_kept_to(self, gateway: LocalGateway, stream: bool) -> None:
        wanted = {"format": {"type": "json_schema", "name": "n", "schema": NUMBER, "strict": True}}
        body = {"input": "Take 3 of 8", "text": wanted, "stream": stream}
        made = post(gateway, RESPONSES, body)
        done = made.events()[-2].json()["response"] if stream else made.json()
        assert json.loads(done["output"][0]["content"][0]["text"]) == {"number": 5}
        body["model"] = "mesh/wrong-json-once"
        texts = [
            post(gateway, RESPONSES, {**body, "stream": False}).json()["output"][0]["content"][0]
            for _ in range(2)
        ]
        assert [text["text"] for text in texts] == ['{"wrong":[null]}', '{"number":5}']


class TestEnds:
    @pytest.mark.parametrize(
        ("model", "reason", "why"),
        [
            ("mesh/length", "length", "max_output_tokens"),
            ("mesh/content-filter", "content_filter", "content_filter"),
        ],
    )
    def test_come_half_way(
        self, gateway: LocalGateway, model: str, reason: str, why: Optional[str]
    ) -> None:
        question = "Repeat: one two three four"
        message, told = say(gateway, ask(question)["messages"], model=model)
        assert (message["content"], told) == ("one two t", reason)
        chunks = complete(gateway, ask(question, model=model, stream=True)).chunks()
        assert chunks[-2]["choices"][0]["finish_reason"] == reason
        made = post(gateway, RESPONSES, {"input": question, "model": model}).json()
        assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": why})
        assert made["output"][0]["status"] == "incomplete"
        assert made["output"][0]["content"][0]["text"] == "one two t"
        events = post(gateway, RESPONSES, {"input": question, "model": model, "stream": True})
        assert events.events()[-2].name == "response.incomplete"


class TestCosts:
    """gpt-4o costs 2.5 dollars for a million tokens of input, and 10 for a million of output."""

    def test_are_those_of_the_stream(self, gateway: LocalGateway) -> None:
        body = ask("What is 2+2?", model="openai/gpt-4o")
        whole = complete(gateway, body).json()
        last = complete(gateway, {**body, "stream": True}).chunks()[-1]
        assert whole["cost"] == last["cost"] == "0.0000575"
        assert whole["usage"] == last["usage"]

    def test_of_responses_are_those_of_the_stream(self, gateway: LocalGateway) -> None:
        body = {"input": "What is 2+2?", "model": "openai/gpt-4o"}
        whole = post(gateway, RESPONSES, body).json()
        events = post(gateway, RESPONSES, {**body, "stream": True}).events()
        last = events[-2].json()
        assert whole["cost"] == last["cost"] == last["response"]["cost"] == "0.0000575"
        assert whole["usage"] == last["usage"]
        assert events[0].json()["response"]["cost"] is None

    def test_of_free_models_are_zero(self, gateway: LocalGateway) -> None:
        body = ask("Hi", model="google/gemma-3-27b-it:free")
        assert complete(gateway, body).json()["cost"] == "0.0000000"

    def test_of_embeddings_and_images(self, gateway: LocalGateway) -> None:
        made = post(gateway, "/v1/embeddings", {"input": "one two three"}).json()
        assert made["cost"] == "0.00000006"
        asked = {"prompt": "A cat", "n": 2}
        whole = post(gateway, "/v1/images/generations", asked).json()
        assert whole["cost"] == "0.0840000"
        stream = post(gateway, "/v1/images/generations", {**asked, "stream": True})
        last = json.loads(stream.frames()[-2])
        assert (last["cost"], last["usage"]) == (whole["cost"], whole["usage"])
