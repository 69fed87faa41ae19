"""Bytes in any pieces in, whole lines out: the first stage of reading an event stream.

A piece is cut at its last line end, and what follows it is kept as the unfinished line. Pieces
without a line end only grow that line, so no byte is searched twice, and a line of any length in
pieces of any length takes linear time.

A CR ends its line at once, and an LF that comes next, in the same piece or a later one, belongs to
it. Waiting for that LF would hold the event back until the server speaks again.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.5
"""

from typing import Final

__all__ = ["MAX_PIECE", "LineCutter"]

MAX_PIECE: Final = 64 * 1024
"""The most bytes to cut at a time: network reads are of this size. A short line costs some 50 bytes
once it is an object of its own, so only so much becomes lines before they are read."""

_BOM: Final = b"\xef\xbb\xbf"


class LineCutter:
    """Cuts pieces into lines.

    Attributes:
        ready: Whole lines without their ends, the next one last: popping frees each one as it is
            read.
        unfinished: The line that lacks its end so far.
        at_start: No line has been whole yet, so that a byte order mark may be in front of it.
    """

    __slots__ = ("_after_cr", "at_start", "ready", "unfinished")

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        self.unfinished = bytearray()
        self.at_start = True
        self._after_cr = False

    def cut(self, data: bytes) -> int:
        """Take the next piece; the lines that it completes are then `ready`.

        Call it when those of the last piece have been read.

        Returns:
            how many bytes of the first line are missing from it: those of a byte order mark.
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
        """Return the unfinished line with the rest of it, without a byte order mark."""
        if self.unfinished:
            self.unfinished += rest
            rest = bytes(self.unfinished)
            self.unfinished.clear()
        if self.at_start:
            self.at_start = False
            if rest.startswith(_BOM):
                return rest[len(_BOM) :]
        return rest
