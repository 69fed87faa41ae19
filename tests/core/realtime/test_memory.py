"""What a session remembers for its next connection."""

import copy
import json
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.realtime import RealtimeMemory, Reconnected
from meshapi_core.types.realtime import RealtimeSessionConfig
from meshapi_core.types.realtime_client import RealtimeSessionUpdateEvent
from support.realtime_sessions import json_values, message


def update(session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def remembered(*events: Any) -> Optional[Any]:
    memory = RealtimeMemory()
    for event in events:
        memory.note_sent(event)
    text_of_it = memory.update()
    return None if text_of_it is None else json.loads(text_of_it)


def test_configurations_add_up_as_they_do_at_the_gateway():
    assert remembered(
        update({"instructions": "a", "audio": {"output": {"voice": "v", "speed": 1.5}}}),
        {"type": "response.create"},
        update({"audio": {"output": {"speed": None}, "input": {"turn_detection": None}}}),
        update({"instructions": "b", "tools": [1]}),
        update({"tools": [2]}),
    ) == update(
        {
            "type": "realtime",
            "instructions": "b",
            "audio": {
                "output": {"voice": "v", "speed": None},
                "input": {"turn_detection": None},
            },
            "tools": [2],
        }
    )


def test_typed_configurations_are_remembered_like_plain_ones():
    typed = RealtimeSessionUpdateEvent(session=RealtimeSessionConfig(instructions="a"))
    assert remembered(typed, update({"type": "realtime", "tools": []})) == update(
        {"type": "realtime", "instructions": "a", "tools": []}
    )


@pytest.mark.parametrize(
    "event",
    [{"type": "response.create"}, {"type": "session.update"}, update(None), update([]), update({})],
)
def test_what_configures_nothing_is_not_remembered(event):
    assert remembered(event) is None
    assert remembered() is None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), json_values), max_size=4))
def test_what_is_remembered_is_what_the_last_configuration_left(sessions):
    memory, expected = RealtimeMemory(), {}
    for session in sessions:
        memory.note_sent(update(copy.deepcopy(session)))
        expected = merged(expected, session)
    text_of_it = memory.update()
    if not expected:
        assert text_of_it is None
    else:
        assert text_of_it is not None
        assert json.loads(text_of_it) == update({"type": "realtime", **expected})


def merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {
        name: merged(old[name], new[name])
        if name in old and name in new
        else new.get(name, old.get(name))
        for name in [*old, *new]
    }


def test_what_was_remembered_is_not_changed_by_the_caller_afterwards():
    session = {"audio": {"output": {"voice": "v"}}}
    memory = RealtimeMemory()
    memory.note_sent(update(session))
    session["audio"]["output"]["voice"] = "w"
    assert '"voice":"v"' in (memory.update() or "")


def test_a_response_forgives_the_failures_before_it_and_a_greeting_does_not():
    memory = RealtimeMemory()
    memory.failures = 3
    failure = {"type": "error", "error": {"code": "session_expired", "message": "over"}}
    memory.note_received(message(failure))
    assert (memory.failures, memory.last_error_code) == (3, "session_expired")
    for greeting in (
        message({"type": "session.created"}),
        message({"type": "session.updated"}),
        Reconnected(),
    ):
        memory.note_received(greeting)
        assert (memory.failures, memory.last_error_code) == (3, "session_expired")
    memory.note_received(message({"type": "response.created"}))
    assert (memory.failures, memory.last_error_code) == (0, "")
