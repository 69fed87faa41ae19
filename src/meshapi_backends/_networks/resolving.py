"""Looks names up in threads, because the system's resolver has no time limit."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Optional

from meshapi_backends._networks import workers
from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.workers import Work, Workers, working

RESOLVER = Workers("meshapi-resolver")


class Lookup:
    """A look-up of one name, under way in a thread."""

    def __init__(self, host: str, work: "Work[list[Address]]") -> None:
        self._host = host
        self._work = work

    def addresses(self, in_time: bool) -> list[Address]:
        """Every address, in the system's order.

        Args:
            in_time: the look-up has ended. Otherwise it is given up.

        Raises:
            OSError: the host name has no address, or could not be looked up.
            TimeoutError: the look-up was not in time; the message says what it waited for.
        """
        if not in_time:
            self._work.given_up = True
            raise self._late()
        return self._work.result()

    def _late(self) -> TimeoutError:
        if self._work.begun:
            return TimeoutError(f"the name server did not respond in time for {self._host}")
        return TimeoutError(
            f"{self._host} could not be looked up, as {workers.MOST} earlier look-ups are still"
            " waiting for the name server"
        )


@contextmanager
def looking_up(host: str, port: int, waiter: Any) -> Generator[Lookup, None, None]:
    """Look a name up, and set a waiter when that has ended. The block waits for it.

    Args:
        host: the name; not a numeric address.
        port: becomes part of the addresses.
        waiter: a new waiter of the network.

    Raises:
        WaitEnded: the current scope was ended.
    """
    with working(partial(_addresses, host, port), waiter, RESOLVER) as work:
        yield Lookup(host, work)


def _addresses(host: str, port: int) -> list[Address]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Address(info[0], info[4]) for info in infos]  # type: ignore[arg-type]  # never Bluetooth


def numeric_address(host: str, port: int) -> Optional[Address]:
    """The address for a numeric host, which needs no look-up; None for a name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return Address(family, (host, port, 0, 0) if family == socket.AF_INET6 else (host, port))
