# Generated from _async/realtime/link.py by `python tools/mirror.py --write`: edit that file.
"""One connection of a realtime session: sends, receives, and ends.

It moves bytes between the connection and the core's machine: `Reader` those that come,
`DuplexStream` those that go.
"""

from typing import Optional, Union

from meshapi_backends._sync.connections import Connection, ConnectionPool
from meshapi_backends._sync.networks import Network
from meshapi_backends._sync.realtime.duplex import DuplexStream
from meshapi_backends._sync.realtime.inbox import Inbox
from meshapi_backends._sync.realtime.reader import LAST_WORDS, Reader
from meshapi_core import Closed, RealtimeConnection, RealtimeMessage

# Sends after which others get a turn on the event loop, also where none of them had to wait.
_SENDS_IN_A_ROW = 16

_NOT_ANSWERED = "the close was not answered"


class Link:
    """One connection of a session, from its upgrade to its end.

    Raises OSError for what the system reports, TimeoutError for a limit that is over.

    Args:
        pool: takes the connection back in the end.
        network: keeps the time.
        connection: is the link's from now on.
        machine: knows what is said on it.
        inbox: takes what is received.

    Attributes:
        machine: what is known of the connection.
        reader: reads it.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        network: Network,
        connection: Connection,
        machine: RealtimeConnection,
        inbox: Inbox,
    ) -> None:
        self._pool = pool
        self._network = network
        self._connection: Optional[Connection] = connection
        self.machine = machine
        self._inbox = inbox
        self._wire = DuplexStream(connection.stream, network)
        self._lock = self._wire.lock
        self.reader = Reader(self._wire, machine, inbox, network)

    def receive(self, end: Optional[float]) -> Union[RealtimeMessage, Closed]:
        """The next message; or how the connection ended, now and for ever."""
        while True:
            with self._lock:
                event = self._inbox.take() or self.machine.closed
                if event is not None:
                    return event
                waiter = self.reader.turns.take()
            self.reader.read(waiter, end)

    def send(self, text: str, timeout: Optional[float]) -> None:
        """Send a text message; then see to what has arrived, unless somebody else does.

        Raises:
            RealtimeConnectionClosed: the connection is over.
        """
        reader = self.reader
        self._wire.write(lambda: self.machine.websocket.send_text(text), timeout)
        reader.sends += 1
        if reader.sends % _SENDS_IN_A_ROW == 0:
            self._network.sleep(0)
        # Not after each: whoever sends and receives in turn looks often enough.
        looked_after = reader.sends == 1 or reader.turns.taken
        if not looked_after and (reader.has_more or self._wire.readable):
            reader.look_at_input()

    def close(self, code: int, reason: str, timeout: float) -> None:
        """Say Close, wait for the response, and close the connection, whatever comes of it."""
        end = self._network.now() + timeout
        try:
            self._wire.write(lambda: self.machine.close(code, reason), timeout)
            self.reader.wait_until_closed(end)
        except OSError:
            pass
        finally:
            with self._lock:
                self.machine.connection_lost("disconnected", _NOT_ANSWERED)
                self.reader.collect()
                # What is left is a flood, in which nobody looks for a response any more.
                self.machine.abandon("disconnected", _NOT_ANSWERED)
            self.abort()

    def put_first(self, text: str) -> None:
        """Put a text message before all others; `begin` sends it."""
        with self._lock:
            self._wire.queue(self.machine.websocket.send_text(text))

    def begin(self) -> None:
        """Take what came together with the upgrade, which may need a response."""
        with self._lock:
            self.reader.collect()
        try:
            self._wire.flush()
        except OSError:
            pass  # whoever receives or sends next will find out

    def broke(self, exc: OSError) -> None:
        """Take note that nothing can be sent any more, and of why, if the gateway has said it."""
        try:
            self.reader.wait_until_closed(self._network.now() + LAST_WORDS)
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
