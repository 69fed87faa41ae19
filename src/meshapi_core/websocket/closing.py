"""How a WebSocket connection ends: the value that says it, and what a Close frame may carry.

Three things end a connection: the peer says Close, its bytes break off, or it breaks a rule. Each
is a `Closed`; the last is raised as a `Fault` where it is found.

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
"""Stands for a Close that names no code, and is never sent (section 7.4.1)."""

LOST = 1006
"""Stands for an end without a Close, and is never sent either."""

# https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
_REGISTERED = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

# What a control frame has room for (section 5.5), without the two bytes of the code.
_LONGEST_REASON = 123

_NO_HEADERS = Headers()


class Closed(Struct, frozen=True, eq=False):
    """The connection is over; nothing follows.

    A host with a WebSocket of its own makes one of what that says about its end: in a browser
    `Closed(event.code, event.reason, event.wasClean)`.

    Fields:
        code: of the WebSocket close: the peer's, or ours where it broke the rules. 1005 stands
            for a Close without a code, 1006 for an end without a Close.
        reason: what was said about it, "" where nothing was.
        clean: whether both sides have said Close.
        error_code: what went wrong in one word: "connection_closed" where the peer closed,
            "disconnected" for an end without a Close, "ping_timeout", "message_too_big",
            "bad_frame", "bad_text", "flood".
        headers: of the answer to the upgrade, for the error; two ends are equal without it.
    """

    code: int
    reason: str = ""
    clean: bool = False
    error_code: str = "connection_closed"
    headers: Headers = _NO_HEADERS

    @property
    def is_normal(self) -> bool:
        """Whether it ended as it should: with 1000, 1001, or a Close without a code."""
        return self.clean and self.code in (1000, 1001, NO_CODE)

    def error(self) -> Optional[RealtimeConnectionClosed]:
        """The error that the end is; None where it is none, but a normal end (`is_normal`)."""
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
        # Else rich shows the header fields, too.
        return [("code", self.code), ("reason", self.reason), ("clean", self.clean)]


CLOSED_BY_US = Closed(1000, "closed by this side", clean=True)
"""The end for whoever uses a connection that this side has closed, before the peer has answered."""


def as_error(closed: Closed) -> RealtimeConnectionClosed:
    """Return the error for whoever uses a connection that is over, a normal end or not."""
    return RealtimeConnectionClosed(
        closed.code,
        closed.reason,
        clean=closed.clean,
        error_code=closed.error_code,
        request_id=find_request_id(closed.headers),
        headers=closed.headers,
    )


def with_headers(closed: Closed, headers: Headers, secrets: Iterable[str]) -> Closed:
    """Return the same end, with what the answer to the upgrade said; neither shows a secret.

    Args:
        closed: what the peer or this side said.
        headers: of the answer to the upgrade.
        secrets: of the request, which a server may quote.
    """
    reason = concealed(closed.reason, secrets)
    # Header fields are cleaned as those of an error, which know what else to look for.
    known = conceal(as_error(Closed(closed.code, headers=headers)), secrets)
    return replace(closed, reason=reason, headers=Headers(known.headers))


class Fault(Exception):
    """The peer broke a rule, which ends the connection.

    Attributes:
        closed: the end, with the code that the peer is to be told, and a reason in words that do
            not depend on how the bytes were cut.
    """

    def __init__(self, code: int, reason: str, error_code: str) -> None:
        super().__init__(code, reason, error_code)
        self.closed = Closed(code, reason, error_code=error_code)


def check_close(code: object, reason: object) -> None:
    """Raise unless a Close may carry these.

    Raises:
        TypeError, ValueError: as the name of the error says.
    """
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"code: expected int, got {type(code).__name__}")
    if not isinstance(reason, str):
        raise TypeError(f"reason: expected str, got {type(reason).__name__}")
    if not _may_be_sent(code):
        raise ValueError("code: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999")
    try:
        size = len(reason.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError("reason: expected text that UTF-8 can hold") from None
    if size > _LONGEST_REASON:
        expected = f"at most {_LONGEST_REASON} bytes of UTF-8"
        raise ValueError(f"reason: expected {expected}, got {size}")


def read_close(payload: bytes) -> Closed:
    """Return the end that a Close frame says.

    Raises:
        Fault: no Close may carry this.
    """
    if not payload:
        return Closed(NO_CODE, clean=True)
    # Section 5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
    if len(payload) == 1:
        raise Fault(1002, "a Close of one byte", "bad_frame")
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise Fault(1002, f"a Close with the code {code}", "bad_frame")
    try:
        return Closed(code, payload[2:].decode("utf-8"), clean=True)
    except UnicodeDecodeError:
        raise Fault(1007, "text that is not UTF-8", "bad_text") from None


def _may_be_sent(code: int) -> bool:
    # Section 7.4.2: 3000 to 3999 are registered by libraries, 4000 to 4999 are anybody's.
    return code in _REGISTERED or 3000 <= code <= 4999
