"""`LocalGateway`: the application behind a real socket, in a thread of its own."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Optional

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import Self
from uvicorn.protocols.http.h11_impl import H11Protocol

from meshapi.gateway.app import build
from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.state import GatewayState
from meshapi.gateway.websocket import WebSocketProtocol

# A connection stays open this long without a request: longer than clients keep theirs, so that
# the client decides.
_KEEP_ALIVE = 75

# Starting and stopping take milliseconds; a machine that is busy beyond measure may take longer.
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0

# As many may knock at the same moment as a benchmark has connections.
_BACKLOG = 2048

# By the name that users import, and that their settings of logging may have.
_logger = logging.getLogger("meshapi.testing")


def _is_news(record: logging.LogRecord) -> bool:
    """Not for a connection that was cut on purpose, or requests that `close` ended.

    Nor for what is said below a warning: uvicorn tells of every WebSocket with its query, and so
    with the token in it.
    """
    if record.levelno < logging.WARNING:
        return False
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        return False
    return record.msg != "ASGI callable returned without completing response."


_logger.addFilter(_is_news)


class LocalGateway:
    """A gateway that serves from construction until `close`, or the end of its `with` block.

    Several can run at once. The server's thread is a daemon: it never keeps a program alive.
    """

    def __init__(
        self,
        token: str = "rsk_demo",
        words_per_second: float = 20.0,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        """Start to listen; when this returns, the gateway answers.

        Args:
            token: the only Bearer token that it accepts.
            words_per_second: the pace of streams; 0 is as fast as possible.
            host: the address to listen on.
            port: 0 is any free port.
            allowed_hosts: names by which it may be called, beside `localhost`, IP addresses and
                `host`. Others are refused, and so are web pages of other hosts: any site could
                use the gateway through the browser of whoever looks at it.

        Raises:
            OSError: the address is not free, or not of this machine.
            ValueError: the pace is negative, or no request could carry the token.
        """
        self.token = token
        self._state = GatewayState(token, words_per_second)
        # Bound here and not by the server, so that the port is known, and nobody else's, at once.
        self._socket = _listen(host, port)
        self.url = _url_of(self._socket)
        self._server = _Server(build(self._state, (host, *allowed_hosts)))
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, args=(self._socket,), daemon=True
        )
        self._thread.name = f"meshapi-gateway-{self.url}"
        self._thread.start()
        self._server.wait_until_ready()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last 1,000 requests, oldest first, those that were refused included."""
        return self._state.requests.snapshot()

    def reset(self) -> None:
        """Forget the requests so far, what they stored, and how often `mesh/flaky` has failed."""
        self._state.reset()

    def close(self) -> None:
        """Stop: the port is free again, and responses under way are cut off. Again is harmless."""
        self._server.stop()
        self._thread.join(_STOP_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class _Protocol(H11Protocol):
    """uvicorn's connection, logging as this package and not as uvicorn, which may be in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _logger


class _Server(uvicorn.Server):
    """uvicorn's server, which stops at once when told so, instead of looking each 0.1 s."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws=WebSocketProtocol,
            # wsproto inflates without a limit.
            ws_per_message_deflate=False,
            # Newer versions would ask each 20 s, older ones never.
            ws_ping_interval=None,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        # If uvicorn is to log its finest, it wraps the application, and logs each query too.
        config.loaded_app = app
        super().__init__(config)
        self._ready = threading.Event()
        self._failure: Optional[BaseException] = None

    def serve_until_stopped(self, listener: socket.socket) -> None:
        """The thread's work."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        except BaseException as error:
            self._failure = error
            if self._ready.is_set():
                # Nobody waits for it any more: let the thread's hook tell of it.
                raise
        finally:
            listener.close()
            self._ready.set()

    def wait_until_ready(self) -> None:
        """Return when requests are answered; raises RuntimeError if that can't be."""
        if not self._ready.wait(_START_TIMEOUT) or self._failure is not None:
            raise RuntimeError("the local gateway did not start") from self._failure

    def stop(self) -> None:
        """End `serve_until_stopped`; from any thread, any number of times."""
        # The loop is closed when the server has stopped before.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        await super().startup(sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        stopped = asyncio.ensure_future(self._stopped.wait())
        while not stopped.done():
            # Turn 0 of uvicorn's ten a second is the one that sets the Date header.
            await self.on_tick(0)
            await asyncio.wait([stopped], timeout=1.0)

    async def shutdown(self, sockets: Optional[list[socket.socket]] = None) -> None:
        for server in self.servers:
            server.close()
        _close_all(sockets or [])
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _close_all(sockets: Sequence[socket.socket]) -> None:
    for listener in sockets:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay, 40 ms for each small response, only where TCP is named here.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # Elsewhere this option lets two servers share a port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = f"{host}:{port} is in use; port=0 takes any port that is free"
            raise OSError(error.errno, why) from None
        raise
    except BaseException:
        listener.close()
        raise
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
