"""What a command writes: text and tables for people, or JSON for programs; and errors."""

import codecs
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Optional, TextIO

from meshapi.cli.terminal import Terminal, in_one_line, printable

# JSON escapes those below 0x20 anyway. Terminals obey 0x9b as they obey an escape and a bracket,
# and some programs take the last two for the end of a line.
_CONTROLS = re.compile(r"[\x7f-\x9f\u2028\u2029]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]+")


class Output:
    """The standard streams of one command.

    `say`, `relay`, `show` and `table` write for people and do nothing with `--json`; `record`
    writes for programs and does nothing without it. So commands call both.

    Attributes:
        json: whether `--json` was given.
        interactive: whether a person sees the output come: a terminal, and no `--json`.
    """

    def __init__(
        self, stdout: TextIO, stderr: TextIO, environment: Mapping[str, str], json: bool = False
    ) -> None:
        self._stdout = stdout
        self._screen = Terminal(stdout, environment)
        self._errors = Terminal(stderr, environment)
        self._unsafe = _CONTROLS if _is_unicode(stdout) else _NOT_ASCII
        self.json = json
        self.interactive = self._screen.interactive and not json

    @property
    def paint(self) -> Terminal:
        """Makes text bold, faint, good or bad, on a terminal in colour."""
        return self._screen

    @property
    def progress(self) -> bool:
        """Whether to show progress on standard error: it is a terminal that can move its cursor."""
        return self._errors.interactive and self._errors.moving and not self.json

    @property
    def live(self) -> bool:
        """Whether standard output is a terminal on which text can be replaced."""
        return self.interactive and self._screen.moving

    @property
    def width(self) -> int:
        """The number of columns of the terminal."""
        import shutil

        return shutil.get_terminal_size().columns

    def say(self, text: str = "", end: str = "\n") -> None:
        """Write our own text."""
        if not self.json:
            self._screen.say(text, end)

    def relay(self, text: str) -> None:
        """Write text from elsewhere: on a terminal, without control characters."""
        if not self.json:
            self._screen.relay(text)

    def line(self, *cells: str) -> None:
        """Write one line of text from anywhere, with a tab between each two cells."""
        self.say("\t".join(map(printable, cells)))

    def show(self, pieces: Iterable[str]) -> str:
        """Write text from elsewhere piece by piece, end its last line, and return all of it."""
        shown: list[str] = []
        last = "\n"
        try:
            for text in pieces:
                # Noted before the text is written, as Ctrl-C may interrupt the writing.
                shown.append(text)
                last = text[-1:] or last
                self.relay(text)
        finally:
            # After an exception, too, so that its message starts on a new line.
            if last != "\n":
                self.say()
        return "".join(shown)

    def record(self, value: Any) -> None:
        """Write one line of JSON: plain values, or a response of the client."""
        if self.json:
            self.write_json(_encoded(value) + "\n")

    def write_json(self, lines: str) -> None:
        """Write JSON lines, with and without `--json`.

        What steers a terminal, or is not in the encoding of the output, is escaped: that is the
        same JSON.
        """
        self._stdout.write(self._unsafe.sub(_escaped, lines))
        self._stdout.flush()

    def write_bytes(self, content: bytes) -> None:
        """Write what is no text, such as a picture, to a pipe or a file."""
        self._stdout.flush()
        self._stdout.buffer.write(content)
        self._stdout.buffer.flush()

    def table(
        self, titles: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()
    ) -> None:
        """Write a table of text from anywhere; in a pipe, tabs between cells and no titles.

        Args:
            titles: the titles of the columns.
            rows: their cells; None is an empty one.
            right: the titles of the columns that are aligned to the right.
        """
        if self.json:
            return
        from meshapi.cli import tables

        cells = [["" if cell is None else in_one_line(str(cell)) for cell in row] for row in rows]
        if self._screen.interactive:
            tables.show(self._screen, titles, cells, frozenset(right), self.width)
        else:
            for row in cells:
                self._screen.say("\t".join(row))

    def note(self, text: str) -> None:
        """Write a remark to standard error, if a person sees all of the output."""
        if self._errors.interactive and self.interactive:
            self._errors.say(self._errors.faint(printable(text)))

    def complain(self, message: str) -> None:
        """Write an error to standard error, in one line."""
        # Where nobody can read it, the exit status still says what happened.
        with suppress(OSError):
            self._errors.say(f"{self._errors.bad('meshapi:')} {printable(message)}")


def output_of(json: bool = False) -> Output:
    """Return the output of a command that runs now."""
    return Output(sys.stdout, sys.stderr, os.environ, json)


def _is_unicode(stream: TextIO) -> bool:
    encoding: Optional[str] = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name.startswith("utf")


def _escaped(found: "re.Match[str]") -> str:
    """The characters as JSON escapes, which are those of UTF-16."""
    digits = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{digits[place : place + 4]}" for place in range(0, len(digits), 4))


def _encoded(value: Any) -> str:
    import json

    import msgspec

    dump = getattr(value, "model_dump", None)
    if dump is not None:
        value = dump(exclude_none=True)
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except UnicodeEncodeError:
        # The name of a file that is not UTF-8.
        return json.dumps(msgspec.to_builtins(value, enc_hook=str))


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
