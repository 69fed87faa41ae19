"""A stream without a network: what a runner returns, over the bytes of a response."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Optional

from typing_extensions import Self

from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    Headers,
    Response,
    ResponseMeta,
    StreamUsageError,
)
from meshapi_core.endpoints import StreamCall


class DecodedStream:
    """A `Stream` of the chunks of a body that arrives in pieces, and then ends.

    Attributes:
        taken: how many chunks it has returned.
    """

    def __init__(
        self, call: "StreamCall[Any]", pieces: Iterable[bytes], kind: str = "text/event-stream"
    ) -> None:
        self._decoder: Any = call.read(Response(200, Headers([("content-type", kind)])))
        self._pieces = [*filter(None, pieces), b""]
        self.complete = self.closed = False
        self.request_id: Optional[str] = None
        self.headers = Headers()
        self.meta = ResponseMeta()
        self.taken = 0

    @property
    def partial(self) -> Any:
        return self._decoder.partial()

    def __iter__(self) -> Iterator[Any]:
        if self.closed:
            raise StreamUsageError("it has ended")
        return self

    def __next__(self) -> Any:
        if self.closed:
            raise StopIteration
        while (event := self._decoder.next_event()) is NEED_DATA:
            self._decoder.receive_data(self._pieces.pop(0))
        if event is END_OF_STREAM:
            self.complete = self.closed = True
            raise StopIteration
        self.taken += 1
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
