"""The middleware that notes what goes over the wire, for the page."""

import time
from typing import Final, Optional

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshapi.gateway.page.exchanges import Exchange, ExchangeLog

NOT_SHOWN: Final = ("/__gateway/", "/favicon.ico", "/health")
"""Paths that belong to the page, or to whatever looks whether the gateway is there."""


class Watcher:
    """ASGI middleware, outside all others: it sees what is refused, too."""

    def __init__(self, app: ASGIApp, log: ExchangeLog) -> None:
        self._app = app
        self._log = log
        self._began = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] in ("http", "websocket")
        if not is_ours or scope["path"] == "/" or scope["path"].startswith(NOT_SHOWN):
            await self._app(scope, receive, send)
            return
        watch = _Watch(self._log, scope, receive, send, self._began)
        try:
            await self._app(scope, watch.receive, watch.send)
        finally:
            watch.end()


class _Watch:
    """One exchange."""

    def __init__(
        self, log: ExchangeLog, scope: Scope, receive: Receive, send: Send, began: float
    ) -> None:
        self._log = log
        self._receive = receive
        self._send = send
        self._began = began
        self._state = "cut"
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        self._exchange: Exchange = log.begin(
            self._now(),
            "REALTIME" if scope["type"] == "websocket" else scope["method"],
            path.decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            list(scope["headers"]),
        )

    def end(self) -> None:
        self._log.end(self._exchange, self._now(), self._state)

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            more = message.get("more_body", False)
            self._log.receive(self._exchange, message.get("body", b""), ended=not more)
        elif kind == "websocket.receive":
            self._log.add(self._exchange, self._now(), _data_of(message), sent=False)
        elif kind == "websocket.disconnect":
            self._state = "complete" if message.get("code", 1005) in (1000, 1005) else "cut"
        return message

    async def send(self, message: Message) -> None:
        kind, now = message["type"], self._now()
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            headers = list(message.get("headers", []))
            self._log.respond(self._exchange, now, message.get("status", 101), headers)
        elif kind in ("http.response.body", "websocket.http.response.body"):
            self._log.add(self._exchange, now, message.get("body", b""))
            if not message.get("more_body", False):
                self._state = "complete"
                self.end()
        elif kind == "websocket.send":
            self._log.add(self._exchange, now, _data_of(message))
        elif kind == "websocket.close":
            self._state = "complete" if message.get("code", 1000) == 1000 else "cut"
        await self._send(message)

    def _now(self) -> float:
        return time.monotonic() - self._began


def _data_of(message: Message) -> bytes:
    text: Optional[str] = message.get("text")
    data: bytes = message.get("bytes") or b""
    return data if text is None else text.encode("utf-8", "replace")
