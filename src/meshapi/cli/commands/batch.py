"""`meshapi batch`: batch jobs, which take up to a day and cost half as much."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.many import Calls, add_rows, calls_in
from meshapi.cli.options import add_connection, positive, seconds
from meshapi.cli.output import Output
from meshapi.cli.paths import check_output, lines_path
from meshapi.cli.problems import CommandError
from meshapi.cli.terminal import printable

if TYPE_CHECKING:
    from meshapi import BatchObject
    from meshapi_core.bulk import NotWhole

Request = dict[str, Any]


def _submit_arguments(parser: ArgumentParser) -> None:
    add_rows(parser)
    add_connection(parser)


def _submit(arguments: Namespace, output: Output) -> int:
    calls = calls_in(arguments)
    with connect(arguments) as client:
        for requests in _batches(calls):
            batch = client.batches.create(requests=requests)
            output.record(batch)
            output.say(printable(batch.id))
            output.note(f"{len(requests):,} requests; `meshapi batch wait {batch.id}` waits for it")
    return exit_codes.DONE


def _batches(calls: Calls) -> Iterator[list[Request]]:
    """Yield the requests of each batch, which is for one endpoint and one model."""
    from meshapi_core.bulk import MOST_BATCH_BYTES, MOST_BATCH_REQUESTS

    open_batches: dict[tuple[str, object], tuple[list[Request], int]] = {}
    for entry in calls.entries():
        name, call = entry.id, entry.call
        assert isinstance(call.body, bytes), "calls with files are no rows"
        body: Any = json.loads(call.body)
        request = {"custom_id": name, "method": "POST", "url": call.path, "body": body}
        # What stands around it, and is written between two of them.
        size = len(call.body) + len(name) + len(call.path) + 100
        group = call.path, body.get("model")
        requests, total = open_batches.pop(group, ([], 0))
        if requests and (len(requests) >= MOST_BATCH_REQUESTS or total + size > MOST_BATCH_BYTES):
            yield requests
            requests, total = [], 0
        requests.append(request)
        open_batches[group] = requests, total + size
    for requests, _ in open_batches.values():
        yield requests


def _ids(parser: ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="+", help="the ID of a batch, as `submit` says")
    add_connection(parser)


def _wait_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=seconds, metavar="SECONDS", help="wait so long at most (default: no limit)"
    )
    _ids(parser)


def _wait(arguments: Namespace, output: Output) -> int:
    from meshapi import JobTimeoutError
    from meshapi.cli.progress import ProgressLine

    line = ProgressLine(output)
    with connect(arguments) as client:
        for name in arguments.ids:
            try:
                batch = client.batches.wait(name, timeout=arguments.limit, on_progress=line.show)
            except JobTimeoutError as error:
                raise CommandError(
                    f"{name} did not end within --limit {arguments.limit:g}; it goes on at the"
                    f" gateway: `meshapi batch wait {name}` waits again"
                ) from error
            finally:
                line.end()
            _show(batch, output)
    return exit_codes.DONE


def _results_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the ID of a batch, as `submit` says")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where the results go (default: standard output)"
    )
    add_connection(parser)


def _results(arguments: Namespace, output: Output) -> int:
    from meshapi.cli.wholeness import check_all_whole, kind_of

    failed = done = 0
    not_whole: dict[NotWhole, int] = {}
    arguments.output = lines_path(arguments.output)
    if arguments.output is not None:
        check_output(Path(arguments.output))
    with connect(arguments) as client:
        batch = client.batches.get(arguments.id)
        if not batch.ended:
            raise CommandError(
                f"{batch.id} is {batch.status} ({_counts(batch)}), and has no results yet;"
                f" `meshapi batch wait {batch.id}` waits for them"
            )
        found: Iterable[Any] = client.batches.results(batch)
        results = iter(found)
        # Before the file is opened, which empties it: there may be no results.
        first = list(islice(results, 1))
        with _opened(arguments.output, output) as write:
            for item in chain(first, results):
                done += 1
                failed += item.error is not None
                kind = kind_of(item.value)
                if kind is not None:
                    not_whole[kind] = not_whole.get(kind, 0) + 1
                write(_line(item))
    if arguments.output is not None:
        output.record({"path": arguments.output, "results": done, "errors": failed})
    output.note(f"{done:,} results, {failed:,} of them errors")
    if failed:
        raise CommandError(f"{failed:,} of {done:,} requests failed; the results say why")
    check_all_whole(not_whole, done)
    return exit_codes.DONE


@contextmanager
def _opened(path: Optional[str], output: Output) -> Generator[Callable[[str], object], None, None]:
    """Give what writes a line, to a file or to standard output."""
    if path is None:
        yield output.write_json
        return
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        yield file.write


def _line(item: Any) -> str:
    from meshapi import MapItem

    line: bytes = MapItem(index=0, id=item.id, value=item.value, error=item.error).line()
    return line.decode()


def _cancel(arguments: Namespace, output: Output) -> int:
    with connect(arguments) as client:
        for name in arguments.ids:
            _show(client.batches.cancel(name), output)
    return exit_codes.DONE


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=positive, metavar="N", default=20, help="at most N (default: %(default)s)"
    )
    add_connection(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with connect(arguments) as client:
        found = list(islice(client.batches.list(), arguments.limit))
    for batch in found:
        output.record(batch)
    rows = [(one.id, one.status, _counts(one), one.model, _time(one.created_at)) for one in found]
    output.table(("BATCH", "STATUS", "DONE", "MODEL", "CREATED"), rows, right=("DONE",))
    return exit_codes.DONE


def _show(batch: "BatchObject", output: Output) -> None:
    output.record(batch)
    output.line(f"{batch.id} {batch.status} {_counts(batch)}")


def _counts(batch: "BatchObject") -> str:
    failed = f", {batch.failed_requests:,} failed" if batch.failed_requests else ""
    return f"{batch.completed_requests:,}/{batch.total_requests:,}{failed}"


def _time(seconds: Any) -> str:
    if not seconds:
        return ""
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M")


BATCH = Command(
    "batch",
    "submit batch jobs, wait for them, and get their results",
    None,
    description="Batch jobs take up to a day and cost half as much. `meshapi map --batch` does all"
    " of this in one command.",
    commands=(
        Command("submit", "submit the rows of a file", _submit, _submit_arguments),
        Command("wait", "wait until batches are completed", _wait, _wait_arguments),
        Command("results", "get the results of a batch", _results, _results_arguments),
        Command("cancel", "cancel batches", _cancel, _ids),
        Command("list", "list the batches", _list, _list_arguments),
    ),
)
