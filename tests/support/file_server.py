"""A server of one file that knows ranges, and breaks off where a test tells it to."""

import re
from typing import Optional

from support.scripted_server import Peer, Received

TAG = '"first"'


class FileServer:
    """Scripts that send a file; pass `script` to a `ScriptedServer`.

    Attributes:
        content: the file.
        tag: its ETag; "" is none.
        cuts: after how many bytes of the response, head included, each response breaks off, in
            order; those after the last are whole.
        ranges: whether it sends ranges.
        chunked: whether the body has no length.
        headers: further ones.
        reset: whether a response that breaks off ends with a reset.
        successor: replaces the content, and the tag by `"second"`, once a response has broken off.
        sent: bytes of bodies that were sent.
    """

    def __init__(self, content: bytes, *, tag: str = TAG) -> None:
        self.content = content
        self.tag = tag
        self.cuts: list[int] = []
        self.ranges = True
        self.chunked = False
        self.headers: list[str] = []
        self.reset = False
        self.successor: Optional[bytes] = None

    def script(self, peer: Peer) -> None:
        for request in peer.requests():
            response = self._response(request)
            if self.cuts:
                peer.send(response[: self.cuts.pop(0)])
                if self.successor is not None:
                    self.content, self.tag, self.successor = self.successor, '"second"', None
                if self.reset:
                    peer.reset()
                return
            peer.send(response)

    def size(self, start: int = 0) -> int:
        """The size of a whole response, head included."""
        fields = f"range: bytes={start}-\r\nif-range: {self.tag}" if start else ""
        return len(self._response(Received(0, f"GET / HTTP/1.1\r\n{fields}".encode(), b"")))

    def _response(self, request: Received) -> bytes:
        asked = request.headers
        found = re.fullmatch(r"bytes=([0-9]+)-", asked.get("range", ""))
        is_same = asked.get("if-range", "") in ("", self.tag)
        start = int(found[1]) if found and is_same and self.ranges else 0
        size = len(self.content)
        lines = ["HTTP/1.1 200 OK"]
        body = self.content[start:]
        if start and not body:
            lines = ["HTTP/1.1 416 No", f"Content-Range: bytes */{size}"]
        elif start:
            lines = ["HTTP/1.1 206 Part", f"Content-Range: bytes {start}-{size - 1}/{size}"]
        if self.tag:
            lines.append(f"ETag: {self.tag}")
        lines += ["Content-Type: video/mp4", *self.headers]
        if self.chunked and lines[0].endswith(("OK", "Part")):
            lines.append("Transfer-Encoding: chunked")
            middle = len(body) // 2
            body = b"".join(map(_chunk, (body[:middle], body[middle:]))) + b"0\r\n\r\n"
        else:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
