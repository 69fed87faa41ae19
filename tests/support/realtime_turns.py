"""Responses of a realtime model as events, cut and mixed in any way that is legal."""

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

from hypothesis import strategies as st

from meshapi_core.turns import RECEIVE, GiveTurn, RealtimeTurn, TurnMachine
from support.realtime_server import CLOSE, TEXT, RealtimePeer, close_frame
from support.realtime_sessions import message

Event = dict[str, Any]


class Text(NamedTuple):
    """A written part of a message, as its deltas."""

    deltas: Sequence[str]


class Speech(NamedTuple):
    """A spoken part: the deltas of its transcript, and of its audio."""

    deltas: Sequence[str]
    audio: Sequence[bytes]


class Called(NamedTuple):
    """A call of a function, and the deltas of its arguments."""

    call_id: str
    name: str
    deltas: Sequence[str]


class Answer(NamedTuple):
    """A response: messages as lists of parts, and calls."""

    id: str
    items: Sequence[Union[Called, Sequence[Union[Text, Speech]]]]
    status: str = "completed"

    @property
    def facts(self) -> tuple[Any, ...]:
        """What a turn must say, as `facts_of` has it."""
        parts = [part for item in self.items if not isinstance(item, Called) for part in item]
        calls = [item for item in self.items if isinstance(item, Called)]
        return (
            self.id,
            self.status,
            "".join("".join(part.deltas) for part in parts if isinstance(part, Text)),
            "".join("".join(part.deltas) for part in parts if isinstance(part, Speech)),
            b"".join(b"".join(part.audio) for part in parts if isinstance(part, Speech)),
            [(call.name, call.call_id, "".join(call.deltas)) for call in calls],
        )

    @property
    def created(self) -> Event:
        return {"type": "response.created", "response": {"id": self.id, "status": "in_progress"}}

    def done(self, **changes: Any) -> Event:
        output = [_item(each, whole=True) for each in self.items]
        response = {"id": self.id, "status": self.status, "output": output, **changes}
        return {"type": "response.done", "response": response}

    def strands(self) -> list[list[Event]]:
        """Events whose order is fixed in each strand; the strands may be mixed."""
        return [
            strand
            for index, item in enumerate(self.items)
            for strand in self._strands_of(index, item)
        ]

    def _strands_of(self, index: int, item: Any) -> list[list[Event]]:
        at = {"response_id": self.id, "item_id": f"item_{index}", "output_index": index}
        added = {**at, "type": "response.output_item.added", "item": _item(item, whole=False)}
        ended = {**at, "type": "response.output_item.done", "item": _item(item, whole=True)}
        if isinstance(item, Called):
            kind = "response.function_call_arguments"
            at = {**at, "call_id": item.call_id}
            said = {"name": item.name, "arguments": "".join(item.deltas)}
            deltas = [{**at, "type": f"{kind}.delta", "delta": delta} for delta in item.deltas]
            return [[added, *deltas, {**at, "type": f"{kind}.done", **said}, ended]]
        strands = [[added, ended]]
        for position, part in enumerate(item):
            at = {**at, "content_index": position}
            kind, field = _KINDS[type(part)]
            deltas = [{**at, "type": f"{kind}.delta", "delta": delta} for delta in part.deltas]
            done = {**at, "type": f"{kind}.done", field: "".join(part.deltas)}
            whole = {**at, "type": "response.content_part.done", "part": _part(part)}
            strands.append([*deltas, done, whole])
            if isinstance(part, Speech):
                strands.append([audio_delta(piece, **at) for piece in part.audio])
        return strands


_KINDS = {
    Text: ("response.output_text", "text"),
    Speech: ("response.output_audio_transcript", "transcript"),
}


def audio_delta(audio: bytes, **at: Any) -> Event:
    """A piece of audio."""
    delta = base64.b64encode(audio).decode()
    return {"response_id": "resp_1", **at, "type": "response.output_audio.delta", "delta": delta}


def _part(part: Union[Text, Speech]) -> Event:
    field = _KINDS[type(part)][1]
    kind = "output_text" if isinstance(part, Text) else "output_audio"
    return {"type": kind, field: "".join(part.deltas)}


