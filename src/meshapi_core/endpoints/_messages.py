"""Request bodies that contain messages of chat completions."""

from collections.abc import Mapping
from typing import Any, Optional

import msgspec

from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params

__all__ = ["encode_conversation"]

# The empty message that stands in for a missing one in a response, as JSON. Inside a JSON string
# its quotes are escaped, so no text can look like it.
_EMPTY = b'{"role":"assistant"}'


def encode_conversation(
    params_type: "type[msgspec.Struct]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any],
    hint: str,
) -> bytes:
    """Return a request body that contains messages, as `encode_params` does.

    Raises:
        InvalidParamsError: as for `encode_params`; or an assistant message is empty.
    """
    body = encode_params(params_type, params, fields, forced, hint)
    if _EMPTY in body:
        _refuse_empty(body)
    return body


def _refuse_empty(body: bytes) -> None:
    """Raise if a message is empty; return if something else in the body only looks like one."""
    messages = msgspec.json.decode(body)["messages"]
    for place, message in enumerate(messages):
        if message == {"role": "assistant"}:
            raise InvalidParamsError(
                f"messages[{place}]",
                "an assistant message with content or tool_calls",
                "an empty one",
                "leave it out: a response without a message has an empty one",
            )
