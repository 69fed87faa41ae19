"""What every request meets first: its id, the guard, and the log of `LocalGateway.requests`."""

import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Union

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshapi.gateway.http.errors import GatewayError, envelope
from meshapi.gateway.http.guard import Guard, declared_size, largest_body, too_large
from meshapi.gateway.http.wire import ulid

# The service adopts a client's own id if it looks like this, and makes one up otherwise.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

# Messages that begin an answer.
_ANSWERS = ("http.response.start", "websocket.accept", "websocket.http.response.start")

# More than any JSON that a test looks at; an upload of a gigabyte is not worth keeping.
_KEPT_BODY = 8 * 1024 * 1024

# Of all bodies together: the oldest go first.
_KEPT_BODIES = 64 * 1024 * 1024


class RecordedHeaders(Headers):
    """Headers whose `repr` has their names only: a value may be a token."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.keys()})"


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came over the wire.

    Its `repr` has nothing that could hold a token. The upgrade to a WebSocket is a GET without a
    body; what goes over the socket is not kept.

    Attributes:
        path: without the query, percent-encoding untouched.
        query: without the question mark, percent-encoding untouched.
        headers: a mapping that ignores case; `headers.getlist(name)` has repeated ones.
        body: at most its first 8 MiB; none of it where the request had no token, or when later
            requests have brought 64 MiB.
        size: bytes of the body that had arrived when it ended, or when the answer began before
            its end; of a body that was not read, what the request says.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    size: int

    @property
    def truncated(self) -> bool:
        """Whether `body` is not all of it."""
        return self.size > len(self.body)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)


class RequestLog:
    """The last requests, oldest first; filled by the server's thread, read by any other."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._most = size
        self._requests: deque[RecordedRequest] = deque()
        # Bytes of all bodies, and how many of the oldest requests have lost theirs.
        self._kept = 0
        self._stripped = 0

    def add(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)
            self._kept += len(request.body)
            if len(self._requests) > self._most:
                self._kept -= len(self._requests.popleft().body)
                self._stripped = max(0, self._stripped - 1)
            while self._kept > _KEPT_BODIES:
                old = self._requests[self._stripped]
                self._requests[self._stripped] = replace(old, body=b"")
                self._kept -= len(old.body)
                self._stripped += 1

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
            self._kept = self._stripped = 0

    def snapshot(self) -> list[RecordedRequest]:
        with self._lock:
            return list(self._requests)


class Recorder:
    """ASGI middleware: records each request and stamps its answer with the request's id.

    The endpoint begins when the body has ended, or when more of it has come than is kept: then
    the rest goes through as it comes, and is only counted. Of a request without the token no more
    is read than its endpoint wants, which is mostly nothing.
    """

    def __init__(self, app: ASGIApp, log: RequestLog, guard: Guard) -> None:
        self._app = app
        self._log = log
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        recording = _Recording(scope, receive, send, self._log)
        refusal = self._guard.refusal(scope, recording.headers)
        if refusal is not None:
            await recording.refuse(refusal)
        elif scope["type"] == "websocket":
            recording.add_to_log()
            await self._app(scope, receive, recording.send)
        elif not self._guard.knows(recording.headers) or await recording.read_ahead():
            await self._app(scope, recording.receive, recording.send)


class _Recording:
    """One request on its way to the log, which it gets into once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, log: RequestLog) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._log = log
        self.headers = RecordedHeaders(raw=scope["headers"])
        self._request_id = _request_id(self.headers)
        scope.setdefault("state", {})["request_id"] = self._request_id
        self._body = bytearray()
        self._size: Optional[int] = None
        self._most = largest_body(scope, self.headers)
        self._logged = False
        self._ahead: Optional[Message] = None

    async def read_ahead(self) -> bool:
        """Read until the endpoint can begin; False if the client left before that."""
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
        if not more:
            self.add_to_log()
        return True

    async def receive(self) -> Message:
        """For the endpoint: what was read ahead as one message, then whatever comes."""
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
        """Count what has come, and keep the beginning.

        Raises:
            GatewayError: 413, there is too much of it.
        """
        self._size = (self._size or 0) + len(data)
        self._body += data[: _KEPT_BODY - len(self._body)]
        if self._size > self._most:
            raise too_large(self._scope, self.headers)

    async def refuse(self, error: GatewayError) -> None:
        """Answer in place of the endpoint."""
        answer = envelope(error, self._request_id)
        await answer(self._scope, self._receive, self.send)

    async def send(self, message: Message) -> None:
        """For the endpoint: whoever has the answer finds the request in the log."""
        if message["type"] in _ANSWERS:
            self.add_to_log()
            stamp = (b"x-request-id", self._request_id.encode())
            message["headers"] = [*message.get("headers", []), stamp]
        await self._send(message)

    def add_to_log(self) -> None:
        """Keep the request as far as it has come; once."""
        if self._logged:
            return
        self._logged = True
        path: bytes = self._scope.get("raw_path") or self._scope["path"].encode()
        query: bytes = self._scope["query_string"]
        self._log.add(
            RecordedRequest(
                method=self._scope.get("method", "GET"),
                path=path.decode("latin-1"),
                query=query.decode("latin-1"),
                headers=self.headers,
                body=bytes(self._body),
                size=declared_size(self.headers) if self._size is None else self._size,
            )
        )


def _request_id(headers: Headers) -> str:
    asked = headers.get("x-request-id", "")
    return asked if _CLIENT_ID.fullmatch(asked) else f"req_{ulid()}"
