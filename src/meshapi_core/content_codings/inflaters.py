"""The codings of HTTP by name, and the libraries that inflate them.

gzip, deflate (with and without zlib's wrapper), br and zstd; the last two where Python or an
installed package knows them. To add a coding, add it to `maker`.

Source: https://www.rfc-editor.org/rfc/rfc1950, https://www.rfc-editor.org/rfc/rfc1951,
    https://www.rfc-editor.org/rfc/rfc1952, https://www.rfc-editor.org/rfc/rfc7932,
    https://www.rfc-editor.org/rfc/rfc8878, https://www.rfc-editor.org/rfc/rfc9659 (zstd's window)
"""

# The libraries are optional, and each Python and machine has others of them.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false

from collections.abc import Callable, Mapping
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_core.bodies import PIECE
from meshapi_core.errors import ResponseDecodeError

__all__ = ["Inflater", "maker", "undecodable"]

# What zlib's numbers mean: a gzip wrapper, none, its own.
_GZIP, _RAW, _ZLIB = 31, -15, 15

# RFC 9659: 8 MiB is the most that a server may ask a client to keep.
_ZSTD_WINDOW_LOG = 23

# Bytes given at once to libraries that know no limit on what comes out: a block of zstd makes at
# most 128 KiB of 4 bytes, a meta-block of br 16 MiB of hardly more.
_BLIND_ZSTD = 64
_BLIND_BROTLI = 8


class Inflater(Protocol):
    """Decodes one member of a coded body."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What `decompress` raises."""
        ...

    @property
    def slice_size(self) -> int:
        """Bytes to give it at once."""
        ...

    def decompress(self, data: bytes) -> bytes:
        """Take some bytes, none unless it `needs_input`, and return some more."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether all that it got has been decoded."""
        ...

    @property
    def eof(self) -> bool:
        """Whether its end has come."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What came behind that."""
        ...


_Maker = Callable[[bytes, bool], Optional[Inflater]]
"""Makes an `Inflater` from the first bytes, and whether there are no more; None asks for more."""


def maker(coding: str) -> _Maker:
    """Return what makes the inflaters of a coding.

    Raises:
        ResponseDecodeError: there is no such coding, or what decodes it is not installed.
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
        f"the response's body is in a coding that can't be decoded"
        f" (Content-Encoding: {coding[:100]}); nobody asked for it"
    )


def _of_library(kind: Callable[[Any], Inflater], library: Any, coding: str, package: str) -> _Maker:
    if library is None:
        raise undecodable(
            f"the response's body can't be decoded (Content-Encoding: {coding}):"
            f" install the package {package}, or ask for another coding"
        )
    return lambda start, last: kind(library)


def undecodable(message: str) -> ResponseDecodeError:
    """Return the error of a body that can't be decoded."""
    return ResponseDecodeError(message, error_code="content_coding")


def _gzip(start: bytes, last: bool) -> Inflater:
    return _Zlib(_GZIP)


def _deflate(start: bytes, last: bool) -> Optional[Inflater]:
    # As browsers do: "deflate" is zlib's format, and many send the bare one. The check bits of
    # zlib's head are those of no bare one: it would be a stored block with padding that is not 0.
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
        # With a full piece there may be more to come, although nothing is left of the input.
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
            # Before 1.2; here it is a few bytes at a time instead.
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
    """Python's own, from 3.14 on, and its backport."""

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
    """The package `zstandard`, which knows no limit on what comes out."""

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
