"""The body of an answer that is no JSON, given out as it comes. No I/O."""

from collections import deque
from typing import Optional, Union

from meshapi_core.errors import (
    APIConnectionError,
    APITimeoutError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure
from meshapi_core.redaction import conceal
from meshapi_core.sse import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData

__all__ = ["ByteDecoder", "cut_error", "document_error"]


def document_error(headers: Headers, status: int) -> Optional[ResponseDecodeError]:
    """Return the error of an answer that says to be JSON or a page; None if it does not."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/html") and not kind.endswith("+json"):
        return None
    return ResponseDecodeError(
        f"expected a file, got {kind}",
        status=status,
        error_code="parse_error",
        request_id=headers.get("x-request-id", ""),
    )


def cut_error(headers: Headers, status: int) -> APIConnectionError:
    """Return the error of a body that may have been cut, and does not tell by itself."""
    error = APIConnectionError(
        "the answer has no length, and its TLS connection ended without close_notify: part of it"
        " may be missing",
        error_code="truncated",
    )
    error.status = status
    error.request_id = headers.get("x-request-id", "")
    return error


class ByteDecoder:
    """Pieces of a body: `receive_data`, then `next_event` until it wants more.

    HTTP itself tells a whole body from one that was cut off, so that nothing is added to it here;
    but a body that breaks off is an error of its own kind, as with other streams.

    Args:
        headers: of the answer.
        status: of the answer.
        documents: whether JSON and pages are what may come.
    """

    def __init__(self, *, headers: Headers, status: int = 200, documents: bool = True) -> None:
        self.headers = headers
        self.status = status
        self.request_id = headers.get("x-request-id", "")
        self.secrets: tuple[str, ...] = ()
        self._pieces: deque[bytes] = deque()
        self._ended = False
        # Raised by `next_event`, as every error of a decoder.
        self._error: Optional[MeshAPIError] = None
        if not documents:
            self._error = document_error(headers, status)
        self._received = 0

    def receive_data(self, data: bytes) -> None:
        """Take the next piece of the body; `b""` is its end."""
        if self._ended or self._error is not None:
            return
        if data:
            self._pieces.append(data)
            self._received += len(data)
        else:
            self._ended = True

    def receive_cut(self) -> None:
        """Take note that the body ended where it may have been cut; see `Reply.cut`."""
        self.receive_failure(Failure(cut_error(self.headers, self.status), "reply"))

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on; `next_event` raises after the last piece."""
        if self._ended or self._error is not None:
            return
        error = failure.error
        if not isinstance(error, APITimeoutError) and failure.stage != "closed":
            error = StreamInterruptedError(
                f"stream interrupted after {self._received} bytes: {failure.error.message}",
                partial=None,
            )
            error.__cause__ = failure.error
        error.request_id = error.request_id or self.request_id
        self._error = error

    def next_event(self) -> Union[bytes, NeedData, EndOfStream]:
        """The next piece, never empty; NEED_DATA where more is needed; END_OF_STREAM at the end.

        Raises:
            ResponseDecodeError: it is a document, where there should be none.
            StreamInterruptedError: the connection broke; what came before has been given out.
            APITimeoutError: a time limit passed.
        """
        if self._pieces:
            return self._pieces.popleft()
        if self._error is not None:
            raise conceal(self._error, self.secrets)
        return END_OF_STREAM if self._ended else NEED_DATA
