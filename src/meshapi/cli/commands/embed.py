"""`meshapi embed`: vectors of texts."""

from argparse import ArgumentParser, Namespace
from io import StringIO

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import is_piped, read_input, text_of
from meshapi.cli.options import add_connection, add_model, given, positive
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError, UsageError

_SHOWN = 4
"""The numbers of a vector that fit in a table."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "texts",
        metavar="TEXT",
        nargs="*",
        help="a text each; @NAME is a file; without any, each line of standard input is one",
    )
    add_model(parser)
    parser.add_argument(
        "--dimensions", type=positive, metavar="N", help="the numbers of each vector"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    texts = [text_of(word) for word in arguments.texts]
    if not texts and is_piped():
        texts = [line.rstrip("\n") for line in StringIO(read_input(), newline=None) if line.strip()]
    if not texts or not all(text.strip() for text in texts):
        raise UsageError("no text: write one after the command, or pipe in a text a line")
    options = given(model=arguments.model, dimensions=arguments.dimensions)
    with connect(arguments) as client:
        response = client.embeddings.create(input=texts, **options)
    if len(response.data) != len(texts):
        raise CommandError(
            f"the gateway returned {len(response.data)} vectors for {len(texts)} texts; ask again"
        )
    rows: list[tuple[object, ...]] = []
    for text, found in zip(texts, response.data):
        vector = list(found.vector())
        output.record({"text": text, "embedding": vector})
        first = ", ".join(f"{number:.4f}" for number in vector[:_SHOWN])
        more = ", ..." if len(vector) > _SHOWN else ""
        rows.append((" ".join(text.split())[:40], len(vector), f"{first}{more}"))
    output.table(("TEXT", "SIZE", "VECTOR"), rows, right=("SIZE",))
    output.note("--json has the whole vectors.")
    return exit_codes.DONE


EMBED = Command(
    "embed",
    "turn texts into vectors",
    _run,
    _add_arguments,
    "Return one vector for each text; --json writes them in full.",
)
