"""Files that a command makes."""

import os
from pathlib import Path

from meshapi.cli.problems import UsageError


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
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force replaces it, -o names another file")
