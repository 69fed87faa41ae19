"""`meshapi realtime`: a realtime session, with questions by text or audio."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import input_lines, not_text, text_of
from meshapi.cli.options import add_connection, add_model
from meshapi.cli.output import Output
from meshapi.cli.problems import UsageError

_MODEL = "openai/gpt-realtime-mini"


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
    parser.add_argument("--voice", help="the voice of the answers (default: that of the model)")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    client = connect(arguments)
    from meshapi.cli.conversation import Options, converse

    arguments.question = " ".join(map(text_of, arguments.question)) or None
    options = Options(**{name: getattr(arguments, name) for name in Options._fields})

    def show(words: Iterator[str]) -> None:
        output.record({"answer": output.show(words)})

    try:
        with client:
            converse(client, options, _lines(output), show)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return 0


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
