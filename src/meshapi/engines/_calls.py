"""Calls that an engine makes: see `Calls`."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, Optional, TypeVar, Union
from uuid import uuid4

from msgspec import structs
from typing_extensions import TypeAlias

from meshapi import AsyncMeshAPI, Budget, ClientSettings, MeshAPI
from meshapi.engines._batches import added, rows_of
from meshapi.engines._results import Row
from meshapi_core import Call, InvalidParamsError, check_kind, type_name
from meshapi_core.bulk import Entry, Inputs, PerMinute, Plan, content_digest

__all__ = ["Calls"]

BatchT = TypeVar("BatchT")
Made: TypeAlias = Union[Call[Any], tuple[Union[str, int], Call[Any]]]
Template: TypeAlias = Union[Call[Any], Callable[[Any], Made]]


class Calls:
    """Makes a call of each row of a batch, many at once, and adds a column with the results.

        dataset.map_batches(Calls, fn_constructor_args=[template], batch_size=500)  # Ray Data

        calls = Calls(template, workers=2, journal="journals")
        bag.map_partitions(calls)                                                   # Dask
        table.with_column("result", calls.column(table["id"], table["text"]))  # Daft

    It can be pickled. In each process of the engine, one client makes the calls of all batches. A
    call that fails is a result with an `error`, and stops nothing.

    A result has `text` (what the model said), `output` (the response, as JSON), `error` (as JSON),
    `error_code`, `input_tokens`, `output_tokens`, `cost`, `attempts` and `request_id`.

    Args:
        template: makes the call of a row: a function, or a `Call` in whose texts `{name}` stands
            for a field of the row. See `client.map`.
        client: a client, or the settings of one: each process makes such a client. The token must
            be in a variable or come from a function (see `client.settings()`). The default is
            `MeshAPI()`.
        workers: how many batches the engine works on at the same time. They share `rate_limit` and
            `budget`: each gets its part.
        concurrency: how many calls of a batch run at once, as in `client.map`. "auto" begins with
            few in each batch: for small ones, give a number.
        rate_limit: as in `client.map`; for all workers together, if it is a `PerMinute`.
        budget: as in `client.map`, for all workers together. `seconds` and `failures` are those of
            one batch. A call that is not sent has the `error_code` "budget_exceeded". A process
            that takes the place of another begins its part anew.
        journal: a folder that all processes of the engine can write to. Each batch has a journal in
            it, named by its calls: a batch that is run again sends nothing that has a response,
            whether its process has died or the program is run again. Each row needs an `id`.
            Where the engine makes `Calls`, as actors of Ray Data do, give an absolute path.
        into: the name of the column with the results.

    Raises:
        InvalidParamsError: an argument cannot be used, or the client's settings cannot be pickled.
    """

    def __init__(
        self,
        template: Template,
        *,
        client: Union[None, MeshAPI, AsyncMeshAPI, ClientSettings] = None,
        workers: int = 1,
        concurrency: Union[int, Literal["auto"]] = "auto",
        rate_limit: Union[PerMinute, Literal["auto"], None] = "auto",
        budget: Optional[Budget] = None,
        journal: "Union[None, str, os.PathLike[str]]" = None,
        into: str = "result",
    ) -> None:
        # Checked here, and not only in another process.
        Inputs((), template)
        Plan.of({"concurrency": concurrency, "rate_limit": rate_limit})
        _check_workers(workers)
        check_kind("into", into, str)
        check_kind("budget", budget, Budget, optional=True)
        shared = rate_limit.divided(workers) if isinstance(rate_limit, PerMinute) else rate_limit
        self._key = uuid4().hex
        self._template = template
        self._settings = _settings_of(client)
        self._workers = workers
        self._options = {"concurrency": concurrency, "rate_limit": shared}
        self._budget = None if budget is None else _part(budget, workers)
        self._journal: Optional[str] = None if journal is None else _folder(journal)
        self._into = into

    def __call__(self, batch: BatchT) -> BatchT:
        """Return a batch with one more column, in which each row has the result of its call.

        Args:
            batch: rows, a mapping of columns, a `pyarrow.Table` or a `pandas.DataFrame`. Rows are
                returned as a list.
        """
        rows = rows_of(batch)
        made: BatchT = added(batch, rows, self._into, self.results(rows))
        return made

    def column(self, *columns: Any, batch_size: int = 100) -> Any:
        """Return an expression for Daft: the results of the calls of the rows, as structs.

        Args:
            columns: expressions; their names are the names of a row's fields.
            batch_size: the most rows of a batch.
        """
        from meshapi.engines._daft import expression

        return expression(self, columns, self._workers, batch_size)

    def results(self, rows: Sequence[Row]) -> list[Row]:
        """Return the results of the calls of these rows, in their order.

        Raises:
            InvalidParamsError: no call can be made of a row.
            JournalError: the journal cannot be used or written.
            AuthenticationError, PaymentRequiredError: every further call would fail, too.
        """
        from meshapi.engines._worker import Worker

        entries = self._entries(rows)
        options: dict[str, Any] = {**self._options}
        if self._journal is not None:
            options["journal"] = self._journal_of(entries)
        return Worker.here().results(self._key, self._settings, self._budget, entries, options)

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        inputs = Inputs(rows, self._template)
        entries: list[Entry] = []
        for entry in iter(inputs.next, None):
            entries.append(entry)
            if self._journal is not None and entry.given_id is None:
                got = "a row without one"
                hint = "by it, a batch that is run again is recognised"
                where = f"batch[{entry.index}]"
                raise InvalidParamsError(where, 'an "id", as there is a journal', got, hint)
        return entries

    def _journal_of(self, entries: Sequence[Entry]) -> str:
        """Return the path of the journal of a batch."""
        folder = str(self._journal)
        os.makedirs(folder, exist_ok=True)
        digest = hashlib.sha256()
        for entry in entries:
            name = entry.id.encode("utf-8", "surrogatepass")
            digest.update(b"%d %b %b" % (len(name), name, content_digest(entry.call)))
        return os.path.join(folder, f"{digest.hexdigest()[:32]}.jsonl")

    def __dask_tokenize__(self) -> str:
        # Dask would take the address of an object, which another one may have later.
        return self._key

    def __repr__(self) -> str:
        return f"<Calls of {self._settings.base_url}>"


def _settings_of(client: Any) -> ClientSettings:
    if client is None:
        return MeshAPI().settings()
    if isinstance(client, (MeshAPI, AsyncMeshAPI)):
        return client.settings()
    if isinstance(client, ClientSettings):
        return client
    expected = "a client, or the settings of one"
    raise InvalidParamsError("client", expected, type_name(client))


def _check_workers(workers: Any) -> None:
    if type(workers) is not int or workers < 1:
        got = str(workers) if isinstance(workers, int) else type_name(workers)
        raise InvalidParamsError("workers", "a whole number, at least 1", got)


def _folder(journal: Any) -> str:
    path: object = journal.__fspath__() if hasattr(journal, "__fspath__") else journal
    if not isinstance(path, str) or not path:
        got = "an empty str" if path == "" else type_name(journal)
        raise InvalidParamsError("journal", "the path of a folder", got)
    if os.path.isfile(path):
        hint = "each batch has a journal of its own in the folder"
        raise InvalidParamsError("journal", "the path of a folder", "the path of a file", hint)
    # A process of the engine may work in another folder.
    return os.path.abspath(path)


def _part(budget: Budget, workers: int) -> dict[str, Any]:
    """Return the arguments of each worker's budget."""
    limits = structs.asdict(budget.limits)
    for name in ("cost_usd", "tokens", "requests"):
        if limits[name] is not None:
            limits[name] = limits[name] / workers if name == "cost_usd" else limits[name] // workers
    return {**limits, "prices": budget.prices.models}
