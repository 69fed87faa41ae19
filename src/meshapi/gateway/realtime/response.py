"""One response of a realtime session, as a sequence of events. Nothing here sends."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Optional

from meshapi.gateway.content.answers import words
from meshapi.gateway.content.audio import seconds_to_say, tone
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.realtime.actions import Plan
from meshapi.gateway.realtime.events import Event, event, new_id
from meshapi.gateway.realtime.items import OUTPUT_TOKENS_PER_SECOND, Item, message_body
from meshapi.gateway.realtime.turns import BYTES_PER_SECOND, RATE, seconds_of

# 200 ms.
_DELTA = BYTES_PER_SECOND // 5


@dataclass(frozen=True)
class Step:
    """What is sent between two pauses: a word, some audio, or both.

    Attributes:
        call: for a fragment of arguments, the position of its call.
    """

    word: str
    audio: bytes
    call: int = 0


class Response:
    """The events of a response: `opening`, then `play` for all or some of `steps`, then `closing`.

    Attributes:
        items: the items that have begun, to add to the conversation; `closing` completes them.
    """

    def __init__(self, plan: Plan) -> None:
        self.id = new_id("resp")
        self.steps = _steps(plan)
        self.items: list[Item] = []
        body = message_body(new_id("item"), "assistant", [], "in_progress")
        self._item = Item(body, "")
        self._plan = plan
        self._text = ""
        self._size = 0
        self._part = {"item_id": self._item.id, "output_index": 0, "content_index": 0}

    def opening(self) -> Iterator[Event]:
        """The events before the first delta."""
        yield event("response.created", response=self._response("in_progress"))
        yield from self._begin(self._item)
        yield self._event("content_part.added", **self._part, part=self._content("audio", "text"))

    def play(self, step: Step) -> Iterator[Event]:
        """The delta events of a step."""
        if step.word:
            self._text += step.word
            kind = "output_audio_transcript.delta" if self._plan.spoken else "output_text.delta"
            yield self._event(kind, **self._part, delta=step.word)
        if step.audio:
            self._size += len(step.audio)
            delta = base64.b64encode(step.audio).decode()
            yield self._event("output_audio.delta", **self._part, delta=delta)

    def closing(self, status: str, details: Optional[dict[str, Any]] = None) -> Iterator[Event]:
        """The events that end the part, the item and the response.

        Args:
            status: "completed", "cancelled", "failed" or "incomplete".
            details: the reason, if the status is not "completed".
        """
        self._complete_item(status)
        if self._plan.spoken:
            yield self._event("output_audio.done", **self._part)
            yield self._event("output_audio_transcript.done", **self._part, transcript=self._text)
        else:
            yield self._event("output_text.done", **self._part, text=self._text)
        yield self._event("content_part.done", **self._part, part=self._content("audio", "text"))
        yield from self._end()
        yield self._done(status, details)

    def _begin(self, item: Item) -> Iterator[Event]:
        """The events that begin an item."""
        self.items.append(item)
        index = len(self.items) - 1
        yield self._event("output_item.added", output_index=index, item=item.body)
        yield from self._item_event("added")

    def _end(self) -> Iterator[Event]:
        """The events that end the last item that has begun."""
        yield from self._item_event("done")
        index = len(self.items) - 1
        yield self._event("output_item.done", output_index=index, item=self.items[-1].body)

    def _done(self, status: str, details: Optional[dict[str, Any]]) -> Event:
        output = [item.body for item in self.items]
        response = self._response(status)
        response.update(status_details=details, output=output, usage=self._usage())
        return event("response.done", response=response)

    def _event(self, kind: str, **members: Any) -> Event:
        return event(f"response.{kind}", response_id=self.id, **members)

    def _item_event(self, kind: str) -> Iterator[Event]:
        if self._plan.kept:
            before = self.items[-2].id if len(self.items) > 1 else self._plan.previous
            item = self.items[-1].body
            yield event(f"conversation.item.{kind}", previous_item_id=before, item=item)

    def _content(self, spoken: str, written: str) -> dict[str, Any]:
        if self._plan.spoken:
            return {"type": spoken, "transcript": self._text}
        return {"type": written, "text": self._text}

    def _complete_item(self, status: str) -> None:
        self._item.text = self._text
        self._item.seconds = seconds_of(self._size)
        self._item.written = 0 if self._plan.spoken else count_words(self._text)
        self._item.body = {
            **self._item.body,
            "status": "completed" if status == "completed" else "incomplete",
            "content": [self._content("output_audio", "output_text")],
        }

    def _response(self, status: str) -> dict[str, Any]:
        plan = self._plan
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": None,
            "output": [],
            "conversation_id": plan.conversation_id if plan.kept else None,
            "output_modalities": plan.modalities,
            "max_output_tokens": plan.max_output_tokens,
            "audio": {"output": plan.output},
            "usage": None,
            "metadata": plan.metadata,
        }

    def _usage(self) -> dict[str, Any]:
        plan = self._plan
        read = plan.text_tokens + plan.audio_tokens
        said = math.ceil(seconds_of(self._size) * OUTPUT_TOKENS_PER_SECOND)
        written = count_words(self._text)
        return {
            "total_tokens": read + said + written,
            "input_tokens": read,
            "output_tokens": said + written,
            "input_token_details": {
                "text_tokens": plan.text_tokens,
                "audio_tokens": plan.audio_tokens,
                "image_tokens": 0,
                "cached_tokens": 0,
            },
            "output_token_details": {"text_tokens": written, "audio_tokens": said},
        }


def _steps(plan: Plan) -> list[Step]:
    spoken = words(plan.text)
    if not plan.spoken:
        return [Step(word, b"") for word in spoken]
    seconds = seconds_to_say(plan.text) if plan.seconds is None else plan.seconds
    audio = tone(str(plan.output["voice"]), seconds, RATE)
    pieces = [audio[start : start + _DELTA] for start in range(0, len(audio), _DELTA)]
    return [Step(word or "", piece or b"") for word, piece in zip_longest(spoken, pieces)]
