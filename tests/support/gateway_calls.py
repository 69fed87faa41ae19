"""Requests to the local gateway over a plain HTTP client, not ours."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union

from meshapi.testing import LocalGateway

TOKEN = "rsk_test_gateway"


@dataclass(frozen=True)
class Event:
    """One event of a stream: its name (None without an `event` line) and its data."""

    name: Optional[str]
    data: str

    def json(self) -> Any:
        return json.loads(self.data)


@dataclass(frozen=True)
class Response:
    """A response; `broken` if the connection ended before it did."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    broken: bool = False

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error in the service's envelope."""
        envelope = self.json()
        assert envelope["request_id"] == self.headers["x-request-id"]
        return envelope["error"]

    @property
    def code(self) -> tuple[int, Any]:
        """The status and the code of the error."""
        return self.status, self.error["code"]

    @property
    def faults(self) -> list[tuple[str, list[Any]]]:
        """The kind and place of each fault in an invalid request."""
        assert self.code == (422, "validation_error")
        return [(fault["type"], fault["loc"]) for fault in self.error["details"]]

    def frames(self) -> list[str]:
        """The data of each event; a comment counts as one, an incomplete event does not."""
        return [
            event[len("data: ") :] if event.startswith("data: ") else event
            for event in self.body.decode().split("\n\n")[:-1]
        ]

    def chunks(self) -> list[Any]:
        """The JSON of the chunks of a complete stream."""
        *chunks, done = self.frames()
        assert done == "[DONE]"
        return [json.loads(chunk) for chunk in chunks]

    def events(self) -> list[Event]:
        """The events of a stream, without comments and without an incomplete event at the end."""
        blocks = self.body.decode().split("\n\n")[:-1]
        return [event for block in blocks for event in _event(block)]


def _event(block: str) -> Iterator[Event]:
    name, data = None, None
    for line in block.split("\n"):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
    if data is not None:
        yield Event(name, data)


def call(
    gateway: LocalGateway,
    method: str,
    path: str,
    body: Union[None, bytes, dict[str, Any]] = None,
    *,
    token: str = TOKEN,
    content_type: str = "application/json",
    **headers: Optional[str],
) -> Response:
    """Send a request on a new connection; a header that is None is left out."""
    fields: dict[str, Optional[str]] = {
        "Authorization": f"Bearer {token}",
        "Content-Type": content_type,
    }
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    sent = {name: value for name, value in fields.items() if value is not None}
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
    try:
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        try:
            return Response(response.status, response.headers, response.read())
        except http.client.IncompleteRead as error:
            return Response(response.status, response.headers, error.partial, broken=True)
    finally:
        connection.close()


def post(gateway: LocalGateway, path: str, body: Union[bytes, dict[str, Any]]) -> Response:
    """Send a POST with a body."""
    return call(gateway, "POST", path, body)


def get(gateway: LocalGateway, path: str) -> Response:
    """Send a GET."""
    return call(gateway, "GET", path)
