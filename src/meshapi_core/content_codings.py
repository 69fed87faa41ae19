"""Bodies that a server or a proxy has compressed, decoded piece by piece. No I/O.

Nobody asks for it (`Accept-Encoding: identity` is sent), yet proxies do it, and a caller may ask by
a header of theirs. Rules:

1. One coding of gzip, deflate (with and without zlib's wrapper), br and zstd; the last two where
   Python or an installed package knows them. Two layers, and other codings, are refused by name.
   Names that stand for no coding at all, as servers write them (`utf-8`), are passed over.
2. A decoder takes and gives bounded pieces, whatever the ratio between them is. More than
   `MAX_RATIO` is refused.
3. Members and frames one after another are one body, as the formats say. Behind the last one there
   may be padding; anything else is an error.
4. A body that ends before its coding does is `truncated`; one that is not what its header says is
   an error that names the coding. An empty body is empty in any coding.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.4, https://www.rfc-editor.org/rfc/rfc1950,
    https://www.rfc-editor.org/rfc/rfc1951, https://www.rfc-editor.org/rfc/rfc1952,
    https://www.rfc-editor.org/rfc/rfc7932, https://www.rfc-editor.org/rfc/rfc8878,
    https://www.rfc-editor.org/rfc/rfc9659 (zstd's window)
"""

# The libraries are optional, and each Python and machine has others of them.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Optional, TypeVar, Union

from msgspec.structs import replace
from typing_extensions import Buffer, Protocol

from meshapi_core.bodies import PIECE
from meshapi_core.errors import APIConnectionError, MeshAPIError, ResponseDecodeError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Failure, Reply
from meshapi_core.readers import BodyDecoder
from meshapi_core.service import Service
from meshapi_core.sniffing import KEPT_BYTES
from meshapi_core.sse import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData

__all__ = [
    "CodedBodyDecoder",
    "ContentDecoder",
    "decoded",
    "is_coded",
    "opened",
    "readable",
]

T = TypeVar("T")

MAX_RATIO = 200
"""Bytes out for each byte in: what Apache allows (DeflateInflateRatioLimit). Text, JSON and sound
stay below 50; deflate can do 1,032, br and zstd any number."""

FREE_SIZE = 16 * 1024 * 1024
"""Bytes out up to which the ratio does not matter: a machine has that much to spare, and a short
body of silence, or of zeros, is no attack."""

MAX_REFUSAL = 64 * 1024
"""Bytes of a decoded error body that are kept: as much as an error keeps of any other."""

_NO_CODING = frozenset(
    "identity none null binary 7bit 8bit utf-8 utf8 us-ascii iso-8859-1 aws-chunked".split()
)
"""What stands in the field and means that nothing was done: the word for it, codings of mail,
charsets, and what S3 keeps of an upload that it has unpacked."""

_ALIASES = {"x-gzip": "gzip"}
_PADDING = b"\0\r\n\t "
_PADDED = frozenset({b"", *(bytes([byte]) for byte in _PADDING)})

# Of the second member on: they may be many and small, and what is behind each is handed back.
_SMALL_SLICE = 4096

# What zlib's numbers mean: a gzip wrapper, none, its own.
_GZIP, _RAW, _ZLIB = 31, -15, 15

# RFC 9659: 8 MiB is the most that a server may ask a client to keep.
_ZSTD_WINDOW_LOG = 23

# Bytes given at once to libraries that know no limit on what comes out: a block of zstd makes at
# most 128 KiB of 4 bytes, a meta-block of br 16 MiB of hardly more.
_BLIND_ZSTD = 64
_BLIND_BROTLI = 8


def is_coded(headers: Headers) -> bool:
    """Whether an answer has a field that names a coding, whatever it says."""
    return "content-encoding" in headers


def decoded(reply: Reply, limit: int) -> Reply:
    """Return a whole answer with its body decoded, its header fields as they came.

    Args:
        limit: bytes of the decoded body that are accepted.

    Raises:
        ResponseDecodeError: the body can't be decoded, or is too large.
        APIConnectionError: it was cut off (`truncated`).
    """
    if not reply.body or not is_coded(reply.headers):
        return reply
    try:
        decoder = _decoder(reply.headers)
        if decoder is None:
            return reply
        pieces, size = [b""], 0
        for piece in decoder.decode(reply.body):
            size += len(piece)
            if size > limit:
                raise _too_large(decoder.coding, f"larger than {limit} bytes when it is decoded")
            pieces.append(piece)
    except MeshAPIError as exc:
        _place(exc, reply.headers, reply.status)
        if isinstance(exc, ResponseDecodeError):
            exc.raw_body = reply.body[:KEPT_BYTES]
        raise
    # The coding knows its end: nothing of it is missing.
    return replace(reply, body=b"".join(pieces), cut=False)


