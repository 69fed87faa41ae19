"""The events that a client may send, and the schema of each.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    anything,
    array,
    boolean,
    detail,
    fields,
    integer,
    mapping,
    number,
    one_of,
    string,
    string_or,
    tagged,
)
from meshapi.gateway.realtime.events import Event, Refused


def _known_fields(optional: Mapping[str, Check]) -> Check:
    """A check for an object with these fields and no others."""
    inner = fields({}, optional)

    def check(value: Any, at: Location) -> Iterator[Detail]:
        yield from inner(value, at)
        if isinstance(value, dict):
            for name in sorted(cast("dict[str, Any]", value).keys() - optional.keys()):
                yield detail("unknown_parameter", (*at, name), "There is no such parameter")

    return check


def _tool(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a function; tools of other kinds, which are never called, may be anything."""
    kind: Any = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else None
    yield from (mapping if kind not in (None, "function") else _FUNCTION)(value, at)


_FUNCTION = fields(
    {"type": one_of("function"), "name": string}, {"description": string, "parameters": mapping}
)
_TOOL_CHOICE = string_or(
    one_of("auto", "none", "required"), fields({"type": string}, {"name": string})
)
_FORMAT = fields(
    {"type": one_of("audio/pcm", "audio/pcmu", "audio/pcma")}, {"rate": integer(ge=24000, le=24000)}
)
_TURN_DETECTION = fields(
    {"type": one_of("server_vad", "semantic_vad")},
    {
        "threshold": number(ge=0, le=1),
        "prefix_padding_ms": integer(ge=0),
        "silence_duration_ms": integer(ge=0),
        "idle_timeout_ms": integer(ge=0),
        "create_response": boolean,
        "interrupt_response": boolean,
    },
)
_INPUT = fields(
    {},
    {
        "format": _FORMAT,
        "transcription": mapping,
        "noise_reduction": mapping,
        "turn_detection": _TURN_DETECTION,
    },
)
_OUTPUT = fields(
    {},
    {
        "format": _FORMAT,
        "voice": string_or(string, mapping),
        "speed": number(ge=0.25, le=1.5),
    },
)
_OPTIONS: Mapping[str, Check] = {
    "output_modalities": array(one_of("audio", "text"), min_length=1, max_length=2),
    "instructions": string,
    "tools": array(_tool),
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": boolean,
    "max_output_tokens": string_or(one_of("inf"), integer(ge=1, le=4096)),
    "prompt": mapping,
    "reasoning": mapping,
}
_SESSION = _known_fields(
    {
        **_OPTIONS,
        "type": one_of("realtime"),
        "model": string,
        "audio": fields({}, {"input": _INPUT, "output": _OUTPUT}),
        "include": array(string),
        "tracing": string_or(one_of("auto"), mapping),
        "truncation": string_or(one_of("auto", "disabled"), mapping),
    }
)
_PART = tagged(
    "type",
    {
        "input_text": fields({"text": string}, {}),
        "input_audio": fields({}, {"audio": string, "transcript": string}),
        "input_image": fields({"image_url": string}, {"detail": string}),
        "output_text": fields({"text": string}, {}),
        "output_audio": fields({}, {"transcript": string}),
    },
)
_ITEMS: Mapping[str, Check] = {
    "message": fields(
        {"role": one_of("user", "assistant", "system"), "content": array(_PART)}, {"id": string}
    ),
    "function_call": fields({"name": string, "arguments": string}, {"id": string}),
    "function_call_output": fields({"call_id": string, "output": string}, {"id": string}),
}
_RESPONSE = _known_fields(
    {
        **_OPTIONS,
        "audio": fields({}, {"output": _OUTPUT}),
        "conversation": string,
        "input": array(tagged("type", {**_ITEMS, "item_reference": fields({"id": string}, {})})),
        "metadata": mapping,
    }
)
_ONE_ITEM = fields({"item_id": string}, {})
_CLIENT_EVENTS: Mapping[str, Check] = {
    "session.update": fields({"session": _SESSION}, {}),
    "input_audio_buffer.append": fields({"audio": string}, {}),
    "input_audio_buffer.commit": anything,
    "input_audio_buffer.clear": anything,
    "conversation.item.create": fields(
        {"item": tagged("type", _ITEMS)}, {"previous_item_id": string}
    ),
    "conversation.item.retrieve": _ONE_ITEM,
    "conversation.item.delete": _ONE_ITEM,
    "conversation.item.truncate": fields(
        {"item_id": string, "content_index": integer(ge=0, le=0), "audio_end_ms": integer(ge=0)}, {}
    ),
    "response.create": fields({}, {"response": _RESPONSE}),
    "response.cancel": fields({}, {"response_id": string}),
}


def check(received: Event) -> str:
    """The type of a client's event, if the event is valid.

    Raises:
        Refused: the event has no type, is not one that clients send, or has a fault; the error
            names the first fault.
    """
    kind = received.get("type")
    if not isinstance(kind, str):
        raise Refused("invalid_event", "The event has no type.", param="type")
    if kind not in _CLIENT_EVENTS:
        raise Refused("unknown_event", f"There is no client event '{kind}'.", param="type")
    for fault in _CLIENT_EVENTS[kind](received, ()):
        where = ".".join(str(step) for step in fault["loc"])
        raise Refused(_code_of(fault["type"]), f"'{where}': {fault['msg']}", param=where)
    return kind


def _code_of(fault: str) -> str:
    if fault == "missing":
        return "missing_required_parameter"
    if fault == "unknown_parameter":
        return fault
    return "invalid_type" if fault.endswith("_type") else "invalid_value"
