"""The last requests and what they got, for the page: within bounds, whatever is sent.

Of each body, the beginning is kept; of all of them, with their heads and with what each header and
piece takes beside its bytes, 16 MiB. The oldest are dropped first.
"""

import hashlib
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Optional
from urllib.parse import unquote_plus

from meshapi.gateway.http.contents import text_in
from meshapi.gateway.http.scrubbing import Scrubber, tokens_in

MOST_EXCHANGES: Final = 500
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_OF_BODY: Final = 256 * 1024
"""Bytes of a request, and of a response."""
MOST_CHUNKS: Final = 2000
"""Pieces of a response that are told apart; the rest is one more piece."""

# In a query, in JSON, and in a form.
_MODEL: Final = re.compile(
    rb"""(?:^|&)model=([\w./:%-]{1,200})"""
    rb"""|"model"\s*:\s*"([^"\\]{1,200})\""""
    rb"""|name="model"\r\n\r\n([^\r\n]{1,200})"""
)
_HEAD: Final = 64 * 1024

_ABOUT: Final = 120
"""Characters of the text that a line shows."""

_PER_OBJECT: Final = 200
"""Bytes that a header or a piece takes in memory beside its own, rounded up from CPython's."""

_RETRY_WITHIN: Final = 120.0
"""Seconds after which the same request without a key is another call."""


@dataclass
class Piece:
    """What came at one moment.

    Attributes:
        at: seconds since the request began.
        data: the bytes, as far as they are kept.
        size: how many there were.
        sent: whether the gateway sent it; in realtime, the client sends pieces, too.
    """

    at: float
    data: bytes
    size: int
    sent: bool = True


@dataclass
class Exchange:
    """A request, and the response as far as it has come.

    Attributes:
        number: counted from 1.
        call: the number of the first attempt of the same call.
        attempt: counted from 1.
        began: seconds since the gateway began.
        state: "open", "complete", or "cut" for a response that was broken off, by either side.
        version: grows with each change of any exchange.
        kept: the bytes that it takes in memory.
        said: those of them that are the data of its pieces.
        about: the beginning of its text, once the request has come.
        identity: what the attempts of one call have in common, once the request has come.
        is_dropped: whether it is not shown any more; then nothing is added to it.
    """

    number: int
    began: float
    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    call: int = 0
    attempt: int = 1
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    model: str = ""
    about: str = ""
    status: int = 0
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    first: Optional[float] = None
    pieces: list[Piece] = field(default_factory=list)
    response_size: int = 0
    ended: Optional[float] = None
    state: str = "open"
    version: int = 0
    kept: int = 0
    said: int = 0
    identity: Optional[tuple[str, str, bytes]] = None
    is_dropped: bool = False


