"""What a body is that should be a stream, by its first bytes; and the error of one that is none.

The first bytes decide, whatever the content type says. Fields of an event stream are one. JSON is
an error, a whole response, or chunks, one on each line, which the reader of events knows, too. A
page is refused as soon as it has said its title, any other text as soon as a part of it is there,
unless it calls itself an event stream.
"""

from typing import Final, Optional

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers, content_type
from meshapi_core.sniffing import KEPT_BYTES, BodyKind, sniff, unexpected

__all__ = ["FirstBytes", "no_stream"]

# Of a page its title is waited for, but no longer than this; of a text as much as is shown.
_MOST_OF_A_PAGE: Final = 4096
_MOST_OF_A_TEXT: Final = 512
_END_OF_TITLE: Final = b"</title>"


class FirstBytes:
    """The first bytes of a body, kept until an event has come: where none does, they show what did.

    Attributes:
        kind: what the body is; None while that cannot be told.
        has_events: whether the body is for the reader of events.
    """

    __slots__ = ("_ended", "_headers", "_kept", "_status", "has_events", "kind")

    def __init__(self, headers: Headers, status: int) -> None:
        self.kind: Optional[BodyKind] = None
        self.has_events = False
        self._headers = headers
        self._status = status
        self._kept = bytearray()
        self._ended = False

    def receive(self, data: bytes) -> tuple[bytes, ...]:
        """Take the next piece, `b""` at the end, and return what the reader of events is to get."""
        self._ended = self._ended or not data
        if self.kind is None:
            # All of it goes on: it is little until it is clear what it is.
            data = bytes(self._kept) + data
            self._kept.clear()
            self._recognize(data)
            if self.has_events and data and self._ended:
                return data, b""
        self._kept += data[: KEPT_BYTES - len(self._kept)]
        return (data,) if self.has_events else ()

    def _recognize(self, start: bytes) -> None:
        self.kind = sniff(start, ended=self._ended)
        says_so = self.kind == "text" and content_type(self._headers) == "text/event-stream"
        self.has_events = says_so or self.kind in ("events", "json")

    def refusal(self, *, broken: bool) -> Optional[ResponseDecodeError]:
        """Return the error of what is no stream; None until enough of it is there to be shown.

        Args:
            broken: whether the body will not go on.
        """
        start = bytes(self._kept)
        over = broken or self._ended
        if self.kind == "page":
            shown = start[:_MOST_OF_A_PAGE]
            title = shown.lower().find(_END_OF_TITLE)
            over = over or title >= 0 or len(shown) == _MOST_OF_A_PAGE
            if title >= 0:
                shown = shown[: title + len(_END_OF_TITLE)]
        else:
            shown = start[:_MOST_OF_A_TEXT]
            over = over or len(shown) == _MOST_OF_A_TEXT
        if not over:
            return None
        error = no_stream(shown, self._headers, self._status)
        error.raw_body = start
        return error

    def text(self) -> bytes:
        """Return what was kept, unless it begins like an event: JSON, or a text."""
        start = bytes(self._kept)
        return start if sniff(start) in ("json", "text") else b""


def no_stream(body: bytes, headers: Headers, status: int) -> ResponseDecodeError:
    """Return the error of a response that is something else."""
    return unexpected("an event stream", headers, status, body, whole=False)
