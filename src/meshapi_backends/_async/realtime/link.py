"""One connection of a realtime session: sends, receives, and ends.

It moves bytes between the connection and the core's machine: `AsyncReader` those that arrive,
`AsyncDuplexStream` those to send.
"""

from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

from meshapi_backends._async.connections import AsyncConnection, AsyncConnectionPool
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.realtime.duplex import AsyncDuplexStream
from meshapi_backends._async.realtime.inbox import AsyncInbox
from meshapi_backends._async.realtime.reader import LAST_WORDS, AsyncReader
from meshapi_core import Closed, RealtimeConnection, RealtimeMessage

# Sends after which other tasks get a turn, even if none of the sends had to wait.
_SENDS_IN_A_ROW = 16

_NO_RESPONSE = "the peer did not respond to the close"


class Outgoing:
    """Text messages that are sent together or not at all.

    Args:
        texts: the messages.
        queued: is called when it is sure that they will be sent, unless the connection breaks.
        number: of the one link on which to send them; None for any.
    """

    def __init__(
        self, texts: Sequence[str], queued: Callable[[], object], number: Optional[int]
    ) -> None:
        self._texts = texts
        self._queued = queued
        self._number = number

    def is_for(self, link: "AsyncLink") -> bool:
        """Whether they may be sent on this link."""
        return self._number is None or self._number == link.number

    def made(self, websocket: Any) -> bytes:
        """The bytes of the messages."""
        data = b"".join([websocket.send_text(text) for text in self._texts])
        self._queued()
        return data


class AsyncLink:
    """One connection of a session, from its upgrade to its end.

    Its methods raise OSError for errors of the system, and TimeoutError when a time limit runs out.

    Args:
        pool: the connection's pool, to be told of its end.
        network: the clock, and how to sleep.
        connection: belongs to the link from now on.
        machine: the core's machine for the session on this connection.
        inbox: takes the messages that arrive.

    Attributes:
        machine: as given.
        reader: reads the connection.
        number: how many links the session had before this one.
    """

    number = 0

    def __init__(
        self,
        pool: AsyncConnectionPool,
        network: AsyncNetwork,
        connection: AsyncConnection,
        machine: RealtimeConnection,
        inbox: AsyncInbox,
    ) -> None:
        self._pool = pool
        self._network = network
        self._connection: Optional[AsyncConnection] = connection
        self.machine = machine
        self._inbox = inbox
        self._wire = AsyncDuplexStream(connection.stream, network)
        self._lock = self._wire.lock
        self.reader = AsyncReader(self._wire, machine, inbox, network)

    async def receive(self, end: Optional[float]) -> Union[RealtimeMessage, Closed]:
        """The next message; or how the connection ended, and the same from then on."""
        while True:
            with self._lock:
                event = self._inbox.take() or self.machine.closed
                if event is not None:
                    return event
                waiter = self.reader.turns.take()
            await self.reader.read(waiter, end)

    async def send(self, outgoing: Union[str, Outgoing], timeout: Optional[float]) -> None:
        """Send text messages; then handle what has arrived, unless another task is reading.

        Raises:
            RealtimeConnectionClosed: the connection has ended.
        """
        reader = self.reader
        if isinstance(outgoing, str):
            await self._wire.write(lambda: self.machine.websocket.send_text(outgoing), timeout)
        else:
            await self._wire.write(lambda: outgoing.made(self.machine.websocket), timeout)
        reader.sends += 1
        if reader.sends % _SENDS_IN_A_ROW == 0:
            await self._network.sleep(0)
        # Not after the first since the last read: a program that alternates reads often enough.
        looked_after = reader.sends == 1 or reader.turns.taken
        if not looked_after and (reader.has_more or self._wire.readable):
            await reader.look_at_input()

    async def close(self, code: int, reason: str, timeout: float) -> None:
        """Send a Close, wait for the gateway's, and close the connection in any case."""
        end = self._network.now() + timeout
        try:
            await self._wire.write(lambda: self.machine.close(code, reason), timeout)
            await self.reader.wait_until_closed(end)
        except OSError:
            pass
        finally:
            with self._lock:
                self.machine.connection_lost("disconnected", _NO_RESPONSE)
                self.reader.collect()
                # If there is still more, the gateway floods us: stop looking for its Close.
                self.machine.abandon("disconnected", _NO_RESPONSE)
            self.abort()

    def put_first(self, text: str) -> None:
        """Queue a text message before all others; `begin` sends it."""
        with self._lock:
            self._wire.queue(self.machine.websocket.send_text(text))

    async def begin(self) -> None:
        """Handle what arrived together with the 101, and send what is queued."""
        with self._lock:
            self.reader.collect()
        try:
            await self._wire.flush()
        except OSError:
            pass  # the next send or receive will raise it

    async def broke(self, exc: OSError) -> None:
        """Note that nothing can be sent any more, after reading whether the gateway says why."""
        try:
            await self.reader.wait_until_closed(self._network.now() + LAST_WORDS)
        except TimeoutError:
            self.reader.lost(exc)

    def abort(self) -> None:
        """Close at once. Harmless twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection)

    def __del__(self) -> None:
        connection = vars(self).get("_connection")
        if connection is not None:
            self._pool.drop(connection)
