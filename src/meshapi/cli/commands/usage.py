"""`meshapi usage`: the balance, what was used, and how close the rate limits are."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any, Callable, Optional, cast

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.options import add_connection, day, positive
from meshapi.cli.output import Output
from meshapi.cli.problems import UsageError

_LIMITS = (
    ("requests_per_minute", "requests a minute"),
    ("tokens_per_minute", "model tokens a minute"),
    ("requests_per_day", "requests a day"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-m", "--model", help="only this model")
    parser.add_argument(
        "--since", type=day, metavar="DATE", help="only from this day on, such as 2026-11-01"
    )
    parser.add_argument("--until", type=day, metavar="DATE", help="only up to this day")
    parser.add_argument(
        "--days", type=positive, metavar="N", help="the money spent on each of the last N days, too"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    if arguments.since and arguments.until and arguments.since > arguments.until:
        raise UsageError(
            f"--until: expected a day that is not before --since {arguments.since},"
            f" got {arguments.until}"
        )
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
    if balance is None:
        output.say("Balance: this token may not see it.")
        return
    fields = _object(balance)
    available, reserved = (
        _dollars(fields.get(f"{name}_usd")) for name in ("available", "reserved")
    )
    output.line(f"Balance: {available} available, {reserved} reserved")


def _show_usage(usage: Any, output: Output) -> None:
    if usage is None:
        output.say("Usage: this token may not see it.")
        return
    fields = _object(usage)
    total, cost = fields.get("total_requests"), _dollars(fields.get("total_cost_usd"))
    output.line(f"Requests: {total}, cost {cost}")
    _show_costs("model", fields.get("by_model"), output)


def _show_limits(limits: Any, output: Output) -> None:
    key = _object(_object(limits).get("key"))
    rows: list[tuple[object, ...]] = []
    for name, title in _LIMITS:
        if name in key:
            row = _object(key[name])
            most = row.get("limit")
            rows.append((title, row.get("current"), "no limit" if most is None else most))
    output.table(("RATE LIMIT", "NOW", "MOST"), rows, right=("NOW", "MOST"))


def _show_days(trend: Any, output: Output) -> None:
    _show_costs("date", _object(trend).get("data", trend), output)


def _show_costs(name: str, values: Any, output: Output) -> None:
    rows = [
        (row.get(name), row.get("requests"), _dollars(row.get("cost_usd")))
        for row in map(_object, _array(values))
    ]
    output.table((name.upper(), "REQUESTS", "COST"), rows, right=("REQUESTS", "COST"))


def _object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one if it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _array(value: Any) -> list[Any]:
    return [*cast("Iterable[Any]", value)] if isinstance(value, list) else []


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
