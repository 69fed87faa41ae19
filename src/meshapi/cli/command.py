"""A command of the command line: its name, its arguments, and what it does."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from meshapi.cli.output import Output


def _no_arguments(parser: ArgumentParser) -> None:
    pass


class Command(NamedTuple):
    """One command.

    Fields:
        name: the name to type.
        summary: its line in `meshapi --help`.
        run: runs the command and returns the exit status. It imports what it needs itself, so that
            `meshapi --help` loads nothing else. None for a command that only has others.
        add_arguments: adds the command's arguments to its parser, without `--json`, which every
            command has.
        description: the introduction of the command's own help.
        commands: the commands below this one, such as `submit` of `batch`.
    """

    name: str
    summary: str
    run: Optional[Callable[[Namespace, Output], int]]
    add_arguments: Callable[[ArgumentParser], None] = _no_arguments
    description: Optional[str] = None
    commands: "Sequence[Command]" = ()
