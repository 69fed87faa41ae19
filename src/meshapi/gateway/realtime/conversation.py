"""The state of a realtime session, and how each event changes it. Nothing here sends or waits."""

from collections.abc import Iterator, Sequence
from typing import Any, Optional, cast

from meshapi.gateway.content.answers import REFUSAL_TEXT, shorten
from meshapi.gateway.content.tool_calls import ToolCall
from meshapi.gateway.mistakes import called_by
from meshapi.gateway.models import REFUSAL
from meshapi.gateway.realtime.actions import Action, Cancel, Plan, Respond
from meshapi.gateway.realtime.client_events import check
from meshapi.gateway.realtime.config import inner, new_config, updated
from meshapi.gateway.realtime.events import Event, Refused, decode_audio, event, new_id
from meshapi.gateway.realtime.items import (
    Item,
    answer_to,
    audio_tokens,
    heard,
    item_of,
    last_turn,
    message_body,
    question_in,
    turns_of_tools,
)
from meshapi.gateway.realtime.turns import TurnDetector, milliseconds_of, seconds_of

# 23 minutes of audio, which is most of the longest session.
BUFFER_LIMIT = 64 * 1024 * 1024

# The oldest are dropped first, as the service does when its context is full.
_KEPT_ITEMS = 500
_KEPT_BYTES = 64 * 1024 * 1024


