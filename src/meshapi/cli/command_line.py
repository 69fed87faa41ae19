"""Parses a command line, runs its command, and returns the exit status."""

import argparse
from collections.abc import Sequence
from typing import Callable, Optional

from meshapi import InvalidParamsError, MeshAPIError
from meshapi.cli import exit_codes
from meshapi.cli.commands import COMMANDS
from meshapi.cli.output import (
    Output,
    allow_any_text,
    let_go_of_output,
    output_of,
    replace_closed_streams,
)
from meshapi.cli.parsing import parser_of
from meshapi.cli.problems import CommandError, exit_code_of, told


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command line and return its exit status; see `exit_codes`."""
    replace_closed_streams()
    allow_any_text()
    output = output_of()
    try:
        arguments = parser_of(COMMANDS).parse_args(argv)
        output = output_of(arguments.json)
        run: Callable[[argparse.Namespace, Output], int] = arguments.run
        return run(arguments, output)
    except CommandError as error:
        output.complain(str(error))
        return error.exit_code
    except MeshAPIError as error:
        output.complain(told(error))
        return exit_code_of(error)
    except InvalidParamsError as error:
        output.complain(str(error))
        return exit_codes.UNUSABLE
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        let_go_of_output()
        return exit_codes.BROKEN_PIPE
    except OSError as error:
        # Most likely the disk is full.
        let_go_of_output()
        output.complain(f"cannot write the output: {error.strerror or error}")
        return exit_codes.FAILED
