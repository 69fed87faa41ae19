"""`meshapi gateway`: a local gateway that serves until Ctrl-C."""

import errno
import shlex
import signal
import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Optional

from meshapi.cli.command import Command, CommandError
from meshapi.cli.output import terminal

if TYPE_CHECKING:
    from meshapi.testing import LocalGateway


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        help="port to listen on; 0 is any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--token", default="rsk_demo", help="the token it accepts (default: %(default)s)"
    )
    parser.add_argument(
        "--pace",
        type=float,
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
        "--rpm", metavar="N", type=int, help="at most N requests a minute (default: no limit)"
    )
    parser.add_argument(
        "--tpm", metavar="N", type=int, help="at most N model tokens a minute (default: no limit)"
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        action="append",
        default=[],
        help="JSON with what it has to respond, and to which requests (see docs/local-gateway.md)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="an error (501) for requests without a script"
    )


def _run(arguments: Namespace) -> int:
    try:
        from meshapi.testing import LocalGateway
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    # SIGTERM stops it like Ctrl-C; and so does SIGINT, which shells ignore for background jobs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
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
    except (OSError, OverflowError, ValueError) as error:
        raise CommandError(f"the gateway cannot start: {_why(error, arguments)}") from error
    try:
        with gateway:
            for name in arguments.script:
                _load(gateway, name)
            _introduce(gateway.url, gateway.token)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0


def _load(gateway: "LocalGateway", name: str) -> None:
    try:
        gateway.load_scripts(name)
    except OSError as error:
        raise CommandError(f"--script {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"--script: {error}") from error


def _why(error: Exception, arguments: Namespace) -> str:
    place = f"{arguments.host}:{arguments.port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{place} is in use; --port 0 takes any port that is free"
    if isinstance(error, OSError):
        return f"cannot listen on {place}: {error.strerror or error}"
    if isinstance(error, OverflowError):
        return f"--port: expected 0 to 65535, got {arguments.port}"
    if not arguments.pace >= 0:
        return f"--pace: expected 0 or more words per second, got {arguments.pace:g}"
    for option in ("rpm", "tpm"):
        limit: Optional[int] = getattr(arguments, option)
        if limit is not None and limit < 1:
            return f"--{option}: expected 1 or more a minute, got {limit}"
    return str(error)


def _introduce(url: str, token: str) -> None:
    lines = (
        f"The local gateway listens on {url}; Ctrl-C stops it.",
        "To talk to it from another terminal:",
        f"  export MESHAPI_BASE_URL={url} MESHAPI_TOKEN={shlex.quote(token)}",
        '  meshapi chat "What is 2+2?"',
        '  meshapi realtime "What is 2+2?" --audio-out answer.wav',
    )
    # In one write: a program that starts this may stop it as soon as it has read the first line.
    terminal().say("\n".join(lines))


GATEWAY = Command("gateway", "run a local gateway to try things out", _run, _add_arguments)
