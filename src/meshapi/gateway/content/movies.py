"""Movies: MP4 files of the right length, without a single frame."""

import struct

# Bytes for each second, so that a long movie takes more than one piece to download.
_BYTES_PER_SECOND = 1024


def mp4(seconds: int) -> bytes:
    """A movie of this length, without tracks.

    Source: ISO/IEC 14496-12, sections 4.3, 8.2.1 and 8.2.2
    """
    padding = bytes(seconds * _BYTES_PER_SECOND)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    times = struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000)
    header = times + struct.pack(">IHH8x", 0x10000, 0x100, 0) + matrix + bytes(24)
    return (
        _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isommp42")
        + _box(b"moov", _box(b"mvhd", header + struct.pack(">I", 1)))
        + _box(b"free", b"made by a local gateway, which can't film" + padding)
    )


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data
