"""Durations as servers write them: `1m30s`, `500ms`, `1.5 seconds`, `2 hours, 5 minutes`.

Source: https://pkg.go.dev/time#Duration.String
"""

import re
from typing import Optional

__all__ = ["NUMBER", "parse_duration"]

NUMBER = r"[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}"
"""Fewer than ten ASCII digits, that is, up to thirty years of seconds. Unicode digits, signs and
exponents are excluded: in a hostile header they make int() and float() raise or return infinity."""

# As people and Go's time.Duration write them.
_UNITS = {
    "d|days?": 86400.0,
    "h|hrs?|hours?": 3600.0,
    "m|mins?|minutes?": 60.0,
    "s|secs?|seconds?": 1.0,
    "ms|msecs?|millis|milliseconds?": 1e-3,
    "us|µs|μs": 1e-6,
    "ns": 1e-9,
}
_PART = re.compile(
    rf"({NUMBER})[ \t]*(?:{'|'.join(f'({names})' for names in _UNITS)})(?![a-z])[ \t,]*"
)
_SIZES = tuple(_UNITS.values())
# More characters than any duration has, and few enough for the loop to be quick.
_LONGEST = 64


def parse_duration(text: str) -> Optional[float]:
    """Return the seconds in a duration such as `1m30s`; None if the text is not a duration.

    The parts may come in any order, and their units in upper or lower case.
    """
    text = text.strip().lower()
    seconds, place = 0.0, 0
    while place < len(text) <= _LONGEST:
        part = _PART.match(text, place)
        if part is None or part.lastindex is None:
            return None
        # The first group is the number, each of the others a unit.
        seconds += float(part[1]) * _SIZES[part.lastindex - 2]
        place = part.end()
    return seconds if 0 < place == len(text) else None