def _item(item: Any, *, whole: bool) -> Event:
    if isinstance(item, Called):
        arguments = "".join(item.deltas) if whole else ""
        named = {"call_id": item.call_id, "name": item.name}
        return {"type": "function_call", **named, "arguments": arguments}
    return {"type": "message", "content": [_part(part) for part in item] if whole else []}


_deltas = st.lists(st.text(max_size=4), max_size=4)
_sounds = st.lists(st.binary(max_size=4), max_size=3)
_parts = st.one_of(st.builds(Text, _deltas), st.builds(Speech, _deltas, _sounds))
_items = st.one_of(
    st.lists(_parts, max_size=3),
    st.builds(Called, st.sampled_from(["call_1", "call_2"]), st.just("look"), _deltas),
)


def answers(key: str) -> st.SearchStrategy[Answer]:
    """Responses with this ID."""
    statuses = st.sampled_from(["completed", "cancelled", "incomplete", "failed"])
    return st.builds(Answer, st.just(key), st.lists(_items, max_size=3), statuses)


def mixed(draw: Any, strands: Sequence[list[Event]]) -> list[Event]:
    """The events of all strands, in any order that keeps that of each strand."""
    left = [list(strand) for strand in strands if strand]
    events: list[Event] = []
    while left:
        strand = left[draw(st.integers(0, len(left) - 1))]
        events.append(strand.pop(0))
        left = [each for each in left if each]
    return events


def feed(machine: TurnMachine, events: Sequence[Any]) -> list[RealtimeTurn]:
    """The turns that a machine without hooks and tools gives for events."""
    turns = []
    for event in events:
        machine.receive(message(event) if isinstance(event, dict) else event)
        turns += drained(machine)
    return turns


def drained(machine: TurnMachine) -> list[RealtimeTurn]:
    """The turns that a machine has ready."""
    turns = []
    while True:
        action = machine.next_action()
        if action is RECEIVE:
            return turns
        assert isinstance(action, GiveTurn), action
        turns.append(action.turn)


def facts_of(turn: RealtimeTurn) -> tuple[Any, ...]:
    """What a turn says about the model's response."""
    calls = [(call.name, call.call_id, call.arguments) for call in turn.tool_calls]
    return (turn.id, turn.status, turn.text, turn.transcript, turn.audio, calls)


def events_of(answer: Answer) -> list[Event]:
    """All events of a response, in the order in which a gateway sends them."""
    events = [event for strand in answer.strands() for event in strand]
    events.sort(key=lambda event: event["type"] == "response.output_item.done")
    return [answer.created, *events, answer.done()]


class Provider:
    """A script for a connection: the model responds each time when it is asked to.

    Args:
        responses: what it says each time: events to send, and functions to call with the peer.

    Attributes:
        received: the events that the client has sent.
    """

    def __init__(self, *responses: Sequence[Any]) -> None:
        self._responses = responses
        self.received: list[Event] = []

    def __call__(self, peer: RealtimePeer) -> None:
        for response in self._responses:
            if not self.wait_for(peer, "response.create"):
                return
            for step in response:
                if callable(step):
                    step(peer)
                else:
                    peer.text(json.dumps(step))
        while self.wait_for(peer, ""):
            pass

    def wait_for(self, peer: RealtimePeer, kind: str) -> bool:
        """Read up to an event of this type; return False if the client has left instead."""
        while True:
            frame = peer.receive_until(TEXT, CLOSE)
            if frame is None:
                return False
            if frame.opcode == CLOSE:
                peer.peer.send(close_frame())
                return False
            self.received.append(json.loads(frame.payload))
            if self.received[-1]["type"] == kind:
                return True

    @property
    def kinds(self) -> list[str]:
        """The types of the events that the client has sent."""
        return [event["type"] for event in self.received]

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of functions that the client has sent, by the ID of the call."""
        items = [event["item"] for event in self.received if "item" in event]
        return {item["call_id"]: item["output"] for item in items if "output" in item}
