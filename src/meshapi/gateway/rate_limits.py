"""The rate limits of one gateway: requests and model tokens a minute.

A request counts when it is admitted, and its model tokens when its response is about to begin.
What is refused counts for nothing. A minute is either the last 60 seconds (a sliding window), or
one of the minutes since the gateway began (fixed windows), where a client may use up one window at
its end and the next at its beginning.

The gateway's clock may run faster than the computer's. All that callers are told, such as
`Retry-After`, is in their own seconds.

Source: https://platform.openai.com/docs/guides/rate-limits (the headers)
"""

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Literal, Optional, Union

from meshapi.gateway.http.errors import GatewayError

Kind = Literal["fixed", "sliding"]

_MINUTE = 60.0

# A sliding window counts in slots of this many seconds, so that it holds at most 600 of them. A
# slot expires with the last that it counts: no minute ever has more than the limit.
_SLOT = 0.1

# The paths whose POST requests the service charges for. The rows of a batch have limits elsewhere.
BILLED = (
    "/v1/chat/",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/images/",
    "/v1/video/",
    "/v1/audio/",
    "/v1/moderations",
    "/v1/web/search",
)


@dataclass
class _Slot:
    begin: float
    end: float
    amount: int


class _SlidingWindow:
    """What was used in the last minute."""

    def __init__(self) -> None:
        self._slots: deque[_Slot] = deque()
        self._used = 0

    def used(self, now: float) -> int:
        while self._slots and self._slots[0].end + _MINUTE <= now:
            self._used -= self._slots.popleft().amount
        return self._used

    def add(self, now: float, amount: int) -> None:
        if not self._slots or now - self._slots[-1].begin >= _SLOT:
            self._slots.append(_Slot(now, now, 0))
        self._slots[-1].end = now
        self._slots[-1].amount += amount
        self._used += amount

    def until_free(self, now: float, amount: int) -> float:
        """Seconds until that much of what is used is free again."""
        for slot in self._slots:
            amount -= slot.amount
            if amount <= 0:
                return slot.end + _MINUTE - now
        return 0.0


class _FixedWindow:
    """What was used since the minute began."""

    def __init__(self) -> None:
        self._minute = 0.0
        self._used = 0

    def used(self, now: float) -> int:
        if now // _MINUTE != self._minute:
            self._minute, self._used = now // _MINUTE, 0
        return self._used

    def add(self, now: float, amount: int) -> None:
        self._used = self.used(now) + amount

    def until_free(self, now: float, amount: int) -> float:
        """Seconds until that much of what is used is free again: all of it at once."""
        return (self._minute + 1) * _MINUTE - now if self._used else 0.0


_Window = Union[_SlidingWindow, _FixedWindow]
_WINDOWS: Mapping[str, Callable[[], _Window]] = {
    "sliding": _SlidingWindow,
    "fixed": _FixedWindow,
}


