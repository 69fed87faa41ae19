"""The standard streams: output and errors, also where the shell has closed a stream."""

import os
import sys
from collections.abc import Iterable

from meshapi.cli.terminal import Terminal


def terminal() -> Terminal:
    """Standard output, as a terminal."""
    return Terminal(sys.stdout, os.environ)


def show(answer: Iterable[str]) -> None:
    """Write an answer piece by piece, and end its last line."""
    screen = terminal()
    last = "\n"
    try:
        for text in answer:
            # Noted before the text is written, as Ctrl-C may interrupt the writing.
            last = text[-1:] or last
            screen.relay(text)
    finally:
        # After an exception, too, so that its message starts on a new line.
        if last != "\n":
            screen.say()


def complain(message: str) -> None:
    """Print an error to standard error, in one line."""
    screen = Terminal(sys.stderr, os.environ)
    screen.say(f"{screen.bad('meshapi:')} {message}")


def replace_closed_streams() -> None:
    """Open the null device for each standard stream that the shell closed (`>&-`): it is None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for good


def allow_any_text() -> None:
    """Print a question mark, and no traceback, for a character that the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def let_go_of_output() -> None:
    """Redirect output to the null device, so that the flush at exit does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
