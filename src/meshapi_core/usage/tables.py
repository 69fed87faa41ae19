"""Usage by model as a table, for terminals and notebooks."""

from collections.abc import Mapping
from typing import Final

from meshapi_core._html import table_html
from meshapi_core._log_safe import one_line
from meshapi_core.usage.totals import TotalUsage

__all__ = ["usage_html", "usage_table"]

_HEAD: Final = ("model", "requests", "input", "cached", "output", "reasoning", "US dollars")
_LONGEST: Final = 60


def _rows(by_model: Mapping[str, TotalUsage], total: TotalUsage) -> list[tuple[str, ...]]:
    """Return the rows of a table: its head, a row for each model, and the sum."""
    rows = [_HEAD, *(_row(model, usage) for model, usage in by_model.items())]
    return rows if len(by_model) == 1 else [*rows, _row("total", total)]


def _row(model: str, usage: TotalUsage) -> tuple[str, ...]:
    counts = (
        usage.requests,
        usage.input_tokens,
        usage.cached_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )
    return (one_line(model, _LONGEST), *(f"{count:,}" for count in counts), _cost(usage))


def _cost(usage: TotalUsage) -> str:
    if usage.requests and usage.unpriced == usage.requests:
        return "unknown"
    about = "~" if usage.estimated else ""
    more = f" + {usage.unpriced} unpriced" if usage.unpriced else ""
    return f"{about}{usage.cost_usd:f}{more}"


def usage_table(by_model: Mapping[str, TotalUsage], total: TotalUsage) -> str:
    """Return usage by model as aligned lines of text."""
    rows = _rows(by_model, total)
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines: list[str] = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def usage_html(by_model: Mapping[str, TotalUsage], total: TotalUsage) -> str:
    """Return usage by model as HTML."""
    head, *rows = _rows(by_model, total)
    return table_html(head, rows, len(rows))
