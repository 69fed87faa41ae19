"""`meshapi transcribe`: the words in an audio file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import check_readable
from meshapi.cli.options import add_connection, add_model, given
from meshapi.cli.output import Output


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="an audio file")
    add_model(parser, "openai/whisper-1")
    parser.add_argument(
        "--language", metavar="CODE", help="such as en (default: the model detects it)"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    path = Path(arguments.file)
    check_readable(path)
    options = given(model=arguments.model, language_code=arguments.language)
    with connect(arguments) as client:
        response = client.audio.transcribe(path, **options)
    output.record(response)
    output.show([response.text or ""])
    return exit_codes.DONE


TRANSCRIBE = Command(
    "transcribe",
    "turn an audio file into text",
    _run,
    _add_arguments,
    "Turn what is said in an audio file into text.",
)
