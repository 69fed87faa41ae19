"""The content codings of HTTP by name, and the libraries that decode them.

gzip, deflate (with and without the zlib wrapper), br and zstd; the last two only if Python or an
installed package has a decoder for them. To add a coding, add it to `maker`.

Source: https://www.rfc-editor.org/rfc/rfc1950, https://www.rfc-editor.org/rfc/rfc1951,
    https://www.rfc-editor.org/rfc/rfc1952, https://www.rfc-editor.org/rfc/rfc7932,
    https://www.rfc-editor.org/rfc/rfc8878, https://www.rfc-editor.org/rfc/rfc9659 (zstd's window)
"""

# The libraries are optional; which ones are there depends on the Python and the machine.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false

from collections.abc import Callable, Mapping
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_core.bodies import PIECE
from meshapi_core.errors import ResponseDecodeError

__all__ = ["Inflater", "maker", "undecodable"]

# `wbits` of zlib, which also names the wrapper: gzip (RFC 1952), none (RFC 1951), zlib (RFC 1950).
_GZIP, _RAW, _ZLIB = 31, -15, 15

# RFC 9659, section 3: 8 MiB is the largest window that a server may ask a client to keep.
_ZSTD_WINDOW_LOG = 23

# Bytes to pass at once to libraries that have no limit on their output: a zstd block of 4 bytes can
# become 128 KiB (RFC 8878, section 3.1.1.2), and a br meta-block of little more 16 MiB (RFC 7932,
# section 9.2).
_BLIND_ZSTD = 64
_BLIND_BROTLI = 8


class Inflater(Protocol):
    """Decodes one member of a coded body."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The exceptions that `decompress` raises."""
        ...

    @property
    def slice_size(self) -> int:
        """The most bytes to pass to `decompress` at once."""
        ...

    def decompress(self, data: bytes) -> bytes:
        """Take coded bytes and return decoded ones; pass `b""` unless it `needs_input`."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether everything passed so far has been decoded."""
        ...

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""
        ...

    @property
    def unused_data(self) -> bytes:
        """The bytes after the end of the member."""
        ...


_Maker = Callable[[bytes, bool], Optional[Inflater]]
"""Takes the first two bytes, and whether no more will come. Returns None if it needs more."""


def maker(coding: str) -> _Maker:
    """Return the function that makes the inflaters of a coding.

    Raises:
        ResponseDecodeError: the coding is unknown, or the library for it is not installed.
    """
    if coding == "gzip":
        return _gzip
    if coding == "deflate":
        return _deflate
    if coding == "br":
        return _of_library(_Brotli, _brotli(), coding, "brotli")
    if coding == "zstd":
        kind, library = _zstd()
        return _of_library(kind, library, coding, "zstandard")
    raise undecodable(
        f"can't decode the response body: expected gzip, deflate, br or zstd"
        f" (Content-Encoding: {coding[:100]})"
    )


def _of_library(kind: Callable[[Any], Inflater], library: Any, coding: str, package: str) -> _Maker:
    if library is None:
        raise undecodable(
            f"can't decode the response body (Content-Encoding: {coding}):"
            f" install the package {package}, or ask for another coding"
        )
    return lambda start, last: kind(library)


def undecodable(message: str) -> ResponseDecodeError:
    """Return the error for a body that can't be decoded."""
    return ResponseDecodeError(message, error_code="content_coding")


def _gzip(start: bytes, last: bool) -> Inflater:
    return _Zlib(_GZIP)


def _deflate(start: bytes, last: bool) -> Optional[Inflater]:
    # RFC 9110, section 8.4.1.2: "deflate" is the zlib format, but many servers send bare deflate;
    # like browsers, take both. RFC 1950, section 2.2: CM is 8, and the first two bytes are a
    # multiple of 31. As bare deflate they would begin a stored block with nonzero padding, which no
    # encoder writes (RFC 1951, section 3.2.4).
    if len(start) < 2 and not last:
        return None
    wrapped = len(start) == 2 and start[0] & 0x8F == 8 and int.from_bytes(start, "big") % 31 == 0
    return _Zlib(_ZLIB if wrapped else _RAW)


class _Zlib:
    slice_size = PIECE

    def __init__(self, wbits: int) -> None:
        import zlib

        self.errors = (zlib.error,)
        self._state = zlib.decompressobj(wbits)
        self._full = False

    def decompress(self, data: bytes) -> bytes:
        state = self._state
        piece = state.decompress(data or state.unconsumed_tail, PIECE)
        # After a full piece zlib may hold more output, even if no input is left.
        self._full = len(piece) == PIECE
        return piece

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._state.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._state.eof

    @property
    def unused_data(self) -> bytes:
        return self._state.unused_data


class _Brotli:
    def __init__(self, library: Any) -> None:
        self.errors: tuple[type[Exception], ...] = (library.error,)
        self._state = library.Decompressor()
        self._limit: Mapping[str, int] = {"output_buffer_limit": PIECE}
        try:
            self._state.process(b"", **self._limit)
        except TypeError:
            # Versions before 1.2 have no such limit: pass only a few bytes at a time.
            self._limit = {}
        self.slice_size = PIECE if self._limit else _BLIND_BROTLI

    def decompress(self, data: bytes) -> bytes:
        piece: bytes = self._state.process(data, **self._limit)
        return piece

    @property
    def needs_input(self) -> bool:
        return not self._limit or bool(self._state.can_accept_more_data())

    @property
    def eof(self) -> bool:
        return bool(self._state.is_finished())

    @property
    def unused_data(self) -> bytes:
        return b""


class _Zstd:
    """The decoder of Python 3.14 and later, and its backport."""

    slice_size = PIECE

    def __init__(self, library: Any) -> None:
        self.errors: tuple[type[Exception], ...] = (library.ZstdError,)
        window = {library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        self._state = library.ZstdDecompressor(options=window)

    def decompress(self, data: bytes) -> bytes:
        piece: bytes = self._state.decompress(data, PIECE)
        return piece

    @property
    def needs_input(self) -> bool:
        return bool(self._state.needs_input)

    @property
    def eof(self) -> bool:
        return bool(self._state.eof)

    @property
    def unused_data(self) -> bytes:
        unused: bytes = self._state.unused_data
        return unused


class _Zstandard(_Zstd):
    """The decoder of the package `zstandard`, which has no limit on its output."""

    slice_size = _BLIND_ZSTD

    def __init__(self, library: Any) -> None:
        self.errors: tuple[type[Exception], ...] = (library.ZstdError,)
        maker = library.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
        self._state = maker.decompressobj()

    def decompress(self, data: bytes) -> bytes:
        piece: bytes = self._state.decompress(data) if data else b""
        return piece

    @property
    def needs_input(self) -> bool:
        return True


def _brotli() -> Any:
    try:
        import brotli
    except ImportError:
        try:
            import brotlicffi as brotli
        except ImportError:
            return None
    return brotli


def _zstd() -> tuple[Callable[[Any], Inflater], Any]:
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            try:
                import zstandard
            except ImportError:
                return _Zstd, None
            return _Zstandard, zstandard
    return _Zstd, zstd
