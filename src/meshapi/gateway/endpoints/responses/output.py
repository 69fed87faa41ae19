"""The output items of a response, and the events of its stream.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Callable, Optional

from meshapi.gateway.content.answers import words
from meshapi.gateway.content.tool_calls import fragments
from meshapi.gateway.endpoints.chat.choices import Choice
from meshapi.gateway.http.streams import PacedFrames
from meshapi.gateway.http.wire import named_frame, ulid

Item = dict[str, Any]

# The type of an event, its fields, and whether it is a delta, which is sent at the pace.
_Event = tuple[str, dict[str, Any], bool]
_Content = Callable[[Item, dict[str, Any]], Iterator[_Event]]


def items_of(choice: Choice, summary: Optional[str]) -> list[Item]:
    """The output: the summary of the reasoning, if there is one, then the message or the calls.

    A script may have both.
    """
    items = [_reasoning(summary)] if summary is not None else []
    if choice.tool_calls:
        calls = ((call.id, call.name, call.arguments) for call in choice.tool_calls)
        said = [_message(choice)] if choice.text is not None else []
        return [*items, *said, *(_call(*call) for call in calls)]
    return [*items, _message(choice)]


def frames_of(response: dict[str, Any], chunks: Optional[Sequence[str]] = None) -> PacedFrames:
    """The stream that ends with this response.

    Args:
        chunks: the deltas of its text; None for one delta a word.
    """
    begun: dict[str, Any] = {
        **response,
        "status": "in_progress",
        "output": [],
        "usage": None,
        "cost": None,
    }
    begun.update(completed_at=None, incomplete_details=None)
    end = {"response": response, "usage": response["usage"], "cost": response["cost"]}
    events: list[_Event] = [
        ("response.created", {"response": begun}, False),
        ("response.in_progress", {"response": begun}, False),
    ]
    for index, item in enumerate(response["output"]):
        events += _events_of(item, index, chunks)
    events.append((f"response.{response['status']}", end, False))
    return _paced(events)


def _paced(events: Sequence[_Event]) -> PacedFrames:
    """The frames: each delta is sent with the events up to the next one, the last delta alone."""
    opening: list[bytes] = []
    groups: list[list[bytes]] = []
    for number, (kind, members, is_delta) in enumerate(events):
        data = named_frame(kind, {"type": kind, **members, "sequence_number": number})
        if is_delta:
            groups.append([data])
        else:
            (groups[-1] if groups else opening).append(data)
    closing = groups[-1][1:] if groups else []
    if groups:
        del groups[-1][1:]
    return PacedFrames(opening, [b"".join(group) for group in groups], closing)


def _reasoning(summary: str) -> Item:
    parts = [{"type": "summary_text", "text": summary}]
    return {"id": f"rs_{ulid()}", "type": "reasoning", "summary": parts}


def _call(call_id: str, name: str, arguments: str) -> Item:
    item = {"id": f"fc_{ulid()}", "type": "function_call", "status": "completed"}
    return {**item, "call_id": call_id, "name": name, "arguments": arguments}


def _message(choice: Choice) -> Item:
    part: dict[str, Any] = {"type": "refusal", "refusal": choice.refusal}
    if choice.refusal is None:
        part = {"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{ulid()}",
        "type": "message",
        "status": "incomplete" if choice.cut_short else "completed",
        "role": "assistant",
        "content": [part],
    }


def _events_of(item: Item, index: int, chunks: Optional[Sequence[str]]) -> Iterator[_Event]:
    kinds: Mapping[str, tuple[Callable[[Item], Item], _Content]] = {
        "reasoning": (_bare_reasoning, _summary_events),
        "function_call": (_bare_call, _call_events),
        "message": (_bare_message, partial(_message_events, chunks)),
    }
    bare, content = kinds[item["type"]]
    yield "response.output_item.added", {"output_index": index, "item": bare(item)}, False
    yield from content(item, {"item_id": item["id"], "output_index": index})
    yield "response.output_item.done", {"output_index": index, "item": item}, False


def _bare_reasoning(item: Item) -> Item:
    return {**item, "summary": []}


def _bare_call(item: Item) -> Item:
    return {**item, "status": "in_progress", "arguments": ""}


def _bare_message(item: Item) -> Item:
    return {**item, "status": "in_progress", "content": []}


def _summary_events(item: Item, at: dict[str, Any]) -> Iterator[_Event]:
    for index, part in enumerate(item["summary"]):
        place = {**at, "summary_index": index}
        empty = {**part, "text": ""}
        yield "response.reasoning_summary_part.added", {**place, "part": empty}, False
        for word in words(part["text"]):
            yield "response.reasoning_summary_text.delta", {**place, "delta": word}, True
        yield "response.reasoning_summary_text.done", {**place, "text": part["text"]}, False
        yield "response.reasoning_summary_part.done", {**place, "part": part}, False


def _call_events(item: Item, at: dict[str, Any]) -> Iterator[_Event]:
    for part in fragments(item["arguments"]):
        yield "response.function_call_arguments.delta", {**at, "delta": part}, True
    said = {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", {**at, **said}, False


def _message_events(
    chunks: Optional[Sequence[str]], item: Item, at: dict[str, Any]
) -> Iterator[_Event]:
    for index, part in enumerate(item["content"]):
        place = {**at, "content_index": index}
        key = "refusal" if part["type"] == "refusal" else "text"
        kind = f"response.{part['type']}"
        extra: dict[str, Any] = {} if key == "refusal" else {"logprobs": []}
        yield "response.content_part.added", {**place, "part": {**part, key: ""}}, False
        for word in words(part[key]) if chunks is None else chunks:
            yield f"{kind}.delta", {**place, "delta": word, **extra}, True
        yield f"{kind}.done", {**place, key: part[key], **extra}, False
        yield "response.content_part.done", {**place, "part": part}, False
