"""The steps of a flow that write a table: a Parquet file, of which all appears or nothing.

    step          what the runner does                                      what the flow is sent
    OpenTable     checks the path, makes a temporary file in its folder     the table
    WriteRows     writes rows at its end                                    None

`KeepFile` and `DiscardFile` of `saving` end a table as they end a file. pyarrow writes it: where
that is not installed, `OpenTable` raises ModuleNotFoundError. Each step raises the system's
OSError.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from msgspec import Struct
from typing_extensions import TypeAlias

__all__ = ["ColumnKind", "OpenTable", "WriteRows"]

ColumnKind: TypeAlias = Literal["text", "int", "float"]
"""What a column has: texts, integers of 64 bits, or doubles. Each value may be None."""


class OpenTable(Struct, frozen=True):
    """Make a temporary file for a table, and be sent an object for the other steps.

    The path is treated as by `OpenFile`.

    Fields:
        path: where the table is to be, as a str or an object with `__fspath__`.
        columns: their names and kinds, in order.
        overwrite: whether it replaces a file that is there.
    """

    path: Any
    columns: Mapping[str, ColumnKind]
    overwrite: bool = True


class WriteRows(Struct, frozen=True):
    """Write rows at the end of a table, as a group of their own.

    A group is in memory as a whole while it is written and read.

    Fields:
        table: what `OpenTable` gave.
        columns: the values of each column; all have the same length.
    """

    table: Any
    columns: Mapping[str, Sequence[Union[None, str, int, float]]]

    def __repr__(self) -> str:
        return f"<WriteRows of {len(self.columns)} columns>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("columns", [*self.columns])]
