"""A pseudo-terminal: what a person sees who runs a program, and types into it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional, Union

# How long a program may take before the test fails; a busy machine needs a few seconds at most.
PATIENCE = 60.0

_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])")

# A line that the program has written anew.
_ERASED = re.compile(r"[^\n]*\r\x1b\[K")


# How often to ask for what no text tells.
_LOOK_EVERY = 0.02

Awaited = Union[str, Callable[[], bool]]


class Seen(NamedTuple):
    """What a program showed.

    Fields:
        raw: every character, with control sequences.
        text: what is left of it as lines, without control sequences.
        exit_code: its exit status; -15 and the like if a signal ended it.
    """

    raw: str
    text: str
    exit_code: int


def seen_in_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    typed: Sequence[tuple[Awaited, str]] = (),
    *,
    columns: int = 80,
    cwd: Optional[str] = None,
) -> Seen:
    """Run a program on a terminal of its own, and return what it showed.

    Args:
        command: the program and its arguments.
        environment: all of its environment, but for a width that another terminal has.
        typed: what to wait for, and what to type then: `("> ", "Hi\\n")`. `\\x03` is Ctrl-C,
            `\\x04` is Ctrl-D. Something else than a text is awaited by a function that returns
            whether it has happened.
        columns: the width of the terminal.
        cwd: the folder to run it in.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def prepare() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # A shell that runs the tests in the background makes them, and their children, ignore it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    environment = {
        name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")
    }
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=environment, cwd=cwd, preexec_fn=prepare
    ) as process:
        os.close(its)
        try:
            shown = _talk(ours, list(typed))
            exit_code = process.wait(PATIENCE)
        finally:
            process.kill()
            os.close(ours)
    return Seen(shown, lines_of(shown), exit_code)


def lines_of(raw: str) -> str:
    """Return what is left of a terminal's characters as lines."""
    return _CONTROL.sub("", _ERASED.sub("", raw)).replace("\r\n", "\n").replace("\r", "")


def _talk(terminal: int, typed: list[tuple[Awaited, str]]) -> str:
    """Read until the program has closed the terminal, and type in the meantime."""
    deadline = time.monotonic() + PATIENCE
    shown, looked = b"", 0
    while True:
        text = shown.decode("utf-8", "replace")
        end = _end_of(typed[0][0], text, looked) if typed else None
        if end is not None:
            looked = end
            os.write(terminal, typed.pop(0)[1].encode())
            continue
        left = deadline - time.monotonic()
        asking = bool(typed) and not isinstance(typed[0][0], str)
        ready = select.select([terminal], [], [], _LOOK_EVERY if asking else max(0.0, left))[0]
        if not ready and asking and left > 0:
            continue
        if not ready:
            raise AssertionError(f"the program has not ended; so far, it has shown {text!r}")
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            # How Linux says that nobody has the other end open any more.
            piece = b""
        if not piece:
            assert not typed, f"the program ended before {typed[0][0]!r} was shown: {text!r}"
            return text
        shown += piece


def _end_of(awaited: Awaited, text: str, looked: int) -> Optional[int]:
    """Where to look from next if what is awaited is there; None if it is not."""
    if not isinstance(awaited, str):
        return len(text) if awaited() else None
    found = text.find(awaited, looked)
    return None if found < 0 else found + len(awaited)
