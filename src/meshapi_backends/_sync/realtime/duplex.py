# Generated from _async/realtime/duplex.py by `python tools/mirror.py --write`: edit that file.
"""A connection that is read and written at the same time, plain or with TLS on it.

It is safe for several tasks or threads, and can be cancelled anywhere, because of these rules:

- Bytes to send wait in one queue. They are made and queued under the lock, so a frame is in the
  queue whole or not at all. What is in the queue will be sent, by any of the writers.
- If nobody is sending, a writer sends under the lock what the system takes at once. Otherwise one
  writer at a time (`Turns`) sends from the queue, a piece at a time. After each piece all
  writers check whether their own bytes are sent, and one that has more to send takes the next turn.
- A Ctrl-C within a send closes the connection, as nobody knows how much of the piece was sent.
- The queue is bounded: while it is too long, writers wait before they make their bytes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from meshapi_backends._sync.networks import Network, NetworkStream
from meshapi_backends._sync.realtime.turns import Turns
from meshapi_backends._failures import seconds_until

if TYPE_CHECKING:
    from meshapi_backends._networks.tls import TLSState

# Bytes handed to the system at a time.
_PIECE = 64 * 1024

# Reads in one `read_ready`. The longest TLS record takes two; and a peer could go on for ever with
# records without content, such as key updates and session tickets.
_MOST_READS = 16

# Unsent bytes beyond which writers wait before they add more.
_HIGH_WATER = 1024 * 1024


class DuplexStream:
    """A connection for one reader and any number of writers.

    Args:
        stream: belongs to this object from now on; its handshake is done.
        network: the clock, and the waiters.

    Attributes:
        lock: guards the queue, and all state that has to match it.
    """

    def __init__(self, stream: NetworkStream, network: Network) -> None:
        self._stream, self._tls = stream.shared()
        self._network = network
        self.lock = network.lock()
        self._sending = Turns(network, self.lock)
        self._unsent = bytearray()
        # The number of bytes that were ever put into the queue.
        self._queued = 0

    def read(self, timeout: Optional[float]) -> bytes:
        """Some bytes; `b""` at the end of input.

        Raises:
            OSError: the connection broke.
            TimeoutError: the time is over; nothing is lost.
        """
        if self._tls is None:
            return self._stream.read(timeout)
        return self._read_tls(self._tls, timeout)

    def _read_tls(self, tls: "TLSState", timeout: Optional[float]) -> bytes:
        end = self._end(timeout)
        while True:
            data = self._decrypted(tls)
            if data is not None:
                return data
            self._take_in(tls, self._stream.read(seconds_until(end, self._network.now)))

    def read_ready(self) -> Optional[bytes]:
        """The bytes that have arrived, without waiting; None if there are none."""
        if self._tls is None:
            return self._stream.read_ready()
        for _ in range(_MOST_READS):
            data = self._decrypted(self._tls)
            if data is not None:
                return data
            received = self._stream.read_ready()
            if received is None:
                return None
            self._take_in(self._tls, received)
        return None

    def _decrypted(self, tls: "TLSState") -> Optional[bytes]:
        with self.lock:
            data = tls.read()
            # Reading may produce output, such as a KeyUpdate (RFC 8446, section 4.6.3).
            self._put(tls.data_to_send())
        return data

    def _take_in(self, tls: "TLSState", received: bytes) -> None:
        with self.lock:
            tls.receive_data(received)

    @property
    def readable(self) -> bool:
        """Whether there is something to read."""
        if self._tls is not None:
            # OpenSSL's state must not be read while another thread is using it.
            with self.lock:
                if self._tls.readable:
                    return True
        return self._stream.readable

    @property
    def unsent(self) -> int:
        """The number of bytes in the queue."""
        return len(self._unsent)

    def queue(self, data: bytes) -> None:
        """Put bytes into the queue, for `flush` or the next writer to send.

        The lock must be held. This is for the few bytes of pongs and the like, and does not wait
        for room in the queue.
        """
        if not data:
            return
        if self._tls is None:
            self._put(data)
            return
        rest = self._tls.write(memoryview(data))
        self._put(self._tls.data_to_send())
        if rest:
            raise ConnectionAbortedError(
                "the peer wants to renegotiate TLS in the middle of a session"
            )

    def _put(self, data: bytes) -> None:
        self._unsent += data
        self._queued += len(data)

    def write(self, make: Callable[[], bytes], timeout: Optional[float]) -> None:
        """Send bytes, and wait until the system (or the event loop) has taken them.

        If this is cancelled before the bytes are made, nothing is sent. If it is cancelled later,
        the next writer or `flush` sends them whole.

        Args:
            make: returns the bytes; called with the lock held, when there is room for them.
            timeout: seconds for all of it.

        Raises:
            OSError: the connection broke.
            TimeoutError: the time is over.
        """
        with self.lock:
            goal = self._queue_if_room(make)
            # Usually nobody else is sending, and the system takes everything at once.
            if goal is not None and self._send_now():
                return
        end = self._end(timeout)
        while goal is None:
            with self.lock:
                room = self._queued - _HIGH_WATER
            self._send_until(room, end)
            with self.lock:
                goal = self._queue_if_room(make)
        self._send_until(goal, end)

    def _queue_if_room(self, make: Callable[[], bytes]) -> Optional[int]:
        """Make and queue bytes, and return `_queued` up to them; None if there is no room."""
        if len(self._unsent) > _HIGH_WATER:
            return None
        self.queue(make())
        return self._queued

    def _send_now(self) -> bool:
        """Send what can be sent without waiting; True if that is all. The lock must be held."""
        if self._sending.taken or len(self._unsent) > _PIECE:
            return False
        try:
            del self._unsent[: self._stream.send_now(self._unsent)]
        except KeyboardInterrupt:
            self.abort()
            raise
        return not self._unsent

    def flush(self) -> None:
        """Send from the queue as much as is possible without waiting."""
        while True:
            with self.lock:
                if not self._unsent or self._sending.taken or not self._stream.writable:
                    return
                piece = self._take_piece()
            if piece is not None:
                self._send(piece, None)

    def _send_until(self, goal: int, end: Optional[float]) -> None:
        """Send, or let others send, until `goal` of all bytes ever queued have been sent."""
        while True:
            with self.lock:
                if self._queued - len(self._unsent) >= goal:
                    return
                piece = self._take_piece()
                waiter = self._sending.take() if piece is None else None
            if piece is not None:
                self._send(piece, end)
            elif waiter is not None:
                self._sending.wait(waiter, seconds_until(end, self._network.now))

    def _take_piece(self) -> Optional[bytes]:
        """Take the turn and return what to send; None if another has it. The lock must be held."""
        if self._sending.taken:
            return None
        self._sending.take()
        return bytes(self._unsent[:_PIECE])

    def _send(self, piece: bytes, end: Optional[float]) -> None:
        """Send some of a piece, and end the turn."""
        try:
            sent = self._stream.write_some(piece, seconds_until(end, self._network.now))
            with self.lock:
                del self._unsent[:sent]
        except KeyboardInterrupt:
            self.abort()
            raise
        finally:
            self._sending.give_back()

    def abort(self) -> None:
        """Close at once. Wakes whoever reads or writes. Harmless twice."""
        self._stream.abort()

    def _end(self, timeout: Optional[float]) -> Optional[float]:
        return None if timeout is None else self._network.now() + timeout
