"""The client of a command, made from its options and the environment."""

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Callable, TypeVar

from meshapi.cli import exit_codes
from meshapi.cli.options import given
from meshapi.cli.problems import CommandError, UsageError

if TYPE_CHECKING:
    from meshapi import AsyncMeshAPI, MeshAPI, Timeout

C = TypeVar("C")


def connect(arguments: Namespace) -> "MeshAPI":
    """Return a client, to be used in a `with` block.

    Args:
        arguments: with the options that `options.add_connection` adds.

    Raises:
        CommandError: there is no token, or a setting cannot be used.
    """
    check_token()
    from meshapi import MeshAPI

    return _made(MeshAPI, arguments)


def connect_async(arguments: Namespace) -> "AsyncMeshAPI":
    """Return an asynchronous client; see `connect`."""
    check_token()
    from meshapi import AsyncMeshAPI

    return _made(AsyncMeshAPI, arguments)


def check_token() -> None:
    """Raise CommandError if the environment has no token for the gateway."""
    if not os.environ.get("MESHAPI_TOKEN") and not os.environ.get("MESHAPI_API_KEY"):
        raise CommandError(
            "no token: MESHAPI_TOKEN is not set; set it to your API key, or to the token of a local"
            " gateway (start one with `meshapi gateway`)",
            exit_codes.NO_TOKEN,
        )


def within(seconds: float) -> "Timeout":
    """Return the limits of calls that take so long at most.

    The steps have the same limit as the whole, so that none of them ends it earlier.
    """
    from meshapi import Timeout

    return Timeout(connect=seconds, read=seconds, write=seconds, pool=seconds, total=seconds)


def _made(make: Callable[..., C], arguments: Namespace) -> C:
    try:
        timeout = None if arguments.timeout is None else within(arguments.timeout)
        return make(**given(base_url=arguments.base_url, timeout=timeout))
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
