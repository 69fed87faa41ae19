"""Files to download: whole, or a range of them, and downloads that break off on purpose.

One range at a time is supported; a request for several gets the whole file, as RFC 9110 allows.

Source: RFC 9110, sections 13.1.5 and 14
"""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Optional

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.streams import BreakableResponse, ConnectionCut
from meshapi.gateway.models import BROKEN_DOWNLOAD, CHANGED_DOWNLOAD, NO_RANGES
from meshapi.gateway.state import GatewayState

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.ASCII | re.IGNORECASE)

_BREAKING = (BROKEN_DOWNLOAD, CHANGED_DOWNLOAD, NO_RANGES)


def download(
    state: GatewayState,
    request: Request,
    data: bytes,
    media_type: str,
    *,
    model: str = "",
    headers: Optional[Mapping[str, str]] = None,
) -> Response:
    """The file, or the range of it that the request asks for.

    Args:
        model: the model that made the file. With those of `mesh/` that break off downloads, the
            first GET of the path ends half-way, the second does not, and so on.

    Raises:
        GatewayError: 416 `range_not_satisfiable`, if the file ends before the range.
    """
    breaks = False
    if model in _BREAKING and request.method == "GET":
        turn = state.next_turn(f"download {request.url.path}")
        breaks = turn % 2 == 0
        if model == CHANGED_DOWNLOAD and turn:
            data += b"\n"
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    said = {**(headers or {}), "ETag": etag, "Accept-Ranges": "bytes"}
    wanted: Optional[tuple[int, int]] = None
    if model == NO_RANGES:
        said["Accept-Ranges"] = "none"
    elif request.method == "GET":
        wanted = _range_of(request.headers, etag, len(data))
    if wanted is not None:
        start, end = wanted
        said["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        data = data[start:end]
    status = 200 if wanted is None else 206
    if not breaks:
        return Response(data, status, said, media_type)
    said["Content-Length"] = str(len(data))
    return BreakableResponse(_half(data), status, said, media_type)


def _range_of(headers: Headers, etag: str, size: int) -> Optional[tuple[int, int]]:
    """Where the range begins and ends; None for the whole file."""
    found = _RANGE.fullmatch(headers.get("range", ""))
    # With If-Range, the range counts only if the file has not changed. Nothing here has a date.
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        told = {"Content-Range": f"bytes */{size}"}
        message = f"The file has {size} bytes, and the range begins after its end."
        raise GatewayError(416, "range_not_satisfiable", message, headers=told)
    return start, end


async def _half(data: bytes) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    raise ConnectionCut
