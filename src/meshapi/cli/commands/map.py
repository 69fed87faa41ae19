"""`meshapi map`: the same question for every row of a file, and the answers in another."""

from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Optional

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.many import Calls, add_rows, calls_in
from meshapi.cli.options import add_connection, amount, count, positive
from meshapi.cli.output import Output
from meshapi.cli.paths import check_output, lines_path
from meshapi.cli.problems import CommandError, UsageError

if TYPE_CHECKING:
    from meshapi import MapRun, MapSummary, MeshAPI, ModelInfo
    from meshapi.cli.progress import ProgressLine


def _add_arguments(parser: ArgumentParser) -> None:
    add_rows(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where the results go: JSON lines, or a table if it ends with .parquet"
        " (default: standard output)",
    )
    parser.add_argument("--rpm", type=count, metavar="N", help="at most N requests a minute")
    parser.add_argument(
        "--tpm", type=count, metavar="N", help="at most N model tokens a minute, such as 200k"
    )
    parser.add_argument(
        "--concurrency",
        type=positive,
        metavar="N",
        help="N at once (default: as many as fit)",
    )
    parser.add_argument(
        "--max-cost", type=amount, metavar="USD", help="begin no call beyond this sum"
    )
    parser.add_argument(
        "--journal",
        metavar="FILE",
        help="where the same command goes on after it was stopped (default: OUTPUT.journal)",
    )
    parser.add_argument(
        "--batch", action="store_true", help="by batch jobs: half the price, up to a day"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what it would use and cost, and ask nothing"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    arguments.output = lines_path(arguments.output, (".parquet",))
    _check_output(arguments)
    calls = calls_in(arguments)
    with connect(arguments) as client:
        if arguments.dry_run:
            _estimate(client, calls, arguments, output)
            return exit_codes.DONE
        return _make(client, calls, arguments, output)


def _check_output(arguments: Namespace) -> None:
    if arguments.dry_run:
        return
    for option in ("output", "journal"):
        path = getattr(arguments, option)
        if path is None:
            continue
        check_output(Path(path), f"--{option}")
        if arguments.rows != "-" and Path(path).resolve() == Path(arguments.rows).resolve():
            raise UsageError(f"--{option}: expected another file than the rows, got {path}")
    if arguments.output is not None and Path(arguments.output).is_symlink():
        raise UsageError(
            f"--output: {arguments.output} is a symbolic link, which would be replaced; give the"
            " path that it leads to"
        )
    if arguments.output is not None and _is_table(arguments.output):
        from importlib.util import find_spec

        # Before anything is asked and paid for.
        if find_spec("pyarrow") is None:
            raise UsageError(
                f"--output: {arguments.output} needs pyarrow: pip install pyarrow, or name a file"
                " that ends with .jsonl"
            )


def _is_table(path: str) -> bool:
    return PurePath(path).suffix.lower() == ".parquet"


def _estimate(client: "MeshAPI", calls: Calls, arguments: Namespace, output: Output) -> None:
    via: Any = "batch" if arguments.batch else "live"
    estimate = client.estimate(calls, via=via)
    output.say(str(estimate))
    output.record(estimate)
    output.note("Nothing was asked. The sums are estimates: expect them to be off by a fifth.")


def _make(client: "MeshAPI", calls: Calls, arguments: Namespace, output: Output) -> int:
    from meshapi.cli.progress import ProgressLine

    journal = arguments.journal
    if journal is None and arguments.output is not None:
        journal = f"{arguments.output}.journal"
    progress = ProgressLine(output, calls.total)
    run: MapRun[Any] = client.map(
        calls,
        journal=journal,
        order="input",
        on_progress=progress.show,
        **_options(client, arguments),
    )
    with _resumable(run, journal, progress), run:
        _write(run, arguments.output, output)
    progress.end()
    if arguments.output is not None:
        # Otherwise, each line is a result.
        output.record(run.summary())
    return _tell(run.summary(), journal, output)


def _options(client: "MeshAPI", arguments: Namespace) -> dict[str, Any]:
    from meshapi import Budget, PerMinute

    options: dict[str, Any] = {"via": "batch"} if arguments.batch else {}
    if arguments.batch and (arguments.rpm or arguments.tpm or arguments.concurrency):
        raise UsageError("--batch: batch jobs have no --rpm, --tpm or --concurrency; leave it out")
    if arguments.batch and arguments.max_cost is not None:
        raise UsageError("--batch: batch jobs have no --max-cost; see the cost with --dry-run")
    if arguments.concurrency is not None:
        options["concurrency"] = arguments.concurrency
    if arguments.rpm is not None or arguments.tpm is not None:
        options["rate_limit"] = PerMinute(requests=arguments.rpm, tokens=arguments.tpm)
    if arguments.max_cost is not None:
        # With the prices, each call reserves its estimate before it begins.
        options["budget"] = Budget(cost_usd=arguments.max_cost, prices=_prices(client))
    return options


def _prices(client: "MeshAPI") -> "list[ModelInfo]":
    from meshapi import NotFoundError, PermissionDeniedError

    try:
        return list(client.models.list())
    except (NotFoundError, PermissionDeniedError):
        # Then a run learns from its first responses what calls cost.
        return []


def _write(run: "MapRun[Any]", path: Optional[str], output: Output) -> None:
    if path is None:
        for item in run:
            output.write_json(item.line().decode())
    elif _is_table(path):
        run.to_parquet(path)
    else:
        run.to_jsonl(path)


@contextmanager
def _resumable(
    run: "MapRun[Any]", journal: Optional[str], progress: "ProgressLine"
) -> Generator[None, None, None]:
    """Say how to go on, if the run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        progress.end()
        done = run.summary().calls
        raise CommandError(
            f"interrupted after {done:,} calls; {_how(journal)}", exit_codes.INTERRUPTED
        ) from None
    except BaseException:
        progress.end()
        raise


def _how(journal: Optional[str]) -> str:
    if journal is None:
        return "with -o or --journal, the same command would go on from there"
    return f"the same command goes on from there ({journal})"


def _tell(summary: "MapSummary", journal: Optional[str], output: Output) -> int:
    for line in str(summary).splitlines():
        output.note(line)
    if summary.stopped == "budget":
        raise CommandError(f"stopped at --max-cost after {summary.calls:,} calls; {_how(journal)}")
    if summary.failed:
        codes = ", ".join(f"{code} {number:,}" for code, number in summary.errors.items())
        again = "; the same command makes them again" if journal is not None else ""
        raise CommandError(f"{summary.failed:,} of {summary.calls:,} calls failed: {codes}{again}")
    from meshapi.cli.wholeness import check_all_whole

    check_all_whole(
        {
            "truncated": summary.truncated,
            "filtered": summary.filtered,
            "refused": summary.refused,
        },
        summary.calls,
    )
    return exit_codes.DONE


MAP = Command(
    "map",
    "ask the same of every row of a file",
    _run,
    _add_arguments,
    "Make one call for each row, several at a time, and write the results in the order of the rows."
    " The same command goes on where it was stopped, and makes failed calls again.",
)
