"""Calls as an expression of Daft."""

from typing import TYPE_CHECKING, Any, Final

from meshapi.engines._results import COLUMNS, Row

if TYPE_CHECKING:
    from meshapi.engines._calls import Calls

__all__ = ["expression"]

_TYPES: Final = {"text": "string", "int": "int64", "float": "float64"}


class _Batches:
    """Makes the calls of the batches that Daft passes to one process, or to one thread.

    Args:
        calls: what to make.
        names: of the columns.
    """

    def __init__(self, calls: "Calls", names: tuple[str, ...]) -> None:
        self._calls = calls
        self._names = names

    def results(self, *columns: Any) -> list[Row]:
        values = zip(*(column.to_pylist() for column in columns))
        return self._calls.results([dict(zip(self._names, row)) for row in values])


def expression(calls: "Calls", columns: tuple[Any, ...], workers: int, batch_size: int) -> Any:
    """Return an expression with the results of the calls: see `Calls.column`."""
    daft: Any = None
    if not TYPE_CHECKING:  # checkers have it, or not
        import daft

    types = {name: getattr(daft.DataType, _TYPES[kind])() for name, kind in COLUMNS.items()}
    struct = daft.DataType.struct(types)
    decorate = daft.method.batch(return_dtype=struct, batch_size=batch_size)
    # A class of its own for each expression: Daft keeps what it is told in the method.
    kind = type("Calls", (_Batches,), {"results": decorate(_Batches.results)})
    made = daft.cls(max_concurrency=workers, use_process=workers > 1)(kind)
    names = tuple(column.name() for column in columns)
    return made(calls, names).results(*columns)
