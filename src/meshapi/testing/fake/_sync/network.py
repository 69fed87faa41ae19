# Generated from _async/network.py by `python tools/mirror.py --write`: edit that file.
"""A network that leads to one server, whatever the host name, and has a clock of its own."""

import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Optional, TypeVar

from meshapi.testing.fake._sync.streams import FakeStream
from meshapi.testing.fake._sync.waiting import wait_until
from meshapi.testing.fake.clock import Changing, VirtualClock
from meshapi.testing.fake.server.host import Host

T = TypeVar("T")


class FakeAddress(NamedTuple):
    """The address of a host, all of which lead to the server."""

    family: int
    sockaddr: tuple[str, int]
    is_public: bool = False


class FakeWaiter:
    """An event that one task waits for and another sets, once."""

    def __init__(self, clock: VirtualClock, base: Any) -> None:
        self._clock = clock
        self._base = base
        self._changing = Changing(clock)
        self._is_set = False

    def set(self) -> None:
        """Wake the task that waits."""
        self._is_set = True
        self._changing.changed()

    def set_from_thread(self) -> None:
        """The same as `set()`, from any thread."""
        self.set()

    def wait(self, timeout: Optional[float]) -> bool:
        """Wait until it is set, and return True; or until the time is over, and return False."""
        clock = self._clock
        until = None if timeout is None else clock.now + max(timeout, 0.0)
        if wait_until(clock, self._base, lambda: self._is_set, self._changing, until):
            return True
        if timeout is not None and timeout > 0:
            clock.waits.append(timeout)
        return False


class FakeHost:
    """The host of a call of a run, in a thread of which the clock knows whether it waits."""

    def __init__(self, clock: VirtualClock, host: Any) -> None:
        self._clock = clock
        self._host = host
        self.abort = host.abort

    def result(self) -> Any:
        """Make the call."""
        workers, thread = self._clock.workers, threading.get_ident()
        workers.add(thread)
        try:
            return self._host.result()
        finally:
            workers.discard(thread)


class FakeUnderWay:
    """What a flow has under way, with the pauses of the virtual clock. See `UnderWay`."""

    def __init__(self, clock: VirtualClock, base: Any, kind: Any, make_host: Any) -> None:
        self._clock = clock
        self._base = base
        self._make_host = make_host
        self._under_way = kind(self._host)
        self._changing = Changing(clock)
        self._is_woken = False
        # How many calls have not begun.
        self._coming = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under_way, name)

    def _host(self, call: Any) -> Any:
        self._begun(1)
        return FakeHost(self._clock, self._make_host(call))

    def _begun(self, number: int) -> None:
        with self._clock.lock:
            number = min(number, self._coming)
            self._coming -= number
            self._clock.coming -= number

    def start(self, calls: Any) -> None:
        """Begin calls."""
        with self._clock.lock:
            self._coming += len(calls)
            self._clock.coming += len(calls)
        self._under_way.start(calls)

    def end(self) -> None:
        """End all that is under way, and wait until it has ended."""
        self._begun(self._coming)
        self._under_way.end()

    def abandon(self) -> None:
        """The same without waiting."""
        self._begun(self._coming)
        self._under_way.abandon()

    def wait(self, seconds: Optional[float]) -> None:
        """Wait until something has ended, until woken, or for some seconds."""
        under_way, clock = self._under_way, self._clock
        if seconds is None:
            under_way.wait(None)
            return
        until = clock.now + max(seconds, 0.0)

        def is_ready() -> bool:
            return self._is_woken or under_way.has_ends

        if not wait_until(clock, self._base, is_ready, self._changing, until) and seconds > 0:
            clock.waits.append(seconds)
        self._is_woken = False

    def wake(self) -> None:
        """End the present wait."""
        self._is_woken = True
        self._changing.changed()
        self._under_way.wake()


class FakeNetwork:
    """See `Network`.

    Args:
        host: the server.
        base: the network of the program, which really waits, and has threads.
    """

    # All connections stay in this program.
    needs_tls = False
    offline = True

    def __init__(self, host: Host, base: Any) -> None:
        self._host = host
        self._clock = host.clock
        self._base = base

    def __getattr__(self, name: str) -> Any:
        # What only the networks of event loops have.
        return getattr(self._base, name)

    def now(self) -> float:
        """Seconds of the virtual clock."""
        return self._clock.now

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds of the virtual clock."""
        if seconds > 0:
            self.waiter().wait(seconds)
        else:
            self._base.sleep(0)

    def resolve(
        self, host: str, port: int, timeout: Optional[float]
    ) -> "list[FakeAddress]":
        """The server, which has every name."""
        return [FakeAddress(socket.AF_INET, (host, port))]

    def connect(
        self, address: FakeAddress, timeout: Optional[float], sockets: Any = None
    ) -> FakeStream:
        """A connection to the server."""
        self._base.sleep(0)
        return FakeStream(self._host.connect(address.sockaddr), self._base, self._host.cut)

    def in_thread(self, function: Callable[[], T], timeout: Optional[float]) -> T:
        """What a function returns that blocks."""
        value: T = self._base.in_thread(function, timeout)
        return value

    def on_clock(self, kind: Any, make_host: Any) -> FakeUnderWay:
        """What a flow has under way, with the pauses of the virtual clock; nothing yet."""
        return FakeUnderWay(self._clock, self._base, kind, make_host)

    def waiter(self) -> FakeWaiter:
        """A new waiter, not set."""
        return FakeWaiter(self._clock, self._base)

    def lock(self) -> AbstractContextManager[Any]:
        """A lock for a pool's state."""
        lock: AbstractContextManager[Any] = self._base.lock()
        return lock
