"""A server of hypercorn's on loopback, in a thread: HTTP/1.1 without TLS, or HTTP/2 with it.

It plays a small part of the gateway. The first segment of a path says how, and the second whose
requests they are: `server.place("slow-head")` returns a new `Place`, whose `url` is a base URL and
which sees what arrived there.
"""

import asyncio
import gzip
import itertools
import json
import logging
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from hypercorn.asyncio import serve
from hypercorn.config import Config
from typing_extensions import Self

from support.certificates import authority
from support.flavours import descriptors
from support.scripted_server import PATIENCE
from support.wire import chunk, completion, dump, frame, texts

SERVER = "asgi-server"
"""The name of the server's thread."""

SPEECH = bytes(range(256)) * 300
"""The bytes of each download."""


class Arrived:
    """One request."""

    def __init__(self, scope: Any) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.version: str = scope["http_version"]
        self.query: bytes = scope["query_string"]
        self.peer: tuple[str, int] = tuple(scope["client"])
        self.headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
        self.body = b""
        self.left = threading.Event()


class Place:
    """One test's part of the server."""

    def __init__(self, url: str, tls_url: str) -> None:
        self.url = url
        self.tls_url = tls_url
        self.requests: list[Arrived] = []

    @property
    def connections(self) -> int:
        """How many connections the requests came on."""
        return len({request.peer for request in self.requests})


APPS: dict[int, Any] = {}
"""Ports of servers -> their applications, for whoever plays them without a socket."""

PORTS: set[int] = set()
"""The ports of servers, which keep their ends of connections open for some seconds."""


def is_of_a_server(target: str) -> bool:
    """Whether a descriptor, by the text that /proc has for it, is a server's end."""
    for number, to in descriptors().items():
        if to == target and to.startswith("socket:"):
            try:
                with socket.socket(fileno=os.dup(int(number))) as sock:
                    return sock.getsockname()[1] in PORTS
            except (OSError, IndexError):
                continue
    return False


class ASGIServer:
    """The server; leaving its `with` block ends it."""

    def __init__(self, *, http2: bool = False) -> None:
        self._http2 = http2
        self._places: dict[str, Place] = {}
        self._numbers = itertools.count()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        PORTS.add(self._listener.getsockname()[1])
        APPS[self._listener.getsockname()[1]] = self._app
        scheme = "https" if http2 else "http"
        self._origin = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._ending: Optional[asyncio.Event] = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=SERVER, daemon=True)

    def place(self, play: str) -> Place:
        """A new place with a play."""
        name = str(next(self._numbers))
        place = self._places[name] = Place(f"{self._origin}/{play}/{name}", self._origin)
        return place

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._loop is not None
        assert self._ending is not None
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server does not end"

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._ending = asyncio.Event()
        config = Config()
        config.bind = [f"fd://{self._listener.detach()}"]
        config.graceful_timeout = 0.1
        config.shutdown_timeout = 0.5
        config.loglevel = "CRITICAL"
        config.errorlog = logging.getLogger("hypercorn.silent")
        logging.getLogger("hypercorn.silent").setLevel(logging.CRITICAL)
        with tempfile.TemporaryDirectory() as folder:
            if self._http2:
                issued = authority().issue_cert("127.0.0.1")
                key, chain = Path(folder, "key.pem"), Path(folder, "chain.pem")
                issued.private_key_pem.write_to_path(str(key))
                issued.cert_chain_pems[0].write_to_path(str(chain))
                config.keyfile, config.certfile = str(key), str(chain)
            ending = self._ending

            async def end() -> None:
                self._ready.set()
                await ending.wait()

            await serve(self._app, config, shutdown_trigger=end)  # type: ignore[arg-type]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        _, play, name, _rest = scope["path"].split("/", 3)
        place = self._places[name]
        arrived = Arrived(scope)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                arrived.left.set()
                break
            arrived.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        place.requests.append(arrived)
        stage = Stage(place, arrived, receive, send)
        try:
            await PLAYS[play](stage)
        finally:
            arrived.left.set()


class Stage:
    """What a play has."""

    def __init__(self, place: Place, request: Arrived, receive: Any, send: Any) -> None:
        self.place = place
        self.request = request
        self._receive = receive
        self._send = send

    @property
    def number(self) -> int:
        """The number of the request at its place, from 1."""
        return len(self.place.requests)

    async def head(self, status: int, kind: str = "application/json", **headers: str) -> None:
        fields = [(b"content-type", kind.encode()), (b"x-request-id", b"req_01TEST")]
        fields += [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(
        self, status: int, data: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        await self.head(status, kind, content_length=str(len(data)), **headers)
        await self.body(data)

    async def until_left(self) -> None:
        """Wait until the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def good(self) -> None:
        """The response of a gateway that works."""
        path = self.request.path
        if path.endswith("/chat/completions"):
            if json.loads(self.request.body).get("stream"):
                await self.head(200, "text/event-stream")
                for event in texts("po", "ng"):
                    await self.body(event, more=True)
                await self.body(b"")
            else:
                await self.whole(200, dump(completion("pong")))
        elif path.endswith("/transcriptions"):
            await self.whole(200, dump({"text": "pong"}))
        elif self.request.method == "PUT":
            await self.whole(200, b"")
        else:
            await self.whole(200, SPEECH, "audio/wav")


def _error(code: str) -> bytes:
    return dump({"error": {"code": code, "message": "no"}})


async def _good(stage: Stage) -> None:
    await stage.good()


async def _refused(stage: Stage) -> None:
    await stage.whole(400, _error("invalid_model"))


async def _busy(stage: Stage) -> None:
    if stage.number <= 2:
        await stage.whole(503, _error("provider_not_available"))
    else:
        await stage.good()


async def _moved(stage: Stage) -> None:
    await stage.whole(302, b"", location="https://elsewhere.example/")


async def _silent(stage: Stage) -> None:
    if stage.number == 1:
        await stage.until_left()
    else:
        await stage.good()


async def _stalls(stage: Stage) -> None:
    """The first request gets the beginning of a body."""
    if stage.number > 1:
        await stage.good()
    elif json.loads(stage.request.body).get("stream"):
        await stage.head(200, "text/event-stream")
        await stage.body(frame(chunk("a")) + frame(chunk("b")), more=True)
        await stage.until_left()
    else:
        await stage.head(200)
        await stage.body(b"{", more=True)
        await stage.until_left()


async def _gzipped(stage: Stage) -> None:
    if "gzip" not in stage.request.headers.get("accept-encoding", ""):
        await stage.good()
        return
    if json.loads(stage.request.body).get("stream"):
        data, kind = b"".join(texts("po", "ng")), "text/event-stream"
    else:
        data, kind = dump(completion("pong")), "application/json"
    await stage.whole(200, gzip.compress(data), kind, content_encoding="gzip")


async def _echo(stage: Stage) -> None:
    """An error that quotes the token."""
    token = stage.request.headers.get("authorization", "")
    await stage.whole(401, dump({"error": {"code": "invalid_api_key", "message": token}}))


PLAYS: dict[str, Callable[[Stage], Any]] = {
    "good": _good,
    "refused": _refused,
    "busy": _busy,
    "moved": _moved,
    "silent": _silent,
    "stalls": _stalls,
    "gzipped": _gzipped,
    "echo": _echo,
}

FORM_NAME = re.compile(rb'name="(\w+)"')
