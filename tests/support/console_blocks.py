"""The ```console blocks of the documents: commands, and what a terminal shows of them."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from support.pseudo_terminal import lines_of, seen_in_terminal

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_PROMPT = "$ "
_TYPED = "> "
_CTRL_C = "^C"

# What differs from run to run: it is replaced both in what a terminal shows and in the document.
_VARIABLE = (
    (re.compile(r"\breq_\w+"), "req_0"),
    (re.compile(r"\b(cmp|chatcmpl|evt|batch|file)[_-]\w+"), r"\1_0"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:0"),
    (re.compile(r"\b\d+(\.\d+)? ms\b"), "0 ms"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "0 s"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?"), "2026-01-01"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


class Shown(NamedTuple):
    """A command of a document.

    Fields:
        name: the file and the line.
        command: what is typed after `$ `, for a shell.
        output: what follows, up to the next command. Lines that begin with `> ` are typed,
            and the line `^C` is Ctrl-C after the end of the line before it.
    """

    name: str
    command: str
    output: str


def blocks_of(path: Path) -> Iterator[list[Shown]]:
    """Return the commands of each block; those of a block run in one folder, one after another."""
    text = path.read_text("utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield list(_commands(path, line, found[1].splitlines()))


def _commands(path: Path, first: int, lines: list[str]) -> Iterator[Shown]:
    starts = [number for number, line in enumerate(lines) if line.startswith(_PROMPT)]
    assert starts[:1] == [0], f"{path.name}:{first}: expected a command after {_PROMPT!r}"
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        output = "\n".join(lines[start + 1 : end])
        yield Shown(f"{path.name}:{first + start}", lines[start][len(_PROMPT) :], output)


def differences(block: list[Shown], environment: Mapping[str, str], cwd: Path) -> list[str]:
    """Run the commands of a block on a terminal of 80 columns, and return what differs."""
    found = []
    for shown in block:
        typed = list(_typed_in(shown.output.splitlines()))
        program = f'meshapi() {{ "{sys.executable}" -m meshapi "$@"; }}; {shown.command}'
        seen = seen_in_terminal(["sh", "-c", program], environment, typed, cwd=str(cwd))
        if not agrees(seen.raw, shown.output):
            found.append(f"{shown.name}: $ {shown.command}\n{seen.text}")
    return found


def _typed_in(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what to wait for, and what to type then."""
    for before, line in zip(["", *lines], lines):
        if line.startswith(_TYPED):
            yield _TYPED, line[len(_TYPED) :] + "\n"
        elif line == _CTRL_C:
            yield before.rpartition(" ")[2], "\x03"


def agrees(raw: str, shown: str) -> bool:
    """Return whether a terminal showed this; `...` in it stands for anything."""
    parts = _fixed(shown).rstrip().split("...")
    pattern = ".*?".join(map(re.escape, parts))
    return re.fullmatch(pattern, _fixed(lines_of(raw)).rstrip(), re.DOTALL) is not None


def _fixed(text: str) -> str:
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text
