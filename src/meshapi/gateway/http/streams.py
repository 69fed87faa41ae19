"""Event streams that keep a pace, and responses that break off."""

import threading
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from meshapi.gateway import clock
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.wire import DONE

MOST_BYTES: Final = 256 * 1024 * 1024
"""Of all streams under way. The longest one takes about as much, but ordinary ones take 20 KB."""

_PER_FRAME: Final = 50
"""Bytes that a frame takes in memory beside its own."""


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


class StreamRoom:
    """How much memory the streams under way take: a client may read slowly, or not at all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    @contextmanager
    def take(self, size: int) -> Generator[None, None, None]:
        """Have room for a stream of so many bytes until the block ends; one always has room.

        Raises:
            GatewayError: 503 `overloaded`, if the others leave no room.
        """
        with self._lock:
            taken = self._taken
            if taken and taken + size > MOST_BYTES:
                message = f"The streams under way take {taken} bytes: read them, or close them."
                raise GatewayError(503, "overloaded", message, retry_after_seconds=1)
            self._taken += size
        try:
            yield
        finally:
            with self._lock:
                self._taken -= size


class EventStream(BreakableResponse):
    """A stream of events.

    Args:
        room: where the stream needs room while it is sent.
        size: how much room it needs, in bytes.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        headers: Mapping[str, str],
        room: StreamRoom,
        size: int,
    ) -> None:
        super().__init__(frames, headers=headers)
        self._room = room
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._room.take(self._size):
            await super().__call__(scope, receive, send)


@dataclass(frozen=True)
class PacedFrames:
    """A stream before it is played.

    The frames of `opening` are sent at once, those of `words` at the pace, those of `closing` at
    once; then comes [DONE].
    """

    opening: Sequence[bytes]
    words: Sequence[bytes]
    closing: Sequence[bytes]

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        frames = (*self.opening, *self.words, *self.closing)
        return sum(map(len, frames)) + _PER_FRAME * len(frames)


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
