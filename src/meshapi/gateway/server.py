"""`LocalGateway`: the application behind a real socket, in its own thread."""

import asyncio
import contextlib
import errno
import itertools
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

from meshapi.gateway import waiting
from meshapi.gateway.app import build
from meshapi.gateway.page.exchanges import ExchangeLog
from meshapi.gateway.rate_limits import Kind, RateLimits
from meshapi.gateway.scripts.engine import Scripts
from meshapi.gateway.scripts.scripted import Scripted
from meshapi.gateway.state import GatewayState
from meshapi.gateway.websocket import WebSocketProtocol

# Seconds that an idle connection stays open: longer than clients keep theirs, so that it is the
# client that closes it.
_KEEP_ALIVE = 75

# Starting and stopping take milliseconds, but longer on an overloaded computer.
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0

# A benchmark opens all its connections at the same moment.
_BACKLOG = 2048

# The name that users import, and may have in their logging configuration.
_logger = logging.getLogger("meshapi.testing")


# Of connections, in the order in which they were opened.
_numbers = itertools.count()


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """False for connections that were cut on purpose, and for requests that `close` ended.

    Also False below the level of a warning: uvicorn logs every WebSocket with its query, and so
    with the token in it.
    """
    if record.levelno < logging.WARNING:
        return False
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        return False
    return record.msg != "ASGI callable returned without completing response."


_logger.addFilter(_is_worth_logging)


class LocalGateway(Scripted):
    """A gateway that serves from its construction until `close` or the end of its `with` block.

    Several can run at once. The server's thread is a daemon, so it never keeps a program alive.
    """

    def __init__(
        self,
        token: str = "rsk_demo",
        words_per_second: float = 20.0,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: Sequence[str] = (),
        *,
        requests_per_minute: Optional[int] = None,
        tokens_per_minute: Optional[int] = None,
        window: Kind = "sliding",
        clock_speed: float = 1.0,
        strict: bool = False,
    ) -> None:
        """Start a gateway; when this returns, it is ready for requests.

        Args:
            token: the only Bearer token that it accepts.
            words_per_second: the pace of streams; 0 is as fast as possible.
            host: the address to listen on.
            port: the port to listen on; 0 is any free port.
            allowed_hosts: host names that it serves in addition to `localhost`, IP addresses and
                `host`. Requests for other host names are refused, and so are those from web pages
                of other hosts: otherwise any site could use the gateway through its visitors'
                browsers.
            requests_per_minute: how many requests it admits in a minute; None for no limit.
            tokens_per_minute: how many model tokens they may have in a minute; None for no limit.
            window: whether a minute is the last 60 seconds ("sliding"), or one of the minutes since
                the gateway began ("fixed").
            clock_speed: how fast the clock of the limits runs; at 60.0, its minute is a second.
            strict: whether a request that no script matches gets an error.

        Raises:
            OSError: the address is in use, or does not belong to this computer.
            ValueError: the pace is negative, a limit or `clock_speed` is not positive, or no
                request could carry the token.
        """
        self.token = token
        limits = RateLimits(requests_per_minute, tokens_per_minute, window, clock_speed)
        self._state = GatewayState(token, words_per_second, limits, Scripts(strict=strict))
        # Bound here, not by the server's thread, so that the port is known, and ours, at once.
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
    def exchanges(self) -> ExchangeLog:
        """The last 500 requests with their responses, as the page at `/` shows them."""
        return self._state.exchanges

    def advance(self, seconds: float) -> None:
        """Move the clock of the limits forward by that many of its seconds, without a wait."""
        self._state.rate_limits.advance(seconds)

    def close(self) -> None:
        """Stop, cut off the responses under way, and free the port; may be called repeatedly."""
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
    """uvicorn's connection with our logger: the program may use uvicorn's own for its server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _logger

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.opened = next(_numbers)
        if len(self.connections) > waiting.most_connections():
            self._make_room()

    def _make_room(self) -> None:
        """Close an older connection that has nothing to do, or this one if there is none."""
        others = [one for one in self.connections if isinstance(one, _Protocol) and one is not self]
        oldest_first = sorted(others, key=lambda one: one.opened)
        (waiting.least_wanted(oldest_first) or self).transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's server, but it stops at once when told to, instead of looking every 0.1 s."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws=WebSocketProtocol,
            # wsproto decompresses without a limit.
            ws_per_message_deflate=False,
            # Newer versions of uvicorn would send a ping every 20 s, older ones never.
            ws_ping_interval=None,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        # At its finest log level, uvicorn has wrapped the application now, to log each query with
        # its token: unwrap it.
        config.loaded_app = app
        super().__init__(config)
        self._ready = threading.Event()
        self._failure: Optional[BaseException] = None

    def serve_until_stopped(self, listener: socket.socket) -> None:
        """Run the server; the target of the thread."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        except BaseException as error:
            self._failure = error
            if self._ready.is_set():
                # Nobody waits for it any more: let `threading.excepthook` report it.
                raise
        finally:
            listener.close()
            self._ready.set()

    def wait_until_ready(self) -> None:
        """Return once the server is ready for requests; raises RuntimeError if it can't start."""
        if not self._ready.wait(_START_TIMEOUT) or self._failure is not None:
            raise RuntimeError("the local gateway did not start") from self._failure

    def stop(self) -> None:
        """End `serve_until_stopped`; may be called from any thread, any number of times."""
        # The loop is already closed if the server has stopped before.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        await super().startup(sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        stopped = asyncio.ensure_future(self._stopped.wait())
        sweep = waiting.Waiting()
        while not stopped.done():
            # uvicorn ticks ten times a second, and sets the Date header on every tenth tick: 0 is
            # one of them.
            await self.on_tick(0)
            now = self._loop.time()
            for connection in sweep.overdue(self.server_state.connections, now):
                connection.transport.abort()
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
    # asyncio sets TCP_NODELAY only on sockets whose protocol is named. Without it, Nagle's
    # algorithm would delay each small response by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # On Windows this option would let two servers share a port.
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
