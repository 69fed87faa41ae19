"""Copies of Structs, to change a field of before anybody else sees them."""

from typing import Any, TypeVar

__all__ = ["copied"]

T = TypeVar("T")


def copied(struct: T) -> T:
    """Return a copy, made by msgspec without a check: in a tenth of the time of a constructor."""
    made: Any = struct
    result: T = made.__copy__()
    return result