class Conversation:
    """One session's configuration, items and audio buffer."""

    def __init__(self, model: str) -> None:
        self.config = new_config(model)
        self._model = model
        self._id = new_id("conv")
        self._items: list[Item] = []
        self._audio = bytearray()
        self._turns = TurnDetector()
        # Bytes of audio that have been removed from the buffer.
        self._gone = 0
        self._next_item = new_id("item")

    def handle(self, received: Event) -> Iterator[Action]:
        """The actions in response to a client's event, in order.

        Raises:
            Refused: the event can't be handled, or no further than the actions so far.
        """
        kind = check(received)
        if kind == "session.update":
            self.config = updated(self.config, received["session"])
            yield event("session.updated", session=self.config)
        elif kind == "input_audio_buffer.append":
            yield from self._append(decode_audio(received["audio"], "audio"))
        elif kind == "input_audio_buffer.commit":
            yield from self._commit(len(self._audio))
        elif kind == "input_audio_buffer.clear":
            self._cut(len(self._audio))
            yield event("input_audio_buffer.cleared")
        elif kind == "conversation.item.create":
            yield from self._create(received["item"], received.get("previous_item_id"))
        elif kind == "conversation.item.retrieve":
            item = self._find(received["item_id"], "item_retrieve_invalid_item_id")
            yield event("conversation.item.retrieved", item=item.body)
        elif kind == "conversation.item.delete":
            item = self._find(received["item_id"], "item_delete_invalid_item_id")
            self._items.remove(item)
            yield event("conversation.item.deleted", item_id=item.id)
        elif kind == "conversation.item.truncate":
            yield self._truncate(received)
        elif kind == "response.create":
            yield Respond(self._plan(received.get("response") or {}))
        else:
            yield Cancel(True, received.get("response_id"))

    def add(self, item: Item) -> None:
        """Append an item."""
        self._insert(len(self._items), item)

    def _append(self, data: bytes) -> Iterator[Action]:
        if len(self._audio) + len(data) > BUFFER_LIMIT:
            message = f"The audio buffer holds at most {BUFFER_LIMIT} bytes: commit or clear it."
            raise Refused("input_audio_buffer_full", message, param="audio")
        self._audio += data
        detection = self.config["audio"]["input"]["turn_detection"]
        while detection:
            mark = self._turns.next(self._audio, detection["silence_duration_ms"])
            if mark is None:
                return
            at = milliseconds_of(self._gone + mark.at)
            members = {"item_id": self._next_item}
            if mark.begins:
                yield event("input_audio_buffer.speech_started", audio_start_ms=at, **members)
                if detection["interrupt_response"]:
                    yield Cancel(False)
                continue
            yield event("input_audio_buffer.speech_stopped", audio_end_ms=at, **members)
            yield from self._commit(mark.at)
            if detection["create_response"]:
                yield Respond(self._plan({}))

    def _commit(self, size: int) -> Iterator[Action]:
        if not size:
            message = "The audio buffer is empty: there is nothing to commit."
            raise Refused("input_audio_buffer_commit_empty", message)
        previous = self._last_id()
        transcribed = self.config["audio"]["input"]["transcription"] is not None
        seconds = seconds_of(size)
        transcript = heard(seconds)
        part = {"type": "input_audio", "transcript": None}
        item = Item(message_body(self._next_item, "user", [part]), transcript, seconds=seconds)
        self._cut(size)
        self.add(item)
        where = {"item_id": item.id, "previous_item_id": previous}
        yield event("input_audio_buffer.committed", **where)
        yield from _added(item, previous)
        if transcribed:
            # Not in place: the events before, which share the body, may not have been sent yet.
            item.body = {**item.body, "content": [{**part, "transcript": transcript}]}
            yield event(
                "conversation.item.input_audio_transcription.completed",
                item_id=item.id,
                content_index=0,
                transcript=transcript,
                usage={"type": "duration", "seconds": seconds},
            )

    def _cut(self, size: int) -> None:
        del self._audio[:size]
        self._gone += size
        self._turns.restart()
        self._next_item = new_id("item")

    def _create(self, wanted: dict[str, Any], previous: Optional[str]) -> Iterator[Action]:
        item = item_of(wanted)
        if any(other.id == item.id for other in self._items):
            message = f"An item '{item.id}' already exists: choose another id, or leave it out."
            raise Refused("item_create_duplicate_item_id", message, param="item.id")
        at = len(self._items)
        if previous == "root":
            at = 0
        elif previous is not None:
            before = self._find(previous, "item_create_invalid_previous_item_id")
            at = self._items.index(before) + 1
        where = self._items[at - 1].id if at else None
        self._insert(at, item)
        yield from _added(item, where)

    def _insert(self, at: int, item: Item) -> None:
        self._items.insert(at, item)
        del self._items[:-_KEPT_ITEMS]
        # A response grows after it is added, by as much as it has of text.
        sizes = [one.size + len(one.text) for one in self._items]
        excess = sum(sizes) - _KEPT_BYTES
        while excess > 0 and len(self._items) > 1:
            excess -= sizes.pop(0)
            del self._items[0]

    def _truncate(self, wanted: Event) -> Event:
        item = self._find(wanted["item_id"], "item_truncate_invalid_item_id")
        if item.role != "assistant" or not item.seconds:
            message = f"Item '{item.id}' is not audio of the assistant."
            raise Refused("item_truncate_invalid_item_id", message, param="item_id")
        if wanted["audio_end_ms"] > item.seconds * 1000:
            message = f"Item '{item.id}' has only {item.seconds * 1000:.0f} ms of audio."
            raise Refused("invalid_value", message, param="audio_end_ms")
        item.seconds = wanted["audio_end_ms"] / 1000
        item.text = ""
        item.body = {**item.body, "content": [{"type": "output_audio", "transcript": None}]}
        members = {name: wanted[name] for name in ("item_id", "content_index", "audio_end_ms")}
        return event("conversation.item.truncated", **members)

    def _find(self, item_id: str, code: str) -> Item:
        for item in self._items:
            if item.id == item_id:
                return item
        raise Refused(code, f"There is no item '{item_id}'.", param="item_id")

    def _last_id(self) -> Optional[str]:
        return self._items[-1].id if self._items else None

    def _plan(self, wanted: dict[str, Any]) -> Plan:
        modalities = wanted.get("output_modalities") or self.config["output_modalities"]
        limit = wanted.get("max_output_tokens") or self.config["max_output_tokens"]
        changes = {"audio": {"output": inner(wanted, "audio", "output")}}
        output = updated(self.config, changes)["audio"]["output"]
        items = self._input(wanted.get("input"))
        called = self._calls(items, wanted)
        instructions = wanted.get("instructions") or self.config["instructions"]
        answer = "" if called else answer_to(items, instructions)
        text = REFUSAL_TEXT if self._model == REFUSAL else answer
        text, reason = shorten(text, stop=[], max_words=None if limit == "inf" else limit)
        kept = wanted.get("conversation") != "none"
        turn = [item.seconds for item in last_turn(items)]
        return Plan(
            text=text,
            calls=called,
            shortened=reason == "length",
            spoken="audio" in modalities and not called,
            modalities=modalities,
            seconds=sum(turn) or None,
            output={"format": output["format"], "voice": output["voice"]},
            max_output_tokens=limit,
            metadata=wanted.get("metadata"),
            kept=kept,
            conversation_id=self._id,
            previous=self._last_id(),
            text_tokens=sum(item.written for item in items),
            audio_tokens=sum(audio_tokens(item) for item in items),
            question=question_in(items),
        )

    def _calls(self, items: Sequence[Item], wanted: dict[str, Any]) -> list[ToolCall]:
        settings = {**self.config, **{k: v for k, v in wanted.items() if v is not None}}
        tools: list[dict[str, Any]] = settings.get("tools") or []
        choice: Any = settings.get("tool_choice")
        functions = [{"function": tool} for tool in tools if tool["type"] == "function"]
        if self._model == REFUSAL:
            return []
        if isinstance(choice, dict):
            name = cast("dict[str, Any]", choice).get("name")
            if not any(tool["function"]["name"] == name for tool in functions):
                param = "response.tool_choice"
                raise Refused("invalid_value", f"There is no tool named {name!r}.", param=param)
            choice = cast("Any", {"function": choice})
        turn = turns_of_tools(items)
        called = called_by(self._model, functions, choice, question_in(items), turn)
        return called[:1] if settings.get("parallel_tool_calls") is False else called

    def _input(self, wanted: Optional[Sequence[dict[str, Any]]]) -> Sequence[Item]:
        if wanted is None:
            return self._items
        return [
            self._find(row["id"], "item_reference_invalid_item_id")
            if row["type"] == "item_reference"
            else item_of(row)
            for row in wanted
        ]


def _added(item: Item, previous: Optional[str]) -> Iterator[Event]:
    for kind in ("added", "done"):
        yield event(f"conversation.item.{kind}", previous_item_id=previous, item=item.body)
