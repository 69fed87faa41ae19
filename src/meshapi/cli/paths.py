"""Files that a command makes."""

import os
from pathlib import Path
from typing import Optional

from meshapi.cli.output import Output
from meshapi.cli.problems import UsageError

STDOUT = "-"
"""The name that stands for standard output."""

# A name without an ending is up to the user.
_LINES = ("", ".jsonl", ".ndjson")


def check_output(path: Path, option: str = "--output") -> None:
    """Return if a file can be made or replaced here; it is not made yet.

    Raises:
        UsageError: there is no such folder, it may not be written to, or there is something else
            than a file.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{option}: expected a file, got the folder {path}")
        if path.exists() and not path.is_file():
            raise UsageError(f"{option}: expected a file, got the device or pipe {path}")
        folder = path.absolute().parent
        if not folder.is_dir():
            raise UsageError(f"{option}: there is no folder {path.parent}")
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{option}: the folder {path.parent} is not yours to write to")
    except (OSError, ValueError) as error:
        raise UsageError(f"{option}: {path} cannot be used: {error}") from error


def check_new(path: Path, force: bool = False) -> None:
    """Return if a file can be made here; it is not made yet.

    Args:
        path: of the file.
        force: whether it may replace one.

    Raises:
        UsageError: as `check_output`, or there is a file already.
    """
    check_output(path)
    check_unforced(path, force)


def check_unforced(path: Path, force: bool, option: str = "-o") -> None:
    """Return if there is no file, or it may be replaced.

    Raises:
        UsageError: there is one, and it may not.
    """
    if path.is_file() and not force:
        raise UsageError(f"{path} exists; --force replaces it, {option} names another file")


def lines_path(path: Optional[str], others: tuple[str, ...] = ()) -> Optional[str]:
    """Return the path of a file of JSON lines; None for standard output.

    Args:
        path: as given.
        others: endings of other files that the command writes.

    Raises:
        UsageError: the file would not be what its ending says.
    """
    if path is None or path == STDOUT:
        return None
    if Path(path).suffix.lower() not in (*_LINES, *others):
        endings = " or ".join((*_LINES[1:], *others))
        raise UsageError(f"--output: expected a name that ends with {endings}, got {path}")
    return path


def check_pipe(output: Output) -> None:
    """Return if bytes that are no text can be written to standard output.

    Raises:
        UsageError: it is a terminal, or JSON goes there.
    """
    if output.json:
        raise UsageError("--output: - is standard output, where --json goes; name a file")
    if output.interactive:
        raise UsageError(
            "--output: - is standard output, and a terminal cannot show it; name a file, or"
            " redirect it"
        )
