"""Responses as they came, for `client.with_raw_response`.

`raw_call` makes the same call with another reader, which keeps the response; `RawResponse.parse`
then does what the call's own reader would have done.
"""

from typing import Any, Generic, Optional, TypeVar, cast

from msgspec import UNSET, Struct, structs

from meshapi_core.calls import Call
from meshapi_core.codec.parsing import parse_exactly
from meshapi_core.errors import APIConnectionError, MeshAPIError, ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.readers import EmptyReader, Reader
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.sniffing import unexpected

__all__ = ["RawResponse", "raw_call"]

T = TypeVar("T")


class RawResponse(Generic[T]):
    """A 2xx response as it came: status, headers, bytes, and `parse()` for the typed response.

    Attributes:
        secrets: what its errors must not show; an `Exchange` sets it. See `redaction`.
    """

    __slots__ = ("_parsed", "_reader", "_response", "secrets")

    def __init__(self, reader: Reader[T], response: Response) -> None:
        self._reader = reader
        self._response = response
        self._parsed: Any = UNSET
        self.secrets: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Headers:
        """The headers as received. Look-ups ignore case."""
        return self._response.headers

    @property
    def request_id(self) -> str:
        """The request ID, to quote to support; "" if the gateway sent none."""
        return self.meta.request_id

    @property
    def meta(self) -> ResponseMeta:
        """Attempts, elapsed time, rate limits and the like."""
        return self._response.meta

    @property
    def content(self) -> bytes:
        """The body. If it was compressed (Content-Encoding), it is decompressed here."""
        return self._response.body

    @property
    def text(self) -> str:
        """The body as text: UTF-8, in which bytes that are not are replaced by U+FFFD."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body as JSON, decoded anew by each call.

        Raises:
            ResponseDecodeError: the body is not JSON.
        """
        try:
            return parse_exactly(self.content)
        except ResponseDecodeError:
            error = unexpected("JSON", self.headers, self.status, self.content)
        raise conceal(error, self.secrets)

    def parse(self) -> T:
        """Return what the method returns without `with_raw_response`; the same object each time.

        Raises:
            MeshAPIError: what the method would have raised: the body is an error, or cannot be
                read.
        """
        if self._parsed is UNSET:
            error = self._read()
            if error is not None:
                raise error
        return cast("T", self._parsed)

    def check_whole(self) -> None:
        """Parse the response, and raise if it may have been cut off, but for nothing else.

        Raises:
            APIConnectionError: it may have been cut off.
        """
        error = self._read()
        if isinstance(error, APIConnectionError):
            raise error

    def _read(self) -> Optional[MeshAPIError]:
        try:
            self._parsed = self._reader.read(self._response)
        except MeshAPIError as exc:
            # The frames hold the body, which may quote a secret.
            error = conceal(forget_frames(exc), self.secrets)
            error.attempts, error.elapsed = self._response.attempts, self._response.elapsed
            return error
        return None

    def __repr__(self) -> str:
        # Without the body, which may quote what was sent.
        return f"<RawResponse {self.status} ({len(self.content)} bytes)>"

    def __reduce__(self) -> Any:
        # `copy` and `deepcopy` ask for it, too.
        raise TypeError(
            "a raw response cannot be copied or pickled, because it knows the token, to keep it out"
            " of errors; copy what parse() returns, or content and meta"
        )


class _RawReader(Struct, Generic[T], frozen=True):
    """Keeps a response for another reader."""

    reader: Reader[T]

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return self.reader.accept

    def read(self, response: Response) -> RawResponse[T]:
        """Return the response. See `Reader.read`."""
        raw = RawResponse(self.reader, response)
        if response.cut:
            # It may have been cut off, and only its reader can tell. Then the call may be retried,
            # which must be known now.
            raw.check_whole()
        return raw


class _RawEmptyReader(EmptyReader, frozen=True):
    """The same for an `EmptyReader`, which a `Call` treats differently."""

    def read(self, response: Response) -> Any:
        """Return the response. See `Reader.read`."""
        return RawResponse(EmptyReader(), response)


def raw_call(call: Call[T]) -> Call[RawResponse[T]]:
    """Return the same call with another result: the response as it came."""
    reader: Any = call.reader
    raw: Any = _RawEmptyReader() if isinstance(reader, EmptyReader) else _RawReader(reader)
    changed: Any = structs.replace(call, reader=raw)
    return cast("Call[RawResponse[T]]", changed)