class RateLimits:
    """The limits, and how much of them is used. Any thread may change them at any time.

    Args:
        requests: the most requests in a minute; None for no limit.
        tokens: the most model tokens in a minute; None for no limit.
        window: what a minute is.
        clock_speed: how many times faster than `clock` the gateway's clock runs.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        requests: Optional[int] = None,
        tokens: Optional[int] = None,
        window: Kind = "sliding",
        clock_speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if window not in _WINDOWS:
            raise ValueError(f'window: expected "fixed" or "sliding", got {window!r}')
        if not 0 < clock_speed < math.inf:
            raise ValueError(f"clock_speed: expected more than 0, got {clock_speed}")
        self._given = (requests, tokens)
        self._kind = window
        self._speed = clock_speed
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Return to the limits given at the beginning, with nothing used."""
        with self._lock:
            self._began = self._clock()
            self._advanced = 0.0
            self._total = 0
            self._requests, self._tokens = _WINDOWS[self._kind](), _WINDOWS[self._kind]()
        self.requests, self.tokens = self._given

    @property
    def requests(self) -> Optional[int]:
        """The most requests in a minute; None for no limit."""
        return self._most_requests

    @requests.setter
    def requests(self, most: Optional[int]) -> None:
        self._most_requests = _checked("requests_per_minute", most)

    @property
    def tokens(self) -> Optional[int]:
        """The most model tokens in a minute; None for no limit."""
        return self._most_tokens

    @tokens.setter
    def tokens(self, most: Optional[int]) -> None:
        self._most_tokens = _checked("tokens_per_minute", most)

    def advance(self, seconds: float) -> None:
        """Move the gateway's clock forward, by seconds of that clock."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds: expected 0 or more, got {seconds}")
        with self._lock:
            self._advanced += seconds

    def admit(self) -> None:
        """Count a request.

        Raises:
            GatewayError: 429 `rate_limit_exceeded`, if it exceeds the limit.
        """
        with self._lock:
            now = self._now()
            self._take("requests", self._requests, now, 1, self._most_requests)
            self._total += 1

    def spend(self, tokens: int) -> None:
        """Count the model tokens of a request that was admitted.

        Raises:
            GatewayError: 429 `rate_limit_exceeded`, if they exceed the limit. The request then does
                not count either.
        """
        with self._lock:
            now = self._now()
            try:
                self._take("model tokens", self._tokens, now, tokens, self._most_tokens)
            except GatewayError:
                if self._requests.used(now):
                    self._requests.add(now, -1)
                self._total -= 1
                raise

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of a response that say what is left of the limits; none without limits."""
        with self._lock:
            now = self._now()
            made: list[tuple[bytes, bytes]] = []
            for unit, window, most in self._both():
                if most is not None:
                    used = window.used(now)
                    reset = self._for_callers(window.until_free(now, used))
                    values = (most, max(0, most - used), _duration(reset))
                    for word, value in zip(("limit", "remaining", "reset"), values):
                        made.append((f"x-ratelimit-{word}-{unit}".encode(), str(value).encode()))
            return made

    def rows(self) -> dict[str, dict[str, Any]]:
        """The limits as /v1/usage/rate-limits shows them."""
        with self._lock:
            now = self._now()
            rows = {
                f"{unit}_per_minute": self._row(window, now, most)
                for unit, window, most in self._both()
            }
            day = {"current": self._total, "limit": None, "pct": 0}
            return {**rows, "requests_per_day": day}

    def _row(self, window: _Window, now: float, most: Optional[int]) -> dict[str, Any]:
        used = window.used(now)
        row = {"current": used, "limit": most, "pct": 0}
        if most is None:
            return row
        reset = self._for_callers(window.until_free(now, used))
        row["pct"] = min(100, used * 100 // most)
        return {**row, "resets_in_seconds": math.ceil(reset), "is_default_limit": False}

    def _both(self) -> list[tuple[str, _Window, Optional[int]]]:
        return [
            ("requests", self._requests, self._most_requests),
            ("tokens", self._tokens, self._most_tokens),
        ]

    def _take(
        self, what: str, window: _Window, now: float, amount: int, most: Optional[int]
    ) -> None:
        used = window.used(now)
        if most is not None and amount > most:
            message = f"The request needs {amount} {what}; the limit is {most} a minute."
            raise GatewayError(429, "rate_limit_exceeded", message)
        if most is not None and used + amount > most:
            raise self._exceeded(what, most, window.until_free(now, used + amount - most))
        window.add(now, amount)

    def _exceeded(self, what: str, most: int, wait: float) -> GatewayError:
        seconds = self._for_callers(wait)
        whole = max(1, math.ceil(seconds))
        message = f"The limit is {most} {what} a minute. Try again in {whole} s."
        error = GatewayError(429, "rate_limit_exceeded", message, retry_after_seconds=whole)
        if self._speed > 1:
            # Whole seconds are long on a fast clock.
            thousandths = math.ceil(seconds * 1000)
            error.headers["Retry-After-Ms"] = str(thousandths)
            error.error["retry_after_seconds"] = thousandths / 1000
        return error

    def _now(self) -> float:
        return (self._clock() - self._began) * self._speed + self._advanced

    def _for_callers(self, seconds: float) -> float:
        return max(0.0, seconds) / self._speed


def _checked(name: str, most: object) -> Optional[int]:
    if most is None:
        return None
    if isinstance(most, int) and not isinstance(most, bool) and most > 0:
        return most
    raise ValueError(f"{name}: expected a whole number of 1 or more, or None, got {most!r}")


def _duration(seconds: float) -> str:
    """A duration as the service writes it: `60ms`, `1.25s`."""
    thousandths = math.ceil(seconds * 1000)
    return f"{thousandths}ms" if thousandths < 1000 else f"{thousandths / 1000:g}s"
