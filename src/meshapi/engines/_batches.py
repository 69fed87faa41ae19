"""The batches of the engines: each becomes rows, and gets a column with the results.

    a batch                                     comes from
    an iterable of mappings                     partitions of a Dask bag
    a mapping of columns                        Ray Data, by default
    a `pyarrow.Table`                           Ray Data, `batch_format="pyarrow"`
    a `pandas.DataFrame`                        Ray Data, and partitions of a Dask DataFrame

The kinds are recognised by what they have: none of these libraries is imported for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

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
    if isinstance(batch, Mapping):
        columns = {name: _plain(column) for name, column in batch.items()}
        return [dict(zip(columns, values)) for values in zip(*columns.values())]
    if isinstance(batch, Iterable) and not isinstance(batch, (str, bytes)):
        return [_row(row, position) for position, row in enumerate(batch)]
    raise InvalidParamsError("batch", _EXPECTED, type_name(batch))


def _plain(column: Any) -> Sequence[Any]:
    """Return a column of numpy, or a list, with plain values."""
    values: Sequence[Any] = column.tolist() if hasattr(column, "tolist") else column
    return values


def _row(row: Any, position: int) -> Row:
    if isinstance(row, Mapping):
        return dict(row)
    raise InvalidParamsError(f"batch[{position}]", "a mapping, such as a dict", type_name(row))


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
    if isinstance(batch, Mapping):
        # Ray Data takes the type from the values, and has none where all of them are None.
        return {**batch, name: _structs(results)}
    return [{**row, name: result} for row, result in zip(rows, results)]


_ARROW: Final = {str: "string", int: "int64", float: "float64"}


def _structs(results: Sequence[Row]) -> Any:
    """Return results as a `pyarrow.StructArray`."""
    import pyarrow

    fields = [(name, getattr(pyarrow, _ARROW[kind])()) for name, kind in COLUMNS.items()]
    return pyarrow.array(results, type=pyarrow.struct(fields))
