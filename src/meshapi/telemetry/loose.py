"""Odd JSON read without an error: what is no object has no fields, and what is no list no items."""

from typing import Any

__all__ = ["fields", "items"]


def fields(value: object) -> dict[str, Any]:
    """The fields of an object; none of anything else."""
    found: Any = value
    return found if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The items of a list; none of anything else."""
    found: Any = value
    return found if isinstance(value, list) else []
