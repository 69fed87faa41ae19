"""Looks names up in threads, because the system's resolver has no time limit.

A caller can give up a look-up. Its thread goes on until the system's resolver returns, and then
takes the next look-up. There are never more than `MOST` threads, and none of them keeps a program
from ending.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Optional

from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.addresses import Address
from meshapi_backends._scopes import check_ended, waiting

MOST = 16
"""Threads at most. A silent name server holds each for 5 to 30 seconds, and a program uses few
names at once. Further look-ups wait for a thread, within their own time limits."""


class Lookup:
    """A look-up of one name."""

    def __init__(self, host: str, port: int, on_end: Callable[[], object]) -> None:
        self._host = host
        self._port = port
        self._on_end = on_end
        self._addresses: list[Address] = []
        self._error: Optional[BaseException] = None
        self.begun = False
        self.given_up = False

    def run(self) -> None:
        """Look the name up; in a resolver thread, because it blocks."""
        if self.given_up:
            return
        self.begun = True
        try:
            infos = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses = [Address(info[0], info[4]) for info in infos]  # type: ignore[arg-type]  # never Bluetooth
        except Exception as exc:
            self._error = exc
        if not self.given_up:
            self._on_end()

    def addresses(self, in_time: bool) -> list[Address]:
        """Every address, in the system's order.

        Args:
            in_time: the look-up has ended. Otherwise it is given up.

        Raises:
            OSError: the host name has no address, or could not be looked up.
            TimeoutError: the look-up was not in time; the message says what it waited for.
        """
        if not in_time:
            self.given_up = True
            raise self._late()
        if self._error is not None:
            raise self._error
        return self._addresses

    def _late(self) -> TimeoutError:
        if self.begun:
            return TimeoutError(f"the name server did not respond in time for {self._host}")
        return TimeoutError(
            f"{self._host} could not be looked up, as {MOST} earlier look-ups are still waiting"
            " for the name server"
        )


class Resolver:
    """The threads, and the look-ups that wait for one of them."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start afresh, in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._waiting: deque[Lookup] = deque()
        self._threads = 0

    def start(self, look_up: Lookup) -> None:
        """Start a look-up. Its `on_end` is called in another thread, unless it is given up."""
        with self._lock:
            self._waiting.append(look_up)
            if self._threads >= MOST:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name="meshapi-resolver", daemon=True).start()
        except RuntimeError:
            # No thread can be started, for example while the interpreter shuts down: do it here.
            self._work()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                look_up = self._waiting.popleft()
            look_up.run()
            del look_up  # so that an idle thread does not keep alive what it holds


RESOLVER = Resolver()


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
    with waiting(waiter.set):
        look_up = Lookup(host, port, waiter.set_from_thread)
        RESOLVER.start(look_up)
        try:
            yield look_up
            check_ended()
        except BaseException:
            look_up.given_up = True
            raise


def numeric_address(host: str, port: int) -> Optional[Address]:
    """The address for a numeric host, which needs no look-up; None for a name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return Address(family, (host, port, 0, 0) if family == socket.AF_INET6 else (host, port))
