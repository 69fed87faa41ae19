"""How long a server asks clients to wait: Retry-After, and what gateways send besides.

    retry-after: 2                              a number of seconds, a duration or a date
    retry-after-ms: 1500                        OpenAI and Azure: the same, in milliseconds
    x-ratelimit-reset-requests: 6m0s            OpenAI: a duration, one header for each limit
    anthropic-ratelimit-tokens-reset: 2026-...  Anthropic: a date
    x-ratelimit-reset: 1741305600000            OpenRouter: Unix time in milliseconds
    ratelimit-reset: 30                         IETF draft: seconds
    llm_provider-x-ratelimit-reset-tokens: ...  LiteLLM: the provider's header, passed on
    {"retryDelay": "34.07s"}                    Google, in the details of the body

Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3,
    https://github.com/openai/openai-python `_base_client.py` (retry-after-ms),
    https://platform.openai.com/docs/guides/rate-limits,
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
from typing import Optional

from meshapi_core.durations import NUMBER, parse_duration
from meshapi_core.http_dates import parse_http_date

__all__ = ["now_of", "parse_retry_after", "until_reset", "wait_in_headers", "wait_in_resets"]

_HANDED_ON = "llm_provider-"

_SECONDS = re.compile(NUMBER)
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
# The fraction is not captured: Python 3.9 parses only fractions of three or six digits.
_ISO_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

# Numbers from these on are points in time, not durations: Unix time passed the first, in seconds,
# and the second, in milliseconds, in 2001.
_UNIX_SECONDS = 1e9
_UNIX_MILLISECONDS = 1e12

_LIMIT = re.compile(r"(?:x-|anthropic-)?rate-?limit-(.+)")


def parse_retry_after(
    value: Optional[str],
    *,
    date: Optional[str] = None,
    received_at: Optional[float] = None,
    unit: float = 1.0,
) -> Optional[float]:
    """Return the seconds that a Retry-After header asks for; None if it cannot be read.

    Never raises, and never returns a negative number, NaN or infinity. A date in the past is 0.

    Args:
        value: a number of fewer than ten digits, with or without a fraction; a duration such as
            `2s`, `1.5 seconds`, `1m30s` or `500ms`; or an HTTP date.
        date: the response's Date header. A date in `value` is measured from it, so that the clocks
            of server and client need not agree.
        received_at: Unix seconds; a date is measured from here where `date` is missing or invalid.
            Without either, a date cannot be used.
        unit: the seconds in one unit of a number that names no unit.
    """
    text = (value or "").strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text) * unit
    duration = parse_duration(text)
    if duration is not None:
        return duration
    then = parse_http_date(text)
    now = parse_http_date(date.strip(" \t")) if date else None
    if now is None:
        now = received_at
    if then is None or now is None or not math.isfinite(now):
        return None
    return max(0.0, then - now)


def wait_in_headers(headers: Mapping[str, str], received_at: Optional[float]) -> Optional[float]:
    """Return the seconds that the Retry-After headers of a response ask for, in either unit.

    Args:
        headers: looked up by lower-case name.
        received_at: Unix seconds; see `parse_retry_after`.
    """
    coarse = parse_retry_after(
        _field(headers, "retry-after"), date=headers.get("date"), received_at=received_at
    )
    fine = parse_retry_after(_field(headers, "retry-after-ms"), unit=0.001)
    if fine is None or coarse is None:
        return coarse if fine is None else fine
    # The finer unit wins, as in the SDKs that introduced it: the coarse value is the fine one,
    # rounded up. Where rounding does not explain the difference, the longer wait is the safe one.
    return fine if coarse - fine < 1 else coarse


def _field(headers: Mapping[str, str], name: str) -> Optional[str]:
    """Return a header: the gateway's own, or the provider's, which the gateway passes on."""
    return headers.get(name, headers.get(_HANDED_ON + name))


def now_of(headers: Mapping[str, str], received_at: Optional[float]) -> Optional[float]:
    """Return the time of a response: its Date header, else `received_at`, which may be None."""
    now = parse_http_date(headers.get("date", "").strip())
    return received_at if now is None else now


def wait_in_resets(headers: Mapping[str, str], now: Optional[float]) -> Optional[float]:
    """Return the seconds until the exceeded rate limit is reset; None if no header says so.

    Of several limits, the exhausted ones count, and of these the last to be reset. Where no header
    says that a limit is exhausted, the first reset is the best guess.

    Args:
        headers: of a response that refused the request because of a rate limit.
        now: Unix seconds; without it, points in time cannot be used.
    """
    waits: dict[str, float] = {}
    used_up: set[str] = set()
    for limit, word, value in _limits(headers):
        if word == "remaining" and _is_zero(value):
            used_up.add(limit)
        wait = until_reset(value, now) if word == "reset" else None
        if wait is not None:
            waits[limit] = wait
    decisive = [wait for limit, wait in waits.items() if limit in used_up]
    return max(decisive) if decisive else min(waits.values(), default=None)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each limit in the headers, "reset" or "remaining", and the value."""
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


def until_reset(value: str, now: Optional[float]) -> Optional[float]:
    """Return the seconds until a reset: a duration, seconds, or a point in time; None for others.

    Args:
        value: of a header, without white space around it.
        now: Unix seconds; without it, points in time cannot be used.
    """
    seconds = parse_duration(value)
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
