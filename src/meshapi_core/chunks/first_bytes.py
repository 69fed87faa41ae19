"""Recognizes by its first bytes whether a body is an event stream; makes the error if it is not.

The first bytes decide, whatever the content type says. A body that begins with a field of an event
stream is a stream. JSON may be an error, a whole response, or chunks, one on each line; the event
reader reads these, too. An HTML page is refused as soon as its title has arrived, any other text as
soon as there is enough for an excerpt, unless its content type is that of an event stream.
"""

from typing import Final, Optional

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers, content_type
from meshapi_core.sniffing import KEPT_BYTES, BodyKind, sniff, unexpected

__all__ = ["FirstBytes", "no_stream"]

# Bytes to wait for: of a page, at most this many until its title has come; of a text, an excerpt.
_MOST_OF_A_PAGE: Final = 4096
_MOST_OF_A_TEXT: Final = 512
_END_OF_TITLE: Final = b"</title>"


class FirstBytes:
    """The first bytes of a body, kept until an event has come. If none does, they are the excerpt.

    Attributes:
        kind: the kind of body; None until it is known.
        has_events: whether the body goes to the event reader.
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
        """Take the next piece, `b""` at the end, and return the pieces for the event reader."""
        self._ended = self._ended or not data
        if self.kind is None:
            # Everything so far is passed on at once; few bytes arrive before the kind is known.
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
        """Return the error for a body that is not a stream; None until there is enough to show.

        Args:
            broken: whether the body broke off.
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
        """Return what was kept if it is JSON or text; `b""` if it begins like an event."""
        start = bytes(self._kept)
        return start if sniff(start) in ("json", "text") else b""


def no_stream(body: bytes, headers: Headers, status: int) -> ResponseDecodeError:
    """Return the error for a response that is not an event stream."""
    return unexpected("an event stream", headers, status, body, whole=False)
