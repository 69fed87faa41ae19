"""The middleware for `Idempotency-Key`: whoever repeats a POST gets the first response again.

A request is the same if its key, path, query and body are. Only complete responses of the class 2xx
are kept: after an error, and after a stream that broke off, the same request runs again. One that
arrives while the first is under way waits for its end.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07,
    https://docs.stripe.com/api/idempotent_requests (the header of a replay)
"""

import hashlib
from dataclasses import dataclass
from typing import Callable, Optional

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshapi.gateway.http.auth import bearer_token
from meshapi.gateway.state import GatewayState

_MOST_RESPONSES = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_LARGEST = 8 * 1024 * 1024

_REPLAYED = (b"idempotent-replayed", b"true")

Identity = bytes


@dataclass(frozen=True)
class KeptResponse:
    """A complete response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Send) -> None:
        headers = [*self.headers, _REPLAYED]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Replays:
    """The responses of one gateway; when there are too many, the oldest are dropped."""

    def __init__(self) -> None:
        self._responses: dict[Identity, KeptResponse] = {}
        self._bytes = 0

    def find(self, identity: Identity) -> Optional[KeptResponse]:
        return self._responses.get(identity)

    def keep(self, identity: Identity, response: KeptResponse) -> None:
        self._responses[identity] = response
        self._bytes += len(response.body)
        while len(self._responses) > _MOST_RESPONSES or self._bytes > _MOST_BYTES:
            oldest = self._responses.pop(next(iter(self._responses)))
            self._bytes -= len(oldest.body)


class Replayer:
    """ASGI middleware. It belongs inside the recorder, so that the log has the repetitions, too."""

    def __init__(self, app: ASGIApp, state: GatewayState) -> None:
        self._app = app
        self._state = state
        self._under_way: dict[Identity, anyio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        first = await receive()
        again = _Ahead(first, receive)
        if first["type"] != "http.request" or first.get("more_body", False):
            # Too long to wait for all of it.
            await self._app(scope, again.receive, send)
            return
        identity = _identity(scope, key, first.get("body", b""))
        while identity in self._under_way:
            await self._under_way[identity].wait()
        kept = self._state.store(Replays).find(identity)
        if kept is not None:
            await kept.send(send)
            return
        ended = self._under_way[identity] = anyio.Event()
        kept_in = self._state.store(Replays)
        copy = _Copy(send, lambda made: kept_in.keep(identity, made))
        try:
            await self._app(scope, again.receive, copy.send)
        finally:
            del self._under_way[identity]
            ended.set()

    def _key(self, scope: Scope) -> Optional[str]:
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        headers = Headers(scope=scope)
        # Without the token, nobody learns what others were told.
        return (
            headers.get("idempotency-key") if bearer_token(headers) == self._state.token else None
        )


class _Ahead:
    """A request whose first message was read already."""

    def __init__(self, first: Message, receive: Receive) -> None:
        self._first: Optional[Message] = first
        self._receive = receive

    async def receive(self) -> Message:
        if self._first is not None:
            message, self._first = self._first, None
            return message
        return await self._receive()


class _Copy:
    """A copy of a response on its way to the client.

    It is kept before the client has all of it, and may reset the gateway.
    """

    def __init__(self, send: Send, keep: Callable[[KeptResponse], None]) -> None:
        self._send = send
        self._keep = keep
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            # A copy: the recorder replaces the message's own headers.
            self._headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body" and 200 <= self._status < 300:
            self._add(message.get("body", b""))
            if not message.get("more_body", False) and self._size <= _LARGEST:
                self._keep(KeptResponse(self._status, self._headers, b"".join(self._pieces)))
        await self._send(message)

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= _LARGEST:
            self._pieces.append(data)
        else:
            self._pieces.clear()


def _identity(scope: Scope, key: str, body: bytes) -> Identity:
    target = scope.get("raw_path") or scope["path"].encode()
    parts = (target, scope["query_string"], key.encode("latin-1"), body)
    # The length goes before each part, so that no two requests look alike.
    joined = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hashlib.sha256(joined).digest()
