"""`meshapi usage`: the balance, what was used, and how close the rate limits are."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.options import add_connection, positive
from meshapi.cli.output import Output

if TYPE_CHECKING:
    pass

_LIMITS = (
    ("requests_per_minute", "requests a minute"),
    ("tokens_per_minute", "model tokens a minute"),
    ("requests_per_day", "requests a day"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-m", "--model", help="only this model")
    parser.add_argument("--since", metavar="DATE", help="only from this day on, such as 2026-11-01")
    parser.add_argument("--until", metavar="DATE", help="only up to this day")
    parser.add_argument(
        "--days", type=positive, metavar="N", help="the money spent on each of the last N days, too"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    names = ("model", "since", "until")
    filters = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    with connect(arguments) as client:
        found = {
            "balance": _raw(client.balance.get),
            "usage": _raw(lambda: client.usage.query(**filters)),
            "rate_limits": _raw(client.usage.rate_limits),
        }
        if arguments.days is not None:
            found["days"] = _raw(lambda: client.usage.spend_trend(days=arguments.days))
    output.record(found)
    _show_balance(found["balance"], output)
    _show_usage(found["usage"], output)
    _show_limits(found["rate_limits"], output)
    _show_days(found.get("days"), output)
    return 0


def _raw(ask: Callable[[], Any]) -> Any:
    """What the gateway responds with; None where the token may not ask."""
    from meshapi import NotFoundError, PermissionDeniedError

    try:
        return ask().raw
    except (PermissionDeniedError, NotFoundError):
        return None


def _show_balance(balance: Any, output: Output) -> None:
    if not isinstance(balance, Mapping):
        output.say("Balance: this token may not see it.")
        return
    available, reserved = (
        _dollars(balance.get(f"{name}_usd")) for name in ("available", "reserved")
    )
    output.relay(f"Balance: {available} available, {reserved} reserved\n")


def _show_usage(usage: Any, output: Output) -> None:
    if not isinstance(usage, Mapping):
        output.say("Usage: this token may not see it.")
        return
    total, cost = usage.get("total_requests"), _dollars(usage.get("total_cost_usd"))
    output.relay(f"Usage: {total} requests, {cost}\n")
    output.table(
        ("MODEL", "REQUESTS", "COST"),
        [
            (row.get("model"), row.get("requests"), _dollars(row.get("cost_usd")))
            for row in _rows(usage.get("by_model"))
        ],
        right=("REQUESTS", "COST"),
    )


def _show_limits(limits: Any, output: Output) -> None:
    key = limits.get("key") if isinstance(limits, Mapping) else None
    rows = []
    for name, title in _LIMITS:
        row = key.get(name) if isinstance(key, Mapping) else None
        if isinstance(row, Mapping):
            most = row.get("limit")
            rows.append((title, row.get("current"), "no limit" if most is None else most))
    output.table(("RATE LIMIT", "NOW", "MOST"), rows, right=("NOW", "MOST"))


def _show_days(trend: Any, output: Output) -> None:
    days = trend.get("data") if isinstance(trend, Mapping) else trend
    output.table(
        ("DAY", "REQUESTS", "COST"),
        [
            (row.get("date"), row.get("requests"), _dollars(row.get("cost_usd")))
            for row in _rows(days)
        ],
        right=("REQUESTS", "COST"),
    )


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _dollars(amount: Optional[object]) -> str:
    return "unknown" if amount is None else f"${amount}"


USAGE = Command(
    "usage",
    "show the balance, what was used, and the rate limits",
    _run,
    _add_arguments,
    "Show the balance of the account, what this token has used by model, and how close it is to its"
    " rate limits.",
)
