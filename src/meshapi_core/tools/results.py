"""What a function returns, as the text that the model gets."""

from inspect import iscoroutine
from typing import Any

import msgspec

from meshapi_core.params.plain_values import as_plain
from meshapi_core.types._base import Record

__all__ = ["error_text", "json_text", "result_text"]


def result_text(value: Any) -> str:
    """Return a str as it is, and anything else as JSON.

    Raises:
        TypeError: JSON cannot represent it.
    """
    if isinstance(value, str):
        return _sendable(value)
    if iscoroutine(value):
        value.close()
        raise TypeError("the function returned a coroutine; declare it with `async def`")
    return json_text(value)


def json_text(value: Any) -> str:
    """Return a value as JSON.

    Raises:
        TypeError: JSON cannot represent it.
    """
    try:
        # With the fields that a response has and its class does not declare.
        value = as_plain(value) if isinstance(value, Record) else value
        return msgspec.json.encode(value, enc_hook=_plain).decode()
    except Exception as exc:  # also of the object's own `model_dump`
        raise TypeError(f"the result cannot be sent as JSON: {exc}") from exc


def error_text(error: Exception) -> str:
    """Return what the model is told of an error."""
    try:
        said = f"{error}"
    except Exception:  # of the program's class
        said = ""
    return _sendable(f"Error: {type(error).__name__}{': ' if said else ''}{said}")


def _plain(value: Any) -> Any:
    # Objects of pydantic, and of other libraries with its interface.
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _sendable(text: str) -> str:
    # JSON can carry no lone surrogates.
    return text.encode("utf-8", "replace").decode()
