"""The result of a call as a row of plain values, which have the same types for all calls."""

from collections.abc import Mapping
from typing import Any, Final, Optional

import msgspec

from meshapi_core.bulk import MapItem

__all__ = ["COLUMNS", "Row", "result_of", "unsent"]

Row = dict[str, Any]
"""A row, with plain values of Python."""

COLUMNS: Final[Mapping[str, type]] = {
    "text": str,
    "output": str,
    "error": str,
    "error_code": str,
    "input_tokens": int,
    "output_tokens": int,
    "cost": float,
    "attempts": int,
    "request_id": str,
}
"""What a result has, and its types; those of `MapRun.to_parquet`. Each may be None."""


def result_of(item: MapItem[Any]) -> Row:
    """Return the result of a call."""
    # A line is made without decoding the response.
    line = msgspec.json.decode(item.line(), type=dict[str, msgspec.Raw])
    error = item.error
    return {
        "text": _text(item.value),
        "output": None if item.value is None else bytes(line["output"]).decode(),
        "error": None if error is None else bytes(line["error"]).decode(),
        "error_code": None if error is None else error.error_code,
        "input_tokens": item.usage.input_tokens,
        "output_tokens": item.usage.output_tokens,
        "cost": None if item.cost is None else float(item.cost),
        "attempts": item.attempts,
        "request_id": item.request_id,
    }


def unsent(limit: str) -> Row:
    """Return the result of a call that was not made, because a budget is used up."""
    message = f"the budget is used up ({limit}), and the call was not sent"
    error = {"code": "budget_exceeded", "message": message}
    return {
        **dict.fromkeys(COLUMNS),
        "error": msgspec.json.encode(error).decode(),
        "error_code": "budget_exceeded",
        "attempts": 0,
    }


def _text(value: object) -> Optional[str]:
    """Return what the model said, if the response has text."""
    if isinstance(value, str):
        return value
    for name in ("output_text", "text"):
        text: object = getattr(value, name, None)
        if isinstance(text, str):
            return text
    return None
