"""The heads of one client's requests, put together from lines that have been checked before.

When a line occurs for the first time, `plain_head` makes and checks a head that has only this line.
Later it is used as it is. That is enough, because whatever makes a head odd is always in one of
its lines. A head with an odd line goes to `plain_head` as a whole, and so to h11.
"""

from functools import lru_cache
from typing import Any, Optional

from meshapi_core._secret import SecretBytes
from meshapi_core.http11.plain_requests import has_length, plain_head
from meshapi_core.messages import Origin, Request

__all__ = ["RequestHeads"]

# Lines that all requests of a client share stay in these caches. A line of a single request, such
# as an idempotency key or a path with an ID, soon leaves them.
_LINES = 16
_STARTS = 4

_ANYWHERE = Origin("http", "a", 80)
_END = b"\r\n"


class RequestHeads:
    """Makes the heads of plain requests; for all connections of one client."""

    __slots__ = ("_line", "_start")

    def __init__(self) -> None:
        # One cache for each client, not one for all: a line of it has the token.
        self._start = lru_cache(_STARTS)(_start)
        self._line = lru_cache(_LINES)(_line)

    def head(self, request: Request, length: int) -> Optional[bytes]:
        """Return what `plain_head` would return."""
        start = self._start(request.method, request.target, request.origin)
        lines: Any = [start, *map(self._line, request.headers)]
        # Not in the cache: the length differs from body to body, and digits need no check.
        if has_length(request, length):
            lines.append(b"content-length: %d\r\n" % length)
        if None in lines:
            return plain_head(request, length)
        return SecretBytes(b"".join((*lines, _END)))


def _start(method: str, target: str, origin: Origin) -> Optional[bytes]:
    """The request line and the Host line; None if they are not plain."""
    head = plain_head(Request(method, origin, target), 0)
    return None if head is None else SecretBytes(b"%b\r\n%b\r\n" % (*head.split(_END)[:2],))


def _line(field: tuple[str, str]) -> Optional[bytes]:
    """The line of a header; None if it is not plain."""
    name, value = field
    if value.isalnum() and value.isascii() and _is_plain_name(name):
        # Mostly an idempotency key, which is new in each request. Letters and digits need no more
        # of a check, so this costs less than `plain_head`.
        return SecretBytes((f"{name}: " + value + "\r\n").encode("ascii"))
    head = plain_head(Request("GET", _ANYWHERE, "/", (field,)), 0)
    return None if head is None else SecretBytes(head.split(_END)[2] + _END)


@lru_cache(maxsize=64)
def _is_plain_name(name: str) -> bool:
    return plain_head(Request("GET", _ANYWHERE, "/", ((name, "x"),)), 0) is not None
