"""The items of a realtime conversation, and the answers to them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from meshapi.gateway.content.answers import answer
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.content.tool_calls import ToolCall
from meshapi.gateway.footprint import footprint
from meshapi.gateway.realtime.events import decode_audio, new_id
from meshapi.gateway.realtime.turns import seconds_of

# The service's rates.
INPUT_TOKENS_PER_SECOND = 10
OUTPUT_TOKENS_PER_SECOND = 20


@dataclass
class Item:
    """One item of the conversation.

    Attributes:
        body: the item as events show it, without audio.
        text: its text; for audio, the transcript.
        written: the number of its words that arrived as text.
        seconds: the length of its audio.
        size: the bytes of memory that it took when it was made.
    """

    body: dict[str, Any]
    text: str
    written: int = 0
    seconds: float = 0.0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = footprint((self.body, self.text))

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def role(self) -> Optional[str]:
        """The role of a message; None for other items."""
        return self.body.get("role")


def heard(seconds: float) -> str:
    """The transcript of audio of this length."""
    return f"{seconds:.2f} seconds of audio"


def message_body(
    item_id: str, role: str, content: Sequence[dict[str, Any]], status: str = "completed"
) -> dict[str, Any]:
    """A message item, as events show it."""
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": role,
        "content": content,
    }


def item_of(wanted: dict[str, Any]) -> Item:
    """The item that a client describes, which must have passed `check`.

    Raises:
        Refused: its audio is not base64.
    """
    item_id = wanted.get("id") or new_id("item")
    if wanted["type"] != "message":
        body = {**wanted, "id": item_id, "object": "realtime.item", "status": "completed"}
        text: str = wanted.get("output") or wanted.get("arguments") or ""
        return Item(body, text, count_words(text))
    said, content, written, seconds = list[str](), list[dict[str, Any]](), 0, 0.0
    for part in wanted["content"]:
        # Audio is not sent back to clients.
        content.append({name: value for name, value in part.items() if name != "audio"})
        text = part.get("text") or part.get("transcript") or ""
        written += count_words(text)
        if part["type"] == "input_audio":
            length = seconds_of(len(decode_audio(part.get("audio") or "", "item.content.audio")))
            seconds += length
            text = text or heard(length)
        said.append(text)
    return Item(message_body(item_id, wanted["role"], content), " ".join(said), written, seconds)


def audio_tokens(item: Item) -> int:
    """The number of model tokens in the item's audio."""
    assistant = item.role == "assistant"
    rate = OUTPUT_TOKENS_PER_SECOND if assistant else INPUT_TOKENS_PER_SECOND
    return math.ceil(item.seconds * rate)


def answer_to(items: Sequence[Item], instructions: str = "") -> str:
    """The answer of chat to the user's last message, or to the tools' outputs after it.

    If the instructions have the words "word for word", it is that message itself.
    """
    if "word for word" in instructions:
        return question_in(items)
    results = [item.text for item in _since_question(items) if _is_output(item)]
    if results:
        return f"The tool answered: {'; '.join(results)}"
    return answer(question_in(items))


def question_in(items: Sequence[Item]) -> str:
    """The text of the user's last message."""
    return next((item.text for item in reversed(items) if item.role == "user"), "")


def turns_of_tools(items: Sequence[Item]) -> int:
    """How many groups of a tool's outputs there have been since the question."""
    outputs = [_is_output(item) for item in _since_question(items)]
    return sum(now and not before for before, now in zip([False, *outputs], outputs))


def call_item(call: ToolCall) -> Item:
    """The item of a call, before its arguments."""
    body = {
        "id": new_id("item"),
        "object": "realtime.item",
        "type": "function_call",
        "status": "in_progress",
        "name": call.name,
        "call_id": call.id,
        "arguments": "",
    }
    return Item(body, "")


def last_turn(items: Sequence[Item]) -> Iterator[Item]:
    """The user's items since the last one of the assistant."""
    for item in reversed(items):
        if item.role == "assistant":
            return
        if item.role == "user":
            yield item


def _since_question(items: Sequence[Item]) -> Sequence[Item]:
    asked = [at for at, item in enumerate(items) if item.role == "user"]
    return items[asked[-1] + 1 :] if asked else items


def _is_output(item: Item) -> bool:
    return bool(item.body["type"] == "function_call_output")
