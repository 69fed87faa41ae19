"""The state of one gateway: its token, pace, limits and scripts, its requests, what is kept."""

import hashlib
import threading
from typing import Any, Optional, TypeVar, cast

from meshapi.gateway import clock
from meshapi.gateway.http.request_log import RequestLog
from meshapi.gateway.http.streams import StreamRoom
from meshapi.gateway.page.exchanges import ExchangeLog
from meshapi.gateway.rate_limits import RateLimits
from meshapi.gateway.scripts.engine import Scripts

# Enough for any one test. A body may have megabytes, so there has to be a limit.
_KEPT_REQUESTS = 1000
_KEPT_TURNS = 10_000
_LONGEST_KEY = 200

S = TypeVar("S")


class GatewayState:
    """The state that all endpoints of one gateway share; two gateways never share it."""

    def __init__(
        self,
        token: str,
        words_per_second: float,
        rate_limits: Optional[RateLimits] = None,
        scripts: Optional[Scripts] = None,
    ) -> None:
        if not token or not all("!" <= char <= "~" for char in token):
            raise ValueError("token: expected printable ASCII without white space, and not empty")
        # NaN fails this comparison, too.
        if not words_per_second >= 0:
            raise ValueError(f"words_per_second: expected 0 or more, got {words_per_second}")
        self.token = token
        self.requests = RequestLog(_KEPT_REQUESTS)
        self.exchanges = ExchangeLog(token)
        self.rate_limits = RateLimits() if rate_limits is None else rate_limits
        self.scripts = Scripts() if scripts is None else scripts
        self.streams = StreamRoom()
        self._words_per_second = words_per_second
        self._lock = threading.Lock()
        self._turns: dict[str, int] = {}
        self._stores: dict[type[Any], Any] = {}

    @property
    def pause(self) -> float:
        """Seconds between two words of a stream."""
        return 1 / self._words_per_second if self._words_per_second else 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds of the gateway's clock."""
        await clock.sleep(seconds)

    def next_turn(self, key: str) -> int:
        """How many times this was called with the key before; the oldest keys are forgotten."""
        # Part of it may be a text of any length.
        key = (
            key
            if len(key) <= _LONGEST_KEY
            else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        )
        with self._lock:
            turn = self._turns.pop(key, 0)
            self._turns[key] = turn + 1
            if len(self._turns) > _KEPT_TURNS:
                del self._turns[next(iter(self._turns))]
        return turn

    def store(self, kind: type[S]) -> S:
        """The gateway's only instance of `kind`, made on first use and again after `reset`."""
        with self._lock:
            if kind not in self._stores:
                self._stores[kind] = kind()
            return cast("S", self._stores[kind])

    def reset(self) -> None:
        """Forget every request, every turn, every script and everything stored.

        The first limits and the first scripts are restored.
        """
        self.requests.clear()
        self.exchanges.clear()
        self.rate_limits.reset()
        self.scripts.reset()
        with self._lock:
            self._turns.clear()
            self._stores.clear()
