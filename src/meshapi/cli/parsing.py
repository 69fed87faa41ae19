"""Parses command lines: argparse, with errors in one line and the nearest known word."""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from meshapi import __version__
from meshapi.cli.command import Command
from meshapi.cli.problems import UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# Not a lone dash, a negative number, or a sentence that begins with a dash.
_OPTION = re.compile(r"-[^\d\s][^\s=]*(=|$)")


def parser_of(commands: Sequence[Command]) -> "Parser":
    """Return the parser of `meshapi`."""
    parser = Parser(
        prog="meshapi",
        description="MeshAPI from the command line: one gateway, many models.",
        epilog="`meshapi COMMAND --help` says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"meshapi {__version__}")
    parser.add_commands(commands)
    return parser


class _Help(argparse.HelpFormatter):
    """Help with room for the names of the commands."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


class Parser(argparse.ArgumentParser):
    """Raises UsageError for a mistake; words and options may stand in any order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(formatter_class=_Help, allow_abbrev=False)
        super().__init__(*args, **kwargs)
        # Help looks the same on every version of Python: 3.14 would colour it.
        vars(self)["color"] = False
        self._command_names: tuple[str, ...] = ()
        self._words: list[str] = []

    def add_commands(self, commands: Sequence[Command]) -> None:
        """Add commands, with those below them."""
        self._command_names = tuple(command.name for command in commands)
        # Not required: `parse_known_args` says more than argparse about one that is missing.
        subparsers = self.add_subparsers(title="commands", metavar="COMMAND")
        for command in commands:
            parser = subparsers.add_parser(
                command.name,
                help=command.summary,
                description=command.description
                or f"{command.summary[:1].upper()}{command.summary[1:]}.",
            )
            if command.commands:
                parser.add_commands(command.commands)
                continue
            command.add_arguments(parser)
            parser.add_argument(
                "--json", action="store_true", help="print one JSON object a line, for programs"
            )
            parser.set_defaults(run=command.run)

    def parse_known_args(  # type: ignore[override]  # argparse's overloads have no common type
        self, args: Optional[Sequence[str]] = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Return the arguments, of which none is left over."""
        words = sys.argv[1:] if args is None else list(args)
        self._words = words
        if self._command_names:
            self._check_command(words)
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self._take(rest, found)
        return found, []

    def print_help(self, file: "Optional[SupportsWrite[str]]" = None) -> None:
        """Print the help; unlike argparse, raise what goes wrong with it."""
        (file or sys.stdout).write(self.format_help())

    def exit(self, status: int = 0, message: Optional[str] = None) -> NoReturn:
        """End after `--help` or `--version`, or raise BrokenPipeError."""
        sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        # argparse misses an argument before it sees that its name was misspelt.
        self._check_options(self._words)
        raise UsageError(f"{message.replace('argument ', '', 1)}; see `{self.prog} --help`")

    def _check_command(self, words: Sequence[str]) -> None:
        word = words[0] if words else None
        if word is None:
            expected = ", ".join(self._command_names)
            raise UsageError(
                f"no command: expected one of {expected}; `{self.prog} --help` describes them"
            )
        if word.startswith("-"):
            if word not in self._known_options():
                raise UsageError(
                    f"unknown option {word} before the command; options follow it:"
                    f" `{self.prog} COMMAND {word}`"
                )
        elif word not in self._command_names:
            meant = nearest(word, self._command_names)
            raise UsageError(f"unknown command {word!r}{meant}; see `{self.prog} --help`")

    def _take(self, rest: Sequence[str], found: argparse.Namespace) -> None:
        """Add words that stood behind an option to those before it; refuse unknown options."""
        words: list[str] = []
        for number, word in enumerate(rest):
            if word == "--":
                words += rest[number + 1 :]
                break
            self._check_options([word])
            words.append(word)
        several = [action for action in self._word_arguments() if action.nargs in ("*", "+")]
        if words and not several:
            raise UsageError(f"unexpected argument {words[0]!r}; see `{self.prog} --help`")
        for action in several[-1:]:
            setattr(found, action.dest, [*getattr(found, action.dest), *words])

    def _check_options(self, words: Sequence[str]) -> None:
        known = self._known_options()
        for word in words:
            name = word.partition("=")[0]
            if word == "--":
                return
            # `-mauto` is `-m auto`.
            if _OPTION.match(word) and name not in known and word[:2] not in known:
                raise UsageError(
                    f"unknown option {name}{nearest(name, known)}; see `{self.prog} --help`"
                )

    def _known_options(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]

    def _word_arguments(self) -> list[argparse.Action]:
        return [action for action in self._actions if not action.option_strings]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known word, or nothing if none is near."""
    import difflib

    matches = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""
