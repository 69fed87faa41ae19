"""Which network the running program has: trio's, or asyncio's."""

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
    # A loop that runs has been imported. trio comes first, because it may run as a guest of
    # asyncio, never the other way round.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _of_trio()
    return _of_asyncio()


# Each is loaded when it is used, and asked for several times a call: an import of what has been
# imported takes as long as a dozen functions of ours.


@cache
def _of_trio() -> "on_trio.AsyncNetwork":
    from meshapi_backends._networks import trio as on_trio

    return on_trio.NETWORK


@cache
def _of_asyncio() -> "on_asyncio.AsyncNetwork":
    from meshapi_backends._networks import asyncio as on_asyncio

    return on_asyncio.NETWORK
