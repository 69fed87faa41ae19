"""Bodies in pieces that are there: those of requests, and those that a hook has read."""

from collections.abc import Iterator
from typing import Any, Union

from typing_extensions import Self

from meshapi_core import PIECE, OpenBody


class AsyncBody:
    """The body of a request, as often as it is asked for."""

    def __init__(self, body: Union[bytes, OpenBody]) -> None:
        self._body = body

    def __aiter__(self) -> "AsyncPieces":
        body = self._body
        return AsyncPieces(body.pieces() if isinstance(body, OpenBody) else cut(body))


class AsyncPieces:
    """Pieces that are there."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


def cut(body: bytes) -> Iterator[bytes]:
    """A body in pieces."""
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def body_class(base: Any) -> Any:
    """The class of a request's body, derived from httpx's own."""
    return type("MeshAPIBody", (AsyncBody, base), {})
