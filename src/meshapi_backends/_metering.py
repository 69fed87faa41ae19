"""Trackers and budgets: they add up what calls use, for several threads and tasks at once."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Optional, Union

from typing_extensions import Self

from meshapi_backends._tracked import TRACKED
from meshapi_core import AnyCall, InvalidParamsError, StreamUsageError
from meshapi_core.observing import Notice
from meshapi_core.types import ModelInfo
from meshapi_core.usage import (
    Amount,
    BudgetExceededError,
    BudgetLimits,
    CallUsage,
    Ledger,
    PriceList,
    Usage,
    UsedUp,
    call_usage,
    usage_table,
    usages,
)

__all__ = ["Budget", "Metering", "UsageTracker"]

_Usages = Mapping[str, Usage]


class _Meter:
    """Adds up usage.

    Args:
        prices: the models whose prices estimate what the gateway does not say.
    """

    def __init__(self, prices: Iterable[ModelInfo] = ()) -> None:
        self.prices = None if prices == () else PriceList(prices)
        self._ledger = Ledger()
        self._lock = threading.Lock()
        # A stream may be closed by the garbage collector, in a thread that holds the lock.
        self._untaken: deque[tuple[_Usages, _Usages]] = deque()

    def change(self, old: _Usages, new: _Usages) -> None:
        """Put what is now known of a call in place of what was known before. It never waits."""
        self._untaken.append((old, new))
        if self._lock.acquire(blocking=False):
            try:
                self._take()
            finally:
                self._lock.release()

    def _take(self) -> None:
        while self._untaken:
            self._ledger.change(*self._untaken.popleft())

    @property
    def total(self) -> Usage:
        """The sum over all models."""
        with self._lock:
            self._take()
            return self._ledger.total

    @property
    def by_model(self) -> dict[str, Usage]:
        """The sum for each model, by the model's ID."""
        with self._lock:
            self._take()
            return self._ledger.by_model


class Budget(_Meter):
    """What calls may use together: it stops the next call once that is used up.

    Pass it to `client.with_options(budget=...)` or to `client.track_usage(budget=...)`. Clients,
    threads and tasks may share one; it adds up what all of them use. A call is stopped before it is
    sent, with a `BudgetExceededError`. Calls under way are not: together they may exceed `cost_usd`
    and `tokens` by what they still use, but never `requests`.

    Args:
        cost_usd: in US dollars: "0.50", Decimal("0.50"), 2 or 0.5.
        tokens: model tokens of input and output.
        requests: how many; a call with its retries is one.
        prices: what `client.models.list()` returns, to estimate the cost of requests for which the
            gateway names none. Without it they count as free: see `spent.unpriced`.

    Raises:
        InvalidParamsError: no limit is given, or one is wrong.
    """

    def __init__(
        self,
        *,
        cost_usd: Optional[Amount] = None,
        tokens: Optional[int] = None,
        requests: Optional[int] = None,
        prices: Iterable[ModelInfo] = (),
    ) -> None:
        self._limits = BudgetLimits.of(cost_usd, tokens, requests)
        super().__init__(prices)

    @property
    def cost_usd(self) -> Optional[Decimal]:
        """The dollars that it allows; None is no limit."""
        return self._limits.cost_usd

    @property
    def tokens(self) -> Optional[int]:
        """The model tokens that it allows; None is no limit."""
        return self._limits.tokens

    @property
    def requests(self) -> Optional[int]:
        """The requests that it allows; None is no limit."""
        return self._limits.requests

    @property
    def spent(self) -> Usage:
        """What has been spent; the same as `total`."""
        return self.total

    @property
    def used_up(self) -> bool:
        """Whether the next call would be stopped."""
        return self._limits.used_up(self.total) is not None

    def begin(self, new: _Usages) -> None:
        """Count the requests of a call that begins.

        Raises:
            BudgetExceededError: the budget is used up; nothing is counted.
        """
        asked = sum(usage.requests for usage in new.values())
        with self._lock:
            self._take()
            spent = self._ledger.total
            limit: Optional[UsedUp] = self._limits.used_up(spent, asked)
            if limit is None:
                self._ledger.change({}, new)
        if limit is not None:
            raise BudgetExceededError(limit.limit, limit.allowed, spent)

    def __repr__(self) -> str:
        limits = self._limits
        names = [name for name in limits.__struct_fields__ if getattr(limits, name) is not None]
        shown = ", ".join(f"{name}={getattr(limits, name)}" for name in names)
        return f"<Budget {shown}; spent: {self.total!r}>"


