# Generated from _async/streams.py by `python tools/mirror.py --write`: edit that file.
"""Network streams without sockets."""

from typing import Any, Optional

from meshapi.testing.fake._sync.waiting import wait_until
from meshapi.testing.fake.clock import Wait
from meshapi.testing.fake.server.pipes import Pipe

_PIECE = 64 * 1024


class FakeStream:
    """The client's end of a connection. See `NetworkStream` and `SharedNetworkStream`.

    Args:
        pipe: leads to the server.
        base: the network of the program.
        most: bytes of a piece that is read.
    """

    # Without TLS, nothing says where the input ends.
    cut = False

    def __init__(self, pipe: Pipe, base: Any, most: Optional[int]) -> None:
        self._pipe = pipe
        self._base = base
        self._most = most or _PIECE

    def read(self, timeout: Optional[float]) -> bytes:
        """At least one byte; `b""` at the end of input."""
        pipe, clock = self._pipe, self._pipe.clock
        # Others have a turn, as with a socket, and the caller can be cancelled.
        self._base.sleep(0)
        until = None if timeout is None else clock.now + timeout
        if not wait_until(clock, self._base, lambda: pipe.is_readable, pipe, until):
            raise TimeoutError
        with clock.lock:
            return pipe.take(self._most)

    def read_ready(self) -> Optional[bytes]:
        """The bytes that have arrived, without waiting; None if there are none."""
        with self._pipe.clock.lock:
            return self._pipe.take(self._most) if self._pipe.is_readable else None

    def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Send all the bytes."""
        self._base.sleep(0)
        self.send_now(data)

    def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        """Send the bytes, and return how many there were."""
        self._base.sleep(0)
        return self.send_now(data)

    def send_now(self, data: Any) -> int:
        """Send the bytes without waiting, and return how many there were."""
        with self._pipe.clock.lock:
            self._pipe.clock.activity += 1
            self._pipe.put(bytes(data))
        return len(data)

    @property
    def readable(self) -> bool:
        """Whether there is something to read: bytes, the end of input, or an error."""
        return self._pipe.is_readable

    @property
    def writable(self) -> bool:
        """Always: the server takes everything."""
        return True

    def shared(self) -> "tuple[FakeStream, None]":
        """The connection for one reader alongside one writer."""
        return self, None

    def abort(self) -> None:
        """Close at once, without waiting. Wakes whoever reads. Harmless twice."""
        with self._pipe.clock.lock:
            self._pipe.leave()

    hang_up = forget = abandon = abort


class TimedStream(FakeStream):
    """The same with time limits on the clock of the program's network."""

    def read(self, timeout: Optional[float]) -> bytes:
        """At least one byte; `b""` at the end of input."""
        pipe, base, lock = self._pipe, self._base, self._pipe.clock.lock
        base.sleep(0)
        end = None if timeout is None else base.now() + timeout
        wait = Wait(lambda: pipe.is_readable, None)
        with lock:
            pipe.waits.append(wait)
        try:
            while True:
                with lock:
                    if pipe.is_readable:
                        return pipe.take(self._most)
                    wait.waiter = base.waiter()
                left = None if end is None else end - base.now()
                if left is not None and left <= 0:
                    raise TimeoutError
                wait.waiter.wait(left)
        finally:
            with lock:
                pipe.waits.remove(wait)
