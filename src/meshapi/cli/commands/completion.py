"""`meshapi completion`: a script by which a shell completes commands and options."""

from argparse import ArgumentParser, Namespace

from meshapi.cli.command import Command
from meshapi.cli.options import Words
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError

_SHELLS = ("bash", "zsh")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "shell", type=Words(_SHELLS), choices=_SHELLS, help="the shell: bash or zsh"
    )


def _run(arguments: Namespace, output: Output) -> int:
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise CommandError("completion needs shtab: in a checkout, pip install '.[cli]'") from error
    from meshapi.cli.commands import COMMANDS
    from meshapi.cli.parsing import parser_of

    script = shtab.complete(parser_of(COMMANDS), shell=arguments.shell)
    output.say(script)
    output.record({"shell": arguments.shell, "script": script})
    return 0


COMPLETION = Command(
    "completion",
    "print a script that completes commands in your shell",
    _run,
    _add_arguments,
    "Print a script that completes commands and options in a shell. For bash, put"
    ' `eval "$(meshapi completion bash)"` into ~/.bashrc.',
)
