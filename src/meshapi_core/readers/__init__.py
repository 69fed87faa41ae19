"""How the answer to a call is read, as values that calls hold.

A reader of a `Call` turns a whole 2xx reply into the result: those are in `whole`. A reader of a
`StreamCall` makes the decoder that the body goes to, piece by piece: those are in `streams`. Each
also says what the request accepts. `contents` is what the body of a whole response holds: JSON,
bare or as the one event of a stream, or an error.
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
        """The result in a 2xx reply.

        Raises:
            APIStatusError: it is an error, in spite of its status.
            ResponseDecodeError: the body is not what was promised.
            APIConnectionError: it may have been cut, and does not tell by itself.
        """
        ...


class BodyDecoder(Protocol[T_co]):
    """Takes the body of a streamed response and gives what is in it.

    `ChunkDecoder` and `ByteDecoder` are such. Whoever gives a stream up asks for `partial` before.
    """

    @property
    def secrets(self) -> tuple[str, ...]:
        """What none of its errors shows; an `Exchange` sets it. See `redaction`."""
        ...

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...], /) -> None: ...

    @property
    def service(self) -> Service:
        """Whose response it is, with the marker by which its streams end; an `Exchange` sets it."""
        ...

    @service.setter
    def service(self, service: Service, /) -> None: ...

    @property
    def headers(self) -> Headers:
        """The response's header fields."""
        ...

    @property
    def status(self) -> int:
        """The response's status."""
        ...

    @property
    def request_id(self) -> str:
        """The server's id of this request; "" where it named none."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all has come: the stream has ended, or could end now without being cut off."""
        ...

    def partial(self) -> Any:
        """What has arrived, put together, as in the `.partial` of errors; None where nothing has,
        and where items are not kept: pieces of a file are no response by themselves.
        """
        ...

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end.

        A buffer that is not `bytes` is copied, so it may be used again at once.
        """
        ...

    def receive_cut(self) -> None:
        """Take note of the end of a body that may have been cut there; see `Response.cut`."""
        ...

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on."""
        ...

    def next_event(self) -> Union[T_co, NeedData, EndOfStream]:
        """The next item; NEED_DATA where more bytes are needed; END_OF_STREAM after the last."""
        ...


class StreamReader(Protocol[T_co]):
    """Reads a streamed response."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        ...

    def open(self, response: Response) -> BodyDecoder[T_co]:
        """The decoder to feed the body of this 2xx response to."""
        ...
