"""Responses that a server or a proxy has compressed: whole ones, streams, and errors. No I/O.

Nobody asks for it (`Accept-Encoding: identity` is sent), yet proxies do it, and a caller may ask by
a header of theirs. Rules:

1. One coding of those that `inflaters.py` knows. Two layers, and other codings, are refused
   by name. Names that stand for no coding at all, as servers write them (`utf-8`), are passed over.
2. How much comes out of how little is limited: `decoders.py` has those rules.
3. A body that ends before its coding does is `truncated`; one that is not what its header says is
   an error that names the coding. An empty body is empty in any coding.
4. Of an error, and of what is done whatever its body says, as much is read as can be.

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
"""Bytes of a decoded error body that are kept: as much as an error keeps of any other."""

_NO_CODING = frozenset(
    "identity none null binary 7bit 8bit utf-8 utf8 us-ascii iso-8859-1 aws-chunked".split()
)
"""What stands in the field and means that nothing was done: the word for it, codings of mail,
charsets, and what S3 keeps of an upload that it has unpacked."""

_ALIASES = {"x-gzip": "gzip"}


def is_coded(headers: Headers) -> bool:
    """Whether a response has a field that names a coding, whatever it says."""
    return "content-encoding" in headers


def decoded(response: Response, limit: int) -> Response:
    """Return a whole response with its body decoded, its header fields as they came.

    Args:
        limit: bytes of the decoded body that are accepted.

    Raises:
        ResponseDecodeError: the body can't be decoded, or is too large.
        APIConnectionError: it was cut off (`truncated`).
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
                raise decoder.too_large(f"larger than {limit} bytes when it is decoded")
            pieces.append(piece)
    except MeshAPIError as exc:
        _place(exc, response.headers, response.status)
        if isinstance(exc, ResponseDecodeError):
            exc.raw_body = response.body[:KEPT_BYTES]
        raise
    # The coding knows its end: nothing of it is missing.
    return replace(response, body=b"".join(pieces), cut=False)


def decoded_in_part(response: Response) -> tuple[Response, str]:
    """Return a response with as much of its body as can be read, and what is wrong with the rest.

    For what is an error, or done, whatever the body says. Of a body in another coding than it
    names, text is kept as it came.
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
        pass  # cut off, as long error bodies are by whoever reads them
    except MeshAPIError as exc:
        wrong = exc.message
        if not body:
            body += _if_text(response.body)
    return replace(response, body=bytes(body[:MAX_REFUSAL])), wrong


def opened(decoder: BodyDecoder[T], headers: Headers, status: int) -> BodyDecoder[T]:
    """Return what the body of a streamed response goes to: the decoder itself where it is not
    coded.

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
        status: of the response.
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
        """The response's header fields, as they came."""
        return self.inner.headers

    @property
    def service(self) -> Service:
        """Whose response it is."""
        return self.inner.service

    @service.setter
    def service(self, service: Service) -> None:
        self.inner.service = service

    @property
    def status(self) -> int:
        """The response's status."""
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
            ResponseDecodeError: the body is not in the coding that the response names.
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
    """What decodes a response's body; None where it is not coded.

    Raises:
        ResponseDecodeError: it can't be decoded.
    """
    value = headers.get("content-encoding", "")
    names = [name.strip().lower() for name in value.split(",")]
    codings = [name for name in names if name and name not in _NO_CODING]
    if not codings:
        return None
    # Loaded by the first response that is coded.
    from meshapi_core.content_codings.decoders import ContentDecoder
    from meshapi_core.content_codings.inflaters import undecodable

    if len(codings) > 1:
        raise undecodable(
            f"the response's body has {len(codings)} codings, one can be decoded"
            f" (Content-Encoding: {value[:100]})"
        )
    return ContentDecoder(_ALIASES.get(codings[0], codings[0]))


def _if_text(body: bytes) -> bytes:
    """Return a body that is text, else nothing."""
    start = body[:MAX_REFUSAL]
    text = start.decode("utf-8", "replace")
    # The last character may be cut off.
    is_text = "\ufffd" not in text[:-1] and "\0" not in text
    return start if is_text else b""
