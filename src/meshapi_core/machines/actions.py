"""What a call machine asks its host to do: the whole vocabulary of `PipeCall` and `ClientCall`.

An action stands until its outcome is reported: until then, `next_action` returns it again. `Item`,
`Release`, `Abort` and `Notify` need no report, and are returned once. Only a call that is
observed (`meshapi_core.observing`) returns `Notify`. Times are on the clock whose `now` the
machines are given.

    action        what the host does                      what it calls next
    ------------  --------------------------------------  ------------------------------------------
    OpenFiles     opens the files of the body             `opened`
    GetToken      calls the function that returns a token `token`, with what it returned
    Connect       opens a connection, or takes a kept one `connected`, with the kept one's machine
    Write         writes all of the data                  `written`
    Read          reads some bytes                        `receive_data`; `b""` at the end of input
    Release       keeps the connection, or closes it      nothing
    SendRequest   sends it through its HTTP client        `receive_head`
    ReadBody      reads some of the body                  `receive_body`; `b""` at its end
    Abort         gives the response up, and closes it    nothing
    Sleep         waits                                   nothing
    Item          hands the value on                      nothing
    Finished      stops                                   nothing
    Notify        tells whoever watches the call          nothing

Where an action can fail, the host may call `fail` instead, with the exception; or `handle_timer`,
once `until` has passed.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union, overload

from msgspec import Struct

from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.config import Timeout
from meshapi_core.messages import Origin, Request
from meshapi_core.tokens import TokenSource

if TYPE_CHECKING:
    from meshapi_core.http11.connection import HTTP11Connection
    from meshapi_core.observing.notices import Notice
else:
    # For pydoc, which looks the names up. A host that has an HTTP client does not need h11.
    HTTP11Connection = Notice = Any

__all__ = [
    "Abort",
    "Connect",
    "Finished",
    "GetToken",
    "Item",
    "Notify",
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
    """An action with a time limit.

    Fields:
        until: when the limit runs out; None is never.
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
            never: what to return where there is no limit, such as `math.inf`.
        """
        return never if self.until is None else max(0.0, self.until - now)


class OpenFiles(Struct, frozen=True):
    """Open the files of a request's body (`body.open`), once for all attempts.

    The host closes them when the call has ended, however it ended.
    """

    body: StreamedBody


class GetToken(Timed, frozen=True, kw_only=True):
    """Get a token: call `source`, and await what it returns if that is an awaitable.

    Only a configuration whose token is a function leads to this action. Where the function raises,
    the host reports that to `fail`, and `next_action` raises it unchanged.

    Fields:
        source: the function. It takes no arguments.
        again: the gateway has refused the last token. A host that caches tokens needs a new one.
        until: when the whole call runs out of time.
    """

    source: TokenSource
    again: bool = False


class Connect(Timed, frozen=True, kw_only=True):
    """Open a connection, TLS included, or take a kept one.

    Fields:
        origin: the server to connect to.
        fresh: do not take a kept connection: the last one was dead.
        named_by: see `Request.named_by`.
        upgrades: the request will ask for another protocol, which a proxy that forwards requests
            does not pass on: it has to open a tunnel.
        until: when the time to open it runs out. A host that queues calls for a connection asks
            `queued` and `opening` for the limits of these two phases.
    """

    origin: Origin
    fresh: bool = False
    named_by: Optional[Origin] = None
    upgrades: bool = False


class Write(Timed, frozen=True, kw_only=True):
    """Write all of these bytes."""

    data: bytes


class Read(Timed, frozen=True, kw_only=True):
    """Read some bytes, however few: whatever is there, up to 64 KiB or so."""


class Release(Struct, frozen=True, kw_only=True):
    """The call no longer needs the connection.

    Fields:
        reusable: it may be kept for another request to the same origin, together with `http`;
            otherwise the host closes it.
        http: its machine, to pass to `connected`.
    """

    reusable: bool
    http: "HTTP11Connection"


class SendRequest(Timed, frozen=True, kw_only=True):
    """Send a request once and wait for the head of its response.

    The client must follow no redirect, retry nothing and decode nothing (the call undoes a
    `Content-Encoding` itself), and must leave the body to be read piece by piece.

    Fields:
        request: send its `plain_headers()`, and `content` as the body. The client adds the headers
            Host and Content-Length.
        timeout: the limits of each phase, for a client that supports them.
        fresh: use a new connection, where the client can be told so.
        attempt: counts from 0; sending again on a fresh connection is the same attempt.
        until: when the head is due: all phases together, for a client that has no phases.
    """

    request: Request
    timeout: Timeout
    fresh: bool = False
    attempt: int = 0

    @property
    def content(self) -> Union[bytes, Iterator[bytes]]:
        """The body: bytes; for an upload its pieces, `content_length` bytes in all.

        Tell the client that length. Otherwise it sends the body chunked, which not every server
        accepts.
        """
        body = self.request.body
        if isinstance(body, OpenBody):
            return body.pieces()
        # A `StreamedBody` never gets here: OpenFiles comes before SendRequest.
        assert isinstance(body, bytes), "open its files first: see `OpenFiles`"
        return body

    @property
    def content_length(self) -> int:
        """How many bytes `content` has."""
        body = self.request.body
        assert isinstance(body, (bytes, OpenBody)), "open its files first: see `OpenFiles`"
        return len(body)


class ReadBody(Timed, frozen=True, kw_only=True):
    """Read some of the body as sent over the wire, content coding included, however little."""


class Abort(Struct, frozen=True):
    """Give up the response, or the request that is on its way: the call wants no more of it.

    Never returned for a request that the host has reported to `fail`: that one is over.
    """


class Sleep(Struct, frozen=True, kw_only=True):
    """Wait until a time, then ask again.

    Fields:
        until: that time; a wait always has one.
    """

    until: float

    def seconds(self, now: float, never: Optional[float] = None) -> float:
        """Seconds that are left, never less than 0."""
        return max(0.0, self.until - now)


class Item(Struct, Generic[T], frozen=True):
    """A value for the caller: the response, or one chunk of a stream."""

    value: T


class Finished(Struct, frozen=True):
    """The call has succeeded: every item has been returned."""


class Notify(Struct, frozen=True):
    """Something happened in the call: tell whoever watches it, or do nothing."""

    notice: "Notice"
