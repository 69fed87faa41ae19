"""What happens in a call, as values: a host that watches gets each in a `Notify` action.

    AttemptStarted ─▶ ResponseStarted ─▶ (ItemReceived) ─▶ CallSucceeded
       ▲      │            │                   │
       │      ├────────────┴───────────────────┴─────────▶ CallFailed, or CallClosed
       │      ▼            ▼
       └──── RetryPlanned ◀┘

A call ends with exactly one of the last three, unless the program drops it. A realtime session has
notices of its own: `SessionConnected` after the `ResponseStarted` of each upgrade, `ItemReceived`
for each message, `ConnectionLost`, and at the end `SessionEnded`; if it ends with an error, a
`CallFailed` comes before that.

Notices hold the values that the call has anyway, with no copy of a body. No repr shows a query, a
header, a body or a secret. The values themselves may: `headers`, `result` and `response` are not
safe to log. A pickle, which may leave the process, has what the server sent, but none of the
secrets of the request.
"""

from typing import Any, Optional, Union

from msgspec import Struct, structs
from typing_extensions import Self

from meshapi_core._log_safe import one_line
from meshapi_core._secret import SecretURL
from meshapi_core.bodies import StreamedBody
from meshapi_core.calls import AnyCall
from meshapi_core.errors import APIStatusError, MeshAPIError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Origin, Request, Response
from meshapi_core.multipart import Multipart
from meshapi_core.redaction import concealed
from meshapi_core.websocket.closing import Closed

__all__ = [
    "AttemptStarted",
    "CallClosed",
    "CallFailed",
    "CallInfo",
    "CallSucceeded",
    "ConnectionLost",
    "ItemReceived",
    "Notice",
    "ResponseStarted",
    "RetryPlanned",
    "SessionConnected",
    "SessionEnded",
]


class CallInfo(Struct, frozen=True, eq=False, weakref=True):
    """The call that a notice is about: one object for all notices of a call.

    It compares and hashes by identity, so that it can be the key of a mapping.

    Fields:
        call: what was asked for.
        method: of the request.
        path: of the request, percent-encoded, without the query.
        origin: the server.
        started_at: when the call began, on the host's clock.
        secrets: what must not be shown, even where a server quotes it; see `concealed`.
    """

    call: AnyCall[Any]
    method: str
    path: str
    origin: Origin
    started_at: float
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, call: AnyCall[Any], request: Request, started_at: float, secrets: tuple[str, ...]
    ) -> Self:
        """Return what is known of a call that begins."""
        path = str.__str__(request.target).partition("?")[0]
        return cls(call, request.method, path, request.origin, started_at, secrets)

    @property
    def body(self) -> Union[bytes, Multipart]:
        """The parameters, as JSON or as a form; empty if the call has none."""
        body: Union[bytes, Multipart] = getattr(self.call, "body", b"")
        return body

    def conceal(self, text: str, longest: int = 500) -> str:
        """Return text from elsewhere as one line that is safe to log, without the secrets."""
        return one_line(concealed(text, self.secrets), longest)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.origin}{self.path}>"

    def __reduce__(self) -> Any:
        call: Any = self.call
        # An upload or a download, whose query grants access.
        if isinstance(getattr(call, "url", None), SecretURL):
            call = structs.replace(call, url=call.url.place)
        return type(self), (call, self.method, self.path, self.origin, self.started_at)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would show all fields in place of the repr.
        return [("method", self.method), ("path", self.path)]


class Notice(Struct, frozen=True, eq=False, kw_only=True):
    """The base of all notices.

    Fields:
        about: the call.
        at: the time, on the host's clock.
        attempt: the number of the present attempt, from 1; before the first attempt it is 0.
        most_attempts: how many attempts there can be.
    """

    about: CallInfo
    at: float
    attempt: int
    most_attempts: int

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.about.method

    @property
    def path(self) -> str:
        """The path of the request, without the query."""
        return self.about.path

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.at - self.about.started_at

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return []

    def __repr__(self) -> str:
        about = self.about
        facts = "".join(f" {name}={value!r}" for name, value in self.facts())
        place = f"{about.method} {about.origin}{about.path}"
        return f"<{type(self).__name__} {place} attempt={self.attempt}{facts}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.path), ("attempt", self.attempt)]


class AttemptStarted(Notice, frozen=True, eq=False, kw_only=True):
    """A request is about to be sent.

    Fields:
        request: what is sent; the token in it is a `Secret`.
        resent: whether the same attempt sends it again, on a new connection: the kept one that it
            was sent on before had been closed by the server.
    """

    request: Request
    resent: bool = False

    def __reduce__(self) -> Any:
        return _restored, (
            type(self),
            {**structs.asdict(self), "request": _without_secrets(self.request)},
        )

    @property
    def body_size(self) -> Optional[int]:
        """Bytes of the request's body; None if it has files, which are opened later."""
        body = self.request.body
        return None if isinstance(body, StreamedBody) else len(body)

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("body_size", self.body_size)]


def _restored(kind: "type[Notice]", fields: dict[str, Any]) -> Notice:
    return kind(**fields)


