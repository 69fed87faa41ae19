"""A command of the command line: its name, its arguments, and what it does."""

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Callable, NamedTuple, Optional


class Command(NamedTuple):
    """One command.

    Fields:
        name: the name to type.
        summary: its line in `meshapi --help`.
        run: runs the command and returns the exit status. It imports what it needs itself, so that
            `meshapi --help` loads nothing else.
        add_arguments: adds the command's arguments to its parser.
        description: the introduction of the command's own help.
    """

    name: str
    summary: str
    run: Callable[[Namespace], int]
    add_arguments: Callable[[ArgumentParser], None] = lambda parser: None
    description: Optional[str] = None


class CommandError(Exception):
    """A command failed, in one line for the person who typed it."""


def check_token() -> None:
    """Raise CommandError if the environment has no token for the gateway."""
    if not os.environ.get("MESHAPI_TOKEN") and not os.environ.get("MESHAPI_API_KEY"):
        raise CommandError(
            "no token: MESHAPI_TOKEN is not set; set it to your API key, or to the token of a local"
            " gateway (start one with `meshapi gateway`)"
        )


def question_in(words: list[str]) -> str:
    """Return the words of the command line as one question; without words, the piped input."""
    if not words and not sys.stdin.isatty():
        words = [sys.stdin.read()]
    question = " ".join(words).strip()
    if not question:
        raise CommandError(
            'no question: write it after the command ("What is 2+2?"), or pipe it in'
        )
    return question
