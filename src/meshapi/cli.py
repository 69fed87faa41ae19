"""The command `meshapi`: a demonstration, a local gateway, a chat, and a realtime session.

Exit status: 0 if all went well, 1 after an error that is told in one line on stderr, 2 for a wrong
command line, 130 after Ctrl-C, 141 when the reader of the output has gone.
"""

import argparse
import errno
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable, Optional

from meshapi import ChatCompletionChunk, MeshAPI, MeshAPIError, Stream, __version__
from meshapi._terminal import Terminal

_REALTIME_MODEL = "openai/gpt-realtime-mini"

_INTERRUPTED = 130
_BROKEN_PIPE = 141


class _CommandError(Exception):
    """What a command can't do, in one line for the person who typed it."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command line and return its exit status."""
    _replace_closed_streams()
    arguments = _parser().parse_args(argv)
    _allow_any_text()
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except _CommandError as error:
        return _fail(str(error))
    except MeshAPIError as error:
        return _fail(_sentence(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _let_go_of_output()
        return _BROKEN_PIPE
    except OSError as error:
        # A full disk, most likely.
        _let_go_of_output()
        return _fail(f"the output can't be written: {error.strerror or error}")


def _let_go_of_output() -> None:
    # Python flushes once more at exit, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="meshapi", description="MeshAPI from the command line: one gateway, many models."
    )
    parser.add_argument("--version", action="version", version=f"meshapi {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)

    demo = commands.add_parser("demo", help="see it work, on this machine alone")
    demo.set_defaults(command=_demo)

    gateway = commands.add_parser("gateway", help="serve a local gateway to try things with")
    gateway.add_argument("--host", default="127.0.0.1", help="address (%(default)s)")
    gateway.add_argument("--port", type=int, default=8000, help="0 is any free one (%(default)s)")
    gateway.add_argument("--token", default="rsk_demo", help="the token it accepts (%(default)s)")
    gateway.add_argument(
        "--pace", type=float, default=20.0, help="words a second, 0 is all at once (%(default)g)"
    )
    gateway.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name by which others call it, such as that of a container",
    )
    gateway.set_defaults(command=_gateway)

    chat = commands.add_parser(
        "chat",
        help="ask one question",
        description="Ask one question and see the answer come. Needs MESHAPI_TOKEN.",
    )
    chat.add_argument("question")
    chat.add_argument("--model", help="which model answers (the default of the key)")
    chat.add_argument("--system", help="what the model should know beforehand")
    chat.add_argument("--base-url", help="of the gateway (MESHAPI_BASE_URL, else the public one)")
    chat.set_defaults(command=_chat)

    realtime = commands.add_parser(
        "realtime",
        help="talk to a model, by text or by sound",
        description="Ask one question, or one with each line of the input, in a realtime session. "
        "Sound is 16 bit, 1 channel, 24000 Hz. Needs MESHAPI_TOKEN.",
    )
    realtime.add_argument("question", nargs="?", help="without it, and without sound: many lines")
    realtime.add_argument("--model", default=_REALTIME_MODEL, help="which listens (%(default)s)")
    realtime.add_argument("--instructions", help="what the model should be and do")
    realtime.add_argument("--audio-in", metavar="WAV", help="a file that is said to the model")
    realtime.add_argument("--audio-out", metavar="WAV", help="a file for what it says")
    realtime.add_argument("--voice", help="in which it says that (the model's default)")
    realtime.add_argument("--base-url", help="as for chat")
    realtime.set_defaults(command=_realtime)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    try:
        from meshapi._demo import run
    except ModuleNotFoundError as error:
        raise _CommandError(str(error)) from error
    return run(_terminal())


def _gateway(arguments: argparse.Namespace) -> int:
    try:
        from meshapi.testing import LocalGateway
    except ModuleNotFoundError as error:
        raise _CommandError(str(error)) from error
    # SIGTERM, and a SIGINT that a shell switched off for the background, stop it like Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        gateway = LocalGateway(
            arguments.token,
            arguments.pace,
            arguments.host,
            arguments.port,
            arguments.allow_host,
        )
    except (OSError, OverflowError, ValueError) as error:
        raise _CommandError(f"the gateway can't start: {_why(error, arguments)}") from error
    try:
        with gateway:
            _introduce(gateway.url, gateway.token)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0


def _why(error: Exception, arguments: argparse.Namespace) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        place = f"{arguments.host}:{arguments.port}"
        return f"{place} is in use; --port 0 takes any port that is free"
    return str(error)


def _introduce(url: str, token: str) -> None:
    lines = (
        f"The local gateway listens on {url}; Ctrl-C stops it.",
        "To talk to it from another terminal:",
        f"  export MESHAPI_BASE_URL={url} MESHAPI_TOKEN={shlex.quote(token)}",
        '  meshapi chat "What is 2+2?"',
        '  meshapi realtime "What is 2+2?" --audio-out answer.wav',
    )
    # At once: who starts it from a program may stop it as soon as the first line is there.
    _terminal().say("\n".join(lines))


def _chat(arguments: argparse.Namespace) -> int:
    messages = [{"role": "user", "content": arguments.question}]
    if arguments.system is not None:
        messages.insert(0, {"role": "system", "content": arguments.system})
    try:
        client = MeshAPI(base_url=arguments.base_url)
        stream = client.chat.completions.stream(model=arguments.model, messages=messages)
    except ValueError as error:
        raise _CommandError(str(error)) from error
    with client, stream:
        _show(_said(stream))
    return 0


def _said(stream: Stream[ChatCompletionChunk]) -> Iterator[str]:
    for chunk in stream:
        for choice in chunk.choices:
            yield choice.delta.content or ""


def _realtime(arguments: argparse.Namespace) -> int:
    from meshapi._realtime_command import Wish, run

    wish = Wish(**{name: getattr(arguments, name) for name in Wish._fields})
    try:
        with MeshAPI(base_url=arguments.base_url) as client:
            run(client, wish, _lines(), _show)
    except ValueError as error:
        raise _CommandError(str(error)) from error
    return 0


def _lines() -> Iterator[str]:
    """What is typed or piped in; with a prompt where somebody types."""
    terminal, typed = _terminal(), sys.stdin.isatty()
    while True:
        if typed:
            terminal.say("> ", end="")
        line = ""
        try:
            line = sys.stdin.readline()
        finally:
            # At the end of input, or Ctrl-C, the prompt is left alone on its line.
            if typed and not line:
                terminal.say()
        if not line:
            return
        yield line


def _show(answer: Iterable[str]) -> None:
    terminal = _terminal()
    last = "\n"
    try:
        for text in answer:
            # Noted before it is written: Ctrl-C may come in between.
            last = text[-1:] or last
            terminal.relay(text)
    finally:
        # Also before an error, which then stands on a line of its own.
        if last != "\n":
            terminal.say()


def _sentence(error: MeshAPIError) -> str:
    where = f", request {error.request_id}" if error.request_id else ""
    return f"{error.message} [{error.error_code}{where}]"


def _fail(message: str) -> int:
    terminal = Terminal(sys.stderr, os.environ)
    terminal.say(f"{terminal.bad('meshapi:')} {message}")
    return 1


def _terminal() -> Terminal:
    return Terminal(sys.stdout, os.environ)


def _replace_closed_streams() -> None:
    """Where the shell has closed a standard stream (`>&-`), Python has None and not a file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for good


def _allow_any_text() -> None:
    """A terminal that lacks a character gets a question mark, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
