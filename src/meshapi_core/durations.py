"""Lengths of time as servers write them: `1m30s`, `500ms`, `1.5 seconds`, `2 hours, 5 minutes`.

Source: https://pkg.go.dev/time#Duration.String
"""

import re
from typing import Optional

__all__ = ["NUMBER", "parse_duration"]

NUMBER = r"[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}"
"""Fewer than ten ASCII digits, thirty years: Unicode digits, signs and exponents are what makes
int() and float() of a hostile header raise or answer with NaN."""

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
# More than any duration has, and too little for a search to take long.
_LONGEST = 64


def parse_duration(text: str) -> Optional[float]:
    """Return the seconds of a text such as `1m30s`, None if it is something else.

    The parts may stand in any order, and their units in any case.
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
