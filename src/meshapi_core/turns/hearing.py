"""What the user said: which response it belongs to, and its transcripts."""

from collections import OrderedDict
from typing import Any, Optional

from meshapi_core.turns.values import HeardInput

__all__ = ["COMMITTED", "Hearing"]

COMMITTED = "input_audio_buffer.committed"
_TRANSCRIPTION = "conversation.item.input_audio_transcription"

# Transcripts that may still come for turns that were given.
_MOST_HEARD = 64
_LONGEST_TRANSCRIPT = 1024 * 1024


class Hearing:
    """The user's audio in the conversation so far, by the ID of its item."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, HeardInput] = OrderedDict()
        self._unanswered: list[HeardInput] = []

    def take(self) -> tuple[HeardInput, ...]:
        """Return what no response belongs to yet; it belongs to the caller's."""
        taken, self._unanswered = self._unanswered, []
        return tuple(taken)

    def clear(self) -> None:
        """Forget the conversation."""
        self._by_id.clear()
        self._unanswered.clear()

    def receive(self, kind: str, event: dict[str, Any]) -> None:
        """Take an event; those of other kinds change nothing."""
        if kind == COMMITTED:
            self._of(event)
        elif kind == f"{_TRANSCRIPTION}.delta":
            heard, delta = self._of(event), event.get("delta")
            if heard is not None and isinstance(delta, str):
                heard.transcript = (heard.transcript + delta)[:_LONGEST_TRANSCRIPT]
        elif kind == f"{_TRANSCRIPTION}.completed":
            heard, whole = self._of(event), event.get("transcript")
            if heard is not None and isinstance(whole, str):
                heard.transcript = whole[:_LONGEST_TRANSCRIPT]

    def _of(self, event: dict[str, Any]) -> Optional[HeardInput]:
        key = event.get("item_id")
        if not isinstance(key, str) or not key:
            return None
        heard = self._by_id.get(key)
        if heard is None:
            heard = self._by_id[key] = HeardInput()
            self._unanswered.append(heard)
            if len(self._by_id) > _MOST_HEARD:
                _, oldest = self._by_id.popitem(last=False)
                self._unanswered = [each for each in self._unanswered if each is not oldest]
        return heard
