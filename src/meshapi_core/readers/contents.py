"""What the body of a whole response holds: JSON, bare or as the one event of a stream, or an error.

Gateways send errors under a 200, whole responses in the frame of an event, and streams where none
was asked for.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, Optional

import msgspec
from msgspec import UNSET, Struct

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.chunks.interpreter import is_piece
from meshapi_core.codec.decoding import decode
from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import error_from_frame, error_in_response, members_of, results_of
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Response
from meshapi_core.sniffing import sniff, unexpected
from meshapi_core.sse import BARE, RawEvent, RawSSEDecoder

__all__ = [
    "read_response",
    "decoder_of",
    "events_in",
    "only_event",
    "parsed",
    "raise_error",
    "unframed",
]

# Not as a decorator: mypy asks of its arguments that they be hashable, as types are.
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
        kind: of the response.
        marker: the member that tells whole responses from pieces, where there are such.
    """
    body = response.body
    # An error says so, by the name of a member or by its value. What has results and does not
    # have that word is not looked at twice.
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
        # An object may be a default, and is looked at in what came.
        if found and not isinstance(found, Struct):
            return result, body
    # Most lists have more than the one row that could be an error.
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
    """Return a response without the frame of an event, where there is an object in it."""
    events = events_in(response.body) if sniff(response.body, ended=True) == "events" else []
    # "error: it said" may be what was said.
    if len(events) != 1 or not is_object(parsed(events[0][1])):
        return response
    return only_event(response, None) or response


def only_event(response: Response, marker: Optional[bytes]) -> Optional[Response]:
    """Return the response that came as the one event of a stream, or with a stream's end behind it.

    None where there are several events, or where the one is a piece of a response.
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
    return Response(response.status, response.headers, data, response.received_at)


def raise_error(content: Any, response: Response, kind: Any) -> None:
    """Raise the error that a body is, with the response that stands beside it."""
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
            error.partial = decode(response.body, decoder_of(kind))
        except ResponseDecodeError:
            pass
    raise error


def parsed(body: bytes) -> Any:
    """Return the decoded JSON, UNSET where it is none."""
    try:
        return parse(body)
    except ResponseDecodeError:
        return UNSET


def _explained(exc: ResponseDecodeError, response: Response, content: Any) -> ResponseDecodeError:
    """Return the error of a body that could not be decoded, with what it is instead."""
    kind = sniff(response.body, ended=True)
    instead = reason = ""
    if content is not UNSET:
        # JSON it is, and what is wrong with it has been said.
        instead = exc.message
    elif kind == "json":
        reason = exc.message.removeprefix("the body is not JSON: ")
    elif kind == "events":
        reason = "a stream, which was not asked for"
    return unexpected(
        "JSON", response.headers, response.status, response.body, reason=reason, instead=instead
    )


def events_in(body: bytes) -> list[RawEvent]:
    """Return the events in a body, without the end of the stream; none where it is no stream."""
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
