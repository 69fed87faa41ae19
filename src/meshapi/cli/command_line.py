"""Parses a command line, runs its command, and returns the exit status."""

import argparse
from collections.abc import Sequence
from typing import Callable, Optional

from meshapi import MeshAPIError, __version__
from meshapi.cli.command import CommandError
from meshapi.cli.commands import COMMANDS
from meshapi.cli.output import allow_any_text, complain, let_go_of_output, replace_closed_streams

_FAILED = 1
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command line and return its exit status."""
    replace_closed_streams()
    arguments = _parser().parse_args(argv)
    allow_any_text()
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except CommandError as error:
        return _fail(str(error))
    except MeshAPIError as error:
        # So that a RealtimeError has the form of all other errors.
        return _fail(MeshAPIError.__str__(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        let_go_of_output()
        return _BROKEN_PIPE
    except OSError as error:
        # Most likely the disk is full.
        let_go_of_output()
        return _fail(f"cannot write the output: {error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="meshapi", description="MeshAPI from the command line: one gateway, many models."
    )
    parser.add_argument("--version", action="version", version=f"meshapi {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for command in COMMANDS:
        its_parser = commands.add_parser(
            command.name, help=command.summary, description=command.description
        )
        command.add_arguments(its_parser)
        its_parser.set_defaults(run=command.run)
    return parser


def _fail(message: str) -> int:
    complain(message)
    return _FAILED
