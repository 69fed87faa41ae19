"""The rows of a file, one after another: JSON lines, CSV, or the lines of a batch file."""

import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, TextIO

from meshapi.cli.inputs import input_lines, is_rereadable, not_text, unreadable
from meshapi.cli.problems import UsageError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}

# A field of a CSV file; Python's own limit is 128 KiB.
_LONGEST_FIELD = 16 * 1024 * 1024

Row = Mapping[str, Any]


class Rows(Iterable[Row]):
    """The rows of a file; each loop reads the file again, so that they need no memory.

    Args:
        path: a file that ends with `.csv` or `.tsv`, whose first line names the columns; any other
            has a JSON object in each line. "-" is standard input, which can be read once, and so
            can a pipe.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._separator = _SEPARATORS.get(PurePath(path).suffix.lower())

    @property
    def are_passing(self) -> bool:
        """Whether they can be read once only: they come from standard input or another pipe."""
        return self.path == "-" or not is_rereadable(self.path)

    def __iter__(self) -> Iterator[Row]:
        """Read the rows.

        Raises:
            UsageError: the file cannot be read, or a line is not a row; the message names the line.
        """
        with _opened(self.path) as file:
            try:
                if self._separator is None:
                    yield from self._objects(file)
                else:
                    yield from self._table(file, self._separator)
            except UnicodeDecodeError as error:
                raise not_text(self.name, error) from error

    @property
    def name(self) -> str:
        """What to call them in a message."""
        return "standard input" if self.path == "-" else self.path

    def _objects(self, file: TextIO) -> Iterator[Row]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UsageError(f"{self.name}:{number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                expected = "a JSON object in each line"
                raise UsageError(f"{self.name}:{number}: expected {expected}, got {_kind(row)}")
            yield row

    def _table(self, file: TextIO, separator: str) -> Iterator[Row]:
        # Imported on first use: most commands have no rows.
        import csv

        csv.field_size_limit(_LONGEST_FIELD)
        reader = csv.DictReader(file, delimiter=separator, strict=True)
        try:
            names = reader.fieldnames
            if not names:
                raise UsageError(f"{self.name} is empty: expected the names of the columns first")
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise UsageError(f"{self.name}: two columns have the name {twice[0]!r}; rename one")
            for row in reader:
                # DictReader puts what has no name under None, and None where a cell is missing.
                if None in row or None in row.values():
                    expected = f"{len(names)} cells, as in the first line"
                    raise UsageError(f"{self.name}:{reader.line_num}: expected {expected}")
                yield row
        except csv.Error as error:
            raise UsageError(f"{self.name}:{reader.line_num}: not CSV: {error}") from error


def _kind(value: object) -> str:
    names: dict[type, str] = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        type(None): "null",
    }
    return names.get(type(value), "a number")


@contextmanager
def _opened(path: str) -> Generator[TextIO, None, None]:
    if path == "-":
        yield input_lines()
        return
    try:
        # Lines of CSV end in their own way. As Excel saves it, with a mark at the start.
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise unreadable(path, error) from error
