"""The batches of the engines: each becomes rows, and gets a column with the results.

    a batch                                     comes from
    an iterable of mappings                     partitions of a Dask bag
    a mapping of columns                        Ray Data, by default
    a `pyarrow.Table`                           Ray Data, `batch_format="pyarrow"`
    a `pandas.DataFrame`                        Ray Data, and partitions of a Dask DataFrame

The kinds are recognised by what they have: none of these libraries is imported for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Optional, cast

from meshapi.engines._results import COLUMNS, Row
from meshapi_core import InvalidParamsError, type_name

__all__ = ["added", "rows_of"]

_EXPECTED = "rows, a mapping of columns, a pyarrow.Table or a pandas.DataFrame"


def _is_arrow(batch: Any) -> bool:
    return hasattr(batch, "to_pylist") and hasattr(batch, "append_column")


def _is_pandas(batch: Any) -> bool:
    return hasattr(batch, "to_dict") and hasattr(batch, "assign")


def rows_of(batch: Any) -> list[Row]:
    """Return the rows of a batch.

    Raises:
        InvalidParamsError: it is of no kind that an engine passes.
    """
    if _is_arrow(batch):
        return cast("list[Row]", batch.to_pylist())
    if _is_pandas(batch):
        return cast("list[Row]", batch.to_dict("records"))
    columns = _mapping(batch)
    if columns is not None:
        values = (_plain(column) for column in columns.values())
        return [dict(zip(columns, row)) for row in zip(*values)]
    if not isinstance(batch, Iterable) or isinstance(batch, (str, bytes)):
        raise InvalidParamsError("batch", _EXPECTED, type_name(batch))
    rows: list[Row] = []
    for row in cast("Iterable[object]", batch):
        found = _mapping(row)
        if found is None:
            where = f"batch[{len(rows)}]"
            raise InvalidParamsError(where, "a mapping, such as a dict", type_name(row))
        rows.append({**found})
    return rows


def _mapping(value: object) -> Optional[Mapping[str, Any]]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _plain(column: Any) -> Sequence[Any]:
    """Return a column of numpy, or a list, with plain values."""
    values: Sequence[Any] = column.tolist() if hasattr(column, "tolist") else column
    return values


def added(batch: Any, rows: Sequence[Row], name: str, results: Sequence[Row]) -> Any:
    """Return a batch of the same kind with one more column; iterables become lists.

    Args:
        batch: as the engine passed it.
        rows: what `rows_of` made of it.
        name: of the column.
        results: its values, in the order of the rows.
    """
    if _is_arrow(batch):
        return batch.append_column(name, _structs(results))
    if _is_pandas(batch):
        return batch.assign(**{name: results})
    columns = _mapping(batch)
    if columns is not None:
        # Ray Data takes the type from the values, and has none where all of them are None.
        return {**columns, name: _structs(results)}
    return [{**row, name: result} for row, result in zip(rows, results)]


_ARROW: Final = {"text": "string", "int": "int64", "float": "float64"}


def _structs(results: Sequence[Row]) -> Any:
    """Return results as a `pyarrow.StructArray`."""
    arrow: Any = None
    if not TYPE_CHECKING:  # checkers have it, or not
        import pyarrow as arrow

    fields = [(name, getattr(arrow, _ARROW[kind])()) for name, kind in COLUMNS.items()]
    return arrow.array(results, type=arrow.struct(fields))
