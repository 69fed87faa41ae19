"""The local gateway's application behind hypercorn, which speaks HTTP/2 where it is asked to."""

import asyncio
import contextlib
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Optional

import pytest
from peers.nginx import write_certificate
from peers.programs import PATIENCE, free_ports
from typing_extensions import Self

from meshapi.testing import create_app


class HTTP2Gateway:
    """A gateway that serves HTTP/1.1 and HTTP/2 over TLS, in a thread of its own.

    Attributes:
        url: where it is.
        versions: the version of HTTP of each request, such as "2".
    """

    def __init__(self, token: str) -> None:
        pytest.importorskip("hypercorn")
        self._app = create_app(token=token, words_per_second=0)
        self.versions: list[str] = []
        self._ready = threading.Event()

    async def _record(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.versions.append(scope["http_version"])
        await self._app(scope, receive, send)

    async def _serve(self, folder: Path) -> None:
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        config = Config()
        config.bind = [f"127.0.0.1:{self._port}"]
        config.certfile = config.keyfile = str(folder / "server.pem")
        config.alpn_protocols = ["h2", "http/1.1"]
        config.errorlog = config.accesslog = None
        config.graceful_timeout = 0.1
        # The port is bound before this is called first.
        await serve(self._record, config, shutdown_trigger=self._wait)

    async def _wait(self) -> None:
        self._ready.set()
        await self._stopped.wait()

    def _run(self) -> None:
        with TemporaryDirectory() as folder:
            write_certificate(Path(folder) / "server.pem")
            asyncio.run(self._serve(Path(folder)))

    def __enter__(self) -> Self:
        (self._port,) = free_ports(1)
        self.url = f"https://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE), "hypercorn does not start"
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "hypercorn does not stop"
