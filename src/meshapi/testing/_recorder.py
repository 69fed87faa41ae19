"""What every request meets first: it gets its id and is kept for `LocalGateway.requests`."""

import json
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Optional

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshapi.testing._wire import ulid

# The service adopts a client's own id if it looks like this, and makes one up otherwise.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came over the wire.

    Attributes:
        path: without the query, percent-encoding untouched.
        query: without the question mark, percent-encoding untouched.
        headers: a mapping that ignores case; `headers.getlist(name)` has repeated ones.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes

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
        self._requests: deque[RecordedRequest] = deque(maxlen=size)

    def add(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def snapshot(self) -> list[RecordedRequest]:
        with self._lock:
            return list(self._requests)


class Recorder:
    """ASGI middleware: reads the whole body, records the request, stamps the answer with its id."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        headers = Headers(scope=scope)
        self._log.add(_record(scope, headers, body))
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        await self._app(scope, _replay(body, receive), _stamp(request_id, send))


def _record(scope: Scope, headers: Headers, body: bytes) -> RecordedRequest:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return RecordedRequest(
        scope["method"], path.decode("latin-1"), query.decode("latin-1"), headers, body
    )


def _request_id(headers: Headers) -> str:
    asked = headers.get("x-request-id", "")
    return asked if _CLIENT_ID.fullmatch(asked) else f"req_{ulid()}"


async def _read_body(receive: Receive) -> Optional[bytes]:
    """The request's body, or None if the client left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _stamp(request_id: str, send: Send) -> Send:
    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
        await send(message)

    return stamped
