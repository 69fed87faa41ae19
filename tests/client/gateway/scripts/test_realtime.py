"""Scripts in realtime sessions."""

from typing import Any

import pytest

from meshapi.testing import (
    LocalGateway,
    broken_stream,
    close,
    error,
    error_in_stream,
    reply,
    slow,
    stall,
    tool_call,
)
from support.gateway_calls import TOKEN
from support.gateway_sessions import MODEL, opened, upgrade

PATH = "/v1/realtime"


def texts_of(events: "list[Any]") -> str:
    deltas = ("response.output_text.delta", "response.output_audio_transcript.delta")
    return "".join(event["delta"] for event in events if event["type"] in deltas)


@pytest.mark.slow
def test_a_response_has_the_words_of_the_script(gateway: LocalGateway) -> None:
    gateway.on("weather", reply(tool_calls=[tool_call("get_weather", {"city": "Paris"})]), "Sunny.")
    with opened(gateway) as session:
        session.ask("weather?", output_modalities=["text"])
        done = session.until("response.done")[-1]["response"]
        (item,) = done["output"]
        assert (item["name"], item["arguments"]) == ("get_weather", '{"city": "Paris"}')
        session.ask("weather?")
        assert texts_of(session.until("response.done")) == "Sunny."
        session.ask("Repeat: mine", output_modalities=["text"])
        assert texts_of(session.until("response.done")) == "mine"
    gateway.assert_all_used()


def test_an_upgrade_is_refused_before_any_response(gateway: LocalGateway) -> None:
    gateway.on("words", reply("Hi"))
    gateway.next_error(429, retry_after=1)
    response = upgrade(gateway, f"{PATH}?model={MODEL}&api_key={TOKEN}")
    assert response.code == (429, "rate_limit_exceeded")
    assert response.headers["retry-after"] == "1"


def test_a_response_goes_wrong_as_the_script_wants_it(gateway: LocalGateway) -> None:
    gateway.on("are you busy", error(503, "busy", "Later."))
    gateway.next_response(
        error_in_stream("one two", status=500, message="Gone."),
        slow("one two", start=0, pause=0),
        {"a": "body"},
        path=PATH,
    )
    with opened(gateway) as session:
        session.ask("Hi", output_modalities=["text"])
        events = session.until("response.done")
        assert texts_of(events) == "one"
        assert [event["error"]["code"] for event in events if event["type"] == "error"] == [
            "internal_error"
        ]
        session.ask("Hi", output_modalities=["text"])
        assert texts_of(session.until("response.done")) == "one two"
        session.ask("Hi")
        assert session.error()["code"] == "script_does_not_fit"
        session.ask("Are you busy?")
        assert session.error()["code"] == "busy"
        gateway.on("end", close(4402, "spent"))
        session.ask("end")
        _, ended = session.rest()
    assert ended.rcvd is not None
    assert (ended.rcvd.code, ended.rcvd.reason) == (4402, "spent")


def test_a_session_drops_half_way(gateway: LocalGateway) -> None:
    gateway.on(stall(), path=PATH, times=1)
    gateway.on(broken_stream("one two three four"), path=PATH)
    with opened(gateway) as session:
        session.ask("Hi")
        session.ask("Hi", output_modalities=["text"])
        events, ended = session.rest()
    assert texts_of(events) == "one two"
    assert ended.rcvd is None


def test_what_is_not_scripted_is_an_error(gateway: LocalGateway) -> None:
    gateway.strict = True
    try:
        with opened(gateway) as session:
            session.ask("Hi")
            refused = session.error()
    finally:
        gateway.strict = False
    assert refused["code"] == "not_scripted"
    with pytest.raises(AssertionError, match="/v1/realtime, model"):
        gateway.assert_all_used()


def test_a_close_is_for_sessions_only(gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="is for /v1/realtime"):
        gateway.on(close(), path="/v1/chat/completions")
    with pytest.raises(ValueError, match="expected a close code such as 1000 or 4402, got 1006"):
        close(1006)
    with pytest.raises(ValueError, match="at most 123 bytes"):
        close(4000, "x" * 124)
