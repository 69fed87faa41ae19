"""`meshapi demo`: what the library does, shown live."""

from argparse import Namespace

from meshapi.cli.command import Command
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError


def _run(arguments: Namespace, output: Output) -> int:
    try:
        from meshapi.cli.demonstration import run
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    return run(output)


DEMO = Command("demo", "see what the library does, on this machine alone", _run)