def readable(reply: Reply) -> tuple[Reply, str]:
    """Return an answer with as much of its body as can be read, and what is wrong with the rest.

    For what is an error, or done, whatever the body says. Of a body in another coding than it
    names, text is kept as it came.
    """
    if not reply.body or not is_coded(reply.headers):
        return reply, ""
    body, wrong = bytearray(), ""
    try:
        decoder = _decoder(reply.headers)
        if decoder is None:
            return reply, ""
        for piece in decoder.decode(reply.body):
            body += piece
            if len(body) > MAX_REFUSAL:
                break
    except APIConnectionError:
        pass  # cut off, as long error bodies are by whoever reads them
    except MeshAPIError as exc:
        wrong = exc.message
        if not body:
            body += _if_text(reply.body)
    return replace(reply, body=bytes(body[:MAX_REFUSAL])), wrong


def opened(decoder: BodyDecoder[T], headers: Headers, status: int) -> BodyDecoder[T]:
    """Return what the body of a streamed answer goes to: the decoder itself where it is not coded.

    Raises:
        ResponseDecodeError: the coding is none that can be decoded.
    """
    if not is_coded(headers):
        return decoder
    try:
        coding = _decoder(headers)
    except MeshAPIError as exc:
        _place(exc, headers, status)
        raise
    return decoder if coding is None else CodedBodyDecoder(decoder, coding, status)


def _place(error: MeshAPIError, headers: Headers, status: int) -> None:
    """Let an error say which answer it is about."""
    error.status, error.headers, error.request_id = status, headers, find_request_id(headers)


class CodedBodyDecoder(Generic[T]):
    """A `BodyDecoder` in front of another one: takes coded bytes, and gives it what they hold.

    It decodes no more than the other one asks for, so that a little that stands for a lot waits
    here as the little.

    Args:
        inner: gets the decoded bytes.
        coding: decodes them.
        status: of the answer.
    """

    def __init__(self, inner: BodyDecoder[T], coding: "ContentDecoder", status: int) -> None:
        self.inner = inner
        self._coding = coding
        self._status = status
        self._failure: Optional[Failure] = None
        self._error: Optional[MeshAPIError] = None
        self._done = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """What none of its errors shows."""
        return self.inner.secrets

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...]) -> None:
        self.inner.secrets = secrets

    @property
    def headers(self) -> Headers:
        """The answer's header fields, as they came."""
        return self.inner.headers

    @property
    def service(self) -> Service:
        """Whose answer it is."""
        return self.inner.service

    @service.setter
    def service(self, service: Service) -> None:
        self.inner.service = service

    @property
    def status(self) -> int:
        """The answer's status."""
        return self.inner.status

    @property
    def request_id(self) -> str:
        """The server's id of this request."""
        return self.inner.request_id

    @property
    def complete(self) -> bool:
        """Whether all has come."""
        return self._error is None and self.inner.complete

    def partial(self) -> Any:
        """What has arrived, put together."""
        return self.inner.partial()

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the coded body; `b""` is its end."""
        if not self._done:
            self._coding.receive_data(data)

    def receive_cut(self) -> None:
        """Take note of an end that may be a cut: the coding knows whether it is whole."""
        self.receive_data(b"")

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on; what came of it is decoded first."""
        self._failure = failure

    def next_event(self) -> Union[T, NeedData, EndOfStream]:
        """As the other one's, which see.

        Raises:
            ResponseDecodeError: the body is not in the coding that the answer names.
        """
        if self._error is not None:
            raise self._error
        while True:
            event = self.inner.next_event()
            if event is not NEED_DATA or self._done or not self._go_on():
                return event

    def _go_on(self) -> bool:
        """Give the other one more; False where there is none yet."""
        try:
            piece = self._coding.next_piece()
        except MeshAPIError as exc:
            self._done = True
            if not self._coding.produced and isinstance(exc, ResponseDecodeError):
                # Nothing has been lost: it never was what it says.
                _place(exc, self.headers, self._status)
                self._error = exc
                raise
            self.inner.receive_failure(Failure(exc, "reply"))
            return True
        if piece is END_OF_STREAM:
            self._done = True
            self.inner.receive_data(b"")
        elif isinstance(piece, bytes):
            self.inner.receive_data(piece)
        elif self._failure is None:
            return False
        else:
            self._done = True
            self.inner.receive_failure(self._failure)
        return True


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
        self._make = _maker(coding)
        self._inflater: Optional[_Inflater] = None
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
                        f"the answer's body ended in the middle of its coding ({self.coding})",
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

    def _begin(self) -> "Optional[_Inflater]":
        if self._members and self.coding in ("br", "deflate"):
            raise self._broken("more bytes follow behind its end")
        return self._make(self._input[self._position : self._position + 2], self._ended)

    def _inflate(self, inflater: "_Inflater") -> bytes:
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
            raise _too_large(self.coding, f"more than {MAX_RATIO} times its size: {size}")
        return piece

    def _broken(self, reason: str) -> ResponseDecodeError:
        return _undecodable(
            f"the answer's body is not in the coding that it names"
            f" (Content-Encoding: {self.coding}): {reason}"
        )


