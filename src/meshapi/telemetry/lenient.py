"""JSON of any shape, read without errors."""

from typing import Any

__all__ = ["fields", "items"]


def fields(value: object) -> dict[str, Any]:
    """Return a JSON object; an empty one for any other value."""
    found: Any = value
    return found if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list; an empty one for any other value."""
    found: Any = value
    return found if isinstance(value, list) else []
