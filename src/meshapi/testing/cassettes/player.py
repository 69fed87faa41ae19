"""Plays the gateway of a recorded realtime session: an ASGI application, and its connection."""

from collections.abc import Sequence
from typing import Any

from meshapi.testing.cassettes.sessions import Playing
from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.server.host import Host

__all__ = ["async_stream", "stream"]

_SERVER = ("cassette", 80)
_PROTOCOL = "sec-websocket-protocol"


def stream(playing: Playing, network: Any) -> Any:
    """Return the network stream of a blocking client to a recorded session."""
    from meshapi.testing.fake._sync.streams import TimedStream

    return TimedStream(_host(playing).connect(_SERVER), network, None)


def async_stream(playing: Playing, network: Any) -> Any:
    """Return the network stream of an async client to a recorded session."""
    from meshapi.testing.fake._async.streams import AsyncTimedStream

    return AsyncTimedStream(_host(playing).connect(_SERVER), network, None)


def _host(playing: Playing) -> Host:
    # Nothing that is played waits for a time.
    return Host(_Application(playing), VirtualClock(runs=False))


class _Application:
    """Sends what the gateway sent, each message after the program has sent what came before it."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()  # that there is a connection
        exchange = self._playing.exchange
        if exchange.messages is None:
            await self._refuse(send)
            return
        await self._accept(scope, send)
        for message in exchange.messages:
            if message.sent is None:
                data = self._playing.as_played(message)
                kind = "bytes" if isinstance(data, bytes) else "text"
                await send({"type": "websocket.send", kind: data})
            elif not await _has_come(receive):
                return
        end = exchange.end
        if end is not None and end.by == "gateway":
            await send({"type": "websocket.close", "code": end.code, "reason": end.reason})
        elif end is None or end.by == "program":
            while await _has_come(receive):
                pass

    async def _refuse(self, send: Any) -> None:
        response = self._playing.exchange.response
        start = {"status": response.status, "headers": _encoded(response.pairs())}
        await send({"type": "websocket.http.response.start", **start})
        body = b"".join(response.pieces())
        await send({"type": "websocket.http.response.body", "body": body})

    async def _accept(self, scope: dict[str, Any], send: Any) -> None:
        pairs = self._playing.exchange.response.pairs()
        chosen = [value for name, value in pairs if name == _PROTOCOL]
        # The program may offer others than when it was recorded.
        offered = [each for each in chosen if each in scope["subprotocols"]]
        headers = _encoded([pair for pair in pairs if pair[0] != _PROTOCOL])
        protocol = offered[0] if offered else None
        await send({"type": "websocket.accept", "subprotocol": protocol, "headers": headers})


def _encoded(pairs: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


async def _has_come(receive: Any) -> bool:
    """Wait for a message; False if the program has left instead."""
    message = await receive()
    found: bool = message["type"] == "websocket.receive"
    return found
