"""The input of a command: words, files, and standard input."""

import os
import stat
import sys
from collections.abc import Sequence
from typing import Any, TextIO, Union

from meshapi.cli.problems import UsageError

# More text than any model reads: a wrong file must not fill the memory.
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


def question_in(words: Sequence[str], what: str = "question", example: str = "What is 2+2?") -> str:
    """Return the question: words in one line, then files and what is piped in as paragraphs.

    Args:
        words: the words of the command line.
        what: what messages call it.
        example: one of them.

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
        raise UsageError(f'no {what}: write it after the command ("{example}"), or pipe it in')
    return question


def is_rereadable(path: str) -> bool:
    """Return whether a file has the same to read again; a pipe, such as that of `<(...)`, has not.

    One that cannot be looked at counts as such a file: opening it says why.
    """
    try:
        return not stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return True


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


def input_lines() -> TextIO:
    """Return standard input, to be read line by line; in a pipe, what is not UTF-8 raises."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None and not sys.stdin.isatty():
        # In some locales, Python reads any byte, and such a text can't be sent. As Windows writes
        # it, with a mark at the start.
        reconfigure(encoding="utf-8-sig", errors="strict")
    return sys.stdin


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
        raise unreadable(path, error, advice) from error


def check_readable(path: "Union[str, os.PathLike[str]]") -> None:
    """Return if a file can be read; nothing of it is read yet.

    Raises:
        UsageError: it cannot.
    """
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: object, error: Exception, advice: str = "") -> UsageError:
    """Return what to raise for a file that cannot be read."""
    why = getattr(error, "strerror", None) or error
    return UsageError(f"cannot read {path}: {why}{advice}")


def _decoded(content: bytes, name: str) -> str:
    if len(content) > MOST_TEXT:
        raise UsageError(
            f"{name} is too large: expected at most {MOST_TEXT // 1024**2} MiB of text"
        )
    try:
        # As Notepad saves it, with a mark at the start.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_text(name, error, f" at {error.start}") from error


def not_text(name: str, error: UnicodeDecodeError, place: str = "") -> UsageError:
    """Return what to raise for a file that is not UTF-8."""
    byte = error.object[error.start]
    return UsageError(f"{name} is not text: expected UTF-8, got byte 0x{byte:02x}{place}")


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
    except RecursionError:
        raise UsageError(f"{path} is not JSON that can be read: it is nested too deeply") from None
