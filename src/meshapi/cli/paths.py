"""Files that a command makes."""

from pathlib import Path

from meshapi.cli.problems import UsageError


def check_new(path: Path, force: bool = False) -> None:
    """Return if a file can be made here; it is not made yet.

    Args:
        path: of the file.
        force: whether it may replace one.

    Raises:
        UsageError: there is no such folder, or there is a file already.
    """
    try:
        if path.is_dir():
            raise UsageError(f"--output: expected a file, got the folder {path}")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"--output: there is no folder {path.parent}")
        if path.exists() and not force:
            raise UsageError(f"{path} exists; --force replaces it, -o names another file")
    except (OSError, ValueError) as error:
        raise UsageError(f"--output: {path} cannot be used: {error}") from error
