"""How a WebSocket connection ends: the value that describes it, and what a Close frame may carry.

Three things end a connection: the peer sends a Close, its bytes break off, or it breaks a rule.
Each becomes a `Closed`. A broken rule is raised as a `Fault` where it is found.

Source: https://www.rfc-editor.org/rfc/rfc6455 sections 5.5.1 and 7
"""

from collections.abc import Iterable
from typing import Any, Optional

from msgspec import Struct
from msgspec.structs import replace

from meshapi_core.errors import RealtimeConnectionClosed
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.redaction import conceal, concealed

__all__ = [
    "CLOSED_BY_US",
    "LOST",
    "NO_CODE",
    "Closed",
    "Fault",
    "as_error",
    "check_close",
    "read_close",
    "with_headers",
]

NO_CODE = 1005
"""Stands for a Close without a code; never sent in a frame (section 7.4.1)."""

LOST = 1006
"""Stands for an end without a Close; never sent in a frame either (section 7.4.1)."""

# https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
_REGISTERED = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

# A control frame carries at most 125 bytes (section 5.5); the code takes two of them.
_LONGEST_REASON = 123

_NO_HEADERS = Headers()


class Closed(Struct, frozen=True, eq=False):
    """The end of a connection; no message follows it.

    A host that has its own WebSocket builds one from what that WebSocket reports about its end,
    in a browser `Closed(event.code, event.reason, event.wasClean)`.

    Fields:
        code: the close code: the peer's, or ours if the peer broke the rules. 1005 stands for a
            Close without a code, 1006 for an end without a Close.
        reason: the reason given with the code; "" if there was none.
        clean: whether both sides sent a Close.
        error_code: "connection_closed" if the peer closed, "disconnected" for an end without a
            Close, or "ping_timeout", "message_too_big", "bad_frame", "bad_text", "flood".
        headers: the headers of the response to the upgrade, for the error. Comparisons ignore them.
    """

    code: int
    reason: str = ""
    clean: bool = False
    error_code: str = "connection_closed"
    headers: Headers = _NO_HEADERS

    @property
    def is_normal(self) -> bool:
        """Whether this is a normal end: a clean one with 1000, 1001 or no code."""
        return self.clean and self.code in (1000, 1001, NO_CODE)

    def error(self) -> Optional[RealtimeConnectionClosed]:
        """The error for this end; None if the end is normal (`is_normal`)."""
        return None if self.is_normal else as_error(self)

    def _key(self) -> tuple[int, str, bool, str]:
        return self.code, self.reason, self.clean, self.error_code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Closed) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        code, reason, clean, error_code = self._key()
        return f"Closed({code}, {reason!r}, clean={clean}, error_code={error_code!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would also show the headers.
        return [("code", self.code), ("reason", self.reason), ("clean", self.clean)]


CLOSED_BY_US = Closed(1000, "closed by this side", clean=True)
"""The end that is reported after this side has sent its Close and before the peer has answered."""


def as_error(closed: Closed) -> RealtimeConnectionClosed:
    """Return the error for the use of a connection after its end, normal or not."""
    return RealtimeConnectionClosed(
        closed.code,
        closed.reason,
        clean=closed.clean,
        error_code=closed.error_code,
        request_id=find_request_id(closed.headers),
        headers=closed.headers,
    )


def with_headers(closed: Closed, headers: Headers, secrets: Iterable[str]) -> Closed:
    """Return the same end with the headers of the upgrade's response; neither shows a secret.

    Args:
        closed: what the peer or this side said about the end.
        headers: the headers of the response to the upgrade.
        secrets: the secrets of the request, which a server may quote.
    """
    reason = concealed(closed.reason, secrets)
    # `conceal` cleans the headers of an error, and knows what else to look for in them.
    known = conceal(as_error(Closed(closed.code, headers=headers)), secrets)
    return replace(closed, reason=reason, headers=Headers(known.headers))


class Fault(Exception):
    """The peer broke a rule; this ends the connection.

    Attributes:
        closed: the end, with the code to send to the peer, and a reason that does not depend on
            how the received bytes were cut.
    """

    def __init__(self, code: int, reason: str, error_code: str) -> None:
        super().__init__(code, reason, error_code)
        self.closed = Closed(code, reason, error_code=error_code)


def check_close(code: object, reason: object) -> None:
    """Raise unless a Close may carry this code and this reason.

    Raises:
        TypeError: one of them has the wrong type.
        ValueError: the code must not be sent, or the reason does not fit into a Close.
    """
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"code: expected int, got {type(code).__name__}")
    if not isinstance(reason, str):
        raise TypeError(f"reason: expected str, got {type(reason).__name__}")
    if not _may_be_sent(code):
        raise ValueError(f"code: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999, got {code}")
    try:
        size = len(reason.encode("utf-8"))
    except UnicodeEncodeError:
        expected = "text that UTF-8 can encode"
        raise ValueError(f"reason: expected {expected}, got a lone surrogate") from None
    if size > _LONGEST_REASON:
        expected = f"at most {_LONGEST_REASON} bytes of UTF-8"
        raise ValueError(f"reason: expected {expected}, got {size}")


def read_close(payload: bytes) -> Closed:
    """Return the end that a Close frame with this payload describes.

    Raises:
        Fault: a Close must not carry this payload.
    """
    # Section 7.1.5: without a status code in the Close, the close code "is considered to be 1005".
    if not payload:
        return Closed(NO_CODE, clean=True)
    # Section 5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
    if len(payload) == 1:
        raise Fault(1002, "a Close of one byte", "bad_frame")
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise Fault(1002, f"a Close with the invalid code {code}", "bad_frame")
    # Section 8.1: text that is not valid UTF-8 fails the connection; so does such a reason.
    try:
        return Closed(code, payload[2:].decode("utf-8"), clean=True)
    except UnicodeDecodeError:
        raise Fault(1007, "text that is not UTF-8", "bad_text") from None


def _may_be_sent(code: int) -> bool:
    # Section 7.4.2: 3000 to 3999 are for libraries and registered, 4000 to 4999 for private use.
    return code in _REGISTERED or 3000 <= code <= 4999
