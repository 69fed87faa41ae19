"""The result of a call as a row of plain values, which have the same types for all calls."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from meshapi_core.bulk import ITEM_COLUMNS, MapItem, item_values
from meshapi_core.flows import ColumnKind

__all__ = ["COLUMNS", "Row", "result_of", "unsent"]

Row = dict[str, Any]
"""A row, with plain values of Python."""

COLUMNS: Final[Mapping[str, ColumnKind]] = {
    name: kind for name, kind in ITEM_COLUMNS.items() if name != "id"
}
"""What a result has, and its kinds: the columns of `MapRun.to_parquet`. Each may be None."""


def result_of(item: MapItem[Any]) -> Row:
    """Return the result of a call."""
    values = dict(zip(ITEM_COLUMNS, item_values(item)))
    return {name: values[name] for name in COLUMNS}


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
