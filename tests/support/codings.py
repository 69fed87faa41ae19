"""Bodies in every content coding that is installed, made by its original library."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any, Optional


def _optional(*names: str) -> Any:
    for name in names:
        try:
            return __import__(name, fromlist=["compress"])
        except ImportError:
            continue
    return None


def _packed(wbits: int) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        packer = zlib.compressobj(wbits=wbits)
        return packer.compress(data) + packer.flush()

    return pack


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", _packed(15)),
    "deflate, bare": ("deflate", _packed(-15)),
}
"""Our name of a coding -> its name in Content-Encoding, and the function that encodes."""

_brotli: Optional[Any] = _optional("brotli", "brotlicffi")
_zstd: Optional[Any] = _optional("compression.zstd", "backports.zstd", "zstandard")
if _brotli is not None:
    CODERS["br"] = ("br", _brotli.compress)
if _zstd is not None:
    CODERS["zstd"] = ("zstd", _zstd.compress)


def bomb(coding: str, size: int) -> bytes:
    """A body that decodes to so many zeros, as small as the coding makes it."""
    piece = bytes(1024 * 1024)
    if coding == "zstd":
        assert _zstd is not None
        # Several frames in a row are one body.
        frame: bytes = _zstd.compress(piece * 8)
        return frame * (size // len(piece) // 8)
    packer: Any
    if coding == "br":
        assert _brotli is not None
        packer = _brotli.Compressor(quality=5)
        pack, finish = packer.process, packer.finish
    else:
        packer = zlib.compressobj(9, wbits={"gzip": 31, "deflate": 15}.get(coding, -15))
        pack, finish = packer.compress, packer.flush
    return b"".join([pack(piece) for _ in range(size // len(piece))]) + bytes(finish())
