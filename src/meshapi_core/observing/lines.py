"""Notices as lines of a log: what is said about them, and the facts for structured logging.

A line is safe to log, whatever a server sends: it has no secret of the call, and no control
characters. Bodies are only in `details`.
"""

import re
from collections.abc import Iterator
from typing import Any, Optional, Union

import msgspec

from meshapi_core._log_safe import with_facts
from meshapi_core.bodies import StreamedBody
from meshapi_core.errors import MeshAPIError
from meshapi_core.headers import Headers, content_type
from meshapi_core.messages import Request
from meshapi_core.observing.notices import (
    AttemptStarted,
    CallClosed,
    CallFailed,
    CallSucceeded,
    ConnectionLost,
    ItemReceived,
    Notice,
    ResponseStarted,
    RetryPlanned,
    SessionEnded,
)

__all__ = ["details", "facts", "line"]

MOST_OF_A_BODY = 1024
"""Bytes of a body that are logged: enough to recognise it, too little to fill a disk."""

_SWITCHED = 101

# Headers whose values are secrets by themselves. Those of the client are `Secret` already.
_SECRET_HEADERS = frozenset(
    "authorization cookie proxy-authorization set-cookie x-api-key x-amz-security-token".split()
)

# A URL with a query may be a signed one, and the query is what it is signed with. JSON may write
# slashes with a backslash.
_URL_QUERY = re.compile(r"(?i)(\bhttps?:\\?/\\?/[^\s\"'<>?]*)\?[^\s\"'<>]+")

_TEXTS = ("application/json", "application/x-ndjson", "application/problem+json", "text/")


def line(notice: Notice) -> str:
    """Return what is said about a notice; "" if it has no line."""
    said = _said(notice)
    return said and notice.about.conceal(f"{notice.method} {notice.path}{said}")


def _said(notice: Notice) -> str:
    if isinstance(notice, RetryPlanned):
        follows = "with another token" if notice.new_token else f"in {_seconds(notice.wait)}"
        return f"{_ended(notice)}; again {follows}"
    if isinstance(notice, ResponseStarted):
        return _began(notice)
    if isinstance(notice, CallSucceeded):
        if notice.about.call.streaming:
            items = _count(notice.items, "chunk")
            return f": stream complete after {_of_call(notice, notice.request_id, items)}"
        return _in_time(notice, notice.status, notice.seconds, notice.request_id)
    if isinstance(notice, CallFailed):
        return _failed(notice)
    if isinstance(notice, CallClosed):
        items = _count(notice.items, "chunk") if notice.about.call.streaming else ""
        return f": closed after {_of_call(notice, notice.request_id, items)}"
    if isinstance(notice, ConnectionLost):
        closed = notice.closed
        reason = f" {closed.reason}" if closed.reason else ""
        follows = "" if notice.wait is None else f"; again in {_seconds(notice.wait)}"
        return f": connection lost ({closed.code}{reason}){follows}"
    if isinstance(notice, SessionEnded):
        items = _count(notice.items, "message")
        return f": session over after {_of_call(notice, '', items)}"
    return ""


def _began(notice: ResponseStarted) -> str:
    # Other responses have a line when they are complete.
    is_stream = notice.about.call.streaming and 200 <= notice.status < 300
    if not is_stream and notice.status != _SWITCHED:
        return ""
    what = "stream" if is_stream else "session"
    said = _in_time(notice, notice.status, notice.seconds, notice.request_id)
    return f"{said}; the {what} has begun"


def _failed(notice: CallFailed) -> str:
    if notice.seconds is None:
        return f": failed after {_of_call(notice, '')}: {_error(notice.error)}"
    if notice.items and notice.about.call.streaming:
        items = _count(notice.items, "chunk")
        after = _of_call(notice, notice.request_id, items)
        return f": stream failed after {after}: {_error(notice.error)}"
    return _ended(notice)


def _ended(notice: Union[RetryPlanned, CallFailed]) -> str:
    seconds = notice.seconds or 0.0
    if notice.is_response:
        status = " ".join(filter(None, (str(notice.status), notice.error_code)))
        return _in_time(notice, status, seconds, notice.request_id)
    attempt = _attempt(notice, notice.request_id)
    return f" failed after {_seconds(seconds)} ({attempt}): {_error(notice.error)}"


def _error(error: Exception) -> str:
    """An error without what the line says by itself: the request, and the attempts."""
    if not isinstance(error, MeshAPIError):
        return str(error)
    return with_facts(error.message, error.status, error.error_code, "")


