"""One WebSocket connection of the server, for an ASGI application.

As with `LocalGateway`, a broken frame ends the connection, and after a close frame has been sent,
the connection waits for the client's.
"""

from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Union
from urllib.parse import unquote

from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import ConnectionState
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from meshapi.testing.fake.server.pipes import HIGH_WATER, Pipe
from meshapi.testing.fake.server.tasks import Changes, Tasks

# The documentation allows 15 MiB of base64 in one event.
_MESSAGE_LIMIT = 16 * 1024 * 1024

# Seconds to wait for the client's close frame.
_CLOSE_TIMEOUT = 5.0

_Data = Union[events.TextMessage, events.BytesMessage]


class Socket:
    """Parses what a client sends, and runs the application for the session.

    Args:
        request: the bytes of the upgrade.
        pipe: leads to the client.
        tasks: run the application.
        app: the ASGI application.
        server: the host and the port that the client has connected to.
    """

    def __init__(
        self, request: bytes, pipe: Pipe, tasks: Tasks, app: Any, server: tuple[str, int]
    ) -> None:
        self._pipe = pipe
        self._tasks = tasks
        self._app = app
        self._server = server
        self._socket = WSConnection(ConnectionType.SERVER)
        self._messages: deque[dict[str, Any]] = deque()
        self._changes = Changes(tasks)
        self._parts: list[Any] = []
        self._size = 0
        self._is_accepted = self._is_refused = self._is_closing = self._is_gone = False
        self.receive_data(request)

    # What happens.

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        try:
            self._socket.receive_data(data)
            for event in self._socket.events():
                self._handle(event)
        except RemoteProtocolError as exc:
            if exc.event_hint is not None:
                self._write(exc.event_hint)
            self._pipe.end()
        except LocalProtocolError:
            self._pipe.end()  # data after the closing handshake

    def left(self) -> None:
        """The connection is gone."""
        self._is_gone = True
        self._put({"type": "websocket.disconnect", "code": 1006})

    def drained(self) -> None:
        """The client has read what was there."""
        self._changes.happened()

    def _handle(self, event: events.Event) -> None:
        if isinstance(event, events.Request):
            self._put({"type": "websocket.connect"})
            self._tasks.start(self._run(self._scope(event)))
        elif isinstance(event, events.CloseConnection):
            if self._socket.state is ConnectionState.REMOTE_CLOSING:
                self._write(event.response())
            elif self._socket.state is ConnectionState.OPEN:
                self._write(event)  # a broken frame
            self._put({"type": "websocket.disconnect", "code": event.code})
            self._pipe.end()
        elif isinstance(event, events.Ping):
            self._write(event.response())
        elif isinstance(event, (events.TextMessage, events.BytesMessage)) and not self._is_closing:
            self._collect(event)

    def _collect(self, event: _Data) -> None:
        self._parts.append(event.data)
        self._size += len(event.data)
        if self._size > _MESSAGE_LIMIT:
            self._begin_close(1009, f"a message may have at most {_MESSAGE_LIMIT} bytes")
        elif event.message_finished:
            parts, self._parts, self._size = self._parts, [], 0
            if isinstance(event, events.TextMessage):
                self._put({"type": "websocket.receive", "text": "".join(parts)})
            else:
                self._put({"type": "websocket.receive", "bytes": b"".join(parts)})

    def _scope(self, request: events.Request) -> dict[str, Any]:
        headers = [(b"host", request.host.encode())]
        headers += [(name.lower(), value) for name, value in request.extra_headers]
        if request.subprotocols:
            # wsproto removes this header, but an ASGI application expects it.
            headers.append((b"sec-websocket-protocol", ", ".join(request.subprotocols).encode()))
        path, _, query = request.target.partition("?")
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if self._server[1] == 443 else "ws",
            "server": self._server,
            "client": ("127.0.0.1", self._pipe.number),
            "root_path": "",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": request.subprotocols,
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }

    def _put(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self._changes.happened()

    def _write(self, event: events.Event) -> None:
        is_head = isinstance(event, (events.AcceptConnection, events.RejectConnection))
        self._pipe.send(self._socket.send(event), head=is_head)

    def _begin_close(self, code: int, reason: str) -> None:
        self._is_closing = True
        if self._socket.state is ConnectionState.OPEN:
            self._write(events.CloseConnection(code=code, reason=reason))
        self._tasks.later(_CLOSE_TIMEOUT, self._pipe.end)

    # The application.

    async def _run(self, scope: dict[str, Any]) -> None:
        with self._tasks.logging():
            await self._app(scope, self._receive, self._send)
        if not self._is_closing:
            self._pipe.end()

    async def _receive(self) -> dict[str, Any]:
        while not self._messages:
            await self._changes.wait()
        return self._messages.popleft()

    async def _send(self, message: dict[str, Any]) -> None:
        while len(self._pipe.arrived) > HIGH_WATER and not self._is_gone:
            await self._changes.wait()
        if self._is_gone or self._pipe.ended is not None:
            raise OSError("the client has left")
        act: Callable[[dict[str, Any]], Any] = getattr(
            self, "_send_" + message["type"].partition(".")[2].replace(".", "_")
        )
        act(message)
        if message["type"] == "websocket.close":
            await self._until_gone()

    async def _until_gone(self) -> None:
        while not self._is_gone and self._pipe.ended is None:
            await self._changes.wait()

    def _send_accept(self, message: dict[str, Any]) -> None:
        self._is_accepted = True
        headers = [*self._date(), *message.get("headers", [])]
        protocol = message.get("subprotocol")
        self._write(events.AcceptConnection(subprotocol=protocol, extra_headers=headers))

    def _send_send(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        if text is None:
            self._write(events.BytesMessage(data=message["bytes"]))
        else:
            self._write(events.TextMessage(data=text))

    def _send_close(self, message: dict[str, Any]) -> None:
        if self._is_accepted:
            code = message.get("code", 1000)
            # Only the member itself stands for a close without a code.
            code = CloseReason.NO_STATUS_RCVD if code == CloseReason.NO_STATUS_RCVD else code
            self._begin_close(code, message.get("reason") or "")
        else:
            self._write(events.RejectConnection(status_code=403, headers=[]))
            self._pipe.end()

    def _send_http_response_start(self, message: dict[str, Any]) -> None:
        headers = [*self._date(), *message.get("headers", [])]
        self._write(
            events.RejectConnection(status_code=message["status"], headers=headers, has_body=True)
        )

    def _send_http_response_body(self, message: dict[str, Any]) -> None:
        is_last = not message.get("more_body", False)
        self._write(events.RejectData(data=message.get("body", b""), body_finished=is_last))
        if is_last:
            self._pipe.end()

    def _date(self) -> list[tuple[bytes, bytes]]:
        return [(b"date", formatdate(self._tasks.time(), usegmt=True).encode())]
