"""The results of a run: counted, and handed over as the program has asked for."""

from copy import copy
from typing import Generic, Literal, Optional, TypeVar

from typing_extensions import TypeAlias

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.handover import Handover
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.summary import MapSummary, SummaryCounts
from meshapi_core.flows.steps import ItemFlow
from meshapi_core.progress import Progress

__all__ = ["Results", "Stopped"]

T = TypeVar("T")
E = TypeVar("E", bound=MeshAPIError)

Stopped: TypeAlias = Literal["completed", "budget", "cancelled", "error"]


class Results(Generic[T]):
    """The results of one run.

    Args:
        plan: says what happens to errors, and in which order results go.
        total: how many there will be; None if nobody knows.

    Attributes:
        stopped: why the run has ended; None if it goes on, or was closed.
        limit: the limit of the budget that is used up; "" for none.
        now: the time of the last result.
        rate_limited: how many attempts the gateway refused because it had too many requests.
        journal: the path of the run's journal, if it has one.
    """

    def __init__(self, plan: Plan, total: Optional[int]) -> None:
        self.stopped: Optional[Stopped] = None
        self.limit = ""
        self.now = 0.0
        self.rate_limited = 0
        self.journal = plan.journal
        self._began: Optional[float] = None
        self._on_error = plan.on_error
        self._total = total
        self._counts = SummaryCounts()
        self._handover: Handover[T] = Handover(in_order=plan.order == "input")

    def __len__(self) -> int:
        """How many results wait to be handed over."""
        return len(self._handover)

    @property
    def done(self) -> int:
        """How many results there have been."""
        return self._counts.done

    @property
    def failed(self) -> int:
        """How many of them are errors."""
        return self._counts.failed

    def noting(self, flow: ItemFlow[MapItem[T], MapSummary]) -> ItemFlow[MapItem[T], MapSummary]:
        """Do what the flow of the run does, and note an error that ends it."""
        try:
            return (yield from flow)
        except Exception as exc:
            # Where the program has closed the run, this ends the wait, and the program never sees
            # it.
            if getattr(exc, "error_code", "") != "stream_closed":
                self.stopped = "error"
            raise

    def begin(self, now: float) -> None:
        """Note when the run begins."""
        self._began = self.now = now

    def add(self, item: MapItem[T]) -> Optional[MeshAPIError]:
        """Take a result, and return the error that it ends the run with, if it does."""
        handed: Optional[MapItem[T]] = item
        if item.error is not None and self._on_error != "return":
            handed = None
        self._counts.add(item, skipped=handed is None and self._on_error == "skip")
        self._handover.add(item.index, handed)
        return item.error if self._on_error == "raise" else None

    def unreachable(self, error: E, seconds: float) -> E:
        """Return the error that ends the run because the gateway cannot be reached.

        Args:
            error: of the last attempt.
            seconds: since the first one that got no connection.
        """
        if self.journal is None:
            how = "with journal=, the same command would go on from there"
        else:
            how = "the same command goes on from there, with its journal"
        made = copy(error)
        made.message = (
            f"{error.message}; the gateway could not be reached for {seconds:.0f} s,"
            f" so the run ends after {self.done:,} calls: {how}"
        )
        made.args = (made.message,)
        made.__cause__ = error
        return made

    def next(self) -> Optional[MapItem[T]]:
        """Return the next result for the program; None if it is not there yet."""
        return self._handover.next()

    def end(self) -> None:
        """Note that no further results come: those that waited for others go now."""
        self._handover.end()

    def summary(self, stopped: Optional[Stopped]) -> MapSummary:
        """Return the numbers so far.

        Args:
            stopped: why the run has ended, if it has.
        """
        seconds = 0.0 if self._began is None else self.now - self._began
        return self._counts.summary(seconds, stopped, self.limit, self.rate_limited)

    def progress(self) -> Progress:
        """Return how far the run has come, with failures and money in words."""
        told = [f"{self.failed} failed"] if self.failed else []
        cost, recorded = self._counts.cost, self._counts.recorded
        if cost:
            told.append(f"${cost:.2f}" if cost >= 1 else f"${cost:.4f}")
        return Progress(self.done, self._total, ", ".join(told), recorded=recorded)
