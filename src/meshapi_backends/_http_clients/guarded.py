"""HTTP/2 connections of httpcore's that threads share, with the locks that they lack.

httpcore locks its own state, but not that of `h2`: two threads take the same stream ID, compress
headers in another order than they send them, or lose what the other has buffered. Nor may two
threads use one TLS connection of OpenSSL's at the same time, and a socket has one time limit for
both directions. On an event loop none of this happens.

Source: https://github.com/python/cpython/issues/124984 (TLS),
    https://python-hyper.org/projects/h2/en/stable/basic-usage.html
"""

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Optional, TypeVar

import h2.connection
import h2.events

from meshapi_backends._http_clients.sockets import shut_down
from meshapi_backends._networks.readiness import poll

T = TypeVar("T")


class Guard:
    """A lock that a thread can keep from one call to the next, as the one depends on the other."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._is_kept = False

    def keep(self) -> None:
        """Keep the lock until `drop`. Only while holding it; harmless twice."""
        if not self._is_kept:
            self.lock.acquire()
            self._is_kept = True
            _KEPT.guard = self

    def drop(self) -> None:
        """Stop keeping the lock. Only while holding it; harmless twice."""
        if self._is_kept:
            self._is_kept = False
            _KEPT.guard = None
            self.lock.release()


class _Kept(threading.local):
    guard: Optional[Guard] = None


_KEPT = _Kept()


def drop_kept() -> None:
    """Drop the guard that this thread keeps, if an exception came between two calls."""
    if _KEPT.guard is not None:
        _KEPT.guard.drop()


class GuardedConnection(h2.connection.H2Connection):
    """The state of an HTTP/2 connection, for many threads.

    Between taking a stream ID and sending headers with it, no other thread may send headers: IDs
    must be sent in ascending order. Between asking how much may be sent and sending it, no other
    thread may send data. Nothing waits in between.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config=config)
        self._guard = Guard()

    def get_next_available_stream_id(self) -> int:
        """See `H2Connection`. The calling thread must send headers next."""
        with self._guard.lock:
            stream = super().get_next_available_stream_id()
            self._guard.keep()
            return stream

    def send_headers(self, *args: Any, **kwargs: Any) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            try:
                super().send_headers(*args, **kwargs)
            finally:
                self._guard.drop()

    def local_flow_control_window(self, stream_id: int) -> int:
        """See `H2Connection`. The calling thread must send data next, if it may."""
        with self._guard.lock:
            window = super().local_flow_control_window(stream_id)
            if window > 0:
                self._guard.keep()
            return window

    def send_data(self, *args: Any, **kwargs: Any) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            try:
                super().send_data(*args, **kwargs)
            finally:
                self._guard.drop()

    def end_stream(self, stream_id: int) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            try:
                super().end_stream(stream_id)
            finally:
                self._guard.drop()

    def increment_flow_control_window(
        self, increment: int, stream_id: Optional[int] = None
    ) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            super().increment_flow_control_window(increment, stream_id)

    def acknowledge_received_data(self, acknowledged_size: int, stream_id: int) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            super().acknowledge_received_data(acknowledged_size, stream_id)

    def receive_data(self, data: Any) -> list[h2.events.Event]:
        """See `H2Connection`."""
        with self._guard.lock:
            return super().receive_data(data)

    def data_to_send(self, amount: Optional[int] = None) -> bytes:
        """See `H2Connection`."""
        with self._guard.lock:
            return super().data_to_send(amount)

    def close_connection(self, *args: Any, **kwargs: Any) -> None:
        """See `H2Connection`."""
        with self._guard.lock:
            super().close_connection(*args, **kwargs)


def guard_connections(connections: Iterable[Any], lock: threading.Lock) -> None:
    """Guard the new HTTP/2 connections of a pool, before their first byte is sent.

    Under a lock of the pool's, so that no connection is guarded twice.

    By private names of httpcore's. Should these change, the connections stay as httpcore made them.
    """
    for connection in connections:
        while connection is not None and not hasattr(connection, "_h2_state"):
            connection = getattr(connection, "_connection", None)
        if connection is None:
            continue
        with lock:
            state = connection._h2_state
            if not isinstance(state, GuardedConnection):
                connection._h2_state = GuardedConnection(state.config)


class GuardedStream:
    """A network stream of httpcore's, for a thread that reads and others that write.

    The socket never blocks, and each thread waits in a poll of its own.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._library: Any = sys.modules[type(stream).__module__.partition(".")[0]]
        self._sock: socket.socket = stream.get_extra_info("socket")
        self._sock.setblocking(False)
        self._lock = threading.Lock()
        is_nested = isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject)
        self._layer: Any = _InnerTLS(stream, self._sock) if is_nested else self._sock

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        """Read some bytes."""
        try:
            return self._perform(partial(self._receive, max_bytes), timeout, write=False)
        except TimeoutError as exc:
            raise self._library.ReadTimeout(str(exc)) from exc
        except OSError as exc:
            raise self._library.ReadError(str(exc)) from exc

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        """Write all bytes."""
        view = memoryview(buffer)
        try:
            while view:
                sent = self._perform(partial(self._send, view), timeout, write=True)
                view = view[sent:]
            if isinstance(self._layer, _InnerTLS):
                self._perform(self._layer.flush, timeout, write=True)
        except TimeoutError as exc:
            raise self._library.WriteTimeout(str(exc)) from exc
        except OSError as exc:
            raise self._library.WriteError(str(exc)) from exc

    def _receive(self, max_bytes: int) -> bytes:
        data: bytes = self._layer.recv(max_bytes)
        return data

    def _send(self, data: memoryview) -> int:
        sent: int = self._layer.send(data)
        return sent

    def _perform(self, operation: Callable[[], T], timeout: Optional[float], *, write: bool) -> T:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                with self._lock:
                    return operation()
            except (BlockingIOError, InterruptedError):
                waits_to_write = write
            except ssl.SSLWantReadError:
                waits_to_write = False
            except ssl.SSLWantWriteError:
                waits_to_write = True
            left = None if end is None else max(0.0, end - time.monotonic())
            if not poll(self._sock, left, write=waits_to_write):
                raise TimeoutError("timed out")

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        """Start TLS."""
        return self._stream.start_tls(*args, **kwargs)

    def close(self) -> None:
        """Close the stream, and wake the threads that wait for it."""
        shut_down(self._sock)
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what the library knows of the stream."""
        return self._stream.get_extra_info(info)


class _InnerTLS:
    """The TLS with a server inside the TLS with an https proxy, by private names of httpcore's.

    Has the methods of a socket that never blocks; `sock` is the connection to the proxy.
    """

    def __init__(self, stream: Any, sock: Any) -> None:
        self._tls: ssl.SSLObject = stream.get_extra_info("ssl_object")
        self._incoming: ssl.MemoryBIO = stream._incoming
        self._outgoing: ssl.MemoryBIO = stream._outgoing
        self._sock = sock
        self._unsent = b""

    def recv(self, max_bytes: int) -> bytes:
        while True:
            self.flush()
            try:
                return self._tls.read(max_bytes)
            except ssl.SSLWantReadError:
                data = self._sock.recv(max_bytes)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def send(self, data: memoryview) -> int:
        self.flush()
        return self._tls.write(data)

    def flush(self) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
