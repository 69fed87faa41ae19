"""Blocking sockets."""

import math
import select
import socket
import threading
import time
from contextlib import AbstractContextManager
from typing import Any, Optional

from meshapi_backends._addresses import Address

_READ_SIZE = 64 * 1024


class ByteStream:
    """A TCP connection on a blocking socket. See `transports.ByteStream`."""

    __slots__ = ("_closed", "_sock", "_timeout")

    # TCP says how it ends.
    cut = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._closed = False
        self._timeout: Optional[float] = None
        sock.settimeout(None)

    def read(self, timeout: Optional[float]) -> bytes:
        self._limit(timeout)
        try:
            return self._sock.recv(_READ_SIZE)
        except socket.timeout as exc:
            raise _limit_or(exc) from None

    def read_ready(self) -> Optional[bytes]:
        return self.read(None) if self.readable else None

    def write(self, data: bytes, timeout: Optional[float]) -> None:
        self._limit(timeout)
        try:
            self._sock.sendall(data)
        except socket.timeout as exc:
            raise _limit_or(exc) from None

    @property
    def readable(self) -> bool:
        return self._closed or is_readable(self._sock)

    def shared(self) -> "tuple[SharedByteStream, None]":
        return SharedByteStream(self._sock), None

    def abort(self) -> None:
        # Closing alone would leave another thread's recv asleep for ever.
        self.hang_up()
        self.forget()

    def hang_up(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # never connected, or gone already

    def forget(self) -> None:
        self._closed = True
        self._sock.close()

    def _limit(self, timeout: Optional[float]) -> None:
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        # Each change is a system call; most calls use the same limit again and again.
        if timeout != self._timeout:
            self._sock.settimeout(timeout)
            self._timeout = timeout


class SharedByteStream:
    """A TCP connection for two threads. See `transports.SharedByteStream`.

    The time limit of a socket is one for both directions, and setting it changes how the other
    thread's calls behave: so this one never blocks, and each thread waits in a poll of its own.
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
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # gone already
        self._sock.close()


def _wait_for(sock: socket.socket, end: Optional[float], *, write: bool) -> None:
    """Wait until a socket can be read, or written to.

    Raises:
        TimeoutError: the time is over.
    """
    left = None if end is None else end - time.monotonic()
    if (left is not None and left <= 0) or not _poll(sock, left, write=write):
        raise TimeoutError


def _limit_or(exc: OSError) -> OSError:
    # From Python 3.10 on the same class tells of our limit and of the system's ETIMEDOUT.
    return TimeoutError() if exc.errno is None else exc


def is_readable(sock: socket.socket) -> bool:
    """Whether reading would not block: bytes, the end, or an error is there."""
    return _poll(sock, 0, write=False)


def is_writable(sock: socket.socket) -> bool:
    """Whether writing some bytes would not block: there is room, or an error is there."""
    return _poll(sock, 0, write=True)


def _poll(sock: socket.socket, timeout: Optional[float], *, write: bool) -> bool:
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLOUT if write else select.POLLIN)
            # Milliseconds; upwards, so that nobody wakes up too early for nothing.
            return bool(poll.poll(None if timeout is None else math.ceil(timeout * 1000)))
        # Windows; its select has no limit on descriptors, other than elsewhere.
        readers, writers = ([], [sock]) if write else ([sock], [])
        return any(select.select(readers, writers, [], timeout))
    except (OSError, ValueError):
        return True  # closed under our feet: the next call will tell


class Waiter:
    """One thread waits, another wakes it."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self, timeout: Optional[float]) -> bool:
        return self._event.wait(timeout)


class Network:
    """The network and clock of a program that blocks."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        # The system's resolver knows no time limit; it has one of its own.
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [Address(info[0], info[4]) for info in infos]  # type: ignore[arg-type]  # never Bluetooth

    def connect(self, address: Address, timeout: Optional[float]) -> ByteStream:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address.sockaddr)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return ByteStream(sock)
        except socket.timeout as exc:
            sock.close()
            raise _limit_or(exc) from None
        except BaseException:
            sock.close()
            raise

    def waiter(self) -> Waiter:
        return Waiter()

    def lock(self) -> AbstractContextManager[Any]:
        return threading.Lock()


NETWORK = Network()


def current_network() -> Network:
    """The one there is."""
    return NETWORK
