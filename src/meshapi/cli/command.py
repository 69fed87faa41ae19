"""What a command is to the command line: its name, its arguments, and what it does."""

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
