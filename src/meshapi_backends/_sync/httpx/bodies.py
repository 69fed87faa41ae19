# Generated from _async/httpx/bodies.py by `python tools/mirror.py --write`: edit that file.
"""Bodies in pieces that are in memory or on disk: of requests, and of responses read by a hook."""

from collections.abc import Iterator
from typing import Any, Union

from typing_extensions import Self

from meshapi_core import PIECE, OpenBody


class Body:
    """The body of a request, from its start each time it is iterated."""

    def __init__(self, body: Union[bytes, OpenBody]) -> None:
        self._body = body

    def __iter__(self) -> "Pieces":
        body = self._body
        return Pieces(body.pieces() if isinstance(body, OpenBody) else cut(body))


class Pieces:
    """An iterator over pieces, which never waits."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopIteration


def cut(body: bytes) -> Iterator[bytes]:
    """The pieces of a body."""
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def body_class(base: Any) -> Any:
    """A class for the bodies of requests, derived from httpx's own stream class."""
    return type("MeshAPIBody", (Body, base), {})
