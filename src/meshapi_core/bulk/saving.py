"""The items of a run in a file: JSON lines, or a Parquet table.

All of the file appears at its path, or nothing does. Memory is bounded: lines are written in
pieces, and rows in groups, whatever the number of items.
"""

from collections.abc import Mapping
from typing import Any, Final, Optional, Union

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.bodies import PIECE
from meshapi_core.bulk.items import MapItem, encoded, error_fields, output_json, text_in
from meshapi_core.bulk.results import Results
from meshapi_core.errors import InvalidParamsError, StreamUsageError
from meshapi_core.flows.downloads import FilePath, Target
from meshapi_core.flows.saving import KeepFile, OpenFile, WritePiece
from meshapi_core.flows.steps import Flow, NextChunk
from meshapi_core.flows.tables import ColumnKind, OpenTable, WriteRows
from meshapi_core.signals import END_OF_STREAM

__all__ = ["ITEM_COLUMNS", "SavedRows", "item_values", "save_jsonl", "save_parquet"]

ITEM_COLUMNS: Final[Mapping[str, ColumnKind]] = {
    "id": "text",
    "output": "text",
    "text": "text",
    "finish_reason": "text",
    "error": "text",
    "error_code": "text",
    "input_tokens": "int",
    "output_tokens": "int",
    "cost": "float",
    "attempts": "int",
    "request_id": "text",
}
"""The columns of a table. `output` and `error` are JSON, as in a line; `text` is what the model
said."""

MOST_ROWS: Final = 10_000
MOST_TEXT: Final = 16 * 1024 * 1024
"""Rows of one group, and letters of their longest column: whichever is reached first. Readers skip
and share out whole groups; and a group takes a few times its size while it is written."""

Value = Union[None, str, int, float]


class SavedRows(Struct, frozen=True):
    """A file with the items of a run.

    Fields:
        path: as it was given.
        rows: how many items it has.
    """

    path: str
    rows: int


def save_jsonl(
    items: Any,
    path: FilePath,
    *,
    overwrite: bool = True,
    results: Optional[Results[Any]] = None,
) -> Flow[SavedRows]:
    """Write the items that are left of a run as JSON lines: `MapItem.row()` of each.

    Args:
        items: the run: an iterator of `MapItem`s, or an async one for a client of that kind.
        path: where the file is to be.
        overwrite: whether it replaces a file that is there.
        results: of the run, which tell whether it was closed before its end.

    Raises:
        InvalidParamsError, OSError: the path cannot be used; no item was asked for.
        StreamUsageError: the run was closed meanwhile; there is no file then.
        Exception: what the run raised, or the system while it wrote; there is no file then.
    """
    shown = _checked_path(path, overwrite, results)
    file: Any = yield OpenFile(path, overwrite)
    rows, lines, size = 0, list[bytes](), 0
    while True:
        item: Any = yield from _next(items, results)
        if item is END_OF_STREAM:
            break
        lines.append(item.line())
        size += len(lines[-1])
        rows += 1
        if size >= PIECE:
            yield WritePiece(file, b"".join(lines))
            lines, size = [], 0
    if lines:
        yield WritePiece(file, b"".join(lines))
    yield KeepFile(file)
    return SavedRows(shown, rows)


def save_parquet(
    items: Any,
    path: FilePath,
    *,
    overwrite: bool = True,
    results: Optional[Results[Any]] = None,
) -> Flow[SavedRows]:
    """Write the items that are left of a run as a Parquet table with the columns `ITEM_COLUMNS`.

    Args and Raises: as for `save_jsonl`. Without pyarrow, ModuleNotFoundError is raised, and no
    item was asked for.
    """
    shown = _checked_path(path, overwrite, results)
    table: Any = yield OpenTable(path, ITEM_COLUMNS, overwrite)
    rows, group = 0, _Group()
    while True:
        item: Any = yield from _next(items, results)
        if item is END_OF_STREAM:
            break
        rows += 1
        group.add(item_values(item))
        if group.is_full:
            yield WriteRows(table, group.columns)
            group = _Group()
    if group.rows:
        yield WriteRows(table, group.columns)
    yield KeepFile(table)
    return SavedRows(shown, rows)


def _checked_path(path: FilePath, overwrite: bool, results: Optional[Results[Any]]) -> str:
    shown = Target(path, overwrite).checked_path()
    journal = None if results is None else results.journal
    if journal is not None and shown.removeprefix("./") == journal.removeprefix("./"):
        # It would take the place of what the next run goes on from.
        expected = "another file than the journal of the run"
        raise InvalidParamsError("path", expected, value_name(shown, show=True))
    return shown


def _next(items: Any, results: Optional[Results[Any]]) -> Flow[Any]:
    item: Any = yield NextChunk(items)
    if item is END_OF_STREAM and results is not None and results.stopped is None:
        raise StreamUsageError(
            "the run was closed before its end, so its results are not all there; no file was"
            " written"
        )
    return item


class _Group:
    """Rows that are written together."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Value]] = {name: [] for name in ITEM_COLUMNS}
        self.rows = 0
        self._size = 0

    def add(self, values: tuple[Value, ...]) -> None:
        for column, value in zip(self.columns.values(), values):
            column.append(value)
        output = values[1]
        self._size += len(output) if isinstance(output, str) else 0
        self.rows += 1

    @property
    def is_full(self) -> bool:
        return self.rows >= MOST_ROWS or self._size >= MOST_TEXT


def item_values(item: MapItem[Any]) -> tuple[Value, ...]:
    """Return the values of an item, in the order of `ITEM_COLUMNS`."""
    error, usage = item.error, item.usage
    output = output_json(item.value)
    return (
        _sound(item.id),
        None if output is None else output.decode("utf-8", "replace"),
        _sound(text_in(item.value)),
        _sound(item.finish_reason),
        None if error is None else encoded(error_fields(error)).decode(),
        None if error is None else error.error_code,
        usage.input_tokens,
        usage.output_tokens,
        None if item.cost is None else float(item.cost),
        item.attempts,
        _sound(item.request_id),
    )


def _sound(text: Optional[str]) -> Optional[str]:
    """Return text that UTF-8 has: lone surrogates become question marks."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()
