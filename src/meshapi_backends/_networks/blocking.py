"""The network on blocking sockets: connections, name look-ups, clock, waiters."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Optional, TypeVar

from meshapi_backends._failures import mark_interrupt
from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.readiness import (
    is_readable,
    is_writable,
    look_at,
    poll,
    wait_connected,
)
from meshapi_backends._networks.shutdown import shut_down
from meshapi_backends._networks.socket_options import (
    CONNECTING,
    DEFAULT_OPTIONS,
    new_socket,
    set_options,
)
from meshapi_backends._scopes import check_ended, waiting
from meshapi_core import AwaitAttempts, Dialing, SocketOptions, StartAttempt

T = TypeVar("T")

_READ_SIZE = 64 * 1024
_ONE_READ = (_READ_SIZE,)

# Seconds between two checks, while connecting, whether the scope has ended. On some systems nobody
# is woken when a socket is shut down before it is connected.
_LOOK_AGAIN = 0.25


class NetworkStream:
    """A TCP connection on a blocking socket. See `networks.NetworkStream`."""

    __slots__ = ("_arrived", "_closed", "_look", "_sock", "_timeout", "_unsent")

    # TCP itself tells a proper end (FIN) from a broken connection.
    cut = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._closed = False
        self._arrived: deque[bytes] = deque()
        # The rest of an interrupted write; the next read or write sends it first.
        self._unsent = b""
        self._timeout: Optional[float] = None
        self._look = look_at(sock)
        sock.settimeout(None)

    def read(self, timeout: Optional[float]) -> bytes:
        if self._unsent:
            self.write(b"", timeout)
        arrived = self._arrived
        if not arrived:
            if timeout != self._timeout:
                self._limit(timeout)
            try:
                # Receive and keep in one call into C. Signal handlers run when it returns, and what
                # they raise must not lose the bytes.
                arrived.extend(map(self._sock.recv, _ONE_READ))
            except OSError as exc:
                if not mark_interrupt(exc) and isinstance(exc, socket.timeout):
                    raise _limit_or(exc) from None
                raise
        return arrived.popleft()

    def read_ready(self) -> Optional[bytes]:
        return self.read(None) if self.readable else None

    def write(self, data: bytes, timeout: Optional[float]) -> None:
        if self._unsent:
            data, self._unsent = self._unsent + data, b""
        if timeout != self._timeout:
            self._limit(timeout)
        end = None
        sent: list[int] = []
        try:
            # Send and count in one call into C. A signal can end a send that has sent a part, and
            # what its handler then raises must not lose the count: the part would be sent twice.
            sent += map(self._sock.send, (data,))
            # Nearly always the system takes all of it at once.
            if sent[0] == len(data):
                return
            while True:
                rest = memoryview(data)[sum(sent) :]
                if not rest:
                    return
                if timeout is not None:
                    end = end or time.monotonic() + timeout
                    self._limit(end - time.monotonic())
                sent += map(self._sock.send, (rest,))
        except OSError as exc:
            if mark_interrupt(exc):
                self._unsent = data[sum(sent) :]
            elif isinstance(exc, socket.timeout):
                raise _limit_or(exc) from None
            raise
        except BaseException:
            self._unsent = data[sum(sent) :]
            raise

    @property
    def readable(self) -> bool:
        return self._closed or bool(self._arrived) or bool(self._look())

    def shared(self) -> "tuple[SharedNetworkStream, None]":
        return SharedNetworkStream(self._sock), None

    def abort(self) -> None:
        # Closing alone would leave another thread blocked in recv() for ever.
        self.hang_up()
        self.forget()

    def hang_up(self) -> None:
        shut_down(self._sock)

    def forget(self) -> None:
        self._closed = True
        self._sock.close()

    abandon = abort

    def _limit(self, timeout: Optional[float]) -> None:
        # A cached value, as each change is a system call and most reads have the same limit.
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        self._sock.settimeout(timeout)
        self._timeout = timeout


class SharedNetworkStream:
    """A TCP connection for two threads. See `networks.SharedNetworkStream`.

    A socket has one time limit for both directions, and setting it would affect the other thread's
    calls. So this socket never blocks, and each thread waits in a poll of its own.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    def read(self, timeout: Optional[float]) -> bytes:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._sock.recv(_READ_SIZE)
            except (BlockingIOError, InterruptedError):
                _wait_for(self._sock, end, write=False)

    def read_ready(self) -> Optional[bytes]:
        return self.read(None) if self.readable else None

    def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                _wait_for(self._sock, end, write=True)

    def send_now(self, data: bytearray) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    @property
    def readable(self) -> bool:
        return is_readable(self._sock)

    @property
    def writable(self) -> bool:
        return is_writable(self._sock)

    def abort(self) -> None:
        shut_down(self._sock)
        self._sock.close()


