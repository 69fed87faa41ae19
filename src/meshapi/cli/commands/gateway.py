"""`meshapi gateway`: a local gateway that serves until Ctrl-C."""

import errno
import shlex
import signal
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.options import amount, count, port
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError, UsageError
from meshapi.cli.terminal import printable

if TYPE_CHECKING:
    from meshapi.testing import LocalGateway

_LOOK_EVERY = 0.1


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=8000,
        help="port to listen on; 0 is any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--token", default="rsk_demo", help="the token it accepts (default: %(default)s)"
    )
    parser.add_argument(
        "--pace",
        type=amount,
        default=20.0,
        help="words per second; 0 is all at once (default: %(default)g)",
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a further host name by which it is called, such as that of a container",
    )
    parser.add_argument(
        "--rpm", metavar="N", type=count, help="at most N requests a minute (default: no limit)"
    )
    parser.add_argument(
        "--tpm",
        metavar="N",
        type=count,
        help="at most N model tokens a minute, such as 200k (default: no limit)",
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        action="append",
        default=[],
        help="a JSON file with scripts, which say what to respond with (see docs/local-gateway.md)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="an error (501) for requests without a script"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not show each request that has ended"
    )


def _run(arguments: Namespace, output: Output) -> int:
    try:
        from meshapi.testing import LocalGateway
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    # SIGTERM stops it like Ctrl-C; and so does SIGINT, which shells ignore for background jobs.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    try:
        gateway = LocalGateway(
            arguments.token,
            arguments.pace,
            arguments.host,
            arguments.port,
            arguments.allow_host,
            requests_per_minute=arguments.rpm,
            tokens_per_minute=arguments.tpm,
            strict=arguments.strict,
        )
    except OSError as error:
        raise CommandError(f"the gateway cannot start: {_why(error, arguments)}") from error
    except ValueError as error:
        raise UsageError(f"the gateway cannot start: {_why(error, arguments)}") from error
    log = None if arguments.quiet else _Log(gateway, output)
    with suppress(KeyboardInterrupt), gateway:
        for name in arguments.script:
            _load(gateway, name)
        _introduce(output, gateway.url, gateway.token)
        while True:
            time.sleep(_LOOK_EVERY)
            if log:
                log.show()
    if log:
        # By now, the requests that were under way have ended, too.
        log.show()
    return exit_codes.DONE


class _Log:
    """A line for each request that has ended."""

    def __init__(self, gateway: "LocalGateway", output: Output) -> None:
        self._gateway = gateway
        self._output = output
        self._version = 0
        self._told: set[int] = set()

    def show(self) -> None:
        """Show those that have ended since the last time."""
        self._version, oldest, lines = self._gateway.exchanges.since(self._version)
        self._told = {number for number in self._told if number >= oldest}
        for line in lines:
            if line["state"] != "open" and line["number"] not in self._told:
                self._told.add(line["number"])
                self._output.record(line)
                self._output.relay(_told(line))


def _told(line: Mapping[str, Any]) -> str:
    status = "broken off" if line["state"] == "cut" else "session over"
    if line["status"] != 101 and line["state"] != "cut":
        status = str(line["status"])
    took = f"{line['seconds'] * 1000:.0f} ms"
    parts = [line["method"], line["path"], line["model"], status, took]
    again = [f"(attempt {line['attempt']})"] if line["attempt"] > 1 else []
    # A model may have line breaks in it, with which anybody could write further lines.
    return printable(" ".join(filter(None, [*parts, *again]))) + "\n"


def _load(gateway: "LocalGateway", name: str) -> None:
    try:
        gateway.load_scripts(name)
    except OSError as error:
        raise UsageError(f"--script: cannot read {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"--script: {error}") from error


def _why(error: Exception, arguments: Namespace) -> str:
    place = f"{arguments.host}:{arguments.port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{place} is in use; --port 0 takes any port that is free"
    if isinstance(error, OSError):
        return f"cannot listen on {place}: {error.strerror or error}"
    return str(error)


def _introduce(output: Output, url: str, token: str) -> None:
    output.record({"url": url, "token": token})
    lines = (
        f"The local gateway listens on {url}; Ctrl-C stops it.",
        "To talk to it from another terminal:",
        f"  export MESHAPI_BASE_URL={url} MESHAPI_TOKEN={shlex.quote(token)}",
        '  meshapi chat "What is 2+2?"',
        '  meshapi realtime "What is 2+2?" --audio-out answer.wav',
        f"To see its requests, open {url} in a browser.",
    )
    # In one write: a program that starts this may stop it as soon as it has read the first line.
    output.say("\n".join(lines))


GATEWAY = Command("gateway", "run a local gateway to try things out", _run, _add_arguments)
