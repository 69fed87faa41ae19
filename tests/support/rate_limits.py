"""A gateway with rate limits and a host that asks an `Admission`, both in simulated time."""

import heapq
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import count
from typing import Any, Optional

from meshapi_core.bulk import Admission, Hold, Slot, Stop
from meshapi_core.response_meta import RateLimit, RateLimitHeaders
from meshapi_core.usage import TotalUsage

MINUTE = 60.0
NOTHING = TotalUsage()


class Ledger:
    """Amounts and the times at which they were counted, in order of time."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.sums: list[int] = [0]

    def add(self, now: float, amount: int) -> None:
        self.times.append(now)
        self.sums.append(self.sums[-1] + amount)

    def between(self, begin: float, end: float) -> int:
        """Return what was counted at `begin` or later, and before `end`."""
        first, last = bisect_left(self.times, begin), bisect_left(self.times, end)
        return self.sums[last] - self.sums[first]

    def until(self, begin: float, end: float) -> int:
        """Return what was counted after `begin`, up to and including `end`."""
        first, last = bisect_right(self.times, begin), bisect_right(self.times, end)
        return self.sums[last] - self.sums[first]

    def fullest(self, begin: float = 0.0) -> int:
        """Return the most that was counted in any 60 seconds from a time on."""
        starts = self.times[bisect_left(self.times, begin) :]
        return max((self.between(start, start + MINUTE - 1e-6) for start in starts), default=0)

    def emptiest(self, begin: float, end: float) -> int:
        """Return the least that was counted in any 60 seconds between two times."""
        first, last = bisect_left(self.times, begin), bisect_left(self.times, end - MINUTE)
        # Such a stretch begins right after something that was counted.
        return min(self.until(start, start + MINUTE - 1e-6) for start in self.times[first:last])


class Gateway:
    """Counts requests and model tokens when they arrive.

    Args:
        requests, tokens: the limits at a time; None is no limit.
        fixed: whether it counts in fixed minutes; else over the last 60 seconds.
        refuses: whether it responds with 429 beyond its limits.
        others: requests a second of others.
        says: whether its responses have headers about the limits.
    """

    def __init__(
        self,
        requests: Callable[[float], Optional[int]] = lambda now: None,
        tokens: Callable[[float], Optional[int]] = lambda now: None,
        *,
        fixed: bool = False,
        refuses: bool = True,
        others: Callable[[float], float] = lambda now: 0.0,
        says: bool = True,
    ) -> None:
        self.limits = (requests, tokens)
        self.fixed, self.refuses, self.others, self.says = fixed, refuses, others, says
        self.all = (Ledger(), Ledger())
        self.ours = (Ledger(), Ledger())
        self.refused = self.others_refused = 0
        self._others_at = self._others_due = 0.0

    def receive(self, now: float, tokens: int) -> tuple[bool, float, Optional[RateLimitHeaders]]:
        """Return whether the request is served, else when to come again, and the headers."""
        self._others_until(now)
        is_served = self._count(now, tokens)
        if is_served:
            for ledger, amount in zip(self.ours, (1, tokens)):
                ledger.add(now, amount)
        else:
            self.refused += 1
        said = [self._said(now, which) for which in (0, 1)]
        headers = RateLimitHeaders(requests=said[0], tokens=said[1], raw={})
        wait = 0.0 if is_served else max(1.0, self._resets(now) if self.fixed else 1.0)
        return is_served, wait, headers if self.says else None

    def _others_until(self, now: float) -> None:
        step = 0.25
        while self._others_at + step <= now:
            self._others_at += step
            self._others_due += step * self.others(self._others_at)
            while self._others_due >= 1:
                self._others_due -= 1
                if not self._count(self._others_at, 0):
                    self.others_refused += 1

    def _count(self, now: float, tokens: int) -> bool:
        amounts = (1, tokens)
        for limit, ledger, amount in zip(self.limits, self.all, amounts):
            most = limit(now)
            if self.refuses and most is not None and self._used(now, ledger) + amount > most:
                return False
        for ledger, amount in zip(self.all, amounts):
            ledger.add(now, amount)
        return True

    def _used(self, now: float, ledger: Ledger) -> int:
        begin = now - now % MINUTE if self.fixed else now - MINUTE
        return ledger.between(begin, now + 1e-9) if self.fixed else ledger.until(begin, now)

    def _resets(self, now: float) -> float:
        return MINUTE - now % MINUTE

    def _said(self, now: float, which: int) -> RateLimit:
        limit = self.limits[which](now)
        if limit is None:
            return RateLimit()
        left = max(0, limit - self._used(now, self.all[which]))
        reset = float(int(self._resets(now)) + 1) if self.fixed else MINUTE
        return RateLimit(limit=limit, remaining=left, reset=reset)


class Run:
    """A host with more calls than it can ever make.

    Args:
        admission: decides.
        gateway: responds.
        latency: seconds that an attempt takes.
        tokens: estimate and actual usage of each call.
        late: seconds by which the host is late when it wakes up.
        fails: the share of attempts that fail, and are retried.
    """

    def __init__(
        self,
        admission: Admission,
        gateway: Gateway,
        *,
        latency: Callable[[], float] = lambda: 1.0,
        tokens: Callable[[], tuple[int, int]] = lambda: (0, 0),
        late: Callable[[], float] = lambda: 0.0,
        fails: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.admission, self.gateway = admission, gateway
        self.latency, self.tokens, self.late, self.fails = latency, tokens, late, fails
        self.random = random.Random(seed)
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.numbers = count()
        self.retries: list[tuple[int, int]] = []
        self.next = self.tokens()
        self.served = 0
        self.most_in_flight = 0
        self.in_cool_down = 0
        self.stop: Optional[Stop] = None
        self._wakes_at = float("inf")

    @property
    def first(self) -> float:
        """When something began for the first time."""
        return min(ledger.times[0] for ledger in self.gateway.all if ledger.times)

    def at(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (when, next(self.numbers), what))

    def until(self, end: float) -> "Run":
        self.begin(self.events[0][0] if self.events else 0.0)
        while self.events and self.events[0][0] <= end:
            now, _, what = heapq.heappop(self.events)
            what(now)
            self.begin(now)
        return self

    def begin(self, now: float) -> None:
        """Begin as much as may begin."""
        hold = float("inf")
        while True:
            again = bool(self.retries)
            call = self.retries[0] if again else self.next
            decision = self._ask(now, call, again)
            if again and isinstance(decision, Hold):
                hold = decision.seconds
                call, again = self.next, False
                decision = self._ask(now, call, again)
            if not isinstance(decision, Slot):
                break
            if again:
                self.retries.pop(0)
            else:
                self.next = self.tokens()
            self._send(now, decision, call)
        if isinstance(decision, Stop):
            self.stop = decision
            return
        hold = min(hold, decision.seconds)
        if now + hold < self._wakes_at or self._wakes_at <= now:
            self._wakes_at = now + hold
            if hold < float("inf"):
                self.at(now + hold + self.late(), lambda now: None)

    def _ask(self, now: float, call: tuple[int, int], again: bool) -> Any:
        return self.admission.admit(
            now, tokens=call[0], cost=None, spent=NOTHING, failures=0, again=again
        )

    def _send(self, now: float, slot: Slot, call: tuple[int, int]) -> None:
        self.in_cool_down += self.admission.cooling(now) > 0
        self.most_in_flight = max(self.most_in_flight, self.admission.in_flight)
        is_served, wait, headers = self.gateway.receive(now, call[1])
        is_failed = self.random.random() < self.fails

        def served(now: float) -> None:
            self.served += 1
            self.admission.end(slot, now, tokens=call[1], limits=headers)

        def failed(now: float) -> None:
            self.admission.end(slot, now, limits=headers, result="failed")
            self.at(now + 1, lambda now: self.retries.append(call))

        def refused(now: float) -> None:
            self.admission.end(slot, now, limits=headers, result="limited")
            self.admission.cool_down(now, wait)
            self.at(now + wait, lambda now: self.retries.append(call))

        if not is_served:
            self.at(now + 0.05, refused)
        else:
            self.at(now + self.latency(), failed if is_failed else served)
