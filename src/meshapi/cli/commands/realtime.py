"""`meshapi realtime`: a realtime session, with questions by text or audio."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import input_lines, not_text, text_of
from meshapi.cli.options import add_connection, add_model
from meshapi.cli.output import Output
from meshapi.cli.paths import check_unforced
from meshapi.cli.problems import UsageError

_MODEL = "openai/gpt-realtime-mini"

_NO_QUESTION = (
    'no question: write it after the command ("What is 2+2?"), or pipe in a line for each'
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question",
        nargs="*",
        help="without it and --audio-in, each line of standard input is a question",
    )
    add_model(parser, _MODEL)
    parser.add_argument("--instructions", help="instructions to the model, such as 'Be brief.'")
    parser.add_argument("--audio-in", metavar="WAV", help="a file with a spoken question")
    parser.add_argument("--audio-out", metavar="WAV", help="a file for the spoken answers")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    parser.add_argument("--voice", help="the voice of the answers (default: that of the model)")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    if arguments.audio_out is not None and arguments.audio_out != arguments.audio_in:
        check_unforced(Path(arguments.audio_out), arguments.force, "--audio-out")
    client = connect(arguments)
    from meshapi.cli.conversation import Options, converse

    is_asked = bool(arguments.question)
    arguments.question = " ".join(map(text_of, arguments.question)).strip() or None
    if is_asked and arguments.question is None:
        raise UsageError(_NO_QUESTION)
    options = Options(**{name: getattr(arguments, name) for name in Options._fields})

    def show(words: Iterator[str]) -> None:
        output.record({"answer": output.show(words)})

    try:
        with client:
            converse(client, options, _questions(output), show)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return 0


def _questions(output: Output) -> Iterator[str]:
    """The lines; without any in a pipe or a file, UsageError."""
    asked = False
    for line in _lines(output):
        asked = asked or bool(line.strip())
        yield line
    if not asked and not sys.stdin.isatty():
        raise UsageError(_NO_QUESTION)


def _lines(output: Output) -> Iterator[str]:
    """The lines that are typed or piped in; with a prompt if they are typed."""
    stdin = input_lines()
    typed = stdin.isatty() and output.interactive
    while True:
        if typed:
            output.say("> ", end="")
        line = ""
        try:
            line = stdin.readline()
        except UnicodeDecodeError as error:
            raise not_text("standard input", error) from error
        finally:
            # After the end of input or Ctrl-C, nothing has ended the line of the prompt.
            if typed and not line:
                output.say()
        if not line:
            return
        yield line


REALTIME = Command(
    "realtime",
    "talk to a model, by text or by audio",
    _run,
    _add_arguments,
    "Ask one question, or one for each line of standard input, in a realtime session. "
    "Audio files are WAV: 16 bit, 1 channel, 24000 Hz. Needs the API key in MESHAPI_TOKEN.",
)
