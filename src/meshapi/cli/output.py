"""The standard streams, for people: answers and complaints, whatever the shell has done to them."""

import os
import sys
from collections.abc import Iterable

from meshapi.cli.terminal import Terminal


def terminal() -> Terminal:
    """Standard output."""
    return Terminal(sys.stdout, os.environ)


def show(answer: Iterable[str]) -> None:
    """Write an answer piece by piece, and end its last line."""
    screen = terminal()
    last = "\n"
    try:
        for text in answer:
            # Noted before it is written: Ctrl-C may come in between.
            last = text[-1:] or last
            screen.relay(text)
    finally:
        # Also before an error, which then stands on a line of its own.
        if last != "\n":
            screen.say()


def complain(message: str) -> None:
    """Say on standard error what went wrong, in one line."""
    screen = Terminal(sys.stderr, os.environ)
    screen.say(f"{screen.bad('meshapi:')} {message}")


def replace_closed_streams() -> None:
    """Where the shell has closed a standard stream (`>&-`), Python has None and not a file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for good


def allow_any_text() -> None:
    """A terminal that lacks a character gets a question mark, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def let_go_of_output() -> None:
    """After an error of writing: Python flushes once more at exit, which must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
