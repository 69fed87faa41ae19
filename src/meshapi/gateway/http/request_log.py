"""The requests that a gateway has had: `LocalGateway.requests`."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import Headers

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
        size: bytes of the body that had arrived when it ended, or when the response began before
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
