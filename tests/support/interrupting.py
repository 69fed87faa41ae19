"""Ctrl-C as people press it."""

import signal
import subprocess
from typing import Any

# Seconds until somebody presses again.
_PATIENCE = 10.0


def interrupted(process: "subprocess.Popen[Any]", number: int = signal.SIGINT) -> int:
    """Return the exit status of a process after a signal, sent again if nothing came of it.

    Python looks for signals between its steps, and a system call that waits is ended by one. What
    comes after the last look and before the call has begun is seen when the call returns: never, if
    it waits for somebody to type. No program in Python is free of that; people press again.
    """
    for _ in range(3):
        process.send_signal(number)
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    raise AssertionError("the process does not end")
