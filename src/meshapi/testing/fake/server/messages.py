"""One request and its response, as an ASGI application sees them."""

import http
import logging
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import h11

from meshapi.testing.fake.server.pipes import HIGH_WATER, Pipe
from meshapi.testing.fake.server.tasks import Changes, Tasks

_logger = logging.getLogger("meshapi.testing")

_PHRASES = {status.value: status.phrase.encode() for status in http.HTTPStatus}


class Exchange:
    """Runs the application for one request.

    Args:
        scope: of the request.
        pipe: leads to the client.
        tasks: run the application.
        send: sends an event of the response.
        is_asked: whether the client waits for a 100 before it sends the body.
    """

    def __init__(
        self,
        scope: dict[str, Any],
        pipe: Pipe,
        tasks: Tasks,
        send: Callable[[Any], None],
        is_asked: bool,
    ) -> None:
        self._scope = scope
        self._pipe = pipe
        self._tasks = tasks
        self._send_event = send
        self._is_asked = is_asked
        self._body = bytearray()
        self._has_all = self._is_told = self._is_gone = self._is_begun = self._is_complete = False
        self._changes = Changes(tasks)

    # What happens.

    def add(self, data: bytes) -> None:
        """Take bytes of the request's body."""
        self._body += data
        self._changes.happened()

    def complete(self) -> None:
        """The request is complete."""
        self._has_all = True
        self._changes.happened()

    def disconnected(self) -> None:
        """The client has left."""
        self._is_gone = True
        self._changes.happened()

    def drained(self) -> None:
        """The client has read what was there."""
        self._changes.happened()

    # The application.

    async def run(self, app: Any, over: Callable[..., None]) -> None:
        """Run the application, and see to it that the response ends."""
        try:
            await app(self._scope, self._receive, self._send)
        except OSError:
            if not self._is_gone:
                await self._failed()
        except Exception:
            if not self._is_gone:
                await self._failed()
        if not self._is_begun and not self._is_gone:
            await self._apologise()
        over(is_complete=self._is_complete)

    async def _failed(self) -> None:
        _logger.exception("Exception in ASGI application")
        if not self._is_begun:
            await self._apologise()

    async def _apologise(self) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        await self._send({"type": "http.response.start", "status": 500, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"Internal Server Error"})

    async def _receive(self) -> dict[str, Any]:
        if self._is_asked:
            self._is_asked = False
            self._send_event(
                h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            )
        while not self._is_gone and not self._is_complete:
            if not self._is_told and (self._body or self._has_all):
                body, self._body = bytes(self._body), bytearray()
                self._is_told = self._has_all
                return {"type": "http.request", "body": body, "more_body": not self._has_all}
            await self._changes.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        while len(self._pipe.arrived) > HIGH_WATER and not self._is_gone:
            await self._changes.wait()
        if self._is_gone:
            raise OSError("the client has left")
        self._is_asked = False
        if message["type"] == "http.response.start":
            self._is_begun = True
            status = message["status"]
            date = formatdate(self._tasks.time(), usegmt=True).encode()
            headers = [(b"date", date), *message.get("headers", [])]
            asked = self._scope["headers"]
            if (b"connection", b"close") in asked and (b"connection", b"close") not in headers:
                headers.append((b"connection", b"close"))
            self._send_event(
                h11.Response(status_code=status, headers=headers, reason=_PHRASES.get(status, b""))
            )
        else:
            data = b"" if self._scope["method"] == "HEAD" else message.get("body", b"")
            self._send_event(h11.Data(data=data))
            if not message.get("more_body", False):
                self._is_complete = True
                self._send_event(h11.EndOfMessage())
                self._changes.happened()
