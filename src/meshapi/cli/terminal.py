"""Text for people: on a terminal, in a pipe, or in a log file."""

import os
import re
from collections.abc import Mapping
from typing import TextIO

# Control characters, except tab and newline: a terminal would obey them instead of showing them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def without_controls(text: str) -> str:
    """Return text without the characters that a terminal would obey."""
    return _CONTROLS.sub("", text)


def printable(text: str) -> str:
    """Return text in one line, with what a terminal would not show as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def in_one_line(text: str) -> str:
    """Return text for a table: a space for each gap, and what a terminal would obey as escapes."""
    return printable(" ".join(text.split()))


class Terminal:
    """A stream that shows every piece at once, in colour if it is a terminal that can.

    Attributes:
        interactive: whether it is a terminal.
        moving: whether it is one that can move its cursor.
        coloured: whether it is in colour.

    Source: https://no-color.org
    """

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self.stream = stream
        self.interactive = stream.isatty()
        # Older Windows consoles print control sequences literally.
        capable = os.name == "posix" or "WT_SESSION" in environment
        self.moving = self.interactive and capable and environment.get("TERM") != "dumb"
        self.coloured = self.moving and not environment.get("NO_COLOR")

    def say(self, text: str = "", end: str = "\n") -> None:
        """Write and flush."""
        self.stream.write(text + end)
        self.stream.flush()

    def relay(self, text: str) -> None:
        """Write text from elsewhere, without control characters if this is a terminal."""
        self.say(without_controls(text) if self.interactive else text, end="")

    def bold(self, text: str) -> str:
        return self._paint(text, "1")

    def faint(self, text: str) -> str:
        return self._paint(text, "2")

    def good(self, text: str) -> str:
        return self._paint(text, "32")

    def bad(self, text: str) -> str:
        return self._paint(text, "31")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text
