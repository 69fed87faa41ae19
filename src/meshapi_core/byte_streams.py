"""Byte streams: the body of a response, returned piece by piece as it arrives. No I/O."""

from collections import deque
from typing import Optional, Union

from typing_extensions import Buffer

from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import error_from_frame, error_in_response, is_error_frame
from meshapi_core.errors import (
    APIConnectionError,
    APITimeoutError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers, content_type, find_request_id
from meshapi_core.messages import Failure
from meshapi_core.redaction import conceal
from meshapi_core.service import MESHAPI
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sniffing import KEPT_BYTES, SNIFFED, sniff, unexpected
from meshapi_core.sse import RawSSEDecoder

__all__ = ["ByteDecoder", "cut_error", "is_document", "misplaced"]

# What audio never begins with, white space removed.
_DOCUMENT_STARTS = (b'{"error"', b'[{"error"', b"<!doctypehtml", b"<html")
_PAGE_STARTS = (b"<!doctypehtml", b"<html")
_LONGEST_START = max(map(len, _DOCUMENT_STARTS))


def is_document(start: bytes, headers: Headers, *, documents: bool) -> Optional[bool]:
    """Return whether a body may be an error, and must be examined before it is returned as a file.

    Args:
        start: its first bytes, as far as they have arrived.
        headers: of the response.
        documents: whether the file may itself be JSON or an HTML page: then only a body that is
            declared as JSON, and looks like it, could be an error. Where audio was asked for, any
            body that is declared as JSON, a page or an event stream could be one.

    Returns:
        None where more bytes are needed to decide.
    """
    kind = content_type(headers)
    is_json = kind == "application/json" or kind.endswith("+json")
    if not documents and (is_json or kind in ("text/html", "text/event-stream")):
        return True
    text = _without_blanks(start)
    if documents:
        is_open = not text and len(start) < SNIFFED
        return None if is_json and is_open else is_json and text[:1] in (b"{", b"[")
    if text.startswith(_DOCUMENT_STARTS):
        return True
    return None if any(begin.startswith(text) for begin in _DOCUMENT_STARTS) else False


def _without_blanks(start: bytes) -> bytes:
    return b"".join(start[:SNIFFED].split())[:_LONGEST_START].lower()


def misplaced(
    body: bytes, headers: Headers, status: int, *, documents: bool, whole: bool = True
) -> Optional[MeshAPIError]:
    """Return the error that arrived in place of a file; None where the body is the file.

    Args:
        body: as far as it was read.
        headers, status: of the response.
        documents: as in `is_document`.
        whole: whether `body` is all of it.
    """
    content = _content(body)
    error = error_in_response(content, headers, status)
    if error is None and not documents and is_error_frame(content, ()):
        error = error_from_frame(content, headers)
        error.status = status
    if error is not None or documents:
        return error
    is_page = _without_blanks(body).startswith(_PAGE_STARTS)
    if not is_page and not is_document(b"", headers, documents=False):
        return None
    return unexpected("a file", headers, status, body, whole=whole)


def _is_enough(held: bytes) -> bool:
    """Return whether a document can be judged before its end."""
    if len(held) >= KEPT_BYTES:
        return True
    # Longer documents are not searched again for every piece: that would take quadratic time.
    return len(held) <= _MOST_OF_AN_ERROR and (
        b"</title>" in held.lower() or (held.rstrip()[-1:] in b"}]" and _content(held) is not None)
    )


_MOST_OF_AN_ERROR = 4096


def _content(body: bytes) -> object:
    """Return the JSON in a body, or in its first event if it is an event stream."""
    try:
        if sniff(body, ended=True) != "events":
            return parse(body)
        events = RawSSEDecoder(flush_at_end=True, bare_lines=True)
        events.receive_data(body)
        events.receive_data(b"")
        event = events.next_event()
        return parse(event[1]) if isinstance(event, tuple) else None
    except ResponseDecodeError:
        return None


def cut_error(headers: Headers, status: int) -> APIConnectionError:
    """Return the error for a body that may have been cut off, where its content cannot tell."""
    return APIConnectionError(
        "the response has no length, and its TLS connection ended without close_notify: part of it"
        " may be missing",
        error_code="truncated",
        status=status,
        headers=headers,
        request_id=find_request_id(headers),
    )


class ByteDecoder:
    """The pieces of a body: call `receive_data`, then `next_event` until it returns NEED_DATA.

    HTTP framing shows whether a body is complete, so the decoder needs no end marker. A body that
    breaks off raises StreamInterruptedError, as in other streams; an error or a page that arrives
    in place of the file is raised, too.

    Args:
        headers: of the response.
        status: of the response.
        documents: whether the file may itself be JSON or an HTML page.
        examined: whether the body may be an error in place of the file; False for a range of a
            file that has begun.
    """

    def __init__(
        self,
        *,
        headers: Headers,
        status: int = 200,
        documents: bool = True,
        examined: bool = True,
    ) -> None:
        self.headers = headers
        self.status = status
        self.secrets: tuple[str, ...] = ()
        self.service = MESHAPI
        self.request_id = find_request_id(headers)
        self._documents = documents
        self._pieces: deque[bytes] = deque()
        self._ended = False
        # Raised by `next_event`, like every error of a decoder.
        self._error: Optional[MeshAPIError] = None
        # The first bytes, until it is clear whether they are those of an error; then None.
        self._held: Optional[bytearray] = bytearray() if examined else None
        self._received = 0

    @property
    def complete(self) -> bool:
        """Whether the body has ended without an error."""
        return self._ended and self._error is None

    def partial(self) -> None:
        """None: pieces are returned by `next_event` and not kept."""

    def receive_data(self, data: Buffer) -> None:
        """Receive the next piece of the body; `b""` marks its end.

        A buffer that is not `bytes` is copied, so the caller may reuse it at once.
        """
        if self._ended or self._error is not None:
            return
        if type(data) is not bytes:
            data = bytes(data)
        self._received += len(data)
        self._ended = not data
        if self._held is None:
            if data:
                self._pieces.append(data)
            return
        self._held += data
        held = bytes(self._held)
        decided = is_document(held, self.headers, documents=self._documents)
        if decided is False or self._ended or (decided and _is_enough(held)):
            self._release(held, decided)

    def _release(self, held: bytes, decided: Optional[bool]) -> bool:
        """Release the first bytes, or store the error that they are; return False for an error."""
        self._held = None
        if decided:
            self._error = misplaced(
                held, self.headers, self.status, documents=self._documents, whole=self._ended
            )
        if held and self._error is None:
            self._pieces.append(held)
        return self._error is None

    def receive_cut(self) -> None:
        """Record that the body ended where it may have been cut off; see `Response.cut`."""
        self.receive_failure(Failure(cut_error(self.headers, self.status), "response"))

    def receive_failure(self, failure: Failure) -> None:
        """Record that the rest of the body is lost; `next_event` raises after the last piece."""
        if self._ended or self._error is not None:
            return
        if self._held:
            held = bytes(self._held)
            if not self._release(held, is_document(held, self.headers, documents=self._documents)):
                # The bytes were an error, which is raised as far as it arrived.
                return
        error = failure.error
        if not isinstance(error, APITimeoutError) and failure.stage != "closed":
            error = StreamInterruptedError(
                f"stream interrupted after {self._received} bytes: {failure.error.message}",
                partial=None,
            )
            error.__cause__ = failure.error
        error.request_id = error.request_id or self.request_id
        error.headers = error.headers or self.headers
        error.stream_status = self.status
        self._error = error

    def next_event(self) -> Union[bytes, NeedData, EndOfStream]:
        """The next piece, never empty; NEED_DATA where more is needed; END_OF_STREAM at the end.

        Raises:
            APIStatusError: the body is an error, sent with a status of 2xx.
            ResponseDecodeError: the body is a page or an event stream, not the file.
            StreamInterruptedError: the connection broke; all pieces before that were returned.
            APITimeoutError: a time limit ran out.
        """
        if self._pieces:
            return self._pieces.popleft()
        if self._error is not None:
            raise conceal(self._error, self.secrets)
        return END_OF_STREAM if self._ended else NEED_DATA
