"""Decodes coded bodies in pieces of bounded size, however much they expand. No I/O.

1. A decoder takes and returns pieces of bounded size. A body that expands by more than `MAX_RATIO`
   is an error.
2. Consecutive members of gzip (RFC 1952, section 2.2) or frames of zstd (RFC 8878, section 3.1) are
   one body. Padding may follow the last one; anything else is an error.
3. A body that ends before its coding does is `truncated`.
"""

from collections.abc import Iterator
from typing import Optional, Union

from typing_extensions import Buffer

from meshapi_core.bodies import PIECE
from meshapi_core.content_codings.inflaters import Inflater, maker, undecodable
from meshapi_core.errors import APIConnectionError, MeshAPIError, ResponseDecodeError
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData

__all__ = ["FREE_SIZE", "MAX_RATIO", "ContentDecoder"]

MAX_RATIO = 200
"""The most decoded bytes for each coded byte: Apache's default (DeflateInflateRatioLimit). Text,
JSON and audio stay below 50; deflate can reach 1,032, br and zstd any number."""

FREE_SIZE = 16 * 1024 * 1024
"""The size of the decoded body, in bytes, up to which the ratio does not matter: any machine has
that much to spare, and a short body of silence or zeros is not an attack."""

_PADDING = b"\0\r\n\t "
_PADDED = frozenset({b"", *(bytes([byte]) for byte in _PADDING)})

# Bytes to pass on at a time from the second member on. There may be many small ones, and each hands
# back the bytes after its end: with large slices these would be copied over and over.
_SMALL_SLICE = 4096


class ContentDecoder:
    """Decodes one coded body: call `receive_data`, then `next_piece` until it needs data.

    Attributes:
        coding: the name of the coding.
        produced: how many decoded bytes have been returned.

    Raises:
        ResponseDecodeError: the coding is unknown, or the library for it is not installed.
    """

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self.produced = 0
        self._make = maker(coding)
        self._inflater: Optional[Inflater] = None
        self._input = b""
        self._position = 0
        self._consumed = 0
        self._members = 0
        self._ended = False
        self._error: Optional[MeshAPIError] = None

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the coded body, cut anywhere; `b""` is its end."""
        if type(data) is not bytes:
            data = bytes(data)
        if data:
            self._input = self._input[self._position :] + data
            self._position = 0
        else:
            self._ended = True

    def decode(self, body: bytes) -> Iterator[bytes]:
        """Yield the pieces of a whole body. Raises as `next_piece` does."""
        self.receive_data(body)
        self.receive_data(b"")
        while True:
            piece = self.next_piece()
            if not isinstance(piece, bytes):
                return
            yield piece

    def next_piece(self) -> Union[bytes, NeedData, EndOfStream]:
        """Return the next decoded bytes, never empty; NEED_DATA; or END_OF_STREAM at the end.

        Raises:
            ResponseDecodeError: the bytes are not in this coding, or expand too much.
            APIConnectionError: the body ends too early (`truncated`).
            After either of these, every later call raises the same error.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._next_piece()
        except MeshAPIError as exc:
            self._error = exc
            raise

    def _next_piece(self) -> Union[bytes, NeedData, EndOfStream]:
        while True:
            inflater = self._inflater
            if inflater is None:
                if not self._has_more():
                    return END_OF_STREAM if self._ended else NEED_DATA
                inflater = self._inflater = self._begin()
                if inflater is None:
                    return NEED_DATA
            piece = b"" if inflater.eof else self._inflate(inflater)
            if piece:
                return self._counted(piece)
            if inflater.eof:
                # The bytes after the end of this member go back: they may be the next member.
                self._position -= len(inflater.unused_data)
                self._consumed -= len(inflater.unused_data)
                self._members += 1
                self._inflater = None
            elif inflater.needs_input and self._position == len(self._input):
                if self._ended:
                    raise APIConnectionError(
                        f"the compressed response ({self.coding}) ended in the middle",
                        error_code="truncated",
                    )
                return NEED_DATA

    def _has_more(self) -> bool:
        # After a member, padding is skipped: it is neither counted nor decoded.
        while self._members and self._input[self._position : self._position + 1] in _PADDED:
            piece = self._input[self._position : self._position + PIECE]
            if not piece:
                return False
            self._position += len(piece) - len(piece.lstrip(_PADDING))
        return self._position < len(self._input)

    def _begin(self) -> "Optional[Inflater]":
        # Only gzip and zstd may have several members; zlib and br streams stand alone.
        if self._members and self.coding in ("br", "deflate"):
            raise self._broken("more bytes follow its end")
        return self._make(self._input[self._position : self._position + 2], self._ended)

    def _inflate(self, inflater: "Inflater") -> bytes:
        data = b""
        if inflater.needs_input:
            size = min(inflater.slice_size, _SMALL_SLICE) if self._members else inflater.slice_size
            data = self._input[self._position : self._position + size]
            self._position += len(data)
            self._consumed += len(data)
        try:
            return inflater.decompress(data)
        except inflater.errors as exc:
            reason = str(exc)
        # Raised here, so that the library's error is not its `__context__`.
        raise self._broken(reason)

    def _counted(self, piece: bytes) -> bytes:
        self.produced += len(piece)
        if self.produced > FREE_SIZE and self.produced > MAX_RATIO * self._consumed:
            size = f"{self.produced} bytes from {self._consumed}"
            raise self.too_large(f"expands to more than {MAX_RATIO} times its size: {size}")
        return piece

    def _broken(self, reason: str) -> ResponseDecodeError:
        return undecodable(
            f"the response body is not in the content coding that its header names"
            f" (Content-Encoding: {self.coding}): {reason}"
        )

    def too_large(self, what: str) -> ResponseDecodeError:
        """Return the error for a body that is too large once decoded."""
        message = f"the response body (Content-Encoding: {self.coding}) {what}"
        return ResponseDecodeError(message, error_code="response_too_large")
