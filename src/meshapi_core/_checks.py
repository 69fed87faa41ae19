"""Checks of arguments that are numbers, seconds or values of a class; their errors name them."""

from math import inf
from typing import Any, Final

from meshapi_core._json_kinds import is_mapping, type_name, value_name

__all__ = ["check_count", "check_kind", "check_seconds", "check_timeout"]

_LONGEST = 2_000_000
"""Seconds, some 23 days: sockets count milliseconds in 31 bits, which overflow soon after."""


def check_seconds(name: str, value: object, *, zero: bool = False, optional: bool = False) -> None:
    """Raise TypeError or ValueError unless the value is a usable number of seconds.

    Args:
        name: of the argument, for the message.
        zero: whether 0 is accepted, too.
        optional: whether the caller accepts None, for the message.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        expected = _SECONDS.get(name, "seconds or None" if optional else "seconds")
        raise TypeError(
            f"{name}: expected {expected}, got {type_name(value)}{_seconds(name, value)}"
        )
    if not (0 < value <= _LONGEST or (zero and value == 0)):
        # An int may have more digits than Python prints.
        got = value_name(value, show=True)
        least = "0 or more" if zero else "more than 0"
        hint = "; None means no limit" if optional and value in (0, inf) else ""
        hint = "; write seconds, not milliseconds" if _LONGEST < value < inf else hint
        raise ValueError(
            f"{name}: expected {least} and at most {_LONGEST} seconds, got {got}{hint}"
        )


# Only this argument also accepts a value of a class.
_SECONDS: Final = {"timeout": "seconds, meshapi.Timeout or None"}


def _seconds(name: str, value: object) -> str:
    """Return the end of a message: how to convert a value to seconds; "" where it is not clear."""
    kind = type(value)
    if hasattr(kind, "total_seconds"):
        return "; write x.total_seconds()"
    if name == "timeout" and (is_mapping(value) or isinstance(value, tuple) or _is_timeout(kind)):
        return "; write meshapi.Timeout(connect=..., read=...)"
    is_number = hasattr(kind, "__float__") and kind is not bool
    return "; write float(x)" if isinstance(value, str) or is_number else ""


def _is_timeout(kind: type) -> bool:
    return kind.__name__.endswith("Timeout")


def check_timeout(name: str, value: object, *, zero: bool = False) -> None:
    """Raise unless the value is None or `check_seconds` accepts it."""
    if value is not None:
        check_seconds(name, value, zero=zero, optional=True)


def check_count(name: str, value: object, least: int) -> None:
    """Raise TypeError or ValueError unless the value is an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        is_number = isinstance(value, str) or hasattr(type(value), "__int__")
        hint = "; write int(x)" if is_number and not isinstance(value, bool) else ""
        if value is None and least == 0:
            hint = "; write 0 for none"
        raise TypeError(f"{name}: expected int, got {type_name(value)}{hint}")
    if value < least:
        got = value_name(value, show=True)
        raise ValueError(f"{name}: expected at least {least}, got {got}")


def check_kind(name: str, value: object, kind: type, *, optional: bool = False) -> None:
    """Raise TypeError unless the value is a `kind`, or with `optional` None."""
    if isinstance(value, kind) or (optional and value is None):
        return
    expected = f"{kind.__name__} or None" if optional else kind.__name__
    raise TypeError(f"{name}: expected {expected}, got {type_name(value)}{_kind(value, kind)}")


def _kind(value: object, kind: Any) -> str:
    """Return the end of a message: how to make a value of a class; "" where it is not clear."""
    fields: tuple[str, ...] = getattr(kind, "__struct_fields__", ())
    if not fields:
        return "; write True or False" if kind is bool else ""
    if value is None:
        return "; leave it out"
    if value is kind or value is True:
        return f"; write {kind.__name__}()"
    if is_mapping(value):
        return f"; write {kind.__name__}(**x)"
    return f"; write {kind.__name__}({fields[0]}=...)"
