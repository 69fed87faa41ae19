"""The bytes on their way from the server to a client."""

import errno
from collections.abc import Callable
from typing import Optional

from typing_extensions import Literal

from meshapi.testing.fake.clock import Changing, VirtualClock
from meshapi.testing.fake.faults import ByteFault, Damage

HIGH_WATER = 64 * 1024
"""Bytes that nobody has read, from which the application has to wait before it sends more; as with
uvicorn."""


class Pipe(Changing):
    """One connection, as its client sees it: what has arrived, and how it has ended.

    Attributes:
        number: of the connection, from 1.
        deliver: takes bytes of the client.
        left: is called when the client closes the connection.
        drained: is called when the client has read what was there.
    """

    deliver: Callable[[bytes], None]
    left: Callable[[], None]
    drained: Callable[[], None]

    def __init__(self, clock: VirtualClock, number: int) -> None:
        super().__init__(clock)
        self.clock = clock
        self.number = number
        self.arrived = bytearray()
        self.ended: Optional[Literal["lost", "reset", "left"]] = None
        self._damage: Optional[Damage] = None

    # The server's side.

    def damage(self, fault: Optional[ByteFault]) -> None:
        """Have a fault happen to the next response; None for no fault."""
        self._damage = None if fault is None else Damage(fault)

    def send(self, data: bytes, *, head: bool = False) -> None:
        """Send bytes of a response."""
        if self.ended is not None or not data:
            return
        damage = self._damage
        if damage is not None:
            data = damage.head(data) if head else damage.body(data)
        self.arrived += data
        if damage is not None and damage.ends is not None:
            self.end(damage.ends)
        elif data:
            self.changed()

    def end(self, how: Literal["lost", "reset"] = "lost") -> None:
        """Close the connection. What has arrived can still be read."""
        if self.ended is None:
            if self._damage is not None and self._damage.stalls:
                return  # the client does not learn of it
            self.ended = how
            self.changed()
            self.left()

    # The client's side.

    @property
    def is_readable(self) -> bool:
        """Whether a read would not wait."""
        return bool(self.arrived) or self.ended is not None

    def take(self, most: int) -> bytes:
        """Return what has arrived; `b""` at the end.

        Raises:
            ConnectionResetError: the connection was reset.
        """
        if not self.arrived:
            if self.ended == "reset":
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            return b""
        data = bytes(self.arrived[:most])
        del self.arrived[:most]
        if not self.arrived:
            self.drained()
        return data

    def put(self, data: bytes) -> None:
        """Take bytes of the client.

        Raises:
            BrokenPipeError: the connection has ended.
        """
        if self.ended is not None:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        self.deliver(data)

    def leave(self) -> None:
        """Close the connection, from the client's side. Harmless twice."""
        if self.ended != "left":
            was_open = self.ended is None
            self.ended = "left"
            self.arrived.clear()
            if was_open:
                self.left()
            self.changed()
