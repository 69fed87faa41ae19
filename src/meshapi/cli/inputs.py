"""What a command is given to read: words, files, and standard input."""

import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

from meshapi.cli.problems import UsageError

# More text than any model reads; a mistake with a file should not fill the memory.
MOST_TEXT = 16 * 1024 * 1024
# As much as fits into a request as base64, with room for the rest of it.
MOST_BYTES = 20 * 1024 * 1024


def text_of(word: str) -> str:
    """Return the text that an argument stands for.

    `@name` is the text of a file, `-` that of standard input, and `@@name` the text `@name`.

    Raises:
        UsageError: the file cannot be read, is too large, or is not text.
    """
    if word == "-":
        return read_input()
    if word.startswith("@@") or word == "@":
        return word[word != "@" :]
    if word.startswith("@"):
        return read_text(word[1:], "; @@ begins a word with @" if "/" not in word else "")
    return word


def question_in(words: Sequence[str]) -> str:
    """Return the question: words in one line, then files and what is piped in as paragraphs.

    Raises:
        UsageError: there is none, or a part of it cannot be read.
    """
    said: list[str] = []
    paragraphs: list[str] = []
    for word in words:
        text = text_of(word)
        if text is word or word.startswith("@@"):
            said.append(text)
        else:
            paragraphs.append(text.strip("\n"))
    if "-" not in words and is_piped():
        paragraphs.append(read_input().strip("\n"))
    parts = [" ".join(said).strip(), *paragraphs]
    question = "\n\n".join(part for part in parts if part.strip()).strip()
    if not question:
        raise UsageError('no question: write it after the command ("What is 2+2?"), or pipe it in')
    return question


def is_piped() -> bool:
    """Return whether standard input is a pipe or a file, not a terminal or a device."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        # Not a file of the system: a program has put something of its own there.
        return not sys.stdin.isatty()
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def read_input() -> str:
    """Return all of standard input.

    Raises:
        UsageError: it is too large, or not UTF-8.
    """
    raw = getattr(sys.stdin, "buffer", None)
    if raw is None:
        return sys.stdin.read()
    return _decoded(raw.read(MOST_TEXT + 1), "standard input")


def read_text(path: str, advice: str = "") -> str:
    """Return the text of a file.

    Raises:
        UsageError: it cannot be read, is too large, or is not UTF-8.
    """
    return _decoded(read_bytes(path, MOST_TEXT + 1, advice), path)


def read_bytes(path: str, most: int = MOST_BYTES + 1, advice: str = "") -> bytes:
    """Return the first bytes of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {why}{advice}") from error


def _decoded(content: bytes, name: str) -> str:
    if len(content) > MOST_TEXT:
        raise UsageError(
            f"{name} is too large: expected at most {MOST_TEXT // 1024**2} MiB of text"
        )
    try:
        # As Notepad saves it, with a mark at the start.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not text: expected UTF-8, got byte 0x{content[error.start]:02x} at"
            f" {error.start}"
        ) from error


def json_in(path: str) -> Any:
    """Return the JSON of a file.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    import json

    path = path[1:] if path.startswith("@") else path
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
