"""Dates in HTTP headers. No clock."""

import re
from datetime import datetime, timezone
from typing import Optional

__all__ = ["parse_http_date"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_HTTP_DATES = tuple(
    re.compile(form)
    for form in (
        f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        f"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parse_http_date(value: str) -> Optional[float]:
    """Return an HTTP date as Unix seconds; None if the text is not a date. Never raises.

    Accepts all three forms of the standard: `Sun, 06 Nov 1994 08:49:37 GMT`,
    `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. The day of the week is not
    checked against the date. Two-digit years are taken to lie between 1970 and 2069.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    """
    for form in _HTTP_DATES:
        match = form.fullmatch(value)
        if match:
            return _unix_seconds(match)
    return None


def _unix_seconds(match: "re.Match[str]") -> Optional[float]:
    year, second = int(match["year"]), int(match["second"])
    if len(match["year"]) == 2:
        year += 2000 if year < 70 else 1900
    if second > 60:
        return None
    try:
        minute = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None
    # The seconds are added here because HTTP allows the leap second 60, and datetime does not.
    return (minute - _EPOCH).total_seconds() + second
