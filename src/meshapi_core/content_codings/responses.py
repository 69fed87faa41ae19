"""Decodes responses that a server or a proxy has compressed: whole ones, streams, errors. No I/O.

The client does not ask for compression (it sends `Accept-Encoding: identity`), but some proxies
compress anyway, and a caller may ask for it with an extra header. Rules:

1. A body may have one coding that `inflaters.py` knows. Two layers and unknown codings are errors
   that name them. Values that stand for no coding, as some servers send them (`utf-8`), are
   ignored.
2. The expansion is limited; `decoders.py` has the rules.
3. A body that ends before its coding does is `truncated`. A body in another coding than its header
   says is an error that names the coding. An empty body is empty in any coding.
4. Of an error, and of a response that counts whatever its body says, as much is read as possible.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.4
"""

from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union

from msgspec.structs import replace
from typing_extensions import Buffer

from meshapi_core.errors import APIConnectionError, MeshAPIError, ResponseDecodeError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Failure, Response
from meshapi_core.readers import BodyDecoder
from meshapi_core.service import Service
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sniffing import KEPT_BYTES

if TYPE_CHECKING:
    from meshapi_core.content_codings.decoders import ContentDecoder

__all__ = ["CodedBodyDecoder", "decoded", "decoded_in_part", "is_coded", "opened"]

T = TypeVar("T")

MAX_REFUSAL = 64 * 1024
"""Bytes of a decoded error body that are kept: as many as an error keeps of any other body."""

_NO_CODING = frozenset(
    "identity none null binary 7bit 8bit utf-8 utf8 us-ascii iso-8859-1 aws-chunked".split()
)
"""Values of Content-Encoding that mean that the body is not coded: the name for that, transfer
encodings of mail, charsets, and what S3 keeps of an upload that it has unpacked."""

_ALIASES = {"x-gzip": "gzip"}


def is_coded(headers: Headers) -> bool:
    """Return whether a response has a Content-Encoding header, whatever its value."""
    return "content-encoding" in headers


def decoded(response: Response, limit: int) -> Response:
    """Return a whole response with its body decoded and its headers as received.

    Args:
        response: the response as received.
        limit: the most bytes of the decoded body.

    Raises:
        ResponseDecodeError: the body can't be decoded, or is too large.
        APIConnectionError: the body was cut off (`truncated`).
    """
    if not response.body or not is_coded(response.headers):
        return response
    try:
        decoder = _decoder(response.headers)
        if decoder is None:
            return response
        pieces, size = [b""], 0
        for piece in decoder.decode(response.body):
            size += len(piece)
            if size > limit:
                raise decoder.too_large(f"expands to more than {limit} bytes")
            pieces.append(piece)
    except MeshAPIError as exc:
        _place(exc, response.headers, response.status)
        if isinstance(exc, ResponseDecodeError):
            exc.raw_body = response.body[:KEPT_BYTES]
        raise
    # A coding marks its own end, so the body was not cut off.
    return replace(response, body=b"".join(pieces), cut=False)


def decoded_in_part(response: Response) -> tuple[Response, str]:
    """Return a response with as much of its body as can be decoded, and what is wrong with it.

    It is for errors, and for responses that count whatever their body says. A body that is plain
    text, in spite of its header, is kept as received.
    """
    if not response.body or not is_coded(response.headers):
        return response, ""
    body, wrong = bytearray(), ""
    try:
        decoder = _decoder(response.headers)
        if decoder is None:
            return response, ""
        for piece in decoder.decode(response.body):
            body += piece
            if len(body) > MAX_REFUSAL:
                break
    except APIConnectionError:
        pass  # cut off: long error bodies are not read to their end
    except MeshAPIError as exc:
        wrong = exc.message
        if not body:
            body += _if_text(response.body)
    return replace(response, body=bytes(body[:MAX_REFUSAL])), wrong


