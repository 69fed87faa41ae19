"""The requests that a gateway has received: `LocalGateway.requests`."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import Headers

# The most bytes of all bodies together; the oldest bodies are dropped first.
_KEPT_BODIES = 64 * 1024 * 1024


class RecordedHeaders(Headers):
    """Headers whose `repr` has only their names: a value may be a token."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.keys()})"


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it was received.

    Its `repr` has nothing that could hold a token. The upgrade to a WebSocket is a GET without a
    body; what goes over the WebSocket is not recorded.

    Attributes:
        path: without the query, still percent-encoded.
        query: without the question mark, still percent-encoded.
        headers: a mapping that ignores case; `headers.getlist(name)` returns repeated ones.
        body: at most its first 8 MiB; empty if the request had no token, or if the bodies of later
            requests amount to 64 MiB.
        size: the bytes of the body that had arrived when it was complete, or when the response
            began, if that was earlier; for a body that was not read, its declared size.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    size: int

    @property
    def truncated(self) -> bool:
        """Whether `body` is shorter than the body that was sent."""
        return self.size > len(self.body)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)


class RequestLog:
    """The last requests, oldest first. The server's thread adds them; any thread may read them."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._most = size
        self._requests: deque[RecordedRequest] = deque()
        # Bytes of all bodies, and how many of the oldest requests have lost their bodies.
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
