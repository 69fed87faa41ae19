"""Bytes in, in any pieces; whole lines out: the first stage of reading an event stream.

A piece is cut at its last line end; what follows is kept as the unfinished line. A piece without a
line end only makes that line longer. No byte is searched twice, so a line of any length, in pieces
of any length, takes linear time.

A CR ends its line at once. If an LF comes next, in the same piece or a later one, it belongs to
that line end. Waiting for it would hold the event back until the server sends something else.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.5
"""

from typing import Final

__all__ = ["MAX_PIECE", "LineCutter"]

MAX_PIECE: Final = 64 * 1024
"""The most bytes to cut at a time; network reads have this size. A short line costs some 50 bytes
as an object, so only this much is turned into lines before they are read."""

_BOM: Final = b"\xef\xbb\xbf"


class LineCutter:
    """Cuts pieces into lines.

    Attributes:
        ready: Whole lines without their line ends, the next one last: popping a line frees it.
        unfinished: The line whose end has not arrived yet.
        at_start: Whether the first line is still to come, before which a byte order mark may be.
    """

    __slots__ = ("_after_cr", "at_start", "ready", "unfinished")

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        self.unfinished = bytearray()
        self.at_start = True
        self._after_cr = False

    def cut(self, data: bytes) -> int:
        """Take the next piece; `ready` then has the lines that it completes.

        Read the lines of the last piece first: they are replaced.

        Returns:
            The size of the byte order mark that was cut off the first line; mostly 0.
        """
        if self._after_cr:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        # On bytes, unlike on str, this splits on LF, CR and CRLF alone.
        lines = data.splitlines()
        unfinished = b""
        if data.endswith(b"\r"):
            self._after_cr = True
        elif data and not data.endswith(b"\n"):
            unfinished = lines.pop()
        missing = 0
        if lines and (self.unfinished or self.at_start):
            size = len(self.unfinished) + len(lines[0])
            lines[0] = self.finish(lines[0])
            missing = size - len(lines[0])
        if unfinished:
            self.unfinished += unfinished
        lines.reverse()
        self.ready = lines
        return missing

    def finish(self, rest: bytes = b"") -> bytes:
        """Return the unfinished line with its rest appended, without a byte order mark."""
        if self.unfinished:
            self.unfinished += rest
            rest = bytes(self.unfinished)
            self.unfinished.clear()
        if self.at_start:
            # "[...] strips one leading UTF-8 Byte Order Mark (BOM), if any": of the whole stream.
            self.at_start = False
            if rest.startswith(_BOM):
                return rest[len(_BOM) :]
        return rest
