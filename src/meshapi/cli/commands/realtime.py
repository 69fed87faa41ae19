"""`meshapi realtime`: a realtime session, with questions by text or audio."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from meshapi.cli.command import Command, CommandError, check_token
from meshapi.cli.output import show, terminal

_MODEL = "openai/gpt-realtime-mini"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question",
        nargs="*",
        help="without it and --audio-in, each line of standard input is a question",
    )
    parser.add_argument(
        "--model", default=_MODEL, help="the model to talk to (default: %(default)s)"
    )
    parser.add_argument("--instructions", help="instructions to the model, such as 'Be brief.'")
    parser.add_argument("--audio-in", metavar="WAV", help="a file with a spoken question")
    parser.add_argument("--audio-out", metavar="WAV", help="a file for the spoken answers")
    parser.add_argument("--voice", help="the voice of the answers (default: that of the model)")
    parser.add_argument(
        "--base-url", help="URL of the gateway (default: MESHAPI_BASE_URL, or the public gateway)"
    )


def _run(arguments: Namespace) -> int:
    check_token()
    from meshapi import MeshAPI
    from meshapi.cli.conversation import Options, converse

    arguments.question = " ".join(arguments.question) or None
    options = Options(**{name: getattr(arguments, name) for name in Options._fields})
    try:
        with MeshAPI(base_url=arguments.base_url) as client:
            converse(client, options, _lines(), show)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return 0


def _lines() -> Iterator[str]:
    """The lines that are typed or piped in; with a prompt if they are typed."""
    screen, typed = terminal(), sys.stdin.isatty()
    while True:
        if typed:
            screen.say("> ", end="")
        line = ""
        try:
            line = sys.stdin.readline()
        finally:
            # After the end of input or Ctrl-C, nothing has ended the line of the prompt.
            if typed and not line:
                screen.say()
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
