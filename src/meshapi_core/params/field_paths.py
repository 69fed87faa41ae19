"""Paths of fields in the parameters, for messages: `messages[0].role`."""

from typing import Any, Optional

from meshapi_core._json_kinds import is_array, is_object

__all__ = ["joined", "place_of", "within"]

# Longer keys are cut in messages, as values are: they may be a prompt.
_LONGEST_KEY = 40


def within(field: str, name: str) -> str:
    """Return the path of a member of the object at `field`."""
    if not name.isidentifier():
        shown = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}..."
        return f"{field}[{shown!r}]"
    name = name[:_LONGEST_KEY]
    return f"{field}.{name}" if field else name


def joined(field: str, inner: str) -> str:
    """Return `inner`, a path that starts at `field`, as a path from the top."""
    return f"{field}.{inner}" if field and inner else field or inner


def place_of(value: Any, holder: object, field: str) -> Optional[str]:
    """Return the path of a dict within plain values, by identity; None if it is not there.

    Args:
        value: the values, at the path `field`.
        holder: the dict to find.
    """
    if value is holder:
        return field
    if is_object(value):
        items = ((within(field, key), item) for key, item in value.items())
    elif is_array(value):
        items = ((f"{field}[{index}]", item) for index, item in enumerate(value))
    else:
        return None
    return next(filter(None, (place_of(item, holder, where) for where, item in items)), None)
