"""What a call machine tells its host to do: the whole vocabulary of `PipeCall` and `ClientCall`.

An action stands until it is answered, and is given again to whoever asks again; `Item` and
`Release` are answered by being taken. Times are on the clock whose `now` the machines are given.

    action        what the host does                      what it calls then
    ------------  --------------------------------------  ------------------------------------------
    OpenFiles     opens the files of the body             `opened`
    Connect       opens a connection, or takes a kept one `connected`, with the kept one's machine
    Write         writes all of the data                  `written`
    Read          reads some bytes                        `receive_data`; `b""` at the end of input
    Release       keeps the connection, or closes it      nothing
    SendRequest   sends it through its HTTP client        `receive_head`
    ReadBody      reads some of the body                  `receive_body`; `b""` at its end
    Abort         gives the response up, and closes it      nothing
    Sleep         waits                                   nothing
    Item          hands the value on                      nothing
    Finished      stops                                   nothing

Instead of that, wherever there is something to wait for: `fail` with the exception that came, or
`handle_timer` when `until` is over.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union, overload

from msgspec import Struct

from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.config import Timeout
from meshapi_core.messages import Origin, Request

if TYPE_CHECKING:
    from meshapi_core.http11.connection import HTTP11Connection
else:
    # For pydoc, which looks the name up. Who has only an HTTP client needs no h11.
    HTTP11Connection = Any

__all__ = [
    "Abort",
    "Connect",
    "Finished",
    "Item",
    "OpenFiles",
    "Read",
    "ReadBody",
    "Release",
    "SendRequest",
    "Sleep",
    "Timed",
    "Write",
]

T = TypeVar("T")


class Timed(Struct, frozen=True, kw_only=True):
    """An action that must be done in time.

    Fields:
        until: when it is over; None is never.
    """

    until: Optional[float] = None

    @overload
    def seconds(self, now: float) -> Optional[float]: ...

    @overload
    def seconds(self, now: float, never: float) -> float: ...

    def seconds(self, now: float, never: Optional[float] = None) -> Optional[float]:
        """Seconds that are left, never less than 0.

        Args:
            now: the time.
            never: what to say where there is no limit, such as `math.inf`.
        """
        return never if self.until is None else max(0.0, self.until - now)


class OpenFiles(Struct, frozen=True):
    """Open the files of a request's body (`body.open`), once for all attempts.

    The host closes what it opened when the call has ended, however that was.
    """

    body: StreamedBody


class Connect(Timed, frozen=True, kw_only=True):
    """Open a connection, TLS included, or take one that has been kept.

    Fields:
        origin: where to.
        fresh: not one that has been kept: the last one was dead.
        named_by: see `Request.named_by`.
        until: when opening it is over. A host that lets calls queue for a connection asks `queued`
            and `opening` for the limits of each.
    """

    origin: Origin
    fresh: bool = False
    named_by: Optional[Origin] = None


class Write(Timed, frozen=True, kw_only=True):
    """Write all of these bytes."""

    data: bytes


class Read(Timed, frozen=True, kw_only=True):
    """Read some bytes, however few: what there is, up to 64 KiB or so."""


class Release(Struct, frozen=True, kw_only=True):
    """The connection is not needed any more.

    Fields:
        reusable: it may be kept for another request to the same origin, together with `http`; else
            it is to be closed.
        http: its machine, for `connected`.
    """

    reusable: bool
    http: "HTTP11Connection"


class SendRequest(Timed, frozen=True, kw_only=True):
    """Send a request once and wait for the head of its response.

    No redirect is to be followed, nothing repeated, nothing decoded (a `Content-Encoding` is the
    call's to undo), and the body left to be read piece by piece.

    Fields:
        request: `plain_headers()` and `content` are what to send; of the framing fields, Host and
            Content-Length are the client's.
        timeout: the limits of each phase, for a client that has such.
        fresh: on a connection of its own, where the client can be told so.
        until: when the head must have come: all phases together, for a client that knows none.
    """

    request: Request
    timeout: Timeout
    fresh: bool = False

    @property
    def content(self) -> Union[bytes, Iterator[bytes]]:
        """The body: bytes; or of an upload its pieces, `content_length` bytes in all.

        Such a client is told the length, or it sends chunks, which not every server takes.
        """
        body = self.request.body
        if isinstance(body, OpenBody):
            return body.pieces()
        assert isinstance(body, bytes), "its files are opened before: see `OpenFiles`"
        return body

    @property
    def content_length(self) -> int:
        """Bytes of `content`."""
        body = self.request.body
        assert isinstance(body, (bytes, OpenBody)), "its files are opened before: see `OpenFiles`"
        return len(body)


class ReadBody(Timed, frozen=True, kw_only=True):
    """Read some of the body as it came over the wire, however little."""


class Abort(Struct, frozen=True):
    """Give up the response, or the request that is on its way: nothing more of it is wanted.

    Not given for a request that `fail` was told of, which is over.
    """


class Sleep(Struct, frozen=True, kw_only=True):
    """Wait until the time, then ask again.

    Fields:
        until: when that is; there is always one.
    """

    until: float

    def seconds(self, now: float, never: Optional[float] = None) -> float:
        """Seconds that are left, never less than 0."""
        return max(0.0, self.until - now)


class Item(Struct, Generic[T], frozen=True):
    """A value for the caller: the response, or one chunk of a stream."""

    value: T


class Finished(Struct, frozen=True):
    """The call has ended well: all items have been given."""