def _without_secrets(request: Request) -> Request:
    target = request.target.partition("?")[0] if "?" in request.target else request.target
    headers = tuple((name, str(value)) for name, value in request.headers)  # asterisks
    return structs.replace(request, target=target, headers=headers, secrets=())


class ResponseStarted(Notice, frozen=True, eq=False, kw_only=True):
    """The head of a response has arrived, of a good one or of an error.

    Fields:
        status: of the response.
        headers: of the response, as received.
        seconds: since the attempt began.
    """

    status: int
    headers: Headers
    seconds: float

    @property
    def request_id(self) -> str:
        """The gateway's ID of the request; "" without one."""
        return self.about.conceal(find_request_id(self.headers))

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("status", self.status), ("request_id", self.request_id)]


class _Failed(Notice, frozen=True, eq=False, kw_only=True):
    error: Exception
    response: Optional[Response] = None

    @property
    def status(self) -> int:
        """The status of the response; 0 without a response."""
        return self.error.status or 0 if isinstance(self.error, MeshAPIError) else 0

    @property
    def error_code(self) -> str:
        """The error code; "" for an exception of the program's own."""
        return self.error.error_code if isinstance(self.error, MeshAPIError) else ""

    @property
    def request_id(self) -> str:
        """The gateway's ID of the request; "" without one."""
        return self.error.request_id or "" if isinstance(self.error, MeshAPIError) else ""

    @property
    def is_response(self) -> bool:
        """Whether the error is the gateway's response, and not a failure to get one."""
        return isinstance(self.error, APIStatusError)

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("status", self.status), ("error_code", self.error_code)]


class RetryPlanned(_Failed, frozen=True, eq=False, kw_only=True):
    """An attempt has failed, and another will follow.

    Fields:
        error: why this attempt failed; the call raises it only if there is no further attempt.
        response: the response that was an error, with its body; None if there was none.
        seconds: since the attempt began.
        wait: seconds until the next attempt.
        new_token: whether the gateway refused the token, and the next attempt has another one. This
            takes none of the call's retries.
    """

    seconds: float
    wait: float
    new_token: bool = False

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [*_Failed.facts(self), ("wait", self.wait)]


class CallFailed(_Failed, frozen=True, eq=False, kw_only=True):
    """The call has failed for good.

    Fields:
        error: what it raises: a `MeshAPIError`, or what reading a file of the request raised.
        response: the response that was an error, with its body; None if there was none.
        seconds: since the last attempt began; None if no attempt was under way.
        items: how many items a stream had given.
    """

    seconds: Optional[float] = None
    items: int = 0


class CallSucceeded(Notice, frozen=True, eq=False, kw_only=True):
    """The call is complete.

    Fields:
        status: of the response.
        headers: of the response, as received.
        result: what the call returns; None for a stream.
        response: the whole response with its body; None for a stream.
        seconds: since the last attempt began.
        items: how many items a stream had.
    """

    status: int
    headers: Headers
    result: Any = None
    response: Optional[Response] = None
    seconds: float
    items: int = 0

    @property
    def request_id(self) -> str:
        """The gateway's ID of the request; "" without one."""
        return self.about.conceal(find_request_id(self.headers))

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("status", self.status), ("request_id", self.request_id)]


class CallClosed(Notice, frozen=True, eq=False, kw_only=True):
    """The program gave the call up: it closed a stream, or was cancelled or interrupted.

    Fields:
        status: of the response; 0 if it had not begun.
        headers: of the response, as received.
        seconds: since the last attempt began; None if no attempt was under way.
        items: how many items a stream had given.
    """

    status: int = 0
    headers: Headers
    seconds: Optional[float] = None
    items: int = 0

    @property
    def request_id(self) -> str:
        """The gateway's ID of the request; "" without one."""
        return self.about.conceal(find_request_id(self.headers))

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("status", self.status), ("items", self.items)]


class ItemReceived(Notice, frozen=True, eq=False, kw_only=True):
    """An item of a stream has arrived, or a message of a realtime session.

    Fields:
        index: counts from 0.
        value: the chunk, the bytes, or the message.
    """

    index: int
    value: Any

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("index", self.index), ("type", type(self.value).__name__)]


class SessionConnected(Notice, frozen=True, eq=False, kw_only=True):
    """A realtime session has a connection.

    Fields:
        again: whether it had one before, which was lost.
    """

    again: bool = False

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("again", self.again)]


class ConnectionLost(Notice, frozen=True, eq=False, kw_only=True):
    """The connection of a realtime session has ended, and not by this side.

    Fields:
        closed: how it ended.
        wait: seconds until the session connects again; None if it does not.
    """

    closed: Closed
    wait: Optional[float] = None

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("code", self.closed.code), ("wait", self.wait)]


class SessionEnded(Notice, frozen=True, eq=False, kw_only=True):
    """A realtime session is over.

    Fields:
        closed: how its last connection ended; None if this side closed it.
        items: how many messages arrived.
    """

    closed: Optional[Closed] = None
    items: int = 0

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values for the repr, all of them safe to show."""
        return [("code", None if self.closed is None else self.closed.code)]
