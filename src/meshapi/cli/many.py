"""The calls of `map` and `batch`, made from the rows of a file."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional, Union

from meshapi import InvalidParamsError
from meshapi.cli.inputs import text_of
from meshapi.cli.options import add_model, given, positive
from meshapi.cli.problems import UsageError
from meshapi.cli.rows import Rows

if TYPE_CHECKING:
    from meshapi.cli.schemas import Schema
    from meshapi_core import Call
    from meshapi_core.bulk import Entry


def add_rows(parser: ArgumentParser) -> None:
    """Add the arguments that say which calls to make."""
    parser.add_argument(
        "rows",
        metavar="ROWS",
        help="a file of JSON lines, a .csv or .tsv, or the lines of a batch file; - is standard"
        " input",
    )
    parser.add_argument(
        "-p",
        "--prompt",
        metavar="TEXT",
        help="what to ask for each row: {name} stands for a field of it; or @NAME for a file",
    )
    parser.add_argument("-s", "--system", metavar="TEXT", help="a system message, or @NAME")
    add_model(parser)
    parser.add_argument(
        "--schema", metavar="FILE", help="a JSON schema that each answer, as JSON, must match"
    )
    parser.add_argument(
        "--max-tokens", type=positive, metavar="N", help="the most model tokens of an answer"
    )


class Calls(Iterable["Union[Call[Any], tuple[str, Call[Any]]]"]):
    """The calls of a file, for `client.map`; each loop reads it again.

    Attributes:
        rows: what they are made of.
        template: makes calls of rows; None for the lines of a batch file, which are calls already.
        total: how many there are; None for a pipe, where nobody knows.
    """

    def __init__(self, rows: Rows, template: "Optional[Call[Any]]") -> None:
        self.rows = rows
        self.template = template
        self.total: Optional[int] = None

    def __iter__(self) -> "Iterator[Union[Call[Any], tuple[str, Call[Any]]]]":
        """Make the calls, with the IDs that the rows have. Raises as `entries`."""
        for entry in self.entries():
            yield entry.call if entry.given_id is None else (entry.given_id, entry.call)

    def entries(self) -> "Iterator[Entry]":
        """Make the calls, each with an ID.

        Raises:
            UsageError: a row cannot be read, does not fit the template, or is not a line of a batch
                file.
        """
        from meshapi_core.bulk import Inputs

        try:
            inputs = Inputs(self.rows, self.template, takes_async=False)
        except InvalidParamsError as error:
            raise UsageError(f"--prompt: expected {error.expected}, got {error.got}") from error
        while True:
            try:
                entry = inputs.next()
            except InvalidParamsError as error:
                place = f"{self.rows.name}, row {inputs.count + 1}"
                advice = f"; {error.hint}" if error.hint else ""
                wrong = f"expected {error.expected}, got {error.got}{advice}"
                raise UsageError(f"{place}: {wrong}") from error
            if entry is None:
                return
            yield entry


def calls_in(arguments: Namespace) -> Calls:
    """Return the calls that a command line asks for.

    Raises:
        UsageError: the options do not fit together, or a file or a row cannot be used.
    """
    rows = Rows(arguments.rows)
    if arguments.prompt is None:
        for name in ("system", "model", "schema", "max_tokens"):
            if getattr(arguments, name) is not None:
                option = name.replace("_", "-")
                raise UsageError(f"--{option}: expected --prompt beside it, which it is for")
        template = None
    else:
        template = _template(arguments)
    calls = Calls(rows, template)
    if not rows.are_passing:
        first = next(iter(rows), None)
        if first is None:
            raise UsageError(f"{rows.path} has no rows")
        if template is None and not ("url" in first and "body" in first):
            raise UsageError(
                f"{rows.path}: expected the lines of a batch file (custom_id, method, url, body);"
                ' for other rows, say what to ask with --prompt "... {'
                + next((name for name in first if name not in ("id", "custom_id")), "name")
                + '}"'
            )
        # All of them, so that nothing is sent if one is wrong.
        calls.total = sum(1 for _ in calls)
    return calls


def _template(arguments: Namespace) -> "Call[Any]":
    from meshapi.cli import schemas
    from meshapi_core.endpoints import Completions

    messages = [{"role": "user", "content": text_of(arguments.prompt)}]
    if arguments.system is not None:
        messages.insert(0, {"role": "system", "content": text_of(arguments.system)})
    options = given(model=arguments.model, max_tokens=arguments.max_tokens)
    wanted: Optional[Schema] = None
    if arguments.schema is not None:
        wanted = schemas.schema_in(arguments.schema)
        options["response_format"] = schemas.response_format(wanted)
    made: Call[Any] = Completions.create.build(messages=messages, **options)
    return made if wanted is None else schemas.checked(made, wanted)
