"""What a command is to the command line: its name, its arguments, and what it does."""

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Callable, NamedTuple, Optional


class Command(NamedTuple):
    """One command.

    Fields:
        name: what is typed.
        summary: its line in `meshapi --help`.
        run: does it and returns the exit status; only then what it needs is imported.
        add_arguments: tells the parser of its arguments.
        description: the beginning of its own help.
    """

    name: str
    summary: str
    run: Callable[[Namespace], int]
    add_arguments: Callable[[ArgumentParser], None] = lambda parser: None
    description: Optional[str] = None


class CommandError(Exception):
    """What a command can't do, in one line for the person who typed it."""


def check_token() -> None:
    """Raise CommandError where the environment has no token for the gateway."""
    if not os.environ.get("MESHAPI_TOKEN"):
        raise CommandError(
            "no token: MESHAPI_TOKEN is not set; set it to your API key, or to the token of a local"
            " gateway (start one with `meshapi gateway`)"
        )


def question_in(words: list[str]) -> str:
    """Return the words of the command line as one question, or what is piped in without them."""
    if not words and not sys.stdin.isatty():
        words = [sys.stdin.read()]
    question = " ".join(words).strip()
    if not question:
        raise CommandError(
            'no question: write it behind the command ("What is 2+2?"), or pipe it in'
        )
    return question
