"""The heads of one client's requests, put together from lines that were made and checked before.

Each line is `plain_head`'s, asked for that line alone when it comes for the first time, and a head
is its lines one after the other: what makes a head odd is always in one of its lines. A head with
such a line is `plain_head`'s as a whole, and so h11's.
"""

from functools import lru_cache
from typing import Any, Optional

from meshapi_core._secret import SecretBytes
from meshapi_core.http11.plain_requests import has_length, plain_head
from meshapi_core.messages import Origin, Request

__all__ = ["RequestHeads"]

# What the requests of a client have in common is in each of them, and stays; so does what only one
# of them has (a key, an id in a path), but not for long.
_LINES = 16
_STARTS = 4

_ANYWHERE = Origin("http", "a", 80)
_END = b"\r\n"


class RequestHeads:
    """Makes the heads of plain requests; for all connections of one client."""

    __slots__ = ("_line", "_start")

    def __init__(self) -> None:
        # Not for all clients together: the token is in a line.
        self._start = lru_cache(_STARTS)(_start)
        self._line = lru_cache(_LINES)(_line)

    def head(self, request: Request, length: int) -> Optional[bytes]:
        """Return what `plain_head` does."""
        start = self._start(request.method, request.target, request.origin)
        lines: Any = [start, *map(self._line, request.headers)]
        if has_length(request, length):
            lines.append(b"content-length: %d\r\n" % length)
        if None in lines:
            return plain_head(request, length)
        return SecretBytes(b"".join((*lines, _END)))


def _start(method: str, target: str, origin: Origin) -> Optional[bytes]:
    """The request line and the Host line; None where they are not plain."""
    head = plain_head(Request(method, origin, target), 0)
    return None if head is None else SecretBytes(b"%b\r\n%b\r\n" % (*head.split(_END)[:2],))


def _line(field: tuple[str, str]) -> Optional[bytes]:
    """The line of a field; None where it is not plain."""
    name, value = field
    if value.isalnum() and value.isascii() and _is_plain_name(name):
        # A key, as a rule, that no other request has: not to be looked at for long.
        return SecretBytes((f"{name}: " + value + "\r\n").encode("ascii"))
    head = plain_head(Request("GET", _ANYWHERE, "/", (field,)), 0)
    return None if head is None else SecretBytes(head.split(_END)[2] + _END)


@lru_cache(maxsize=64)
def _is_plain_name(name: str) -> bool:
    return plain_head(Request("GET", _ANYWHERE, "/", ((name, "x"),)), 0) is not None
