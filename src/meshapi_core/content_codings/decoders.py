"""Coded bodies decoded in bounded pieces, whatever the ratio between in and out is. No I/O.

1. A decoder takes and gives bounded pieces. More than `MAX_RATIO` is refused.
2. Members and frames one after another are one body, as the formats say. Behind the last one there
   may be padding; anything else is an error.
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
"""Bytes out for each byte in: what Apache allows (DeflateInflateRatioLimit). Text, JSON and audio
stay below 50; deflate can do 1,032, br and zstd any number."""

FREE_SIZE = 16 * 1024 * 1024
"""Bytes out up to which the ratio does not matter: a machine has that much to spare, and a short
body of silence, or of zeros, is no attack."""

_PADDING = b"\0\r\n\t "
_PADDED = frozenset({b"", *(bytes([byte]) for byte in _PADDING)})

# Of the second member on: they may be many and small, and what is behind each is handed back.
_SMALL_SLICE = 4096


class ContentDecoder:
    """One coded body: `receive_data`, then `next_piece` until it wants more.

    Attributes:
        coding: its name.
        produced: bytes that have been given out.

    Raises:
        ResponseDecodeError: there is no such coding, or what decodes it is not installed.
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
        """Take the next piece, cut anywhere; `b""` is the end."""
        if type(data) is not bytes:
            data = bytes(data)
        if data:
            self._input = self._input[self._position :] + data
            self._position = 0
        else:
            self._ended = True

    def decode(self, body: bytes) -> Iterator[bytes]:
        """The pieces of a whole body. Raises as `next_piece` does."""
        self.receive_data(body)
        self.receive_data(b"")
        while True:
            piece = self.next_piece()
            if not isinstance(piece, bytes):
                return
            yield piece

    def next_piece(self) -> Union[bytes, NeedData, EndOfStream]:
        """The next bytes, never empty and no more than some; NEED_DATA; END_OF_STREAM at the end.

        Raises:
            ResponseDecodeError: the bytes are not in this coding, or make too much of too little.
            APIConnectionError: they end too early (`truncated`).
            After either of these it raises the same error for ever.
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
        while self._members and self._input[self._position : self._position + 1] in _PADDED:
            piece = self._input[self._position : self._position + PIECE]
            if not piece:
                return False
            self._position += len(piece) - len(piece.lstrip(_PADDING))
        return self._position < len(self._input)

    def _begin(self) -> "Optional[Inflater]":
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
        raise self._broken(reason)

    def _counted(self, piece: bytes) -> bytes:
        self.produced += len(piece)
        if self.produced > FREE_SIZE and self.produced > MAX_RATIO * self._consumed:
            size = f"{self.produced} bytes of {self._consumed}"
            raise self.too_large(f"more than {MAX_RATIO} times its size: {size}")
        return piece

    def _broken(self, reason: str) -> ResponseDecodeError:
        return undecodable(
            f"the response's body is not in the coding that it names"
            f" (Content-Encoding: {self.coding}): {reason}"
        )

    def too_large(self, what: str) -> ResponseDecodeError:
        """Return the error of a body that is more than can be accepted."""
        message = f"the response's body (Content-Encoding: {self.coding}) is {what}"
        return ResponseDecodeError(message, error_code="response_too_large")