def opened(decoder: BodyDecoder[T], headers: Headers, status: int) -> BodyDecoder[T]:
    """Return a decoder for the body of a streamed response: the given one if it is not coded.

    Raises:
        ResponseDecodeError: the coding is unknown, or the library for it is not installed.
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
    """Add to an error the response that it is about."""
    error.status, error.headers, error.request_id = status, headers, find_request_id(headers)


class CodedBodyDecoder(Generic[T]):
    """A `BodyDecoder` in front of another one: takes coded bytes, and passes on decoded ones.

    It decodes no more than the other one asks for, so that a body that expands a lot waits here in
    its small form.

    Args:
        inner: gets the decoded bytes.
        coding: decodes the bytes.
        status: the status of the response.
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
        """The texts that no error may show."""
        return self.inner.secrets

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...]) -> None:
        self.inner.secrets = secrets

    @property
    def headers(self) -> Headers:
        """The headers of the response, as received."""
        return self.inner.headers

    @property
    def service(self) -> Service:
        """The service that sent the response."""
        return self.inner.service

    @service.setter
    def service(self, service: Service) -> None:
        self.inner.service = service

    @property
    def status(self) -> int:
        """The status of the response."""
        return self.inner.status

    @property
    def request_id(self) -> str:
        """The server's ID for this request."""
        return self.inner.request_id

    @property
    def complete(self) -> bool:
        """Whether everything has come."""
        return self._error is None and self.inner.complete

    def partial(self) -> Any:
        """Return the response so far; None before its first part."""
        return self.inner.partial()

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the coded body; `b""` is its end."""
        if not self._done:
            self._coding.receive_data(data)

    def receive_cut(self) -> None:
        """Record that the body ended where it may have been cut off; the coding knows if it was."""
        self.receive_data(b"")

    def receive_failure(self, failure: Failure) -> None:
        """Record that the body broke off; what has come of it is decoded first."""
        self._failure = failure

    def next_event(self) -> Union[T, NeedData, EndOfStream]:
        """Return what `next_event` of the inner decoder returns.

        Raises:
            ResponseDecodeError: the body is not in the coding that the response names.
        """
        if self._error is not None:
            raise self._error
        while True:
            event = self.inner.next_event()
            if event is not NEED_DATA or self._done or not self._go_on():
                return event

    def _go_on(self) -> bool:
        """Pass the next bytes to the inner decoder; return False if there are none yet."""
        try:
            piece = self._coding.next_piece()
        except MeshAPIError as exc:
            self._done = True
            if not self._coding.produced and isinstance(exc, ResponseDecodeError):
                # Nothing was decoded, so nothing was interrupted: the header is wrong.
                _place(exc, self.headers, self._status)
                self._error = exc
                raise
            self.inner.receive_failure(Failure(exc, "response"))
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


def _decoder(headers: Headers) -> "Optional[ContentDecoder]":
    """Return the decoder for the body of a response; None if it is not coded.

    Raises:
        ResponseDecodeError: the body can't be decoded.
    """
    value = headers.get("content-encoding", "")
    names = [name.strip().lower() for name in value.split(",")]
    codings = [name for name in names if name and name not in _NO_CODING]
    if not codings:
        return None
    # Imported when the first coded response comes: most programs never see one.
    from meshapi_core.content_codings.decoders import ContentDecoder
    from meshapi_core.content_codings.inflaters import undecodable

    if len(codings) > 1:
        raise undecodable(
            f"the response body has {len(codings)} content codings, but only one can be decoded"
            f" (Content-Encoding: {value[:100]})"
        )
    return ContentDecoder(_ALIASES.get(codings[0], codings[0]))


def _if_text(body: bytes) -> bytes:
    """Return the beginning of a body that is text; `b""` if it is not."""
    start = body[:MAX_REFUSAL]
    text = start.decode("utf-8", "replace")
    # The last character may be cut off.
    is_text = "\ufffd" not in text[:-1] and "\0" not in text
    return start if is_text else b""
