# Generated from _async/networks.py by `python tools/mirror.py --write`: edit that file.
"""What is asked of a network: the whole contract.

A network is what a pool of our own connections stands on: network streams, a clock, and a way to
wait. Those that there are stand in `meshapi_backends/_networks`.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional

from typing_extensions import Protocol

from meshapi_backends._networks.addresses import Address

if TYPE_CHECKING:
    from meshapi_backends._networks.tls import TLSState


class NetworkStream(Protocol):
    """One TCP or TLS connection, for one task at a time; only `abort` may come from elsewhere.

    What is interrupted loses nothing: a read leaves its bytes to the next one, a write what it has
    not sent to the next read or write.
    Raises OSError for what the system reports; a TimeoutError without errno is a limit of ours.
    """

    def read(self, timeout: Optional[float]) -> bytes:
        """Some bytes, at least one; `b""` at the end of input."""
        ...

    def read_ready(self) -> Optional[bytes]:
        """What has arrived, without waiting for more; None where that is nothing."""
        ...

    def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Send all of them."""
        ...

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read: bytes, the end, or an error."""
        ...

    @property
    def cut(self) -> bool:
        """Whether the input has ended without the goodbye that there should have been (TLS's
        close_notify), so that anybody on the way may have ended it."""
        ...

    def shared(self) -> "tuple[SharedNetworkStream, Optional[TLSState]]":
        """The connection for one reader beside one writer, and the TLS on it, if there is any.

        The stream itself must not be read or written any more.
        """
        ...

    def abort(self) -> None:
        """Close at once, without waiting. Wakes whoever reads or writes. Harmless twice."""
        ...

    def hang_up(self) -> None:
        """Tell the peer that it is over, from any thread and without touching an event loop."""
        ...

    def forget(self) -> None:
        """Close our descriptor and nothing else: the loop has ended, or is the parent's."""
        ...

    def abandon(self) -> None:
        """Close, in a finaliser: on any thread, whether the loop runs or has ended."""
        ...


class SharedNetworkStream(Protocol):
    """One TCP connection, for one task that reads beside one that writes."""

    def read(self, timeout: Optional[float]) -> bytes:
        """Some bytes, at least one; `b""` at the end of input."""
        ...

    def read_ready(self) -> Optional[bytes]:
        """What has arrived, without waiting for more; None where that is nothing."""
        ...

    def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        """Send the first of the bytes, and return how many; none where it raises."""
        ...

    def send_now(self, data: bytearray) -> int:
        """Send the first of the bytes without waiting, and return how many; 0 where none can be.

        On trio that is always so: its tasks let others run whenever they send.

        Raises:
            OSError: the connection broke.
        """
        ...

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read: bytes, the end, or an error."""
        ...

    @property
    def writable(self) -> bool:
        """Whether some bytes could be sent without waiting."""
        ...

    def abort(self) -> None:
        """Close at once, without waiting. Wakes whoever reads or writes. Harmless twice."""
        ...


class Waiter(Protocol):
    """Something that one task waits for and another sets, once."""

    def set(self) -> None:
        """Wake the one who waits."""
        ...

    def set_from_thread(self) -> None:
        """The same, from any thread."""
        ...

    def wait(self, timeout: Optional[float]) -> bool:
        """Wait until it is set: True; or until the time is over: False."""
        ...


class Network(Protocol):
    """The network and the clock of one kind of program: blocking, asyncio or trio."""

    def now(self) -> float:
        """Seconds on a clock that does not go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        """Every address of a name, in the system's order."""
        ...

    def connect(self, address: Address, timeout: Optional[float]) -> NetworkStream:
        """An open TCP connection to one address."""
        ...

    def waiter(self) -> Waiter:
        """A new waiter, not set."""
        ...

    def lock(self) -> AbstractContextManager[Any]:
        """What guards a pool's state: a lock between threads, nothing within an event loop."""
        ...
