"""Pictures: real PNG files of one colour, which depends on the prompt.

Source: https://www.w3.org/TR/png-3/
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Optional

# In pixels. At one bit a pixel, a square with this side is 2 MB before compression.
_LONGEST_SIDE = 4096

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A picture before it is drawn; equal pictures are drawn as equal bytes.

    Attributes:
        known_by: the text from which the colour is made.
    """

    known_by: str
    width: int
    height: int

    def png(self) -> bytes:
        colour = hashlib.sha256(self.known_by.encode("utf-8", "replace")).digest()[:3]
        # A filter byte, then a bit for each pixel, all of them 0: the first colour of the palette.
        row = bytes(1 + (self.width + 7) // 8)
        parts = [
            (b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 1, 3, 0, 0, 0)),
            (b"PLTE", colour),
            (b"tEXt", b"Software\0a local gateway, which can't draw"),
            (b"IDAT", zlib.compress(row * self.height)),
            (b"IEND", b""),
        ]
        return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def fitted(width: int, height: int) -> tuple[int, int]:
    """The size, with each side limited to the longest that is drawn."""
    return min(width, _LONGEST_SIDE), min(height, _LONGEST_SIDE)


def size_of(png: bytes) -> Optional[tuple[int, int]]:
    """Width and height of a PNG file; None for other files."""
    if not png.startswith(_SIGNATURE) or len(png) < 24:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
