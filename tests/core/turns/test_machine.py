"""Events of a session become turns: whole, cut, mixed, late, hostile."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Base64Error, RealtimeError, ToolArgumentsError
from meshapi_core.realtime.events import Reconnected
from meshapi_core.turns import (
    RECEIVE,
    GiveTurn,
    RealtimeToolCall,
    TellProgram,
    TurnMachine,
)
from meshapi_core.turns.parts import Room
from support.realtime_sessions import json_values, message
from support.realtime_turns import (
    Answer,
    Called,
    Speech,
    Text,
    answers,
    audio_delta,
    drained,
    facts_of,
    feed,
    mixed,
)

SPOKEN = Answer("resp_1", [[Speech(["Hel", "lo"], [b"ab", b"cd"])]])
INPUT = "conversation.item.input_audio_transcription"


def text_delta(delta: Any, **changes: Any) -> dict[str, Any]:
    event = {"type": "response.output_text.delta", "response_id": "resp_1", "output_index": 0}
    return {**event, "content_index": 0, "delta": delta, **changes}


def only(turns: Any) -> Any:
    (turn,) = turns
    return turn


# Order and cuts


@given(answers("resp_1"), answers("resp_2"), st.data())
def test_any_legal_order_gives_the_same_turns(one, two, data):
    events = mixed(data.draw, [*one.strands(), *two.strands()])
    given = feed(TurnMachine(), [one.created, two.created, *events, two.done(), one.done()])
    assert [facts_of(turn) for turn in given] == [two.facts, one.facts]


@given(answers("resp_1"), st.data())
def test_any_cut_that_keeps_the_end_and_the_audio_gives_the_same_turn(answer, data):
    events = [answer.created, *mixed(data.draw, answer.strands())]
    kept = [e for e in events if "output_audio.delta" in e["type"] or data.draw(st.booleans())]
    assert facts_of(only(feed(TurnMachine(), [*kept, answer.done()]))) == answer.facts


@given(answers("resp_1"), st.data())
def test_the_events_alone_are_enough_where_the_end_says_nothing(answer, data):
    events = mixed(data.draw, answer.strands())
    levels = ("output_item.done", "content_part.done", "text.done", "transcript.done")
    dropped = data.draw(st.sets(st.sampled_from([*levels, "arguments.done"])))
    kept = [event for event in events if not event["type"].endswith(tuple(dropped))]
    turn = only(feed(TurnMachine(), [*kept, answer.done(output=None)]))
    assert facts_of(turn) == answer.facts


@given(answers("resp_1"), st.data())
def test_a_lost_end_gives_what_there_was(answer, data):
    machine = TurnMachine()
    assert feed(machine, [answer.created, *mixed(data.draw, answer.strands())]) == []
    assert machine.lost()
    turn = only(drained(machine))
    assert facts_of(turn) == (answer.id, "lost", *answer.facts[2:])
    assert (turn.reason, turn.response, turn.reconnected) == ("connection_lost", None, None)
    assert not machine.lost()
    assert drained(machine) == []


@given(answers("resp_1"), st.data())
def test_unknown_events_are_passed_over(answer, data):
    strange = st.builds(
        lambda kind, fields: {**fields, "type": kind},
        st.sampled_from(["response.hologram.delta", "mcp_call.done", "x", "", "rate_limits.x"]),
        st.dictionaries(st.sampled_from(["delta", "response_id", "item"]), json_values),
    )
    known = mixed(data.draw, answer.strands())
    events = mixed(data.draw, [[answer.created, *known], data.draw(st.lists(strange))])
    assert facts_of(only(feed(TurnMachine(), [*events, answer.done()]))) == answer.facts


def test_events_after_the_end_of_their_response_change_nothing():
    late = [*SPOKEN.strands()[1], SPOKEN.created, SPOKEN.done()]
    machine = TurnMachine()
    assert len(feed(machine, [SPOKEN.created, SPOKEN.done(), *late])) == 1
    assert not machine.is_open


# What a turn says


def test_the_names_of_the_beta_do_too():
    events = [
        text_delta("a", type="response.text.delta"),
        text_delta("b", type="response.audio_transcript.delta"),
        {**audio_delta(b"c"), "type": "response.audio.delta"},
    ]
    turn = only(feed(TurnMachine(), [*events, SPOKEN.done(output=[])]))
    assert (turn.text, turn.transcript, turn.audio) == ("a", "b", b"c")


def test_the_format_of_the_audio_is_that_of_the_response():
    assert only(feed(TurnMachine(), [SPOKEN.done()])).audio_format.rate == 24_000
    mulaw = {"output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"}}
    created = {"type": "response.created", "response": {"id": "resp_1", "audio": mulaw}}
    turn = only(feed(TurnMachine(), [created, SPOKEN.done()]))
    assert (turn.audio_format.type, turn.audio_rate) == ("audio/pcmu", 8_000)
    fast = {"output": {"format": {"type": "audio/pcm", "rate": 48_000}}}
    assert only(feed(TurnMachine(), [SPOKEN.done(audio=fast)])).audio_rate == 48_000


def test_a_failure_says_what_the_gateway_said_without_the_token():
    machine = TurnMachine()
    machine.secrets = ("rsk_test_secret",)
    said = {"type": "server_error", "code": "overload", "message": "no room for rsk_test_secret"}
    details = {"type": "failed", "reason": "server", "error": said}
    turn = only(feed(machine, [SPOKEN.done(status="failed", status_details=details)]))
    assert (turn.status, turn.reason, turn.error.code) == ("failed", "server", "overload")
    assert "secret" not in str(turn.error)
    with pytest.raises(RealtimeError):
        raise turn.error


def test_the_usage_is_that_of_the_response():
    turn = only(feed(TurnMachine(), [SPOKEN.done(usage={"total_tokens": 7})]))
    assert turn.usage.total_tokens == 7
    assert TurnMachine().lost() is False


def test_what_people_say_is_in_no_repr():
    turn = only(feed(TurnMachine(), [*SPOKEN.strands()[1], SPOKEN.done()]))
    assert "Hello" not in repr(turn)
    assert repr(turn).startswith("<RealtimeTurn completed")


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
def test_arguments_of_nothing_are_empty(arguments):
    call = RealtimeToolCall(name="look", call_id="call_1", arguments=arguments)
    assert call.parsed_arguments == {}


@pytest.mark.parametrize("arguments", ["[1]", "{", "null", "\ud800"])
def test_arguments_that_are_no_object_raise_when_they_are_parsed(arguments):
    call = RealtimeToolCall(name="look", call_id="call_1", arguments=arguments)
    with pytest.raises(ToolArgumentsError):
        _ = call.parsed_arguments


# What the user said


def committed(item: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.committed", "item_id": item}


def transcribed(item: str, text: Any) -> dict[str, Any]:
    return {"type": f"{INPUT}.completed", "item_id": item, "transcript": text}


def test_what_the_user_said_belongs_to_the_response_after_it():
    first, second = SPOKEN, SPOKEN._replace(id="resp_2")
    delta = {"type": f"{INPUT}.delta", "item_id": "a", "delta": "O"}
    events = [committed("a"), delta, {**delta, "delta": "ne"}, first.created, first.done()]
    events += [committed("b"), second.created, transcribed("b", "Two"), second.done()]
    given = feed(TurnMachine(), events)
    assert [turn.input_transcript for turn in given] == ["One", "Two"]


def test_a_transcript_that_comes_late_appears_in_the_turn_that_was_given():
    machine = TurnMachine()
    turn = only(feed(machine, [committed("a"), SPOKEN.created, SPOKEN.done()]))
    assert turn.input_transcript == ""
    feed(machine, [transcribed("a", None), transcribed("a", "Hello?")])
    assert turn.input_transcript == "Hello?"


def test_a_response_beside_the_conversation_does_not_take_what_the_user_said():
    beside = {"type": "response.created", "response": {"id": "resp_0", "conversation_id": None}}
    events = [committed("a"), transcribed("a", "Hello?"), beside, SPOKEN.created, SPOKEN.done()]
    assert only(feed(TurnMachine(), events)).input_transcript == "Hello?"


# Lost connections


def test_a_new_connection_gives_the_open_turns_and_begins_anew():
    machine = TurnMachine()
    gone = Reconnected(code=1006)
    turns = feed(machine, [SPOKEN.created, *SPOKEN.strands()[1][:1], gone])
    turn = only(turns)
    assert (turn.status, turn.transcript, turn.reconnected) == ("lost", "Hel", gone)
    fresh = SPOKEN._replace(id="resp_2")
    assert facts_of(only(feed(machine, [fresh.created, fresh.done()])))[1] == "completed"


def test_a_new_connection_without_an_open_turn_is_told_too():
    gone = Reconnected(code=1011)
    turn = only(feed(TurnMachine(), [gone]))
    assert (turn.id, turn.status, turn.reason) == ("", "lost", "connection_lost")
    assert turn.reconnected is gone


def test_no_server_can_pretend_that_the_connection_was_replaced():
    machine = TurnMachine()
    assert feed(machine, [SPOKEN.created, {"type": "meshapi.reconnected"}]) == []
    assert machine.is_open


# Hostile events

POSITIONS = st.one_of(st.integers(-2, 3), st.sampled_from([2**70, True, None, "0", 1.0, [], {}]))
IDS = st.sampled_from(["resp_1", "resp_2", "", None, 7, [], {}])
KINDS = st.sampled_from(
    [
        *(
            f"response.{name}.{end}"
            for name in ("output_text", "output_audio_transcript", "audio")
            for end in ("delta", "done")
        ),
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "input_audio_buffer.committed",
        f"{INPUT}.delta",
        f"{INPUT}.completed",
        "conversation.item.added",
    ]
)
PARTS = st.dictionaries(
    st.sampled_from(["type", "text", "transcript", "arguments", "call_id", "name", "id"]),
    st.one_of(json_values, st.just("function_call"), st.text(max_size=3)),
)
HOSTILE = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "response_id": IDS,
        "item_id": IDS,
        "output_index": POSITIONS,
        "content_index": POSITIONS,
        "delta": st.one_of(json_values, st.sampled_from(["YWI=", "text"])),
        "text": json_values,
        "part": st.one_of(json_values, PARTS),
        "item": st.one_of(
            json_values, PARTS, st.fixed_dictionaries({"content": st.lists(PARTS, max_size=2)})
        ),
        "response": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {"id": IDS},
                optional={
                    "output": st.one_of(json_values, st.lists(PARTS, max_size=2)),
                    "status": json_values,
                    "status_details": st.one_of(
                        json_values, st.fixed_dictionaries({"error": json_values})
                    ),
                    "audio": json_values,
                },
            ),
        ),
    },
)


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(st.lists(HOSTILE, max_size=12))
def test_whatever_comes_is_taken_within_the_room_and_the_room_comes_back(events):
    room = Room(64)
    machine = TurnMachine(room)
    for event in events:
        try:
            machine.receive(message(event))
        except Base64Error:
            pass
        assert 0 <= room.left <= 64
        for turn in drained(machine):
            assert len(turn.text) + len(turn.transcript) + len(turn.audio) <= 64
    machine.lost()
    drained(machine)
    assert room.left == 64


def test_a_turn_that_is_too_large_is_cut_and_says_so():
    machine = TurnMachine(Room(10))
    turn = only(feed(machine, [*[text_delta("abcd")] * 9, SPOKEN.done(output=[])]))
    assert (turn.text, turn.is_cut) == ("abcdabcdab", True)
    turn = only(feed(machine, [audio_delta(b"ab" * 9, response_id="r"), SPOKEN.done(id="r")]))
    assert (turn.audio, turn.is_cut) == (b"ab" * 5, True)
    assert feed(machine, [SPOKEN._replace(id="resp_3").done()])[0].is_cut is False


def test_parts_without_number_are_cut():
    events = [text_delta("", output_index=index) for index in range(3000)]
    assert only(feed(TurnMachine(), [*events, SPOKEN.done()])).is_cut


def test_responses_without_end_are_given_up_oldest_first():
    machine = TurnMachine()
    turns = feed(machine, [text_delta("x", response_id=f"resp_{n}") for n in range(40)])
    assert [turn.id for turn in turns] == [f"resp_{n}" for n in range(24)]
    assert {(turn.status, turn.reason) for turn in turns} == {("lost", "no_end")}


def test_audio_that_is_not_base64_is_raised_and_the_turn_goes_on():
    machine = TurnMachine()
    feed(machine, [audio_delta(b"ab")])
    with pytest.raises(Base64Error):
        feed(machine, [{**audio_delta(b""), "delta": "?"}])
    turn = only(feed(machine, [audio_delta(b"cd"), SPOKEN.done()]))
    assert turn.audio == b"abcd"


def test_an_event_without_a_response_belongs_to_the_newest():
    machine = TurnMachine()
    assert feed(machine, [text_delta("lost", response_id=None), {"type": "response.done"}]) == []
    other = SPOKEN._replace(id="resp_2")
    events = [SPOKEN.created, other.created, text_delta("a", response_id=None)]
    turn = only(feed(machine, [*events, {"type": "response.done"}]))
    assert (turn.id, turn.status, turn.text) == ("resp_2", "incomplete", "a")


# What the program is told on the way


def told(machine: TurnMachine, event: dict[str, Any], *hooks: str) -> list[tuple[str, Any]]:
    machine.receive(message(event), hooks)
    pairs = []
    while True:
        action = machine.next_action()
        if action is RECEIVE:
            return pairs
        if isinstance(action, TellProgram):
            pairs.append((action.hook, action.value))
        else:
            assert isinstance(action, GiveTurn)
            pairs.append(("turn", action.turn))


def test_hooks_get_what_arrives_and_audio_is_then_not_kept():
    machine = TurnMachine()
    hooks = ("on_message", "on_audio", "on_text")
    sound, words = audio_delta(b"ab"), text_delta("Hi")
    assert told(machine, sound, *hooks) == [("on_message", message(sound)), ("on_audio", b"ab")]
    assert told(machine, words, *hooks) == [("on_message", message(words)), ("on_text", "Hi")]
    assert told(machine, words) == []
    end = told(machine, SPOKEN.done(output=[]), *hooks)
    assert [name for name, _ in end] == ["on_message", "turn"]
    assert (end[1][1].audio, end[1][1].text) == (b"", "HiHi")
    assert told(machine, sound, *hooks) == [("on_message", message(sound))]


def test_arguments_are_not_told_as_text():
    call = Answer("resp_1", [Called("call_1", "look", ["{", "}"])])
    machine = TurnMachine()
    events = [call.created, *call.strands()[0]]
    assert [each for event in events for each in told(machine, event, "on_text")] == []


def test_written_and_spoken_parts_are_kept_apart():
    answer = Answer("resp_1", [[Text(["a"]), Speech(["b"], [b"s"])], [Text(["c"])]])
    assert facts_of(only(feed(TurnMachine(), [answer.done()])))[2:4] == ("ac", "b")
