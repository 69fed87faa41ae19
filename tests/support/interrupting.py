"""Ctrl-C: as people press it, and at each line of a module in turn."""

import signal
import subprocess
import sys
from collections.abc import Set
from linecache import getline
from typing import Any

# Seconds until a person would press it again.
_PATIENCE = 10.0


def interrupted(process: "subprocess.Popen[Any]", number: int = signal.SIGINT) -> int:
    """Return the exit status of a process after a signal, which is sent again if it has no effect.

    Python checks for signals between instructions, and a signal ends a system call that waits. A
    signal that comes after the last check but before the call waits is seen when the call returns;
    that is never, if it waits for typed input. Every Python program has this race, and people press
    again.
    """
    for _ in range(3):
        process.send_signal(number)
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    raise AssertionError("the process does not end")


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line that is executed in the files under test.

    A line that is only `try:` does nothing after which Python looks for signals.

    Args:
        at: the number of the line, counted from 1.
        files: the paths of the modules.
    """

    def __init__(self, at: int, files: Set[str]) -> None:
        self.lines = 0
        self._at = at
        self._files = files

    def __enter__(self) -> "Interrupter":
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: Any, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in self._files:
            return None
        if event == "line" and getline(name, frame.f_lineno).strip() != "try:":
            self.lines += 1
            if self.lines == self._at:
                raise KeyboardInterrupt
        return self._trace
