"""One HTTP/1.1 connection of the server, which may become a WebSocket.

What it sends is what uvicorn would send.
"""

from collections.abc import Callable
from typing import Any, Optional
from urllib.parse import unquote

import h11

from meshapi.testing.fake.faults import ByteFault
from meshapi.testing.fake.server.messages import Exchange
from meshapi.testing.fake.server.pipes import Pipe
from meshapi.testing.fake.server.sockets import Socket
from meshapi.testing.fake.server.tasks import Tasks

_WRONG = b"Invalid HTTP request received."


class Connection:
    """Parses what a client sends, and runs the application for each request.

    Args:
        pipe: leads to the client.
        tasks: run the application.
        app: the ASGI application.
        server: the host and the port that the client has connected to.
        next_fault: returns what is to happen to the next response.
    """

    def __init__(
        self,
        pipe: Pipe,
        tasks: Tasks,
        app: Any,
        server: tuple[str, int],
        next_fault: Callable[[], Optional[ByteFault]],
    ) -> None:
        self._pipe = pipe
        self._tasks = tasks
        self._app = app
        self._server = server
        self._next_fault = next_fault
        self._http: Any = h11.Connection(h11.SERVER)
        self._exchange: Optional[Exchange] = None
        self._socket: Optional[Socket] = None
        pipe.deliver = self.receive_data
        pipe.left = self.left
        pipe.drained = self.drained

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self._exchange is None and self._socket is None

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._socket is None:
            self._http.receive_data(data)
            self._handle_events()
        else:
            self._socket.receive_data(data)
        self._tasks.run()

    def left(self) -> None:
        """The connection is gone."""
        if self._socket is not None:
            self._socket.left()
        elif self._exchange is not None:
            self._exchange.disconnected()
        self._tasks.run()

    def drained(self) -> None:
        """The client has read what was there."""
        waiting = self._socket or self._exchange
        if waiting is not None:
            waiting.drained()
            self._tasks.run()

    def _handle_events(self) -> None:
        http = self._http
        while True:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError:
                self._refuse()
                return
            if isinstance(event, h11.Request):
                if self._begin(event):
                    return
            elif isinstance(event, h11.Data):
                if self._exchange is not None:
                    self._exchange.add(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if self._exchange is not None:
                    self._exchange.complete()
                elif not self._next_cycle():
                    return
            else:
                return  # NEED_DATA, PAUSED, or the end of the connection

    def _begin(self, request: h11.Request) -> bool:
        """Begin a response; whether it is an upgrade, after which no HTTP follows."""
        self._pipe.damage(self._next_fault())
        headers = [(name.lower(), value) for name, value in request.headers]
        path, _, query = request.target.partition(b"?")
        if any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers):
            lines = [b"%s %s HTTP/1.1" % (request.method, request.target)]
            lines += [b"%s: %s" % header for header in headers]
            upgrade = b"\r\n".join([*lines, b"", b""])
            self._socket = Socket(upgrade, self._pipe, self._tasks, self._app, self._server)
            return True
        scope = {
            "type": "http",
            # From 2.4 on, a response learns of a disconnection from `send`, and needs no other task
            # to listen for it.
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode(),
            "scheme": "https" if self._server[1] == 443 else "http",
            "server": self._server,
            "client": ("127.0.0.1", self._pipe.number),
            "root_path": "",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "state": {},
        }
        self._exchange = Exchange(
            scope, self._pipe, self._tasks, self.send, self._http.they_are_waiting_for_100_continue
        )
        self._tasks.start(self._exchange.run(self._app, self._over))
        return False

    def send(self, event: Any) -> None:
        """Send one event of a response."""
        data: Optional[bytes] = self._http.send(event)
        if data:
            self._pipe.send(data, head=isinstance(event, (h11.Response, h11.InformationalResponse)))

    def _over(self, *, is_complete: bool) -> None:
        """A response has ended."""
        self._exchange = None
        if not is_complete or self._http.our_state is not h11.DONE:
            self._pipe.end()
        elif self._http.their_state is h11.DONE and self._next_cycle():
            self._handle_events()

    def _next_cycle(self) -> bool:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def _refuse(self) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.send(h11.Response(status_code=400, headers=headers, reason=b"Bad Request"))
            self.send(h11.Data(data=_WRONG))
            self.send(h11.EndOfMessage())
        self._pipe.end()
