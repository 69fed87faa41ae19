"""The contract of a network.

A network is the basis of a pool of our own connections: network streams, a clock, and a way to
wait. The implementations are in `meshapi_backends/_networks`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from typing_extensions import Protocol

from meshapi_backends._networks.addresses import Address
from meshapi_core import SocketOptions

if TYPE_CHECKING:
    import socket

    from meshapi_backends._networks.tls import TLSState
    from meshapi_core import Dialing

T = TypeVar("T")


class AsyncNetworkStream(Protocol):
    """One TCP or TLS connection, for one task at a time; only `abort` may come from elsewhere.

    Nothing is lost when a method is interrupted: the bytes of a read are left for the next read,
    and the unsent bytes of a write are sent by the next read or write.
    Raises OSError for errors of the system; a TimeoutError without errno is a time limit of ours.
    """

    async def read(self, timeout: Optional[float]) -> bytes:
        """At least one byte; `b""` at the end of input."""
        ...

    async def read_ready(self) -> Optional[bytes]:
        """The bytes that have arrived, without waiting; None if there are none."""
        ...

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Send all the bytes."""
        ...

    @property
    def readable(self) -> bool:
        """Whether there is something to read: bytes, the end of input, or an error."""
        ...

    @property
    def cut(self) -> bool:
        """Whether the input has ended without the end that the protocol demands (a close_notify in
        TLS), so that anybody on the path may have cut it."""
        ...

    def shared(self) -> "tuple[AsyncSharedNetworkStream, Optional[TLSState]]":
        """The connection for one reader alongside one writer, and its TLS state or None.

        The stream itself must not be read or written from then on.
        """
        ...

    def abort(self) -> None:
        """Close at once, without waiting. Wakes whoever reads or writes. Harmless twice."""
        ...

    def hang_up(self) -> None:
        """Shut the connection down, from any thread and without touching an event loop."""
        ...

    def forget(self) -> None:
        """Close our descriptor only: the loop has ended, or is the parent process's."""
        ...

    def abandon(self) -> None:
        """Close from a finaliser: in any thread, whether the loop still runs or not."""
        ...


class AsyncSharedNetworkStream(Protocol):
    """One TCP connection, for one task that reads and one that writes."""

    async def read(self, timeout: Optional[float]) -> bytes:
        """At least one byte; `b""` at the end of input."""
        ...

    async def read_ready(self) -> Optional[bytes]:
        """The bytes that have arrived, without waiting; None if there are none."""
        ...

    async def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        """Send some bytes from the start of the data, and return how many; none if it raises."""
        ...

    def send_now(self, data: bytearray) -> int:
        """Send what the system takes without waiting, and return how many bytes; perhaps 0.

        Always 0 on trio, where every send is a checkpoint.

        Raises:
            OSError: the connection broke.
        """
        ...

    @property
    def readable(self) -> bool:
        """Whether there is something to read: bytes, the end of input, or an error."""
        ...

    @property
    def writable(self) -> bool:
        """Whether some bytes could be sent without waiting."""
        ...

    def abort(self) -> None:
        """Close at once, without waiting. Wakes whoever reads or writes. Harmless twice."""
        ...


class AsyncWaiter(Protocol):
    """An event that one task waits for and another sets, once."""

    def set(self) -> None:
        """Wake the task that waits."""
        ...

    def set_from_thread(self) -> None:
        """The same as `set()`, from any thread."""
        ...

    async def wait(self, timeout: Optional[float]) -> bool:
        """Wait until it is set, and return True; or until the time is over, and return False."""
        ...


class AsyncNetwork(Protocol):
    """The network and the clock of one kind of program: blocking, asyncio or trio."""

    def now(self) -> float:
        """Seconds on a monotonic clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        ...

    async def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        """Every address of a name, in the system's order."""
        ...

    async def connect(
        self, address: Address, timeout: Optional[float], sockets: SocketOptions
    ) -> AsyncNetworkStream:
        """An open TCP connection to one address."""
        ...

    async def connect_first(
        self, dialing: "Dialing[Address]", sockets: SocketOptions
    ) -> AsyncNetworkStream:
        """An open TCP connection to the first of several addresses; what to try when is `dialing`'s
        decision, and so is the time limit."""
        ...

    async def adopt(self, sock: "socket.socket", sockets: SocketOptions) -> AsyncNetworkStream:
        """A network stream on a socket that is connected; if this raises, the socket is closed."""
        ...

    async def in_thread(self, function: Callable[[], T], timeout: Optional[float]) -> T:
        """What a function returns that blocks; an event loop goes on meanwhile.

        If the caller is interrupted or the time is over, the function goes on, and what it returns
        is dropped.
        """
        ...

    def waiter(self) -> AsyncWaiter:
        """A new waiter, not set."""
        ...

    def lock(self) -> AbstractContextManager[Any]:
        """A lock for a pool's state: a real one between threads, uncontended in an event loop."""
        ...
