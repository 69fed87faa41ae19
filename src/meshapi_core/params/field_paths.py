"""Where in the parameters a message points: `messages[0].role`."""

from typing import Any, Optional

from meshapi_core._json_kinds import is_array, is_object

__all__ = ["joined", "place_of", "within"]

# A key that is longer is cut in messages, like a value.
_LONGEST_KEY = 40


def within(field: str, name: str) -> str:
    """Return the path of a member of what stands at `field`."""
    if not name.isidentifier():
        shown = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}..."
        return f"{field}[{shown!r}]"
    name = name[:_LONGEST_KEY]
    return f"{field}.{name}" if field else name


def joined(field: str, inner: str) -> str:
    """Return a path that goes on where `field` ends."""
    return f"{field}.{inner}" if field and inner else field or inner


def place_of(value: Any, holder: object, field: str) -> Optional[str]:
    """Return where in plain values a dict stands."""
    if value is holder:
        return field
    if is_object(value):
        items = ((within(field, key), item) for key, item in value.items())
    elif is_array(value):
        items = ((f"{field}[{index}]", item) for index, item in enumerate(value))
    else:
        return None
    return next(filter(None, (place_of(item, holder, where) for where, item in items)), None)
