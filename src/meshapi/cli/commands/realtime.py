"""`meshapi realtime`: a session in which one asks by text or by audio."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from meshapi.cli.command import Command, CommandError, check_token
from meshapi.cli.output import show, terminal

_MODEL = "openai/gpt-realtime-mini"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question", nargs="*", help="without it, and without audio: a turn for each line of input"
    )
    parser.add_argument("--model", default=_MODEL, help="which listens (%(default)s)")
    parser.add_argument("--instructions", help="what the model should be and do")
    parser.add_argument("--audio-in", metavar="WAV", help="a file that is said to the model")
    parser.add_argument("--audio-out", metavar="WAV", help="a file for what it says")
    parser.add_argument("--voice", help="in which it says that (the model's default)")
    parser.add_argument("--base-url", help="as for chat")


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
    """What is typed or piped in; with a prompt where somebody types."""
    screen, typed = terminal(), sys.stdin.isatty()
    while True:
        if typed:
            screen.say("> ", end="")
        line = ""
        try:
            line = sys.stdin.readline()
        finally:
            # At the end of input, or Ctrl-C, the prompt is left alone on its line.
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
    "Ask one question, or one with each line of the input, in a realtime session. "
    "Audio is 16 bit, 1 channel, 24000 Hz. Needs MESHAPI_TOKEN.",
)
