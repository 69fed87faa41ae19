"""Numbers, booleans and text of another JSON kind than declared, converted without loss.

Each function returns LOST for a value that it cannot convert without loss.
"""

import math
from datetime import datetime
from typing import Any, Final, Optional

import msgspec
from msgspec import inspect

from meshapi_core.codec.mismatches import LOST

__all__ = ["as_text", "fit_scalar"]


def fit_scalar(value: Any, info: inspect.Type, name: object) -> Any:
    """Return a value as the bool, int or float that was declared.

    Args:
        name: of the field, which shows whether an int is a time or a count.
    """
    if isinstance(info, inspect.BoolType):
        return _as_bool(value)
    if isinstance(info, inspect.IntType):
        return _as_second(value) if _is_time(name) else _as_int(value)
    return _as_float(value)


def _as_bool(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        # In any case: Python writes "True".
        return value.strip().lower() == "true"
    if type(value) in (int, float) and value in (0, 1):
        return bool(value)
    return value if type(value) is bool else LOST


def _as_int(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return math.floor(value)
    return value if type(value) is int else LOST


_TIMES: Final = frozenset({"created", "timestamp"})
"""Fields with a Unix time in seconds, besides those whose names end in `_at`."""


def _is_time(name: object) -> bool:
    return isinstance(name, str) and (name in _TIMES or name.endswith("_at"))


def _as_second(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return math.floor(value)
    if isinstance(value, str):
        moment = _moment(value)
        return LOST if moment is None else moment
    return _as_int(value)


def _moment(text: str) -> Optional[int]:
    """Return the Unix time of a date with a time zone (RFC 3339); None for any other text."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return None if moment.tzinfo is None else math.floor(moment.timestamp())


def _as_float(value: Any) -> Any:
    if type(value) not in (int, float):
        return LOST
    try:
        return float(value)
    except OverflowError:
        return LOST


def as_text(value: Any) -> Any:
    """Return a value as text; as JSON text where it is not a str."""
    if isinstance(value, str):
        return value
    if value is None:
        return LOST
    import json

    try:
        # JSON has no text for NaN and infinities: allow_nan=False makes them a ValueError.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return LOST
