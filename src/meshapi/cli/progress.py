"""A line that says how far a command has come."""

import sys
from typing import TYPE_CHECKING, Optional

from meshapi.cli.output import Output
from meshapi.cli.terminal import printable

if TYPE_CHECKING:
    from meshapi import Progress

_CLEAR = "\r\x1b[K"


class ProgressLine:
    """One line on standard error, which is gone in the end; nothing where that is no terminal.

    Args:
        output: of the command.
        total: how many there will be, if that is known better than by the client.
    """

    def __init__(self, output: Output, total: Optional[int] = None) -> None:
        self._is_shown = output.progress
        self._total = total
        self._width = output.width
        self._is_open = False

    def show(self, progress: "Progress") -> None:
        """Say how far it is."""
        if not self._is_shown:
            return
        total = self._total or progress.total
        count = f"{progress.done:,} of {total:,}" if total else f"{progress.done:,}"
        what = f", {progress.what}" if progress.what else ""
        line = printable(f"{count} done{what}")[: self._width - 1]
        sys.stderr.write(f"{_CLEAR}{line}")
        sys.stderr.flush()
        self._is_open = True

    def end(self) -> None:
        """Remove the line."""
        if self._is_open:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._is_open = False
