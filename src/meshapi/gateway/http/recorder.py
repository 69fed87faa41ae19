"""The middleware: each request gets an ID, is checked by the access rules, and is logged."""

import re
from collections.abc import Sequence
from typing import Optional, Union

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshapi.gateway.http.access_rules import AccessRules, declared_size, largest_body, too_large
from meshapi.gateway.http.errors import GatewayError, envelope
from meshapi.gateway.http.request_log import RecordedHeaders, RecordedRequest
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.state import GatewayState

# The service adopts a client's own ID if it looks like this, and makes one up otherwise.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

# ASGI messages that begin a response.
_RESPONSE_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")

# More than any JSON that a test inspects; an upload of a gigabyte is not worth keeping.
_KEPT_BODY = 8 * 1024 * 1024


_VERSION = (b"x-mesh-version", b"2026-09")

# What mesh/rate-limited says on a gateway without limits.
_OVER_LIMIT = (
    (b"x-ratelimit-remaining-requests", b"0"),
    (b"x-ratelimit-reset-requests", b"1s"),
)


class Recorder:
    """ASGI middleware that records each request and puts the request ID into its response.

    The endpoint begins when the body is complete, or when more of it has arrived than is kept: the
    rest is then passed on as it arrives, and only counted. Of a request without the token, no more
    is read than its endpoint asks for, which is mostly nothing.
    """

    def __init__(self, app: ASGIApp, state: GatewayState, access_rules: AccessRules) -> None:
        self._app = app
        self._state = state
        self._access_rules = access_rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        recording = _Recording(scope, receive, send, self._state)
        refusal = self._access_rules.refusal(scope, recording.headers)
        if refusal is not None:
            await recording.refuse(refusal)
        elif scope["type"] == "websocket":
            recording.add_to_log()
            scope["state"]["recorded"] = recording.recorded()
            await self._app(scope, receive, recording.send)
        elif not self._access_rules.has_token(recording.headers) or await recording.read_ahead():
            await self._app(scope, recording.receive, recording.send)


class _Recording:
    """One request on its way into the log."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, state: GatewayState) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._log = state.requests
        self._rate_limits = state.rate_limits
        self.headers = RecordedHeaders(raw=scope["headers"])
        self._request_id = _request_id(self.headers)
        scope.setdefault("state", {})["request_id"] = self._request_id
        self._body = bytearray()
        self._size: Optional[int] = None
        self._most = largest_body(scope, self.headers)
        self._logged = False
        self._ahead: Optional[Message] = None
        self._made: Optional[RecordedRequest] = None

    async def read_ahead(self) -> bool:
        """Read until the endpoint can begin; False if the client disconnects before that."""
        arrived = bytearray()
        more = True
        while more and len(arrived) <= _KEPT_BODY:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            arrived += message.get("body", b"")
            more = message.get("more_body", False)
        self._ahead = {"type": "http.request", "body": bytes(arrived), "more_body": more}
        self._keep(arrived)
        recorded = self._scope["state"]["recorded"] = self.recorded()
        if not more:
            self._made = recorded
            self.add_to_log()
        return True

    async def receive(self) -> Message:
        """The endpoint's `receive`: what was read ahead, as one message, then what follows."""
        if self._ahead is not None:
            message, self._ahead = self._ahead, None
            return message
        message = await self._receive()
        if message["type"] == "http.request":
            self._keep(message.get("body", b""))
            if not message.get("more_body", False):
                self.add_to_log()
        return message

    def _keep(self, data: Union[bytes, bytearray]) -> None:
        """Count the bytes that arrived, and keep the beginning of the body.

        Raises:
            GatewayError: 413, if the body is too large.
        """
        self._size = (self._size or 0) + len(data)
        self._body += data[: _KEPT_BODY - len(self._body)]
        if self._size > self._most:
            raise too_large(self._scope, self.headers)

    async def refuse(self, error: GatewayError) -> None:
        """Respond with the error, in place of the endpoint."""
        response = envelope(error, self._request_id)
        await response(self._scope, self._receive, self.send)

    async def send(self, message: Message) -> None:
        """The endpoint's `send`: by the time the response arrives, the request is in the log."""
        if message["type"] in _RESPONSE_STARTS:
            self.add_to_log()
            stamp = (b"x-request-id", self._request_id.encode())
            status = message.get("status", 101)
            more = [] if status == 101 else [_VERSION, *self._limits(status)]
            message["headers"] = [*message.get("headers", []), stamp, *more]
        await self._send(message)

    def _limits(self, status: int) -> Sequence[tuple[bytes, bytes]]:
        """What is left of the limits."""
        return self._rate_limits.headers() or (_OVER_LIMIT if status == 429 else ())

    def add_to_log(self) -> None:
        """Log as much of the request as has arrived; only the first call has an effect."""
        if not self._logged:
            self._logged = True
            self._log.add(self._made or self.recorded())

    def recorded(self) -> RecordedRequest:
        """Return the request, with as much of it as has arrived."""
        path: bytes = self._scope.get("raw_path") or self._scope["path"].encode()
        query: bytes = self._scope["query_string"]
        return RecordedRequest(
            method=self._scope.get("method", "GET"),
            path=path.decode("latin-1"),
            query=query.decode("latin-1"),
            headers=self.headers,
            body=bytes(self._body),
            size=declared_size(self.headers) if self._size is None else self._size,
        )


def _request_id(headers: Headers) -> str:
    asked = headers.get("x-request-id", "")
    return asked if _CLIENT_ID.fullmatch(asked) else f"req_{ulid()}"
