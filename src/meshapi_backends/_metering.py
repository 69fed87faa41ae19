"""Trackers and budgets: they add up what calls use, for several threads and tasks at once."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Optional

from typing_extensions import Self

from meshapi_backends._tracked import TRACKED
from meshapi_core import AnyCall
from meshapi_core.observing import Notice
from meshapi_core.types import ModelInfo
from meshapi_core.usage import (
    Account,
    Amount,
    BudgetLimits,
    CallUsage,
    Changes,
    PriceList,
    TotalUsage,
    admit,
    call_usage,
    usage_html,
    usage_table,
)

__all__ = ["Budget", "Metering", "UsageTracker"]

_LOCK: Final = threading.Lock()
"""Held while accounts are read or changed, and never while anything waits. One for all accounts, as
a call is admitted by all its budgets or by none."""

_CHANGES: Final[deque[tuple[Sequence[Account], Changes]]] = deque()
"""What is to be entered. The garbage collector may close a stream in a thread that has the lock."""


def _enter_all() -> None:
    """Enter what waits. Call it with the lock."""
    while _CHANGES:
        accounts, changes = _CHANGES.popleft()
        for account in accounts:
            account.enter(changes)


class _Meter:
    """What has been used.

    Args:
        account: adds it up.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    @property
    def total(self) -> TotalUsage:
        """The sum over all models."""
        with _LOCK:
            _enter_all()
            return self.account.total

    @property
    def by_model(self) -> dict[str, TotalUsage]:
        """The sum for each model, by the model's ID."""
        with _LOCK:
            _enter_all()
            return self.account.by_model


class Budget(_Meter):
    """What calls may use together: it stops the next call once that is used up.

    Pass it to `client.with_options(budget=...)`, `client.track_usage(budget=...)` or
    `client.map(..., budget=...)`. Clients,
    threads and tasks may share one; it adds up what all of them use. A call is stopped before it is
    sent, with a `BudgetExceededError`. Calls under way are not: together they may exceed `cost_usd`
    and `tokens` by what they still use, but never `requests`.

    Args:
        cost_usd: in US dollars: "0.50", Decimal("0.50"), 2 or 0.5.
        tokens: model tokens of input and output.
        requests: how many; a call with its retries is one.
        seconds: how long calls may begin; only for `client.map`, which begins a run.
        failures: how many calls may fail; only for `client.map`. With 0, the first failure stops
            the run.
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
        seconds: Optional[float] = None,
        failures: Optional[int] = None,
        prices: Iterable[ModelInfo] = (),
    ) -> None:
        limits = BudgetLimits.of(cost_usd, tokens, requests, seconds, failures)
        super().__init__(Account(prices, limits))

    @property
    def limits(self) -> BudgetLimits:
        """All that it allows."""
        return self.account.limits

    @property
    def prices(self) -> PriceList:
        """The prices by which the cost of requests is estimated."""
        return self.account.prices

    def spend(self, model: str, usage: TotalUsage) -> None:
        """Add what a call has used that this budget was not told of: `client.map` does that."""
        with _LOCK:
            _enter_all()
            self.account.add(model, usage)

    @property
    def cost_usd(self) -> Optional[Decimal]:
        """The dollars that it allows; None is no limit."""
        return self.account.limits.cost_usd

    @property
    def tokens(self) -> Optional[int]:
        """The model tokens that it allows; None is no limit."""
        return self.account.limits.tokens

    @property
    def requests(self) -> Optional[int]:
        """The requests that it allows; None is no limit."""
        return self.account.limits.requests

    @property
    def seconds(self) -> Optional[float]:
        """The seconds for which calls of a run may begin; None is no limit."""
        return self.account.limits.seconds

    @property
    def failures(self) -> Optional[int]:
        """The calls of a run that may fail; None is no limit."""
        return self.account.limits.failures

    @property
    def spent(self) -> TotalUsage:
        """What has been spent; the same as `total`."""
        return self.total

    @property
    def used_up(self) -> bool:
        """Whether the next call would be stopped; `seconds` and `failures` do not count."""
        return self.account.limits.used_up(self.total) is not None

    def check_calls(self) -> None:
        """Check that it can limit calls that are made one by one.

        Raises:
            InvalidParamsError: it has a limit that only a run of many calls can keep.
        """
        self.account.limits.check_calls()

    def __repr__(self) -> str:
        limits = self.account.limits
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
        super().__init__(Account(prices))
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


class Metering:
    """Enters what one call uses into accounts. It is a `Trace` of the call.

    Args:
        usage: of the call.
        accounts: each once.

    Raises:
        BudgetExceededError: a budget is used up; nothing is entered.
    """

    def __init__(self, usage: CallUsage, accounts: Sequence[Account]) -> None:
        self._usage = usage
        self._accounts = accounts
        with _LOCK:
            _enter_all()
            admit(accounts, usage.begin())

    @classmethod
    def of(
        cls, call: AnyCall[Any], trackers: Iterable[UsageTracker], budgets: Iterable[Budget]
    ) -> "Optional[Metering]":
        """Return what tells trackers, their budgets and others; None if the call is not counted."""
        usage = call_usage(call)
        if usage is None:
            return None
        meters = [meter for tracker in trackers for meter in (tracker, tracker.budget)]
        accounts = [meter.account for meter in (*meters, *budgets) if meter is not None]
        return cls(usage, [*dict.fromkeys(accounts)])

    def headers(self) -> Mapping[str, str]:
        """No headers: the gateway is told nothing of this."""
        return {}

    def receive(self, notice: Notice) -> None:
        """Take what has happened in the call. It never waits: what has the lock enters it."""
        changes = self._usage.receive(notice)
        if not changes:
            return
        _CHANGES.append((self._accounts, changes))
        if _LOCK.acquire(blocking=False):
            try:
                _enter_all()
            finally:
                _LOCK.release()
