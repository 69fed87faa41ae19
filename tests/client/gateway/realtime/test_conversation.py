"""How the state of a realtime session changes with each event, without a connection."""

import base64
import contextlib
import json
from typing import Any, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.realtime import conversation
from meshapi.gateway.realtime.actions import Cancel, Respond
from meshapi.gateway.realtime.calls import response_to
from meshapi.gateway.realtime.config import new_config, updated
from meshapi.gateway.realtime.conversation import BUFFER_LIMIT, Conversation
from meshapi.gateway.realtime.events import Refused
from support.gateway_sessions import MODEL

SESSION: dict[str, Any] = {
    "type": "realtime",
    "output_modalities": ["text"],
    "max_output_tokens": 7,
    "tools": [{"type": "function", "name": "f"}],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 40},
        },
        "output": {"voice": "marin", "speed": 1.0},
    },
}
ITEM: dict[str, Any] = {
    "id": "a",
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_audio", "audio": "AAAA"}],
}
RESPONSE: dict[str, Any] = {
    "output_modalities": ["audio"],
    "conversation": "none",
    "input": [ITEM, {"type": "item_reference", "id": "a"}],
    "metadata": {"a": "b"},
    "audio": {"output": {"voice": {"id": "x"}}},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "session.update", "session": SESSION},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear", "event_id": "mine"},
    {"type": "conversation.item.create", "item": ITEM, "previous_item_id": "root"},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "x"},
    },
    {"type": "conversation.item.retrieve", "item_id": "a"},
    {"type": "conversation.item.delete", "item_id": "a"},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1},
    {"type": "response.create", "response": RESPONSE},
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "x"},
]
VALUES = st.sampled_from([None, True, -1, 0.5, "", "a", [], ["a"], [None], {}, {"type": None}])


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value, unchanged or with another value in one place."""
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 9)) == 0:
        return draw(st.just(value) | VALUES)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    return {**value, name: draw(changed(value[name]))}


def like(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values).flatmap(changed).filter(lambda value: isinstance(value, dict))


def said_of(action: Union[Respond, Cancel]) -> list[Any]:
    if isinstance(action, Cancel):
        return []
    response = response_to(action.plan)
    opening = list(response.opening())
    played = [said for step in response.steps for said in response.play(step)]
    return [*opening, *played, *response.closing("completed")]


class TestConversations:
    @pytest.mark.slow
    @given(received=st.lists(like(EVENTS), max_size=4))
    def test_have_a_response_to_everything(self, received: list[Any]) -> None:
        conversation = Conversation(MODEL)
        for event in received:
            try:
                actions = list(conversation.handle(event))
            except Refused as error:
                assert error.code
                assert error.message
                continue
            assert actions or event["type"] == "input_audio_buffer.append"
            for action in actions:
                for said in [action] if isinstance(action, dict) else said_of(action):
                    assert json.loads(json.dumps(said, allow_nan=False)) == said

    @pytest.mark.slow
    @given(changes=like([SESSION]))
    def test_keep_what_a_change_does_not_name(self, changes: Any) -> None:
        before = new_config(MODEL)
        received = {"type": "session.update", "session": changes}
        conversation = Conversation(MODEL)
        with contextlib.suppress(Refused):
            list(conversation.handle(received))
            after = updated(before, changes)
            assert updated(after, changes) == after
            assert {name: after[name] for name in before if name not in changes} == {
                name: before[name] for name in before if name not in changes
            }

    @pytest.mark.slow
    def test_have_room_for_sixty_four_mebibytes_of_audio(self) -> None:
        conversation = Conversation(MODEL)
        off = {"audio": {"input": {"turn_detection": None}}}
        list(conversation.handle({"type": "session.update", "session": off}))
        audio = base64.b64encode(bytes(BUFFER_LIMIT // 8)).decode()
        received = {"type": "input_audio_buffer.append", "audio": audio}
        for _ in range(8):
            list(conversation.handle(received))
        with pytest.raises(Refused, match="holds at most"):
            list(conversation.handle({**received, "audio": "AAAA"}))
        list(conversation.handle({"type": "input_audio_buffer.commit"}))
        list(conversation.handle(received))


def test_the_oldest_items_go_if_they_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "_KEPT_BYTES", 25_000)
    one = Conversation(MODEL)
    for number in range(9):
        content = [{"type": "input_text", "text": "x" * 3000}]
        item = {"id": f"item{number}", "type": "message", "role": "user", "content": content}
        list(one.handle({"type": "conversation.item.create", "item": item}))
    assert [item.id for item in one._items] == ["item7", "item8"]
    # As it is played, a response grows.
    one._items[-1].text += "x" * 30_000
    list(one.handle({"type": "conversation.item.create", "item": {**ITEM, "id": "last"}}))
    assert [item.id for item in one._items] == ["last"]
