# Generated from _async/transports.py by `python tools/mirror.py --write`: edit that file.
"""What is asked of a transport, and of a network: the whole contract.

A transport has an HTTP client: it sends a `Request` and gives back the answer's head, then its body
piece by piece. A `ClientCall` decides what is sent, and an `ClientHost` drives it over the
transport. Whatever goes wrong while sending or reading is raised. What sockets, TLS and HTTP
clients raise is understood (`meshapi_core.failure_of`), and a limit that has passed is a
TimeoutError; a transport that knows more raises `TransportError`, with a `Failure`.

A network is what a pool of our own connections stands on: byte streams, a clock, and a way to wait.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional

from typing_extensions import Protocol

from meshapi_backends._addresses import Address
from meshapi_core import Headers, Request, Timeout

if TYPE_CHECKING:
    from meshapi_backends._tls_state import TLSState


class Response(Protocol):
    """The answer to one request. Whoever holds it reads it to the end or aborts it."""

    @property
    def status(self) -> int:
        """The final status."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields."""
        ...

    @property
    def cut(self) -> bool:
        """At the end of the body: whether that was where the connection ended, and it may have
        been cut (see `ByteStream.cut`)."""
        ...

    def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body; `b""` at its end, when the connection has been given back.

        One that is interrupted (by cancellation, or an exception of a signal handler) loses
        nothing where the answer is `resumable`: the next one goes on.

        Args:
            until: a time (on the network's clock) after which to give up waiting, whichever limit
                that is.

        Raises:
            Exception: the body broke off or the time is over; the answer is aborted.
        """
        ...

    def abort(self) -> None:
        """Give the answer up, without waiting for anything. Harmless after the end, and twice."""
        ...


class Transport(Protocol):
    """Sends requests.

    It may also have `calls`, which its closing ends: then closing ends a wait for the next attempt.

    One whose `tells_sent` is true gets two more arguments with `send`: `until`, a time at which the
    head must have come, and `sent`, a function that takes the time at which the whole request has
    been sent, and returns what `until` is from then on.
    An answer may say who gave it (`where`, such as "the proxy 10.0.0.1:3128").
    """

    def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> Response:
        """The head of the answer, ready to be read.

        Args:
            request: is sent once.
            timeout: the limits of each phase.
            deadline: a time (on the network's clock) that no phase may pass.
            fresh: a connection that has not been used before must be opened for it.

        Raises:
            Exception: there is no answer.
        """
        ...

    def close(self) -> None:
        """Close everything, answers that are being read included. Harmless twice."""
        ...


class ByteStream(Protocol):
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

    def shared(self) -> "tuple[SharedByteStream, Optional[TLSState]]":
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


class SharedByteStream(Protocol):
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


class Clock(Protocol):
    """The part of a network that calls need while they wait."""

    def now(self) -> float:
        """Seconds on a clock that does not go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
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

    def connect(self, address: Address, timeout: Optional[float]) -> ByteStream:
        """An open TCP connection to one address."""
        ...

    def waiter(self) -> Waiter:
        """A new waiter, not set."""
        ...

    def lock(self) -> AbstractContextManager[Any]:
        """What guards a pool's books: a lock between threads, nothing within an event loop."""
        ...