class ExchangeLog:
    """The last exchanges of one gateway. The server's thread adds them; any thread may read.

    Args:
        token: of the gateway; it is never shown.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._lock = threading.Lock()
        self._exchanges: deque[Exchange] = deque()
        self._kept = 0
        self._count = 0
        self.version = 0

    def begin(
        self,
        now: float,
        method: str,
        path: str,
        query: str,
        headers: list[tuple[bytes, bytes]],
    ) -> Exchange:
        """Add a request whose head has come."""
        with self._lock:
            self._count += 1
            exchange = Exchange(self._count, now, method, path, query, headers)
            exchange.call = exchange.number
            exchange.model = _model_in(exchange)
            self._exchanges.append(exchange)
            self._count_bytes(exchange, len(path) + len(query) + _size_of(headers))
            if len(self._exchanges) > MOST_EXCHANGES:
                self._drop()
            self._touch(exchange)
        return exchange

    def receive(self, exchange: Exchange, data: bytes, *, ended: bool) -> None:
        """Add a piece of a request's body."""
        with self._lock:
            exchange.size += len(data)
            if exchange.is_dropped:
                return
            data = data[: max(0, MOST_OF_BODY - len(exchange.body))]
            exchange.body += data
            self._count_bytes(exchange, len(data))
            if ended:
                exchange.model = _model_in(exchange)
                exchange.about = self._about(exchange)
                exchange.identity = _identity(exchange)
                self._find_call(exchange)
            self._touch(exchange)

    def respond(
        self, exchange: Exchange, now: float, status: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        """Add the head of a response."""
        with self._lock:
            exchange.status, exchange.response_headers = status, headers
            exchange.first = now - exchange.began
            self._count_bytes(exchange, _size_of(headers))
            self._touch(exchange)

    def add(self, exchange: Exchange, now: float, data: bytes, *, sent: bool = True) -> None:
        """Add a piece of a response, or of what goes over a WebSocket."""
        if not data:
            return
        with self._lock:
            exchange.response_size += len(data)
            if exchange.is_dropped:
                return
            if len(exchange.pieces) > MOST_CHUNKS:
                exchange.pieces[-1].size += len(data)
            else:
                kept = data[: max(0, MOST_OF_BODY - exchange.said)]
                exchange.said += len(kept)
                piece = Piece(now - exchange.began, kept, len(data), sent)
                exchange.pieces.append(piece)
                self._count_bytes(exchange, len(kept) + _PER_OBJECT)
            self._touch(exchange)

    def end(self, exchange: Exchange, now: float, state: str) -> None:
        """Note the end of a response. Only the first end counts."""
        with self._lock:
            if exchange.ended is None:
                exchange.ended, exchange.state = now - exchange.began, state
                self._touch(exchange)

    def clear(self) -> None:
        """Forget all of them; those under way are not shown any more."""
        with self._lock:
            while self._exchanges:
                self._drop()
            self.version += 1

    def since(self, version: int) -> tuple[int, int, list[dict[str, Any]]]:
        """Return what is new.

        Returns:
            The version now, the number of the oldest exchange that is kept (the next number if none
            is), and the lines of those that changed after a version, oldest first.
        """
        with self._lock:
            changed = [one for one in self._exchanges if one.version > version]
            oldest = self._exchanges[0].number if self._exchanges else self._count + 1
            return self.version, oldest, [self._line(one) for one in changed]

    def details(self, number: int) -> Optional[dict[str, Any]]:
        """Return one exchange in full, as far as it is kept; None if it is not."""
        with self._lock:
            found = next((one for one in self._exchanges if one.number == number), None)
            return None if found is None else self._details(found)

    def _count_bytes(self, exchange: Exchange, size: int) -> None:
        if exchange.is_dropped:
            return
        exchange.kept += size
        self._kept += size
        while self._kept > MOST_BYTES and len(self._exchanges) > 1:
            self._drop()

    def _drop(self) -> None:
        dropped = self._exchanges.popleft()
        dropped.is_dropped = True
        self._kept -= dropped.kept

    def _touch(self, exchange: Exchange) -> None:
        self.version += 1
        exchange.version = self.version

    def _find_call(self, exchange: Exchange) -> None:
        """Find the earlier attempts of the same call: by its key, else by what was sent."""
        for other in reversed(self._exchanges):
            if other is exchange or other.identity != exchange.identity:
                continue
            is_failed = other.state == "cut" or other.status >= 400
            is_late = exchange.began - other.began > _RETRY_WITHIN
            if _key_of(exchange) or (is_failed and not is_late):
                exchange.call, exchange.attempt = other.call, other.attempt + 1
            return

    def _line(self, exchange: Exchange) -> dict[str, Any]:
        scrub = self._scrubber(exchange)
        return {
            "number": exchange.number,
            "call": exchange.call,
            "attempt": exchange.attempt,
            "began": round(exchange.began, 3),
            "method": exchange.method,
            "path": scrub.text(exchange.path),
            "model": scrub.text(exchange.model),
            "about": exchange.about,
            "version": exchange.version,
            "status": exchange.status,
            "state": exchange.state,
            "seconds": None if exchange.ended is None else round(exchange.ended, 4),
            "pieces": len(exchange.pieces),
            "size": exchange.response_size,
        }

    def _details(self, exchange: Exchange) -> dict[str, Any]:
        scrub = self._scrubber(exchange)
        (body,) = scrub.pieces([bytes(exchange.body)])
        chunks = scrub.pieces([piece.data for piece in exchange.pieces])
        return {
            **self._line(exchange),
            "query": scrub.text(exchange.query),
            "headers": scrub.headers(exchange.headers),
            "body": scrub.text(_text(body)),
            "body_size": exchange.size,
            "truncated": exchange.size > len(exchange.body),
            "response_headers": scrub.headers(exchange.response_headers),
            "first": None if exchange.first is None else round(exchange.first, 4),
            "chunks": [
                {
                    "at": round(piece.at, 4),
                    "text": scrub.text(_text(data)),
                    "size": piece.size,
                    "truncated": piece.size > len(piece.data),
                    "sent": piece.sent,
                }
                for piece, data in zip(exchange.pieces, chunks)
            ],
        }

    def _about(self, exchange: Exchange) -> str:
        """Return the beginning of what a request asks, in one line; "" if it is not soon found."""
        if exchange.size > _HEAD:
            return ""
        try:
            text = text_in(json.loads(exchange.body)) or ""
        except (ValueError, RecursionError):
            return ""
        # Half of a pair of surrogates cannot be sent; and half of a token would not be recognised.
        text = self._scrubber(exchange).text(text.encode("utf-8", "replace").decode())
        return " ".join(text[:_ABOUT].split())

    def _scrubber(self, exchange: Exchange) -> Scrubber:
        # The one that was sent, too: somebody's real one may have been sent by mistake.
        sent = tokens_in(exchange.headers, exchange.query)
        return Scrubber((self._token, *sent))


def _size_of(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + _PER_OBJECT for name, value in headers)


def _key_of(exchange: Exchange) -> bytes:
    return next((value for name, value in exchange.headers if name == b"idempotency-key"), b"")


def _identity(exchange: Exchange) -> tuple[str, str, bytes]:
    key = _key_of(exchange) or hashlib.sha256(exchange.body).digest()
    return exchange.method, f"{exchange.path}?{exchange.query}", key


def _model_in(exchange: Exchange) -> str:
    """Return the model that a request names; "" if it names none, or says so in another way."""
    found = _MODEL.search(exchange.query.encode()) or _MODEL.search(exchange.body[:_HEAD])
    if found is None:
        return ""
    name = next(filter(None, found.groups())).decode("utf-8", "replace")
    return unquote_plus(name) if found[1] else name


def _text(data: bytes) -> str:
    """Return bytes as text; what is none is told by its size."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        if exc.reason == "unexpected end of data":
            # Cut in the middle of a character.
            return data[: exc.start].decode()
        return f"({len(data):,} bytes that are not text)"
