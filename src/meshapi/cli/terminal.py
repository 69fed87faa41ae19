"""Text for people: on a terminal, in a pipe, or in a log file."""

import os
import re
from collections.abc import Mapping
from typing import TextIO

# Control characters, except tab and newline: a terminal would obey them instead of showing them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal:
    """A stream that shows every piece at once, in colour if it is a terminal that can.

    Source: https://no-color.org
    """

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._interactive = stream.isatty()
        plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
        # Older Windows consoles print colour codes literally.
        capable = os.name == "posix" or "WT_SESSION" in environment
        self._coloured = self._interactive and capable and not plain

    def say(self, text: str = "", end: str = "\n") -> None:
        """Write and flush."""
        self._stream.write(text + end)
        self._stream.flush()

    def relay(self, text: str) -> None:
        """Write text from elsewhere, without control characters if this is a terminal."""
        self.say(_CONTROLS.sub("", text) if self._interactive else text, end="")

    def bold(self, text: str) -> str:
        return self._paint(text, "1")

    def faint(self, text: str) -> str:
        return self._paint(text, "2")

    def good(self, text: str) -> str:
        return self._paint(text, "32")

    def bad(self, text: str) -> str:
        return self._paint(text, "31")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured else text
