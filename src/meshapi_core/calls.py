"""A call as a value: what to send, and how to read the answer.

No client is in it, so a call can be held, compared, logged, tested, or written to a batch file.
An `Exchange` gives it a life.
"""

from collections.abc import Callable
from typing import Generic, Optional, TypeVar

import msgspec
from msgspec import Struct
from typing_extensions import Protocol

from meshapi_core._version import __version__
from meshapi_core.accumulators import Accumulator
from meshapi_core.chunks import ChunkDecoder
from meshapi_core.codec import decode
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Reply, Request
from meshapi_core.types._base import attach

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

MAX_BODY_SIZE = 256 * 1024 * 1024
"""Bytes of one whole answer that are kept: ten 4K images in base64 fit; a faulty peer that sends
for ever does not eat the machine."""


class AnyCall(Protocol[R_co]):
    """What an `Exchange` needs of a call; `Call` and `StreamCall` are the two there are."""

    @property
    def method(self) -> str: ...
    @property
    def streaming(self) -> bool: ...
    def request(self, config: MeshAPIConfig) -> Request:
        """The HTTP request for this call at this gateway."""
        ...

    def read(self, reply: Reply) -> R_co:
        """The result that a 2xx answer holds."""
        ...


class _BaseCall(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    body: bytes = b""

    def __repr__(self) -> str:
        # Neither the query nor the body: signed URLs and prompts do not belong in a log.
        path = self.path.partition("?")[0]
        return f"<{type(self).__name__} {self.method} {path} ({len(self.body)} bytes)>"

    def _request(self, config: MeshAPIConfig, accept: str) -> Request:
        location = config.location
        return Request(
            self.method,
            location.origin,
            location.prefix + self.path,
            (
                ("authorization", _bearer(config)),
                ("content-type", "application/json"),
                ("accept", accept),
                # Compressed answers would need a limit on inflation; JSON over TLS gains little.
                ("accept-encoding", "identity"),
                ("user-agent", f"meshapi-python/{__version__}"),
                ("x-meshapi-sdk", f"python/{__version__}"),
            ),
            self.body,
        )


def _bearer(config: MeshAPIConfig) -> str:
    token = config.token
    return type(token)("Bearer " + token)


class Call(_BaseCall, Generic[T], frozen=True, kw_only=True):
    """A call whose answer is read whole.

    Fields:
        method, path: of the endpoint; the path is percent-encoded and starts with `/v1`.
        body: JSON, or empty.
        decoder: reads the answer's body.
    """

    decoder: "msgspec.json.Decoder[T]"

    @property
    def streaming(self) -> bool:
        """Always False: the whole body belongs into the `Reply`."""
        return False

    def request(self, config: MeshAPIConfig) -> Request:
        """The HTTP request for this call at this gateway."""
        return self._request(config, "application/json")

    def read(self, reply: Reply) -> T:
        """The typed answer of a 2xx reply.

        Raises:
            ResponseDecodeError: the body is not the JSON that was promised.
        """
        request_id = reply.headers.get("x-request-id", "")
        try:
            answer = decode(reply.body, self.decoder)
        except ResponseDecodeError as exc:
            exc.status, exc.request_id = reply.status, request_id
            raise
        attach(answer, reply.body, request_id)
        return answer


class StreamCall(_BaseCall, Generic[T], frozen=True, kw_only=True):
    """A call whose answer is a stream of events.

    Fields:
        method, path, body: as in `Call`.
        decoder: reads one event's data.
        accumulator: makes the object that knows when the stream is complete and what has arrived.
        from_answer: turns a whole JSON answer into one chunk, for gateways and models that
            cannot stream and answer at once; None where there is no such form.
        marker: bytes that every chunk holds. An event with an unknown name is a chunk where its
            data holds them, and is passed over where it does not.
    """

    decoder: "msgspec.json.Decoder[T]"
    accumulator: Callable[[], Accumulator[T]]
    from_answer: Optional[Callable[[bytes], T]] = None
    marker: bytes = b""

    @property
    def streaming(self) -> bool:
        """Always True: the body of a 2xx answer goes to the `ChunkDecoder`."""
        return True

    def request(self, config: MeshAPIConfig) -> Request:
        """The HTTP request for this call at this gateway."""
        return self._request(config, "text/event-stream")

    def read(self, reply: Reply) -> ChunkDecoder[T]:
        """The decoder to feed the body of this 2xx answer to."""
        return ChunkDecoder(
            self.decoder,
            self.accumulator(),
            headers=reply.headers,
            status=reply.status,
            from_answer=self.from_answer,
            marker=self.marker,
        )
