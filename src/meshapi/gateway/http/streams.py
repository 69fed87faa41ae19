"""Event streams that keep a pace, and responses that break off."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Send

from meshapi.gateway.http.wire import DONE


class ConnectionCut(Exception):
    """Raised by a body's iterator to end the response where it stands, and the connection with
    it."""


class BreakableResponse(StreamingResponse):
    """A response whose body may raise `ConnectionCut`."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ConnectionCut:
            # An ASGI server closes the connection of a response that was begun and not ended.
            return


class EventStream(BreakableResponse):
    media_type = "text/event-stream"


@dataclass(frozen=True)
class Script:
    """A stream before it is played: frames at once, frames at the pace, frames at once, [DONE]."""

    opening: Sequence[bytes]
    words: Sequence[bytes]
    closing: Sequence[bytes]


async def play(script: Script, pause: float) -> AsyncIterator[bytes]:
    """All of it, to the end."""
    async for frame in play_half(script, pause):
        yield frame
    for frame in script.words[_half(script) :]:
        await anyio.sleep(pause)
        yield frame
    for frame in script.closing:
        yield frame
    yield DONE


async def play_half(script: Script, pause: float) -> AsyncIterator[bytes]:
    """The opening and the first half of the words, at least one of them."""
    for frame in script.opening:
        yield frame
    for frame in script.words[: _half(script)]:
        await anyio.sleep(pause)
        yield frame


def _half(script: Script) -> int:
    return (len(script.words) + 1) // 2
