"""Tools in realtime sessions: calls, their outputs, and the answer after them."""

import json
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_sessions import Session, audio_of, deltas, kinds, opened

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "", "parameters": CITY}


TOOLS = [tool("get_weather"), tool("send_mail")]
TEXT = {"output_modalities": ["text"]}


def answer(session: Session, call: Any, output: str) -> None:
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    session.send("conversation.item.create", item=item)


def calls_of(events: list[Any]) -> list[tuple[str, Any]]:
    output = events[-1]["response"]["output"]
    return [(item["name"], json.loads(item["arguments"])) for item in output]


class TestCalls:
    def test_are_items_whose_arguments_arrive_bit_by_bit(self, session: Session) -> None:
        session.send("session.update", session={"tools": TOOLS})
        session.ask("Use get_weather for Paris.")
        events = session.until("response.done")[3:]
        count = kinds(events).count("response.function_call_arguments.delta")
        assert count > 1
        assert kinds(events) == [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            *["response.function_call_arguments.delta"] * count,
            "response.function_call_arguments.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        (call,) = events[-1]["response"]["output"]
        assert (call["type"], call["status"]) == ("function_call", "completed")
        assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"Paris"}')
        begun, done = events[1]["item"], events[-4]
        assert (begun["status"], begun["arguments"]) == ("in_progress", "")
        assert (done["call_id"], done["arguments"]) == (call["call_id"], call["arguments"])
        assert deltas(events, "function_call_arguments") == call["arguments"]
        assert {e["item_id"] for e in events if "item_id" in e} == {call["id"]}

    def test_are_answered_in_speech(self, session: Session) -> None:
        session.send("session.update", session={"tools": TOOLS})
        session.ask("Use get_weather for Paris.")
        (call,) = session.until("response.done")[-1]["response"]["output"]
        answer(session, call, "18 degrees")
        session.send("response.create")
        events = session.until("response.done")
        assert deltas(events, "output_audio_transcript") == "The tool answered: 18 degrees"
        assert audio_of(events)
        # The next question begins again.
        session.ask("And in Rome?")
        assert calls_of(session.until("response.done")) == [("get_weather", {"city": "Rome"})]

    def test_go_side_by_side_and_turn_by_turn(self, session: Session) -> None:
        session.send("session.update", session={"tools": TOOLS, **TEXT})
        session.ask("Compare get_weather for Paris with get_weather for Rome, then send_mail.")
        events = session.until("response.done")
        both = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
        assert calls_of(events) == both
        added = [e["output_index"] for e in events if e["type"] == "response.output_item.added"]
        assert added == [0, 1]
        first, second = events[-1]["response"]["output"]
        places = [e["previous_item_id"] for e in events if e["type"] == "conversation.item.added"]
        assert places[-1] == first["id"]
        answer(session, second, "warm")
        answer(session, first, "cold")
        session.send("response.create")
        ((name, _),) = calls_of(events := session.until("response.done"))
        assert name == "send_mail"
        answer(session, events[-1]["response"]["output"][0], "sent")
        session.send("response.create")
        text = deltas(session.until("response.done"), "output_text")
        assert text == "The tool answered: warm; cold; sent"

    def test_can_be_forced_or_forbidden(self, session: Session) -> None:
        session.ask("What is 2+2?", tools=TOOLS, tool_choice="none", **TEXT)
        assert deltas(session.until("response.done"), "output_text") == "2 + 2 = 4."
        named = {"type": "function", "name": "send_mail"}
        session.ask("Get_weather", tools=TOOLS, tool_choice=named)
        assert [name for name, _ in calls_of(session.until("response.done"))] == ["send_mail"]
        session.ask("Hi", tools=TOOLS, tool_choice={"type": "function", "name": "fly"})
        assert session.error()["param"] == "response.tool_choice"

    def test_of_a_conversation_beside_leave_no_items(self, session: Session) -> None:
        session.ask("get_weather", tools=TOOLS, conversation="none")
        (call,) = session.until("response.done")[-1]["response"]["output"]
        session.send("conversation.item.retrieve", item_id=call["id"])
        assert session.error()["code"] == "item_retrieve_invalid_item_id"

    def test_that_are_cut_off_are_incomplete(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/error-in-stream") as session:
            session.ask("get_weather in Paris", tools=TOOLS)
            session.error()
            response = session.until("response.done")[-1]["response"]
        (call,) = response["output"]
        assert (response["status"], call["status"]) == ("failed", "incomplete")
        assert '{"city":"Paris"}'.startswith(call["arguments"])

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("mesh/unknown-tool", ("no_such_tool", "{}")),
            ("mesh/not-json", ("get_weather", "This is not JSON.")),
            ("mesh/wrong-json", ("get_weather", '{"wrong":[null]}')),
        ],
    )
    def test_go_wrong_as_in_chat(
        self, gateway: LocalGateway, model: str, expected: tuple[str, str]
    ) -> None:
        with opened(gateway, model) as session:
            session.ask("get_weather", tools=TOOLS)
            (call,) = session.until("response.done")[-1]["response"]["output"]
        assert (call["name"], call["arguments"]) == expected

    @pytest.mark.parametrize(
        ("tools", "where"),
        [
            ([{"type": "function"}], "session.tools.0.name"),
            ([1], "session.tools.0"),
            ([{"type": "function", "name": "f", "parameters": 1}], "session.tools.0.parameters"),
        ],
    )
    def test_need_tools_that_are_valid(self, session: Session, tools: Any, where: str) -> None:
        session.send("session.update", session={"tools": tools})
        assert session.error()["param"] == where
