"""Keeps tests off the network."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Optional

from meshapi_backends import GUARDS
from meshapi_core import NetworkGuard

__all__ = ["block_network", "blocking"]


@contextmanager
def block_network(allow: Optional[Iterable[str]] = None) -> Generator[None, None, None]:
    """Keep all clients off the network in a `with` block, except on this machine.

        with block_network():
            run_my_program()

    A request to any other host raises `NetworkBlockedError`. Nothing is sent, not even a DNS query,
    and nothing is retried. The block applies to every client, transport and thread of the process,
    and to connections that are open already. Of several blocks, the one entered last decides.
    `MESHAPI_BLOCK_NETWORK=1` does the same for a whole process, but leaves open connections alone.

    Args:
        allow: the host names and addresses to allow instead of this machine, such as
            `["127.0.0.1", "api.example.test"]`.

    Raises:
        InvalidParamsError: `allow` is not a list of names and addresses.
    """
    with blocking(NetworkGuard.of(allow)):
        yield


@contextmanager
def blocking(guard: NetworkGuard) -> Generator[None, None, None]:
    """Keep all clients to what a guard allows in a `with` block."""
    GUARDS.append(guard)
    try:
        yield
    finally:
        # By identity: threads may leave their blocks in any order.
        place = next(i for i in reversed(range(len(GUARDS))) if GUARDS[i] is guard)
        del GUARDS[place]
