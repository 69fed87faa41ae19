"""Names are looked up in threads, because the system's resolver knows no time limit.

Whoever waits can give a look-up up; its thread goes on until the system answers, and looks up what
is asked for next. There are never more than `MOST` of them, and none of them keeps a program from
ending.
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
"""Threads: a resolver that does not answer holds each for 5 to 30 seconds, and a program knows few
names at once. Beyond them, look-ups wait for their turn within their own time limits."""


class Lookup:
    """The addresses of one name, on their way."""

    def __init__(self, host: str, port: int, on_end: Callable[[], object]) -> None:
        self._host = host
        self._port = port
        self._on_end = on_end
        self._addresses: list[Address] = []
        self._error: Optional[BaseException] = None
        self.begun = False
        self.given_up = False

    def run(self) -> None:
        """Look it up, in a thread that has nothing else to do."""
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
            in_time: it has ended; else whoever waited for it stops now.

        Raises:
            OSError: there is none.
            TimeoutError: it was not in time; says what was waited for.
        """
        if not in_time:
            self.given_up = True
            raise self._late()
        if self._error is not None:
            raise self._error
        return self._addresses

    def _late(self) -> TimeoutError:
        if self.begun:
            return TimeoutError(f"the name server has not answered for {self._host}")
        return TimeoutError(
            f"{self._host} could not be looked up, as {MOST} earlier look-ups are still waiting"
            " for the name server"
        )


class Resolver:
    """The threads, and the look-ups that wait for one."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start anew, in a forked child: it has no threads."""
        self._lock = threading.Lock()
        self._waiting: deque[Lookup] = deque()
        self._threads = 0

    def start(self, look_up: Lookup) -> None:
        """Have a name looked up. `on_end` is called in another thread, unless it is given up."""
        with self._lock:
            self._waiting.append(look_up)
            if self._threads >= MOST:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name="meshapi-resolver", daemon=True).start()
        except RuntimeError:
            # No threads are to be had any more, as the interpreter ends: here, then.
            self._work()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                look_up = self._waiting.popleft()
            look_up.run()
            del look_up  # what it holds should not live as long as a thread that waits


RESOLVER = Resolver()


@contextmanager
def looking_up(host: str, port: int, waiter: Any) -> Generator[Lookup, None, None]:
    """The block waits for the addresses of a name, by a waiter that is set when they have come.

    Args:
        host, port: the name, which is no number, and what is asked for there.
        waiter: a new one of the network's.

    Raises:
        Ended: the scope that runs was ended.
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
    """The address that a host is by itself; None for a name. No thread is needed for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return Address(family, (host, port, 0, 0) if family == socket.AF_INET6 else (host, port))
