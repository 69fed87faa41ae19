# Generated from _async/httpx/bodies.py by `python tools/mirror.py --write`: edit that file.
"""Bodies of requests and of responses, as httpx takes them."""

from collections.abc import Iterator
from typing import Any, Union

from typing_extensions import Self

from meshapi_backends._http_clients.sockets import has_surplus, shut_down, socket_of
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


class CheckedBody:
    """The body of a response. Its connection is not used again if other bytes have followed."""

    def __init__(self, response: Any) -> None:
        self._body = response.stream
        self._sock = socket_of(response)

    def __iter__(self) -> Iterator[bytes]:
        pieces: Iterator[bytes] = self._body.__iter__()
        return pieces

    def close(self) -> None:
        """Close the body, and free its connection for the next request."""
        if has_surplus(self._body):
            # The pool does not use a connection again that has been shut down.
            shut_down(self._sock)
        self._body.close()


def checked_class(base: Any) -> Any:
    """A class for the bodies of responses, derived from httpx's own stream class."""
    return type("MeshAPICheckedBody", (CheckedBody, base), {})


def body_class(base: Any) -> Any:
    """A class for the bodies of requests, derived from httpx's own stream class."""
    return type("MeshAPIBody", (Body, base), {})