def _in_time(notice: Notice, status: Union[int, str], seconds: float, request_id: str) -> str:
    return f" {status} in {_seconds(seconds)} ({_attempt(notice, request_id)})"


def _attempt(notice: Notice, request_id: str) -> str:
    request = f"request {request_id}, " if request_id else ""
    return f"{request}attempt {notice.attempt} of {notice.most_attempts}"


def _of_call(notice: Notice, request_id: str, items: str = "") -> str:
    request = f"request {request_id}" if request_id else ""
    told = ", ".join(filter(None, (request, items)))
    return f"{_seconds(notice.elapsed)} ({told})" if told else _seconds(notice.elapsed)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_FACTS = ("status", "error_code", "request_id", "seconds", "wait", "items", "index", "body_size")


def facts(notice: Notice) -> dict[str, Any]:
    """Return what a notice says, by name, for structured logging; nothing in it is a secret."""
    about = notice.about
    found: dict[str, Any] = {
        "notice": type(notice).__name__,
        "method": about.method,
        "path": about.path,
        "origin": str(about.origin),
        "attempt": notice.attempt,
        "most_attempts": notice.most_attempts,
        "elapsed": notice.elapsed,
    }
    for name in _FACTS:
        value = getattr(notice, name, None)
        if value not in (None, ""):
            found[name] = about.conceal(value) if isinstance(value, str) else value
    return found


# Details


def details(notice: Notice) -> Iterator[str]:
    """Return what else there is to say, line by line: headers, and the first KiB of bodies."""
    start = f"{notice.method} {notice.path}"
    if isinstance(notice, AttemptStarted):
        again = ", sent again on a new connection" if notice.resent else ""
        start = f"{start}: attempt {notice.attempt} of {notice.most_attempts}{again}"
        yield _line(notice, f"{start}: {_headers(_sent(notice.request))}")
        body = notice.request.body
        if body:
            yield f"{_line(notice, start)}: sends {_body_of(notice, notice.request)}"
    elif isinstance(notice, ResponseStarted):
        yield _line(notice, f"{start}: {notice.status}: {_headers(notice.headers)}")
    elif isinstance(notice, (CallSucceeded, CallFailed, RetryPlanned)):
        response = notice.response
        if response is not None and response.body:
            kind = content_type(response.headers)
            yield f"{_line(notice, start)}: receives {_shown(notice, response.body, kind)}"
    elif isinstance(notice, ItemReceived):
        yield f"{_line(notice, start)}: item {notice.index}: {_item(notice)}"


def _line(notice: Notice, text: str) -> str:
    return notice.about.conceal(text, 4 * MOST_OF_A_BODY)


def _sent(request: Request) -> Headers:
    # The token and the values of extra headers are `Secret`: this shows asterisks for them.
    return Headers([(name, str(value)) for name, value in request.headers])


def _headers(headers: Headers) -> str:
    shown: list[str] = []
    for name, value in headers.items():
        hidden = "***" if name in _SECRET_HEADERS else _without_queries(value)
        shown.append(f"{name}: {hidden}")
    return "; ".join(shown)


def _body_of(notice: Notice, request: Request) -> str:
    body = request.body
    kind = content_type(Headers(request.headers))
    if not isinstance(body, bytes):
        return f"a form of {_size(body)}" if kind.startswith("multipart/") else _size(body)
    return _shown(notice, body, kind)


def _size(body: Any) -> str:
    return "files" if isinstance(body, StreamedBody) else f"{len(body)} bytes"


def _shown(notice: Notice, body: bytes, kind: str) -> str:
    if kind and not kind.startswith(_TEXTS):
        return f"{len(body)} bytes of {notice.about.conceal(kind)}"
    size = f" (of {len(body)} bytes)" if len(body) > MOST_OF_A_BODY else ""
    return f"{_text(notice, body)}{size}"


def _text(notice: Notice, body: bytes) -> str:
    # Concealed after it is cut: a secret that is cut in two is recognised by its beginning.
    text = body[:MOST_OF_A_BODY].decode("utf-8", "replace")
    return _line(notice, _without_queries(text))


def _without_queries(text: str) -> str:
    return _URL_QUERY.sub(r"\1?***", text)


def _item(notice: ItemReceived) -> str:
    value: Any = notice.value
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    kind: Optional[str] = getattr(value, "type", None)
    if hasattr(value, "event"):
        # A realtime message: only its type, as it may be audio.
        return notice.about.conceal(kind or type(value).__name__)
    try:
        return _text(notice, msgspec.json.encode(value))
    except Exception:
        return type(value).__name__
