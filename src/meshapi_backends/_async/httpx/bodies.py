"""Bodies in pieces that are in memory or on disk: of requests, and of responses read by a hook."""

from collections.abc import Iterator
from typing import Any, Union

from typing_extensions import Self

from meshapi_core import PIECE, OpenBody


class AsyncBody:
    """The body of a request, from its start each time it is iterated."""

    def __init__(self, body: Union[bytes, OpenBody]) -> None:
        self._body = body

    def __aiter__(self) -> "AsyncPieces":
        body = self._body
        return AsyncPieces(body.pieces() if isinstance(body, OpenBody) else cut(body))


class AsyncPieces:
    """An iterator over pieces, which never waits."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


def cut(body: bytes) -> Iterator[bytes]:
    """The pieces of a body."""
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def body_class(base: Any) -> Any:
    """A class for the bodies of requests, derived from httpx's own stream class."""
    return type("MeshAPIBody", (AsyncBody, base), {})