def _connect(sock: socket.socket, address: Address, timeout: Optional[float]) -> None:
    """Connect, but not with `sock.connect`, which on some systems cannot be woken.

    Raises:
        TimeoutError: the time is over.
        WaitEnded: the current scope has been ended.
    """
    end = None if timeout is None else time.monotonic() + timeout
    code = sock.connect_ex(address.sockaddr)
    if code in CONNECTING:
        while not poll(sock, _sooner(end), write=True):
            check_ended()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError
        check_ended()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


class _Attempts:
    """Sockets that connect at the same time; does what a `Dialing` says."""

    def __init__(self, dialing: Dialing[Address], sockets: SocketOptions) -> None:
        self._dialing = dialing
        self._sockets = sockets
        self._open: dict[int, socket.socket] = {}

    def run(self) -> socket.socket:
        """The socket that has connected first; it is the caller's from then on.

        Raises:
            OSError, TimeoutError, TransportError: none has connected.
            WaitEnded: the current scope has been ended.
        """
        while True:
            action = self._dialing.next_action(time.monotonic())
            if isinstance(action, StartAttempt):
                self._start(action)
            elif isinstance(action, AwaitAttempts):
                self._wait(action.until)
            else:
                return self._open.pop(action.number)

    def _start(self, action: StartAttempt[Address]) -> None:
        number = action.number
        try:
            sock = self._open[number] = new_socket(action.address, self._sockets)
        except OSError as exc:
            self._dialing.failed(number, exc, time.monotonic())
            return
        code = sock.connect_ex(action.address.sockaddr)
        if code not in CONNECTING:
            self._report(number, code)

    def _wait(self, until: Optional[float]) -> None:
        ready = wait_connected([*self._open.values()], _sooner(until))
        check_ended()
        for number, sock in [*self._open.items()]:
            if sock in ready:
                self._report(number, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _report(self, number: int, code: int) -> None:
        if not code:
            self._dialing.connected(number)
            return
        self._open.pop(number).close()
        self._dialing.failed(number, OSError(code, os.strerror(code)), time.monotonic())

    def shut_down(self) -> None:
        """Wake the thread that waits, from another one."""
        for sock in [*self._open.values()]:
            shut_down(sock)

    def close(self) -> None:
        """Close the sockets that are left."""
        while self._open:
            self._open.popitem()[1].close()


def _sooner(end: Optional[float]) -> float:
    return _LOOK_AGAIN if end is None else max(0.0, min(_LOOK_AGAIN, end - time.monotonic()))


def _wait_for(sock: socket.socket, end: Optional[float], *, write: bool) -> None:
    """Wait until a socket can be read, or written to.

    Raises:
        TimeoutError: the time is over.
    """
    left = None if end is None else end - time.monotonic()
    if (left is not None and left <= 0) or not poll(sock, left, write=write):
        raise TimeoutError


def _limit_or(exc: OSError) -> OSError:
    # Since Python 3.10 our limit and the system's ETIMEDOUT raise the same class.
    return TimeoutError() if exc.errno is None else exc


class Waiter:
    """An event that one thread waits for and another sets."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def set_from_thread(self) -> None:
        """The same as `set()`: here every caller is a thread."""
        self.set()

    def wait(self, timeout: Optional[float]) -> bool:
        return self._event.wait(timeout)


class SocketNetwork:
    """The network and clock of a blocking program."""

    # Called several times per call, so without a function of ours in between.
    now = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        # Loaded with the first connection: many programs that import us open none.
        from meshapi_backends._networks.resolving import looking_up, numeric_address

        numeric = numeric_address(host, port)
        if numeric is not None:
            return [numeric]
        waiter = Waiter()
        with looking_up(host, port, waiter) as look_up:
            in_time = waiter.wait(timeout)
        return look_up.addresses(in_time)

    def connect(
        self, address: Address, timeout: Optional[float], sockets: SocketOptions = DEFAULT_OPTIONS
    ) -> NetworkStream:
        sock = new_socket(address, sockets)
        try:
            with waiting(partial(shut_down, sock)):
                _connect(sock, address, timeout)
            return self.adopt(sock, sockets)
        except BaseException:
            sock.close()
            raise

    def connect_first(self, dialing: Dialing[Address], sockets: SocketOptions) -> NetworkStream:
        attempts = _Attempts(dialing, sockets)
        try:
            with waiting(attempts.shut_down):
                sock = attempts.run()
            return self.adopt(sock, sockets)
        finally:
            attempts.close()

    def adopt(self, sock: socket.socket, sockets: SocketOptions) -> NetworkStream:
        try:
            set_options(sock, sockets)
            return NetworkStream(sock)
        except BaseException:
            sock.close()
            raise

    def in_thread(self, function: Callable[[], T], timeout: Optional[float]) -> T:
        # The caller has a thread of its own, which may block.
        return function()

    def waiter(self) -> Waiter:
        return Waiter()

    def lock(self) -> AbstractContextManager[Any]:
        return threading.Lock()


NETWORK = SocketNetwork()


def current_blocking_network() -> SocketNetwork:
    """The network of blocking programs; there is only one."""
    return NETWORK
