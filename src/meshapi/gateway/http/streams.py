"""Event streams that keep a pace, and responses that break off."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.responses import StreamingResponse
from starlette.types import Send

from meshapi.gateway import clock
from meshapi.gateway.http.wire import DONE


class ConnectionCut(Exception):
    """Raised by a body's iterator to cut off the response and close its connection."""


class BreakableResponse(StreamingResponse):
    """A response whose body may raise `ConnectionCut`."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ConnectionCut:
            # An ASGI server closes the connection if a response began and did not end.
            return


class EventStream(BreakableResponse):
    media_type = "text/event-stream"


@dataclass(frozen=True)
class PacedFrames:
    """A stream before it is played.

    The frames of `opening` are sent at once, those of `words` at the pace, those of `closing` at
    once; then comes [DONE].
    """

    opening: Sequence[bytes]
    words: Sequence[bytes]
    closing: Sequence[bytes]


async def play(frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """All frames, to the end."""
    async for frame in play_half(frames, pause):
        yield frame
    for frame in frames.words[_half(frames) :]:
        await clock.sleep(pause)
        yield frame
    for frame in frames.closing:
        yield frame
    yield DONE


async def play_half(frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """The frames of the opening and of the first half of the words, rounded up."""
    for frame in frames.opening:
        yield frame
    for frame in frames.words[: _half(frames)]:
        await clock.sleep(pause)
        yield frame


def _half(frames: PacedFrames) -> int:
    return (len(frames.words) + 1) // 2
