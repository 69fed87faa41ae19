"""A run in numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Optional

from msgspec import Struct, field

from meshapi_core._html import table_html
from meshapi_core._log_safe import one_line
from meshapi_core.bulk.finish_reasons import NOT_WHOLE, finish_reason_of
from meshapi_core.bulk.items import MapItem
from meshapi_core.usage.money import added
from meshapi_core.usage.totals import TotalUsage

__all__ = ["MapSummary", "SummaryCounts"]

_MOST_CODES: Final = 100
"""Error codes that are counted. They come from servers, and might all differ."""

_OTHERS: Final = "other codes"


class MapSummary(Struct, frozen=True, kw_only=True):
    """A run in numbers: so far, or at its end.

    Fields:
        calls: items that the run has had: succeeded, failed or skipped.
        succeeded, failed: how many have a response, and how many an error.
        truncated, filtered, refused: how many of the responses are not whole: cut off at a limit
            of model tokens, stopped by a content filter, or a refusal of the model. They are among
            `succeeded`: see `MapItem.finish_reason`.
        skipped: failed calls whose items were left out (`on_error="skip"`), among `failed`.
        recorded: those whose results were read from the journal of an earlier run.
        attempts: of this run, of calls that have ended.
        rate_limited: attempts so far that the gateway refused because it had too many requests.
            Their calls are sent again.
        usage: of all calls, with those of earlier runs.
        cost: in US dollars, as far as it is known: see `usage.unpriced`.
        seconds: since the run began.
        errors: how many calls have failed with each error code, the most frequent first.
        stopped: why the run has ended, such as "completed" or "budget"; None if it goes on.
        limit: the limit of the budget that is used up, such as "cost_usd"; "" for none.
    """

    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    truncated: int = 0
    filtered: int = 0
    refused: int = 0
    skipped: int = 0
    recorded: int = 0
    attempts: int = 0
    rate_limited: int = 0
    usage: TotalUsage = TotalUsage()
    cost: Decimal = Decimal(0)
    seconds: float = 0.0
    errors: Mapping[str, int] = field(default_factory=dict[str, int])
    stopped: Optional[str] = None
    limit: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        usage = self.usage
        about = "~" if usage.estimated else ""
        more = f" + {usage.unpriced:,} unpriced" if usage.unpriced else ""
        rows = [("calls", f"{self.calls:,}"), ("succeeded", f"{self.succeeded:,}")]
        kinds = {"truncated": self.truncated, "filtered": self.filtered, "refused": self.refused}
        rows += [(f"- {name}", f"{count:,}") for name, count in kinds.items() if count]
        rows.append(("failed", f"{self.failed:,}"))
        rows += [(f"- {one_line(code, 60)}", f"{count:,}") for code, count in self.errors.items()]
        for name, count in (("skipped", self.skipped), ("recorded", self.recorded)):
            if count:
                rows.append((name, f"{count:,}"))
        rows.append(("attempts", f"{self.attempts:,}"))
        if self.rate_limited:
            rows.append(("rate limited", f"{self.rate_limited:,}"))
        rows.append(("input tokens", f"{usage.input_tokens:,}"))
        rows.append(("output tokens", f"{usage.output_tokens:,}"))
        rows.append(("US dollars", f"{about}{self.cost:f}{more}"))
        rows.append(("seconds", f"{self.seconds:,.1f}"))
        limit = f" ({self.limit})" if self.limit else ""
        rows.append(("stopped", f"{self.stopped or 'no'}{limit}"))
        return rows

    def __str__(self) -> str:
        """The numbers as aligned lines of text."""
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _repr_html_(self) -> str:
        """The numbers as a table, for notebooks."""
        rows = self._rows()
        return table_html(("run", ""), rows, len(rows))


class SummaryCounts:
    """Adds up items as they come, in a memory that does not grow with them."""

    def __init__(self) -> None:
        self._succeeded = self._failed = self._skipped = self._recorded = self._attempts = 0
        self._requests = self._read = self._written = self._cached = self._reasoning = 0
        self._unpriced = self._estimated = 0
        self._cost = Decimal(0)
        self._errors: dict[str, int] = {}
        self._not_whole: dict[str, int] = {}

    def add(self, item: MapItem[Any], *, skipped: bool = False) -> None:
        """Count an item.

        Args:
            item: the item.
            skipped: whether the program does not get it.
        """
        if item.error is None:
            self._succeeded += 1
            reason = finish_reason_of(item.value)
            if reason in NOT_WHOLE:
                name = NOT_WHOLE[reason]
                self._not_whole[name] = self._not_whole.get(name, 0) + 1
        else:
            self._failed += 1
            code, codes = item.error.error_code, self._errors
            if code not in codes and len(codes) >= _MOST_CODES:
                code = _OTHERS
            codes[code] = codes.get(code, 0) + 1
        if skipped:
            self._skipped += 1
        if item.recorded:
            self._recorded += 1
        else:
            self._attempts += item.attempts
        usage = item.usage
        self._requests += usage.requests
        self._read += usage.input_tokens
        self._written += usage.output_tokens
        self._cached += usage.cached_tokens
        self._reasoning += usage.reasoning_tokens
        self._unpriced += usage.unpriced
        self._estimated += usage.estimated
        if usage.cost_usd:
            self._cost = added(self._cost, usage.cost_usd)

    @property
    def done(self) -> int:
        """How many items there were."""
        return self._succeeded + self._failed

    @property
    def failed(self) -> int:
        """How many of them have an error."""
        return self._failed

    @property
    def recorded(self) -> int:
        """How many of them an earlier run has recorded."""
        return self._recorded

    @property
    def cost(self) -> Decimal:
        """What they have cost, as far as it is known."""
        return self._cost

    def usage(self) -> TotalUsage:
        """Return the sum of what the items used."""
        return TotalUsage(
            requests=self._requests,
            input_tokens=self._read,
            output_tokens=self._written,
            cached_tokens=self._cached,
            reasoning_tokens=self._reasoning,
            cost_usd=self._cost,
            unpriced=self._unpriced,
            estimated=self._estimated,
        )

    def summary(
        self,
        seconds: float = 0.0,
        stopped: Optional[str] = None,
        limit: str = "",
        rate_limited: int = 0,
    ) -> MapSummary:
        """Return the numbers so far.

        Args:
            seconds: since the run began.
            stopped, limit, rate_limited: as in the summary.
        """
        errors = sorted(self._errors.items(), key=lambda pair: -pair[1])
        return MapSummary(
            calls=self.done,
            succeeded=self._succeeded,
            failed=self._failed,
            **self._not_whole,
            skipped=self._skipped,
            recorded=self._recorded,
            attempts=self._attempts,
            rate_limited=rate_limited,
            usage=self.usage(),
            cost=self._cost,
            seconds=seconds,
            errors=dict(errors),
            stopped=stopped,
            limit=limit,
        )