class UsageTracker(_Meter):
    """Adds up what the calls of a client use in a `with` block: see `client.track_usage`.

    Args:
        owner: what the clients share whose calls are counted.
        watches: the list that says who is told what the calls do.
        watch: what to put into it while a block is open.
        budget: stops calls once it is used up.
        prices: the models whose prices estimate what the gateway does not say.
    """

    def __init__(
        self,
        owner: object,
        watches: list[Any],
        watch: object,
        budget: Optional[Budget] = None,
        prices: Iterable[ModelInfo] = (),
    ) -> None:
        _check_budget(budget)
        super().__init__(prices)
        self.owner = owner
        self.budget = budget
        self._watches = watches
        self._watch = watch
        # One item for each block that is open: appending and popping need no lock.
        self._open: list[None] = []

    @property
    def is_open(self) -> bool:
        """Whether a block is open, so that calls are counted."""
        return bool(self._open)

    @property
    def unpriced(self) -> int:
        """How many requests have a cost that is not known, and not in `total.cost_usd`."""
        return self.total.unpriced

    @property
    def cost_usd(self) -> Decimal:
        """What all calls cost in US dollars, as far as it is known; see `unpriced`."""
        return self.total.cost_usd

    def table(self) -> str:
        """Return the usage by model as a table of text."""
        by_model, total = self.by_model, self.total
        return usage_table(by_model, total)

    def __repr__(self) -> str:
        return f"<UsageTracker {self.total!r}>"

    def _repr_html_(self) -> str:
        from meshapi_core.types._html import usage_html

        return usage_html(self.by_model, self.total)

    def __enter__(self) -> Self:
        self._open.append(None)
        self._watches.append(self._watch)
        TRACKED.set((*TRACKED.get(), self))
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        if not self._open:
            raise StreamUsageError("this block of track_usage() is not open")
        self._open.pop()
        _remove_last(self._watches, self._watch)
        # Not by a token: a generator may end a block in another context than it began it in.
        here = [*TRACKED.get()]
        _remove_last(here, self)
        TRACKED.set(tuple(here))


def _remove_last(items: list[Any], item: object) -> None:
    for index in range(len(items) - 1, -1, -1):
        if items[index] is item:
            del items[index]
            return


def _check_budget(budget: object) -> None:
    if budget is not None and not isinstance(budget, Budget):
        hint = "write Budget(cost_usd=...)"
        raise InvalidParamsError("budget", "a Budget", type(budget).__name__, hint)


class Metering:
    """Tells meters what one call uses. It is a `Trace` of the call.

    Args:
        usage: of the call.
        meters: trackers and budgets, each once.

    Raises:
        BudgetExceededError: a budget is used up; nothing is counted.
    """

    def __init__(self, usage: CallUsage, meters: Sequence[Union[UsageTracker, Budget]]) -> None:
        self._usage = usage
        begun: list[tuple[Union[UsageTracker, Budget], _Usages]]
        begun = [(meter, usages(usage.parts, meter.prices)) for meter in meters]
        admitted: list[tuple[Budget, _Usages]] = []
        try:
            for meter, now in begun:
                if isinstance(meter, Budget):
                    meter.begin(now)
                    admitted.append((meter, now))
        except BudgetExceededError:
            for budget, now in admitted:
                budget.change(now, {})
            raise
        for meter, now in begun:
            if not isinstance(meter, Budget):
                meter.change({}, now)
        self._counted: list[tuple[_Meter, _Usages]] = [*begun]

    @classmethod
    def of(
        cls, call: AnyCall[Any], trackers: Iterable[UsageTracker], budgets: Iterable[Budget]
    ) -> "Optional[Metering]":
        """Return what tells trackers, their budgets and others; None if the call is not counted."""
        usage = call_usage(call)
        if usage is None:
            return None
        meters: dict[Union[UsageTracker, Budget], None] = {}
        for tracker in trackers:
            meters[tracker] = None
            if tracker.budget is not None:
                meters[tracker.budget] = None
        meters.update(dict.fromkeys(budgets))
        return cls(usage, [*meters])

    def headers(self) -> Mapping[str, str]:
        """No headers: the gateway is told nothing of this."""
        return {}

    def receive(self, notice: Notice) -> None:
        """Take what has happened in the call."""
        if not self._usage.receive(notice):
            return
        parts, counted = self._usage.parts, self._counted
        self._counted = [(meter, usages(parts, meter.prices)) for meter, _ in counted]
        for (meter, old), (_, new) in zip(counted, self._counted):
            meter.change(old, new)
