"""Parquet tables that flows write, with pyarrow: `to_parquet`.

As with any file that a flow writes, all of it appears at its path or nothing; see `_files`. Rows
are compressed and encoded in a thread on event loops. `discard` may come meanwhile, when the task
is cancelled. It waits for the present group of rows.
"""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import RawIOBase
from typing import Any, Union

from meshapi_backends._files import PartFile
from meshapi_core.flows import ColumnKind


def load_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow, and its module for Parquet.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ModuleNotFoundError(
            "a Parquet file needs pyarrow, which is not installed:"
            " pip install 'meshapi[parquet]'; or save JSON lines with to_jsonl()",
            name="pyarrow",
        ) from None


class PartTable(PartFile):
    """A table that is not complete yet.

    Args:
        path: where it is to be.
        columns: their names and kinds.
    """

    def __init__(
        self, path: "Union[str, os.PathLike[str]]", columns: Mapping[str, ColumnKind]
    ) -> None:
        super().__init__(path)
        self._columns = columns
        self._sink = _Sink(self)
        self._arrow: Any = None
        self._schema: Any = None
        self._writer: Any = None

    def open(self, *, overwrite: bool) -> None:
        """Check the target, make the temporary file, and begin the table in it.

        Raises:
            ModuleNotFoundError: pyarrow is not installed.
            OSError: as for a `PartFile`.
        """
        arrow, parquet = load_pyarrow()
        super().open(overwrite=overwrite)
        kinds = {"text": arrow.string(), "int": arrow.int64(), "float": arrow.float64()}
        self._arrow = arrow
        self._schema = arrow.schema([(name, kinds[kind]) for name, kind in self._columns.items()])
        self._writer = parquet.ParquetWriter(self._sink, self._schema)

    def write_rows(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write rows as a group. Does nothing if the table has been discarded.

        Raises:
            OSError: the disk is full, the file is too large, and the like.
        """
        with self._lock:
            if not self._is_over:
                table = self._arrow.table(dict(columns), schema=self._schema)
                self._writer.write_table(table)

    def keep(self) -> None:
        """End the table, sync it and move it to the target. See `PartFile.keep`."""
        with self._lock:
            if self._is_over:
                return
            self._writer.close()
        super().keep()

    def discard(self) -> None:
        """Remove the table, unless it has been moved to the target. Harmless twice."""
        with self._lock:
            if not self._is_over:
                # pyarrow's finalizer closes a writer that is open, which writes once more.
                self._sink.is_open = False
                self._end_writer()
            super().discard()

    def _end_writer(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.close()
        except Exception:
            # A write has failed before, and the finalizer would fail again.
            self._writer.is_open = False


class _Sink(RawIOBase):
    """The file as pyarrow writes it.

    Args:
        file: is written to.
    """

    def __init__(self, file: PartFile) -> None:
        self._file = file
        self.is_open = True

    def writable(self) -> bool:
        """Always True."""
        return True

    def write(self, piece: Any, /) -> int:
        """Write all of a piece; what comes after `discard` is dropped."""
        if self.is_open:
            self._file.write(piece)
        return len(piece)
