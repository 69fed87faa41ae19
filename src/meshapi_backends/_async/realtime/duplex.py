"""A connection that is read and written at the same time, plain or with TLS on it.

What makes it safe for several tasks or threads, and to cancel anywhere:

- bytes to send wait in one queue, in the order in which they were made, under the lock: a frame
  is in it whole or not at all, and what is in it is sent, whoever has to do it;
- what the system takes at once is sent under the lock, unless somebody is sending already; else
  one at a time sends from the queue (`AsyncTurns`), a piece at a time, and each who waits for its
  own bytes looks again after every piece, and goes on with the sending where the last one stopped;
- a Ctrl-C within a send closes the connection, as nobody knows what of the piece went out;
- the queue is bounded: who finds too much in it waits before anything is made.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._async.realtime.turns import AsyncTurns
from meshapi_backends._failures import seconds_until

if TYPE_CHECKING:
    from meshapi_backends._networks.tls import TLSState

# Bytes handed to the system at once.
_PIECE = 64 * 1024

# Reads of the system's for one look at what has arrived: the longest record takes two, and records
# without content, such as new keys and session tickets, could be sent without an end.
_MOST_READS = 16

# Bytes that may wait to be sent before those who want to add to them have to wait.
_HIGH_WATER = 1024 * 1024


class AsyncDuplexStream:
    """A connection for one who reads and any number who write.

    Args:
        stream: is taken over; its handshake is done.
        network: its clock and its waiters.

    Attributes:
        lock: guards the queue, and whatever must be in step with it.
    """

    def __init__(self, stream: AsyncNetworkStream, network: AsyncNetwork) -> None:
        self._stream, self._tls = stream.shared()
        self._network = network
        self.lock = network.lock()
        self._sending = AsyncTurns(network, self.lock)
        self._unsent = bytearray()
        # All bytes that were ever put into the queue.
        self._queued = 0

    def read(self, timeout: Optional[float]) -> Awaitable[bytes]:
        """Some bytes; `b""` at the end of input.

        Raises:
            OSError, TimeoutError: the connection broke, or the time is over; nothing is lost.
        """
        if self._tls is None:
            return self._stream.read(timeout)
        return self._read_tls(self._tls, timeout)

    async def _read_tls(self, tls: "TLSState", timeout: Optional[float]) -> bytes:
        end = self._end(timeout)
        while True:
            data = self._decrypted(tls)
            if data is not None:
                return data
            self._take_in(tls, await self._stream.read(seconds_until(end, self._network.now)))

    async def read_ready(self) -> Optional[bytes]:
        """What has arrived, without waiting for more; None where that is nothing."""
        if self._tls is None:
            return await self._stream.read_ready()
        for _ in range(_MOST_READS):
            data = self._decrypted(self._tls)
            if data is not None:
                return data
            received = await self._stream.read_ready()
            if received is None:
                return None
            self._take_in(self._tls, received)
        return None

    def _decrypted(self, tls: "TLSState") -> Optional[bytes]:
        with self.lock:
            data = tls.read()
            # Reading may have produced a response, such as a key update.
            self._put(tls.data_to_send())
        return data

    def _take_in(self, tls: "TLSState", received: bytes) -> None:
        with self.lock:
            tls.receive_data(received)

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read."""
        if self._tls is not None:
            # OpenSSL's state must not be looked at while another thread is at it.
            with self.lock:
                if self._tls.readable:
                    return True
        return self._stream.readable

    @property
    def unsent(self) -> int:
        """Bytes that wait in the queue."""
        return len(self._unsent)

    def queue(self, data: bytes) -> None:
        """Put bytes into the queue, where `flush` or the next writer finds them.

        The lock is held. This is for the few bytes of responses: nobody waits for room.
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

    async def write(self, make: Callable[[], bytes], timeout: Optional[float]) -> None:
        """Send bytes, and wait until the system (or its event loop) has taken them.

        Cancelled before the bytes were made, nothing is sent; afterwards they are sent whole, by
        the next one who writes or flushes.

        Args:
            make: gives the bytes; called with the lock held, when there is room for them.
            timeout: seconds for all of it.

        Raises:
            OSError, TimeoutError: the connection broke, or the time is over.
        """
        with self.lock:
            goal = self._queue_if_room(make)
            # Mostly nobody else is sending, and the system takes all there is at once.
            if goal is not None and self._send_now():
                return
        end = self._end(timeout)
        while goal is None:
            with self.lock:
                room = self._queued - _HIGH_WATER
            await self._send_until(room, end)
            with self.lock:
                goal = self._queue_if_room(make)
        await self._send_until(goal, end)

    def _queue_if_room(self, make: Callable[[], bytes]) -> Optional[int]:
        """Make and queue bytes; how many of all must be sent then. None: there is no room."""
        if len(self._unsent) > _HIGH_WATER:
            return None
        self.queue(make())
        return self._queued

    def _send_now(self) -> bool:
        """Send what can be sent without waiting; True if that was all. The lock is held."""
        if self._sending.taken or len(self._unsent) > _PIECE:
            return False
        try:
            del self._unsent[: self._stream.send_now(self._unsent)]
        except KeyboardInterrupt:
            self.abort()
            raise
        return not self._unsent

    async def flush(self) -> None:
        """Send what waits in the queue, as far as that is possible without waiting."""
        while True:
            with self.lock:
                if not self._unsent or self._sending.taken or not self._stream.writable:
                    return
                piece = self._take_piece()
            if piece is not None:
                await self._send(piece, None)

    async def _send_until(self, goal: int, end: Optional[float]) -> None:
        """Send, or let others send, until so many of all queued bytes are sent."""
        while True:
            with self.lock:
                if self._queued - len(self._unsent) >= goal:
                    return
                piece = self._take_piece()
                waiter = self._sending.take() if piece is None else None
            if piece is not None:
                await self._send(piece, end)
            elif waiter is not None:
                await self._sending.wait(waiter, seconds_until(end, self._network.now))

    def _take_piece(self) -> Optional[bytes]:
        """What to send next, and the turn with it; None: somebody else has it. The lock is held."""
        if self._sending.taken:
            return None
        self._sending.take()
        return bytes(self._unsent[:_PIECE])

    async def _send(self, piece: bytes, end: Optional[float]) -> None:
        """Send from a piece, and end the turn."""
        try:
            sent = await self._stream.write_some(piece, seconds_until(end, self._network.now))
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
