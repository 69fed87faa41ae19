"""The events of a realtime session: parsed, made and refused.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events
"""

import base64
import json
import math
from typing import Any, Optional, cast

from meshapi.gateway.http.wire import ulid

Event = dict[str, Any]


class Refused(Exception):
    """Raised to refuse a client's event with an `error` event; the session goes on."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: Optional[str] = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind


def new_id(prefix: str) -> str:
    """A new ID, such as `item_01H...`."""
    return f"{prefix}_{ulid()}"


def event(kind: str, **members: Any) -> Event:
    """A server event."""
    return {"type": kind, "event_id": new_id("event"), **members}


def error_event(error: Refused, request_id: str, cause: Optional[str] = None) -> Event:
    """The `error` event for an error.

    Args:
        cause: the `event_id` of the client's event that caused it.
    """
    told = {
        "type": error.kind,
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "event_id": cause,
    }
    return event("error", error=told, request_id=request_id)


def parse(text: str) -> Event:
    """The JSON object in a text frame; any object will do.

    Raises:
        Refused: the frame is not a JSON object.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_event", f"The frame is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused("invalid_event", "The frame is not a JSON object.")
    return cast("dict[str, Any]", value)


def decode_audio(text: str, param: str) -> bytes:
    """The bytes that the base64 text encodes.

    Raises:
        Refused: the text is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused("invalid_value", f"'{param}' is not base64: {error}", param=param) from error


def _refuse_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large")
    return value
