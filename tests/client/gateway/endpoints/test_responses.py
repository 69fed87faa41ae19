"""/v1/responses of the local gateway."""

import json
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post

PATH = "/v1/responses"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def respond(gateway: LocalGateway, given: Any, **members: Any) -> Response:
    return post(gateway, PATH, {"input": given, **members})


def text_of(response: dict[str, Any]) -> Any:
    (message,) = [item for item in response["output"] if item["type"] == "message"]
    (part,) = message["content"]
    return part["text"]


def told(response: Response) -> list[dict[str, Any]]:
    """The events of a complete stream, checked for what all of them have in common."""
    *events, done = response.events()
    assert (done.name, done.data) == (None, "[DONE]")
    values = [event.json() for event in events]
    assert [event.name for event in events] == [value["type"] for value in values]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    return values


def joined(values: list[dict[str, Any]], kind: str) -> str:
    return "".join(value["delta"] for value in values if value["type"] == kind)


class TestWholeResponses:
    def test_have_every_documented_member(self, gateway: LocalGateway) -> None:
        body = respond(gateway, "What is 2+2?", model="openai/gpt-4o", temperature=0.5).json()
        assert body["id"].startswith("resp_")
        assert (body["object"], body["status"]) == ("response", "completed")
        assert (body["model"], body["temperature"]) == ("openai/gpt-4o", 0.5)
        assert text_of(body) == "2 + 2 = 4."
        assert (body["error"], body["incomplete_details"]) == (None, None)
        usage = body["usage"]
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (3, 5, 8)

    def test_answer_the_last_message_of_a_list(self, gateway: LocalGateway) -> None:
        items = [
            {"role": "user", "content": "What is 1+1?"},
            {"type": "reasoning", "summary": []},
            {"role": "assistant", "content": [{"type": "output_text", "text": "2"}]},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:,"},
                    {"type": "input_text", "text": "What is 3*3?"},
                ],
            },
        ]
        assert text_of(respond(gateway, items).json()) == "3 * 3 = 9."

    def test_show_a_summary_of_reasoning_that_was_asked_for(self, gateway: LocalGateway) -> None:
        body = respond(gateway, "What is 2+2?", reasoning={"effort": "medium"}).json()
        assert [item["type"] for item in body["output"]] == ["reasoning", "message"]
        assert "What is 2+2?" in body["output"][0]["summary"][0]["text"]
        assert body["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
        none = respond(gateway, "What is 2+2?", reasoning={"effort": "none"}).json()
        assert [item["type"] for item in none["output"]] == ["message"]

    def test_are_incomplete_at_max_output_tokens(self, gateway: LocalGateway) -> None:
        body = respond(gateway, "Count to 9", max_output_tokens=3).json()
        assert (body["status"], text_of(body)) == ("incomplete", "1 2 3")
        assert body["incomplete_details"] == {"reason": "max_output_tokens"}
        assert body["output"][0]["status"] == "incomplete"

    @pytest.mark.parametrize(
        "members",
        [
            {"text": {"format": {"type": "json_schema", "name": "City", "schema": {}}}},
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        ],
    )
    def test_keep_to_a_schema_of_either_shape(
        self, gateway: LocalGateway, members: dict[str, Any]
    ) -> None:
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        wanted = json.loads(
            json.dumps(members).replace('"schema": {}', f'"schema": {json.dumps(schema)}')
        )
        body = respond(gateway, "Where is Oslo?", **wanted).json()
        assert json.loads(text_of(body)) == {"city": "Oslo"}

    def test_call_a_function_and_answer_its_result(self, gateway: LocalGateway) -> None:
        question = "What is the weather in Paris?"
        (made,) = respond(gateway, question, tools=[WEATHER]).json()["output"]
        assert (made["type"], made["name"]) == ("function_call", "get_weather")
        assert json.loads(made["arguments"]) == {"city": "Paris"}
        result = {
            "type": "function_call_output",
            "call_id": made["call_id"],
            "output": "18 degrees",
        }
        items = [{"role": "user", "content": question}, made, result]
        body = respond(gateway, items, tools=[WEATHER]).json()
        assert text_of(body) == "The tool answered: 18 degrees"

    def test_go_on_from_an_earlier_response(self, gateway: LocalGateway) -> None:
        first = respond(gateway, "the weather in Paris?", tools=[WEATHER]).json()
        result = {
            "type": "function_call_output",
            "call_id": first["output"][0]["call_id"],
            "output": "rain",
        }
        second = respond(gateway, [result], previous_response_id=first["id"]).json()
        assert text_of(second) == "The tool answered: rain"
        assert second["previous_response_id"] == first["id"]
        third = respond(gateway, "Hi", previous_response_id=second["id"]).json()
        assert third["usage"]["input_tokens"] > second["usage"]["input_tokens"]

    def test_refuse_when_the_model_does(self, gateway: LocalGateway) -> None:
        body = respond(gateway, "Hi", model="mesh/refusal").json()
        (part,) = body["output"][0]["content"]
        assert (part["type"], bool(part["refusal"])) == ("refusal", True)

    def test_name_the_model_that_the_router_chose(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Hi", model="auto")
        assert response.json()["x_resolved_model_id"] == response.json()["model"]
        assert response.headers["x-auto-routed"] == "true"

    def test_begin_with_their_template(self, gateway: LocalGateway) -> None:
        template = {
            "name": "sums",
            "system": "Answer {{who}}.",
            "model": "openai/o4-mini",
            "params": {"max_tokens": 2},
        }
        assert post(gateway, "/v1/templates", template).status in (200, 201)
        body = respond(gateway, "Count to 5", template="sums", variables={"who": "Ann"}).json()
        assert (body["model"], text_of(body)) == ("openai/o4-mini", "1 2")
        assert body["usage"]["input_tokens"] == 5
        longer = respond(
            gateway, "Count to 5", template="sums", variables={"who": "Ann"}, max_output_tokens=4
        )
        assert text_of(longer.json()) == "1 2 3 4"
        assert respond(gateway, "Hi", template="none").code == (404, "not_found")
        missing = respond(gateway, "Hi", template="sums").faults
        assert missing == [("missing", ["body", "variables", "who"])]


class TestStreams:
    def test_tell_a_message_in_the_documented_order(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Count to 3", stream=True)
        assert response.headers.get_content_type() == "text/event-stream"
        values = told(response)
        assert [value["type"] for value in values] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert joined(values, "response.output_text.delta") == "1 2 3"
        assert values[0]["response"]["status"] == "in_progress"
        assert values[0]["response"]["output"] == []
        assert values[2]["item"] == {**values[-2]["item"], "status": "in_progress", "content": []}
        assert values[-1]["usage"] == values[-1]["response"]["usage"]
        assert values[-1]["response"]["output"] == [values[-2]["item"]]

    def test_end_in_the_response_that_is_kept(self, gateway: LocalGateway) -> None:
        last = told(respond(gateway, "Count to 3", stream=True, reasoning={"effort": "low"}))[-1]
        assert get(gateway, f"{PATH}/{last['response']['id']}").json() == last["response"]

    def test_tell_reasoning_before_the_message(self, gateway: LocalGateway) -> None:
        values = told(respond(gateway, "Hi", stream=True, reasoning={"summary": "auto"}))
        text = joined(values, "response.reasoning_summary_text.delta")
        reasoning, message = values[-1]["response"]["output"]
        assert reasoning["summary"] == [{"type": "summary_text", "text": text}]
        assert text_of({"output": [message]}) == joined(values, "response.output_text.delta")
        kinds = [value["type"] for value in values]
        assert kinds.index("response.reasoning_summary_part.done") < kinds.index(
            "response.content_part.added"
        )
        assert {value["output_index"] for value in values if "output_index" in value} == {0, 1}

    def test_tell_a_call_bit_by_bit(self, gateway: LocalGateway) -> None:
        values = told(respond(gateway, "weather in Paris?", stream=True, tools=[WEATHER]))
        arguments = joined(values, "response.function_call_arguments.delta")
        assert json.loads(arguments) == {"city": "Paris"}
        (done,) = [v for v in values if v["type"] == "response.function_call_arguments.done"]
        assert done["arguments"] == arguments
        (item,) = values[-1]["response"]["output"]
        assert (item["arguments"], item["id"]) == (arguments, done["item_id"])

    def test_tell_a_refusal(self, gateway: LocalGateway) -> None:
        values = told(respond(gateway, "Hi", stream=True, model="mesh/refusal"))
        (part,) = values[-1]["response"]["output"][0]["content"]
        assert joined(values, "response.refusal.delta") == part["refusal"]

    def test_end_incomplete_at_max_output_tokens(self, gateway: LocalGateway) -> None:
        last = told(respond(gateway, "Count to 9", stream=True, max_output_tokens=2))[-1]
        assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")

    @pytest.mark.parametrize("question", ["Repeat: ", "Repeat: one", "Hi"])
    def test_say_the_same_as_the_whole_response(self, gateway: LocalGateway, question: str) -> None:
        whole = respond(gateway, question).json()
        values = told(respond(gateway, question, stream=True))
        assert joined(values, "response.output_text.delta") == text_of(whole)
        assert text_of(values[-1]["response"]) == text_of(whole)


class TestBackground:
    def test_goes_from_queued_to_in_progress_to_completed(self, gateway: LocalGateway) -> None:
        queued = respond(gateway, "Count to 2", background=True).json()
        assert (queued["status"], queued["output"], queued["usage"]) == ("queued", [], None)
        seen = [get(gateway, f"{PATH}/{queued['id']}").json() for _ in range(3)]
        assert [look["status"] for look in seen] == ["in_progress", "completed", "completed"]
        assert text_of(seen[1]) == "1 2"
        assert seen[1] == seen[2]

    def test_shows_in_the_list_without_going_on(self, gateway: LocalGateway) -> None:
        respond(gateway, "Hi", background=True)
        for _ in range(3):
            (row,) = get(gateway, PATH).json()["data"]
            assert (row["status"], row["usage_synced"]) == ("queued", False)

    @pytest.mark.parametrize(
        ("model", "code"),
        [("mesh/error-in-stream", "gateway_timeout"), ("mesh/broken-stream", "upstream_error")],
    )
    def test_fails_with_a_model_that_breaks_off(
        self, gateway: LocalGateway, model: str, code: str
    ) -> None:
        made = respond(gateway, "Hi", background=True, model=model).json()
        seen = [get(gateway, f"{PATH}/{made['id']}").json() for _ in range(2)]
        assert [look["status"] for look in seen] == ["in_progress", "failed"]
        assert (seen[1]["error"]["code"], seen[1]["output"]) == (code, [])

    def test_never_ends_with_a_model_that_stalls(self, gateway: LocalGateway) -> None:
        made = respond(gateway, "Hi", background=True, model="mesh/stall").json()
        statuses = {get(gateway, f"{PATH}/{made['id']}").json()["status"] for _ in range(4)}
        assert statuses == {"in_progress"}

    def test_has_to_be_stored(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Hi", background=True, store=False)
        assert response.faults == [("value_error", ["body", "store"])]


class TestKeptResponses:
    def test_are_listed_newest_first_and_in_pages(self, gateway: LocalGateway) -> None:
        ids = [respond(gateway, "Hi").json()["id"] for _ in range(5)]
        page = get(gateway, f"{PATH}?limit=2").json()
        assert [row["id"] for row in page["data"]] == [ids[4], ids[3]]
        assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[4], ids[3], True)
        rest = get(gateway, f"{PATH}?limit=3&after={ids[3]}").json()
        assert [row["id"] for row in rest["data"]] == [ids[2], ids[1], ids[0]]
        assert rest["has_more"] is False
        assert rest["data"][0]["provider"] == "openai"
        nothing = get(gateway, f"{PATH}?after={ids[0]}").json()
        assert (nothing["data"], nothing["first_id"]) == ([], None)

    def test_are_gone_after_a_reset_and_never_there_without_store(
        self, gateway: LocalGateway
    ) -> None:
        unstored = respond(gateway, "Hi", store=False).json()["id"]
        kept = respond(gateway, "Hi").json()["id"]
        assert get(gateway, f"{PATH}/{unstored}").status == 404
        assert get(gateway, f"{PATH}/{kept}").status == 200
        gateway.reset()
        assert get(gateway, f"{PATH}/{kept}").code == (404, "not_found")
        assert get(gateway, PATH).json()["data"] == []

    @pytest.mark.parametrize(
        ("query", "kind"),
        [
            ("limit=0", "greater_than_equal"),
            ("limit=101", "less_than_equal"),
            ("limit=x", "int_parsing"),
            ("limit=", "int_parsing"),
        ],
    )
    def test_refuse_a_bad_limit(self, gateway: LocalGateway, query: str, kind: str) -> None:
        assert get(gateway, f"{PATH}?{query}").faults == [(kind, ["query", "limit"])]

    def test_do_not_go_on_from_an_unknown_one(self, gateway: LocalGateway) -> None:
        assert get(gateway, f"{PATH}?after=resp_none").code == (404, "not_found")
        response = respond(gateway, "Hi", previous_response_id="resp_none")
        assert response.code == (404, "not_found")


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "kind", "where"),
        [
            ({}, "missing", ["input"]),
            ({"input": 5}, "list_type", ["input"]),
            ({"input": [5]}, "dict_type", ["input", 0]),
            ({"input": [{"role": "user"}]}, "missing", ["input", 0, "content"]),
            ({"input": [{"type": 5}]}, "string_type", ["input", 0, "type"]),
            ({"input": [{"type": "function_call"}]}, "missing", ["input", 0, "call_id"]),
            ({"input": "", "temperature": 2.1}, "less_than_equal", ["temperature"]),
            ({"input": "", "top_p": -1}, "greater_than_equal", ["top_p"]),
            ({"input": "", "max_tool_calls": 11}, "less_than_equal", ["max_tool_calls"]),
            ({"input": "", "user": "x" * 257}, "string_too_long", ["user"]),
            ({"input": "", "tools": [{}]}, "missing", ["tools", 0, "name"]),
            ({"input": "", "tools": [{"type": "hammer"}]}, "literal_error", ["tools", 0, "type"]),
            ({"input": "", "tools": ["x"]}, "model_attributes_type", ["tools", 0]),
            ({"input": "", "tool_choice": "required"}, "value_error", ["tool_choice"]),
        ],
    )
    def test_of_a_bad_body_name_the_fault(
        self, gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
    ) -> None:
        first = post(gateway, PATH, body).faults[0]
        assert first == (kind, ["body", *where])

    def test_of_what_only_the_service_can_do(self, gateway: LocalGateway) -> None:
        tools = [{"type": "web_search_preview"}]
        assert respond(gateway, "Hi", tools=tools).code == (501, "not_implemented")

    def test_of_a_model_for_something_else(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Hi", model="openai/gpt-image-1")
        assert response.code == (400, "model_capability_not_supported")
        assert respond(gateway, "Hi", model="acme/none").code == (404, "model_not_found")

    def test_of_a_bad_token(self, gateway: LocalGateway) -> None:
        for method in ("GET", "POST"):
            assert call(gateway, method, PATH, b"{}", token="rsk_test_other").status == 401

    def test_of_a_wrong_method_name_the_right_ones(self, gateway: LocalGateway) -> None:
        response = call(gateway, "PUT", PATH)
        assert response.code == (405, "method_not_allowed")
        assert {"GET", "POST"} <= set(response.headers["allow"].split(", "))


class TestFailingModels:
    @pytest.mark.parametrize("stream", [False, True])
    def test_fail_before_the_response(self, gateway: LocalGateway, stream: bool) -> None:
        limited = respond(gateway, "Hi", model="mesh/rate-limited", stream=stream)
        assert (limited.code, limited.headers["retry-after"]) == ((429, "rate_limit_exceeded"), "1")
        flaky = [respond(gateway, "Hi", model="mesh/flaky", stream=stream) for _ in range(3)]
        assert [response.status for response in flaky] == [503, 503, 200]

    def test_break_off_half_way(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Count to 8", model="mesh/broken-stream", stream=True)
        values = [event.json() for event in response.events()]
        assert response.broken
        assert joined(values, "response.output_text.delta") == "1 2 3 4"
        assert respond(gateway, "Count to 8", model="mesh/broken-stream").broken

    def test_send_an_error_half_way(self, gateway: LocalGateway) -> None:
        response = respond(gateway, "Count to 8", model="mesh/error-in-stream", stream=True)
        *_, failure, done = response.events()
        assert failure.json()["error"]["code"] == "gateway_timeout"
        assert done.data == "[DONE]"
        whole = respond(gateway, "Count to 8", model="mesh/error-in-stream")
        assert whole.code == (504, "gateway_timeout")
        # Only the one that was streamed: requests without a response are not kept.
        assert len(get(gateway, PATH).json()["data"]) == 1
