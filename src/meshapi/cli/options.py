"""Options that several commands have, and the types of their values."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Callable, Optional, TypeVar

from meshapi.cli.parsing import nearest

N = TypeVar("N", int, float)


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
        help="seconds to wait for a connection, and for each next part of a response"
        " (default: MESHAPI_TIMEOUT, or 60)",
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


def integer(text: str) -> int:
    """Return a whole number."""
    return _number(text, int, "a whole number", lambda value: True)


def number(text: str) -> float:
    """Return a number."""
    return _number(text, float, "a number", lambda value: True)


def seconds(text: str) -> float:
    """Return a number of seconds above 0."""
    return _number(text, float, "a number of seconds above 0", lambda value: 0 < value < math.inf)


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    return _number(text, int, "a whole number of at least 1", lambda value: value >= 1)


def amount(text: str) -> float:
    """Return a number of at least 0."""
    return _number(text, float, "a number of at least 0", lambda value: 0 <= value < math.inf)


def count(text: str) -> int:
    """Return a whole number of at least 1; `200k` and `2M` stand for thousands and millions."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    expected = "a whole number of at least 1, such as 500 or 200k"
    try:
        return factor * _number(digits, int, expected, lambda value: value >= 1)
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}") from None


def _number(text: str, kind: Callable[[str], N], expected: str, fits: Callable[[N], bool]) -> N:
    try:
        value = kind(text)
    except ValueError:
        pass
    else:
        if fits(value):
            return value
    raise ArgumentTypeError(f"expected {expected}, got {text!r}")
