"""Ctrl-C, as people press it."""

import signal
import subprocess
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
