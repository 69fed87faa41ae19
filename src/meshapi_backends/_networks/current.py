"""Finds out which event loop is running: trio's or asyncio's."""

import sys
from functools import cache
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from meshapi_backends._networks import asyncio as on_asyncio
    from meshapi_backends._networks import trio as on_trio


def current_network() -> "Union[on_asyncio.AsyncNetwork, on_trio.AsyncNetwork]":
    """The network of the event loop that runs here: trio's or asyncio's.

    Raises:
        RuntimeError: no event loop runs.
    """
    # If trio runs here, it has been imported. It comes first because it may run as a guest of
    # asyncio, and never the other way round.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _of_trio()
    return _of_asyncio()


# Each is imported on first use. Cached, because it is asked for several times per call, and even a
# repeated import takes as long as a dozen function calls.


@cache
def _of_trio() -> "on_trio.AsyncNetwork":
    from meshapi_backends._networks import trio as on_trio

    return on_trio.NETWORK


@cache
def _of_asyncio() -> "on_asyncio.AsyncNetwork":
    from meshapi_backends._networks import asyncio as on_asyncio

    return on_asyncio.NETWORK
