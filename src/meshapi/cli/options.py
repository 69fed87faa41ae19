"""Options that several commands have, and the types of their values."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Callable, Optional, TypeVar

from meshapi.cli.parsing import nearest

N = TypeVar("N", int, float)

# Above every limit of a gateway; larger numbers do not fit into some of Python's own functions.
_MOST = 1_000_000_000

# The longest limit that the client takes.
_LONGEST = 2_000_000


def given(**options: Any) -> dict[str, Any]:
    """Return the options that the user has given: those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def add_connection(parser: ArgumentParser) -> None:
    """Add `--base-url` and `--timeout`, for commands that call the gateway."""
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="URL of the gateway (default: MESHAPI_BASE_URL, or the public gateway)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        help="the most seconds that a call may take, with its retries and all of its answer"
        " (default: no limit, but 60 for each step, or MESHAPI_TIMEOUT)",
    )


def add_model(parser: ArgumentParser, default: Optional[str] = None) -> None:
    """Add `--model`; without a default, the gateway chooses."""
    shown = "%(default)s" if default else "that of the API key"
    parser.add_argument(
        "-m", "--model", default=default, help=f"the model to ask (default: {shown})"
    )


class Words:
    """The type of an argument that is one of a few words; pass these as its `choices`, too."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def __call__(self, text: str) -> str:
        """Return the word, or say which it might be."""
        if text not in self._words:
            expected = ", ".join(self._words)
            meant = nearest(text, self._words)
            raise ArgumentTypeError(f"expected one of {expected}, got {text!r}{meant}")
        return text


def port(text: str) -> int:
    """Return the number of a port; 0 is any free one."""
    return between(0, 65_535)(text)


def between(least: int, most: int) -> Callable[[str], int]:
    """Return the type of a whole number within these limits."""

    def bounded(text: str) -> int:
        expected = f"a whole number from {least:,} to {most:,}"
        return _number(text, int, expected, lambda value: least <= value <= most)

    return bounded


def seconds(text: str) -> float:
    """Return a number of seconds above 0."""
    expected = f"a number of seconds above 0, at most {_LONGEST:,}"
    return _number(text, float, expected, lambda value: 0 < value <= _LONGEST)


def positive(text: str) -> int:
    """Return a whole number of at least 1, and small enough for every counter."""
    return between(1, _MOST)(text)


def amount(text: str) -> float:
    """Return a number of at least 0."""
    return _number(text, float, "a number of at least 0", lambda value: 0 <= value < math.inf)


def count(text: str) -> int:
    """Return a whole number of at least 1; `200k` and `2M` stand for thousands and millions."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    expected = f"a whole number from 1 to {_MOST:,}, such as 500 or 200k"
    try:
        return factor * _number(digits, int, expected, lambda value: 1 <= factor * value <= _MOST)
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}") from None


def day(text: str) -> str:
    """Return a date as ISO 8601 has it."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date().isoformat()
    except ValueError:
        raise ArgumentTypeError(f"expected a date such as 2026-11-01, got {text!r}") from None


def _number(text: str, kind: Callable[[str], N], expected: str, fits: Callable[[N], bool]) -> N:
    try:
        value = kind(text)
    except ValueError:
        pass
    else:
        if fits(value):
            return value
    raise ArgumentTypeError(f"expected {expected}, got {text!r}")
