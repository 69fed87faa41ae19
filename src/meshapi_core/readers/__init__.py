"""Readers: how the response to a call is read, as values that calls hold.

The reader of a `Call` turns a whole 2xx response into the result; these readers are in `whole`. The
reader of a `StreamCall` makes the decoder that receives the body, piece by piece; these are in
`streams`. Each reader also has the Accept header of the request. `contents` finds what is in the
body of a whole response: JSON, either bare or as the only event of a stream, or an error.
"""

from typing import Any, TypeVar, Union

from typing_extensions import Buffer, Protocol

from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Response
from meshapi_core.readers.streams import ByteStreamReader, ChunkReader
from meshapi_core.readers.whole import (
    BytesReader,
    EmptyReader,
    JSONReader,
    ListReader,
    TextReader,
)
from meshapi_core.service import Service
from meshapi_core.signals import EndOfStream, NeedData

__all__ = [
    "BodyDecoder",
    "ByteStreamReader",
    "BytesReader",
    "ChunkReader",
    "JSONReader",
    "ListReader",
    "EmptyReader",
    "Reader",
    "StreamReader",
    "TextReader",
]

T_co = TypeVar("T_co", covariant=True)


class Reader(Protocol[T_co]):
    """Reads a whole response."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        ...

    def read(self, response: Response) -> T_co:
        """Return the result from a 2xx response.

        Raises:
            APIStatusError: the body is an error, in spite of the status.
            ResponseDecodeError: the body is not what was expected.
            APIConnectionError: the body may have been cut off, and its content cannot tell.
        """
        ...


class BodyDecoder(Protocol[T_co]):
    """Decodes the body of a streamed response into its items.

    `ChunkDecoder` and `ByteDecoder` implement it. Call `partial` before you abandon a stream, if
    you want what has arrived.
    """

    @property
    def secrets(self) -> tuple[str, ...]:
        """What its errors must not show; an `Exchange` sets it. See `redaction`."""
        ...

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...], /) -> None: ...

    @property
    def service(self) -> Service:
        """The service that responds, with the end marker of its streams; an `Exchange` sets it."""
        ...

    @service.setter
    def service(self, service: Service, /) -> None: ...

    @property
    def headers(self) -> Headers:
        """The response's headers."""
        ...

    @property
    def status(self) -> int:
        """The response's status."""
        ...

    @property
    def request_id(self) -> str:
        """The request ID; "" where the server sent none."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the stream is complete: it has ended, or could end here without being cut off."""
        ...

    def partial(self) -> Any:
        """Return what has arrived, put together, as in the `.partial` of errors.

        None where nothing has arrived, and where items are not kept, such as the pieces of a file.
        """
        ...

    def receive_data(self, data: Buffer) -> None:
        """Receive the next piece of the body, cut anywhere; `b""` marks its end.

        A buffer that is not `bytes` is copied, so the caller may reuse it at once.
        """
        ...

    def receive_cut(self) -> None:
        """Record the end of a body that may have been cut off there; see `Response.cut`."""
        ...

    def receive_failure(self, failure: Failure) -> None:
        """Record that the rest of the body is lost."""
        ...

    def next_event(self) -> Union[T_co, NeedData, EndOfStream]:
        """Return the next item; NEED_DATA if more bytes are needed, END_OF_STREAM at the end."""
        ...


class StreamReader(Protocol[T_co]):
    """Reads a streamed response."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        ...

    def open(self, response: Response) -> BodyDecoder[T_co]:
        """Return the decoder that receives the body of this 2xx response."""
        ...
