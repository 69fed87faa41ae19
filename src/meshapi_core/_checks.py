"""Arguments that are numbers, seconds or values of a class, refused by their names."""

__all__ = ["check_count", "check_kind", "check_seconds", "check_timeout"]

_LONGEST = 2_000_000
"""Seconds, some 23 days: sockets count milliseconds in 31 bits and overflow soon after."""


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Raise TypeError or ValueError unless the value is a number of seconds that can be waited.

    Args:
        zero: whether 0 is one, too.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected seconds, got {type(value).__name__}")
    if not (0 < value <= _LONGEST or (zero and value == 0)):
        # Not the value itself in the message: an int may have more digits than Python prints.
        least = "0 or more" if zero else "more than 0"
        raise ValueError(f"{name}: expected {least} and at most {_LONGEST} seconds")


def check_timeout(name: str, value: object, *, zero: bool = False) -> None:
    """Raise unless the value is None or `check_seconds` accepts it."""
    if value is not None:
        check_seconds(name, value, zero=zero)


def check_count(name: str, value: object, least: int) -> None:
    """Raise TypeError or ValueError unless the value is an int of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_kind(name: str, value: object, kind: type, *, optional: bool = False) -> None:
    """Raise TypeError unless the value is of that kind, or None where that is optional."""
    if isinstance(value, kind) or (optional and value is None):
        return
    expected = f"{kind.__name__} or None" if optional else kind.__name__
    raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