def _undecodable(message: str) -> ResponseDecodeError:
    return ResponseDecodeError(message, error_code="content_coding")


def _too_large(coding: str, what: str) -> ResponseDecodeError:
    message = f"the answer's body (Content-Encoding: {coding}) is {what}"
    return ResponseDecodeError(message, error_code="response_too_large")


def _decoder(headers: Headers) -> Optional[ContentDecoder]:
    """What decodes an answer's body; None where it is not coded.

    Raises:
        ResponseDecodeError: it can't be decoded.
    """
    value = headers.get("content-encoding", "")
    names = [name.strip().lower() for name in value.split(",")]
    codings = [name for name in names if name and name not in _NO_CODING]
    if not codings:
        return None
    if len(codings) > 1:
        raise _undecodable(
            f"the answer's body has {len(codings)} codings, one can be decoded"
            f" (Content-Encoding: {value[:100]})"
        )
    return ContentDecoder(_ALIASES.get(codings[0], codings[0]))


def _if_text(body: bytes) -> bytes:
    """Return a body that is text, else nothing."""
    start = body[:MAX_REFUSAL]
    readable = start.decode("utf-8", "replace")
    # The last character may be cut off.
    is_text = "\ufffd" not in readable[:-1] and "\0" not in readable
    return start if is_text else b""


class _Inflater(Protocol):
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


_Maker = Callable[[bytes, bool], Optional[_Inflater]]
"""Makes an `_Inflater` from the first bytes, and whether there are no more; None asks for more."""


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


def _gzip(start: bytes, last: bool) -> _Inflater:
    return _Zlib(_GZIP)


def _deflate(start: bytes, last: bool) -> Optional[_Inflater]:
    # As browsers do: "deflate" is zlib's format, and many send the bare one. The check bits of
    # zlib's head are those of no bare one: it would be a stored block with padding that is not 0.
    if len(start) < 2 and not last:
        return None
    wrapped = len(start) == 2 and start[0] & 0x8F == 8 and int.from_bytes(start, "big") % 31 == 0
    return _Zlib(_ZLIB if wrapped else _RAW)


def _maker(coding: str) -> _Maker:
    if coding == "gzip":
        return _gzip
    if coding == "deflate":
        return _deflate
    if coding == "br":
        return _of_library(_Brotli, _brotli(), coding, "brotli")
    if coding == "zstd":
        kind, library = _zstd()
        return _of_library(kind, library, coding, "zstandard")
    raise _undecodable(
        f"the answer's body is in a coding that can't be decoded"
        f" (Content-Encoding: {coding[:100]}); nobody asked for it"
    )


def _of_library(
    kind: Callable[[Any], _Inflater], library: Any, coding: str, package: str
) -> _Maker:
    if library is None:
        raise _undecodable(
            f"the answer's body can't be decoded (Content-Encoding: {coding}):"
            f" install the package {package}, or ask for another coding"
        )
    return lambda start, last: kind(library)


def _brotli() -> Any:
    try:
        import brotli
    except ImportError:
        try:
            import brotlicffi as brotli
        except ImportError:
            return None
    return brotli


def _zstd() -> tuple[Callable[[Any], _Inflater], Any]:
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
