"""`meshapi demo`: what the library does, shown live."""

from argparse import Namespace

from meshapi.cli.command import Command, CommandError
from meshapi.cli.output import terminal


def _run(arguments: Namespace) -> int:
    try:
        from meshapi.cli.demonstration import run
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    return run(terminal())


DEMO = Command("demo", "see what the library does, on this machine alone", _run)
