"""When a limit is lifted, in the forms that gateways and providers say it beside Retry-After.

    x-ratelimit-reset-requests: 6m0s            OpenAI: a duration, one field for each limit
    anthropic-ratelimit-tokens-reset: 2026-...  Anthropic: a date
    x-ratelimit-reset: 1741305600000            OpenRouter: Unix time in milliseconds
    ratelimit-reset: 30                         IETF draft: seconds
    llm_provider-x-ratelimit-reset-tokens: ...  LiteLLM: the provider's own, handed on
    {"retryDelay": "34.07s"}                    Google, in the details of the body

Source: https://platform.openai.com/docs/guides/rate-limits,
    https://docs.anthropic.com/en/api/rate-limits,
    https://openrouter.ai/docs/api-reference/limits,
    https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-07.html,
    https://docs.litellm.ai/docs/proxy/response_headers,
    https://cloud.google.com/apis/design/errors (RetryInfo)
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Optional

from meshapi_core.retries import parse_http_date

__all__ = ["duration", "handed_on", "wait_in_resets"]

_HANDED_ON = "llm_provider-"

# Fewer than ten digits before the point, thirty years: floats stay far from overflow.
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(
    rf"(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m(?!s))?(?:({_NUMBER})s)?(?:({_NUMBER})ms)?"
)
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
# The fraction is left out: Python 3.9 reads some numbers of digits and not others.
_ISO_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

# Larger numbers are times and no waits: Unix time in seconds has passed the first in 2001, and
# in milliseconds the second.
_UNIX_SECONDS = 1e9
_UNIX_MILLISECONDS = 1e12

_LIMIT = re.compile(r"(?:x-|anthropic-)?rate-?limit-(.+)")


def handed_on(name: str) -> tuple[str, str]:
    """Return the names of a header: its own, and as a gateway hands that of a provider on."""
    return name, _HANDED_ON + name


def duration(value: Any) -> Optional[float]:
    """Return a duration such as "1s", "6m0s", "20ms" or "1h0.5s" as seconds, None if it is none."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not match[0]:
        return None
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS) if part)


def wait_in_resets(headers: Mapping[str, str], now: Optional[float]) -> Optional[float]:
    """Return in how many seconds the limit is lifted that was met; None if nothing says so.

    Of several limits those count of which nothing is left, and of these the last to be lifted.
    Where none is said to be used up, the first that is lifted is the best guess.

    Args:
        headers: of an answer that refused the request because of its limits.
        now: Unix seconds; without it, times say nothing.
    """
    waits: dict[str, float] = {}
    used_up: set[str] = set()
    for limit, word, value in _limits(headers):
        if word == "remaining" and _is_zero(value):
            used_up.add(limit)
        wait = _until(value, now) if word == "reset" else None
        if wait is not None:
            waits[limit] = wait
    decisive = [wait for limit, wait in waits.items() if limit in used_up]
    return max(decisive) if decisive else min(waits.values(), default=None)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name each limit in the headers, and what is said of it."""
    for name in headers:
        own = name.lower()
        if own.startswith(_HANDED_ON):
            own = own[len(_HANDED_ON) :]
        match = _LIMIT.fullmatch(own)
        if match is None:
            continue
        words = match[1].split("-")
        for word in ("reset", "remaining"):
            if word in words:
                yield _without(words, word), word, headers[name].strip()


def _without(words: Iterable[str], word: str) -> str:
    return "-".join(other for other in words if other != word)


def _is_zero(value: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(value) is not None and float(value) == 0


def _until(value: str, now: Optional[float]) -> Optional[float]:
    seconds = duration(value)
    if seconds is not None:
        return seconds
    if _PLAIN_NUMBER.fullmatch(value):
        number = float(value)
        if number < _UNIX_SECONDS:
            return number
        then: Optional[float] = number / 1000 if number >= _UNIX_MILLISECONDS else number
    else:
        then = _iso_date(value) or parse_http_date(value)
    if then is None or now is None or not math.isfinite(now):
        return None
    return max(0.0, then - now)


def _iso_date(value: str) -> Optional[float]:
    match = _ISO_DATE.fullmatch(value)
    if match is None:
        return None
    offset = "+00:00" if match[3] in "Zz" else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{offset}").timestamp()
    except (ValueError, OverflowError):
        return None
