"""The requests that a gateway has received: `LocalGateway.requests`."""

import contextlib
import io
import json
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Optional, cast
from urllib.parse import parse_qs

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers

from meshapi.gateway.http.contents import messages_in, model_in, text_in

# The most bytes of all bodies together; the oldest bodies are dropped first.
_KEPT_BODIES = 64 * 1024 * 1024

# The most bytes of all heads together; a thousand ordinary ones take about 4 MiB. A header takes
# more memory than its bytes, and anybody can send thousands of short ones.
_KEPT_HEADS = 16 * 1024 * 1024
_PER_HEADER = 200


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

    def form(self) -> dict[str, str]:
        """The fields of the body, without its files, if it is a form; otherwise none."""
        return _fields(self.headers.get("content-type", ""), self.body)

    @property
    def model(self) -> Optional[str]:
        """The model that the request names; None if it names none."""
        if self.path == "/v1/realtime":
            return parse_qs(self.query).get("model", [None])[0]
        return model_in(self.content())

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a conversation; of responses, the items of the input."""
        return messages_in(self.content())

    @property
    def text(self) -> Optional[str]:
        """The text that scripts look at; None if there is none.

        That is the last message of the user, the prompt, the query, or the inputs of embeddings.
        """
        return text_in(self.content())

    @property
    def asks_for_stream(self) -> bool:
        """Whether the body has `stream: true`."""
        content: Any = self.content()
        return isinstance(content, dict) and cast("dict[str, Any]", content).get("stream") is True

    def content(self) -> Any:
        """The body as a JSON value, or the fields of a form; nothing is raised."""
        try:
            return self.json()
        except (ValueError, RecursionError):
            return self.form()


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}

    def add(field: Any) -> None:
        if field.field_name and field.value is not None:
            name = field.field_name.decode("utf-8", "replace")
            found[name] = field.value.decode("utf-8", "replace")

    if content_type.lower().startswith(("multipart/form-data", "application/x-www-form-urlenc")):
        headers = {"Content-Type": content_type.encode("latin-1", "replace")}
        # A form that is broken, or was cut off, has the fields before that place.
        with contextlib.suppress(FormParserError):
            parse_form(headers, io.BytesIO(body), add, None)
    return found


class RequestLog:
    """The last requests, oldest first. The server's thread adds them; any thread may read them."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._most = size
        self._requests: deque[RecordedRequest] = deque()
        # Bytes of all bodies, and how many of the oldest requests have lost their bodies.
        self._kept = 0
        self._stripped = 0
        self._heads = 0

    def add(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)
            self._kept += len(request.body)
            self._heads += _head_size(request)
            while len(self._requests) > self._most or self._heads > _KEPT_HEADS:
                self._drop()
            while self._kept > _KEPT_BODIES:
                old = self._requests[self._stripped]
                self._requests[self._stripped] = replace(old, body=b"")
                self._kept -= len(old.body)
                self._stripped += 1

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
            self._kept = self._stripped = self._heads = 0

    def snapshot(self) -> list[RecordedRequest]:
        with self._lock:
            return list(self._requests)

    def _drop(self) -> None:
        dropped = self._requests.popleft()
        self._kept -= len(dropped.body)
        self._heads -= _head_size(dropped)
        self._stripped = max(0, self._stripped - 1)


def _head_size(request: RecordedRequest) -> int:
    """Return about how many bytes of memory the head of a request takes."""
    headers = sum(len(name) + len(value) + _PER_HEADER for name, value in request.headers.raw)
    return len(request.path) + len(request.query) + headers
