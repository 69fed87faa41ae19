"""The content of a whole response: JSON, bare or as the only event of a stream, or an error.

Gateways send errors with a status of 200, whole responses wrapped in an event, and streams where
none was asked for.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, Optional

import msgspec
from msgspec import UNSET, Struct, structs

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.chunks.interpreter import is_piece
from meshapi_core.codec.decoding import decode
from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import error_from_frame, error_in_response, members_of, results_of
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Response
from meshapi_core.sniffing import sniff, unexpected
from meshapi_core.sse import BARE, RawEvent, RawSSEDecoder
from meshapi_core.types._base import attach

__all__ = [
    "read_response",
    "decoder_of",
    "events_in",
    "only_event",
    "parsed",
    "raise_error",
    "unframed",
]

# Not as a decorator: mypy would then require hashable arguments, and does not see that types are.
decoder_of: Callable[[Any], "msgspec.json.Decoder[Any]"] = cache(msgspec.json.Decoder)

_ERROR: Final = b'"error"'

# From 30,000 bytes on Python searches in another way, which for a short word takes up to twice as
# long: https://github.com/python/cpython/blob/3.11/Objects/stringlib/fastsearch.h
_WINDOW: Final = 16 * 1024


def read_response(
    response: Response,
    decoder: "msgspec.json.Decoder[Any]",
    kind: Any,
    marker: Optional[bytes] = None,
) -> tuple[Any, bytes]:
    """Return a body as the decoder's type, and the JSON that it was decoded from.

    Args:
        response: a whole 2xx response.
        decoder: for the type of the response.
        kind: that type, or for a list of rows `list`.
        marker: the member that distinguishes pieces from whole responses; None where there are no
            pieces.

    Raises:
        APIStatusError: the body is an error, in spite of the status.
        ResponseDecodeError: the body is not what was expected.
    """
    body = response.body
    # An error has the word in the name of a member or in a value. A body that has results and not
    # this word is parsed only once.
    if _has_error_word(body):
        raise_error(parsed(body), response, kind)
    try:
        result = decode(body, decoder)
    except ResponseDecodeError as exc:
        content = parsed(body)
        raise_error(content, response, kind)
        whole = only_event(response, marker) if content is UNSET else None
        if whole is None or whole.body == body:
            raise _explained(exc, response, content) from exc.__cause__
        return read_response(whole, decoder, kind, marker)
    for name in results_of(kind):
        found = getattr(result, name, None)
        # A Struct may be the field's default, so it proves nothing.
        if found and not isinstance(found, Struct):
            return result, body
    # Only a list of a single row could be an error.
    if not (is_array(result) and len(result) != 1):
        raise_error(parsed(body), response, kind)
    return result, body


def _has_error_word(body: bytes) -> bool:
    """Return whether `"error"` stands anywhere in a body."""
    if len(body) <= _WINDOW:
        return body.find(_ERROR) >= 0
    size = _WINDOW + len(_ERROR) - 1
    starts = range(0, len(body), _WINDOW)
    return any(body.find(_ERROR, start, start + size) >= 0 for start in starts)


def unframed(response: Response) -> Response:
    """Return a response without the event around it, if the event's data is a JSON object."""
    events = events_in(response.body) if sniff(response.body, ended=True) == "events" else []
    # Otherwise it may be a transcript that only looks like an event: "error: it said".
    if len(events) != 1 or not is_object(parsed(events[0][1])):
        return response
    return only_event(response, None) or response


def only_event(response: Response, marker: Optional[bytes]) -> Optional[Response]:
    """Return a response that arrived as the only event of a stream, without the event around it.

    None where there are several events, or where the event is a piece of a response.

    Raises:
        APIStatusError: the event is an error.
    """
    events = events_in(response.body)
    if len(events) != 1:
        return None
    ((name, data),) = events
    content = parsed(data)
    if name == b"error":
        said = data.decode("utf-8", "replace") if content is UNSET else content
        error = error_from_frame(said, response.headers)
        error.status = response.status
        raise error
    if marker is not None and (name not in (b"", BARE) or is_piece(content, marker)):
        return None
    return structs.replace(response, body=data, cut=False)


def raise_error(content: Any, response: Response, kind: Any) -> None:
    """Raise if a body is an error; `.partial` has the response that came with the error."""
    error = error_in_response(
        content,
        response.headers,
        response.status,
        results=results_of(kind) or None,
        declared=members_of(kind),
    )
    if error is None:
        return
    if is_object(content) and is_array(content.get("choices")):
        try:
            partial = decode(response.body, decoder_of(kind))
            error.partial = attach(partial, response.body, response.meta)
        except ResponseDecodeError:
            pass
    raise error


def parsed(body: bytes) -> Any:
    """Return the decoded JSON; UNSET where the body is not JSON."""
    try:
        return parse(body)
    except ResponseDecodeError:
        return UNSET


def _explained(exc: ResponseDecodeError, response: Response, content: Any) -> ResponseDecodeError:
    """Return the error for a body that could not be decoded, which says what the body is."""
    kind = sniff(response.body, ended=True)
    instead = reason = ""
    if content is not UNSET:
        # It is JSON, and the message already says what is wrong with it.
        instead = exc.message
    elif kind == "json":
        reason = exc.message.removeprefix("the body is not JSON: ")
    elif kind == "events":
        reason = "a stream, which was not asked for"
    return unexpected(
        "JSON", response.headers, response.status, response.body, reason=reason, instead=instead
    )


def events_in(body: bytes) -> list[RawEvent]:
    """Return the events in a body, without the end marker; empty where it is not a stream."""
    if sniff(body, ended=True) not in ("events", "json"):
        return []
    decoder = RawSSEDecoder(max_event_size=len(body), flush_at_end=True, bare_lines=True)
    decoder.receive_data(body)
    decoder.receive_data(b"")
    events: list[RawEvent] = []
    while isinstance(event := decoder.next_event(), tuple):
        if event[1].strip() == b"[DONE]":
            break
        events.append(event)
    return events
