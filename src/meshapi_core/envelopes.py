"""What an error answer means: from a status, headers and any body to one typed error.

Servers disagree about the shape of an error, and what stands between (edges, proxies) sends none
at all. So nothing is required here: each fact is looked for in the objects that may hold it, the
most specific first, and whatever is missing or of a wrong kind is as good as absent.

    {"error": {"code", "message", "details", ...}, "request_id"}     the gateway
    {"detail": {"error": {...}}}                                     the gateway's compare
    {"detail": "text" | [{"type", "loc", "msg"}] | {...}}            FastAPI
    {"type", "title", "status", "detail"}                            RFC 9457
    {"error": "text"}, {"message": "text"}, "text", HTML, nothing    everyone else

Source: https://developers.meshapi.ai (errors),
    https://fastapi.tiangolo.com/tutorial/handling-errors/,
    https://www.rfc-editor.org/rfc/rfc9457#section-3
"""

import math
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Optional, cast

from meshapi_core.codec import parse
from meshapi_core.errors import APIStatusError, ResponseDecodeError, error_class
from meshapi_core.retries import parse_retry_after

__all__ = ["error_from_frame", "error_from_reply", "refused_upload"]

# What stays in memory with an error. Every usual one fits whole. A 422 that echoes the images of
# the request does not: it is cut to so many values, each with a key and a text of so many
# characters, which is 64 KiB again.
_KEPT_BYTES = 64 * 1024
_KEPT_VALUES = 64
_KEPT_TEXT = 500
# Deeper than any error is, and far from where pickle and copy run out of stack.
_KEPT_DEPTH = 64

_MESSAGE_KEYS = ("message", "error_description", "detail", "error", "msg", "title")
_DETAILS_KEYS = ("details", "errors", "detail", "error")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_THREE_DIGITS = re.compile(r"[0-9]{3}")

_CODE_OF_STATUS: dict[int, str] = {
    400: "invalid_request",
    401: "unauthorized",
    402: "spend_limit_exceeded",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    411: "length_required",
    412: "precondition_failed",
    413: "content_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    421: "misdirected_request",
    422: "validation_error",
    425: "too_early",
    426: "upgrade_required",
    428: "precondition_required",
    429: "rate_limit_exceeded",
    431: "headers_too_large",
    451: "unavailable_for_legal_reasons",
    500: "upstream_error",
    501: "not_implemented",
    502: "upstream_error",
    503: "upstream_error",
    504: "upstream_error",
}

# The documented codes by the status that they stand for outside streams. Codes that come with
# several statuses of different classes are left out: for them the class would be a guess.
_STATUS_OF_CODE: dict[str, int] = {
    code: status
    for status, codes in {
        400: "bad_request content_policy_violation context_window_exceeded invalid_api_version"
        " invalid_input invalid_request invalid_request_error invalid_search_parameter mixed_models"
        " model_not_available_on_pinned_provider unsupported_operation",
        401: "unauthorized invalid_api_key",
        402: "spend_limit_exceeded insufficient_credits insufficient_quota",
        403: "forbidden feature_not_enabled",
        404: "not_found model_not_found resource_not_found provider_resource_not_found",
        409: "conflict",
        413: "content_too_large",
        422: "validation_error unprocessable_entity",
        429: "rate_limit_exceeded batch_limit_exceeded concurrent_sessions_exceeded"
        " upstream_rate_limit_error",
        500: "all_models_failed api_version_migration_failed connection_timeout gateway_timeout"
        " internal_error not_implemented pii_redaction_unavailable provider_error"
        " provider_job_failed provider_not_available secret_provision_failed service_draining"
        " upstream_error upstream_overload",
    }.items()
    for code in codes.split()
}


def error_from_reply(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    received_at: Optional[float] = None,
) -> APIStatusError:
    """Return the error that an HTTP answer stands for, whatever the answer looks like.

    The body decides how it is read, not its Content-Type, which proxies get wrong. Never raises.
    `retry_after_seconds` is the larger of what the headers and the body ask for.

    Args:
        status: decides the class; any number.
        headers: looked up by lower-case name.
        body: whole and decompressed.
        received_at: Unix seconds; a date in Retry-After counts from here if the answer has no
            Date of its own.
    """
    content = _read(body)
    objects = _objects(content)
    code = _code(objects) or _code_of_status(status)
    message = _message(content, objects)
    if isinstance(content, str) and message:
        # What a proxy says makes little sense without the status.
        message = f"HTTP {status}: {message}"
    waits = (_wait_in_headers(headers, received_at), _wait_in_objects(objects))
    return _error(
        error_class(status),
        _redirection(status, headers)
        or (message or f"HTTP {status} ({code})") + _tls_hint(status, body),
        objects,
        headers,
        raw=_kept(content, whole=len(body) <= _KEPT_BYTES),
        code=code,
        wait=max((wait for wait in waits if wait is not None), default=None),
        status=status,
    )


_STORAGE_CODE = re.compile(rb"<Code>([A-Za-z][A-Za-z0-9.]{0,63})</Code>")


def refused_upload(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    received_at: Optional[float] = None,
) -> APIStatusError:
    """Return the error of a storage that refused an upload to a signed URL.

    Nothing of the body but its code is shown: storages explain a wrong signature by quoting what
    was signed.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    found = _STORAGE_CODE.search(body[:_KEPT_BYTES])
    code = found[1].decode() if found else None
    reason = f" ({code})" if code else ""
    return error_class(status)(
        f"the storage refused the upload: HTTP {status}{reason}",
        status=status,
        error_code=_code_of_status(status),
        request_id=headers.get("x-request-id") or headers.get("x-amz-request-id") or "",
        provider_code=code,
        retry_after_seconds=_wait_in_headers(headers, received_at),
        headers=headers,
    )


def error_from_frame(
    frame: Any, headers: Mapping[str, str], *, partial: Any = None
) -> APIStatusError:
    """Return the error that a stream's error frame stands for. Never raises.

    The HTTP status was 200 and says nothing. So the class comes from the error's code, else from
    a status number in the frame, else it is `APIStatusError`; `status` stays 0.

    Args:
        frame: the frame's decoded JSON, or its text where it is no JSON.
        headers: of the stream's answer, looked up by lower-case name.
        partial: what had arrived before the frame.
    """
    objects = _objects(frame)
    code = _code(objects)
    status = _STATUS_OF_CODE.get(code) or _status_number(objects)
    code = code or "upstream_error"
    return _error(
        error_class(status),
        _message(frame, objects) or f"error frame in the stream ({code})",
        objects,
        headers,
        raw=_kept(frame, whole=True),
        code=code,
        wait=_wait_in_objects(objects),
        partial=partial,
    )


def _error(
    cls: type[APIStatusError],
    message: str,
    objects: list[dict[str, Any]],
    headers: Mapping[str, str],
    *,
    raw: Any,
    code: str,
    wait: Optional[float],
    status: int = 0,
    partial: Any = None,
) -> APIStatusError:
    kept = _objects(raw)
    return cls(
        message,
        status=status,
        error_code=code,
        request_id=_first_text(objects, "request_id") or headers.get("x-request-id", "").strip(),
        details=_details(raw, kept),
        provider_error=_first(kept, "provider_error"),
        provider_code=_first_text(objects, "provider_code") or None,
        retry_after_seconds=wait,
        partial=partial,
        headers=headers,
        raw=raw,
    )


def _read(body: bytes) -> Any:
    """Return the JSON in a body, or the body as text if it is none."""
    try:
        return parse(body)
    except ResponseDecodeError:
        return body[:_KEPT_BYTES].decode("utf-8", "replace")


def _kept(content: Any, *, whole: bool) -> Any:
    if whole or isinstance(content, str):
        return _abridged(content, count(), _KEPT_BYTES)
    return _abridged(content, iter(range(_KEPT_VALUES)), _KEPT_TEXT)


def _abridged(value: Any, room: Iterator[int], longest: int, depth: int = _KEPT_DEPTH) -> Any:
    """Return a copy with long texts cut, for as many values as `room` has steps."""
    if isinstance(value, str):
        return value[:longest]
    if not isinstance(value, (dict, list)):
        return value
    if depth == 0:
        return None
    if isinstance(value, list):
        return [_abridged(item, room, longest, depth - 1) for item, _ in zip(_list(value), room)]
    return {
        name[:longest]: _abridged(member, room, longest, depth - 1)
        for (name, member), _ in zip(_object(value).items(), room)
    }


def _objects(content: Any) -> list[dict[str, Any]]:
    """Return the objects that may hold the facts, the most specific first, the whole last."""
    whole = _object(content)
    detail = _object(whole.get("detail"))
    candidates = (_object(whole.get("error")), _object(detail.get("error")), detail, whole)
    return [candidate for candidate in candidates if candidate]


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _first(objects: list[dict[str, Any]], key: str) -> Any:
    return next((found[key] for found in objects if found.get(key) is not None), None)


def _first_text(objects: list[dict[str, Any]], *keys: str) -> str:
    texts = (_text(found.get(key)) for found in objects for key in keys)
    return next(filter(None, texts), "")


def _code(objects: list[dict[str, Any]]) -> str:
    """Return the error's own code, "" where it has none."""
    texts = (_text(found.get(key)) for found in objects for key in ("code", "error_code"))
    word = next((text for text in texts if text and not _as_status(text)), "")
    if word:
        return word
    status = _status_number(objects)
    if status:
        return _code_of_status(status)
    # OpenAI's way. Outside the error's own object `type` means other things: an event, a URI.
    kind = _first_text(objects[:-1], "type")
    return kind if _WORD.fullmatch(kind) else ""


def _status_number(objects: list[dict[str, Any]]) -> int:
    """Return the HTTP status that an error names in its JSON, 0 where it names none."""
    keys = ("code", "error_code", "status", "status_code")
    numbers = (_as_status(found.get(key)) for found in objects for key in keys)
    return next(filter(None, numbers), 0)


def _as_status(value: Any) -> int:
    if isinstance(value, str) and _THREE_DIGITS.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


def _code_of_status(status: int) -> str:
    return "redirect" if 300 <= status <= 399 else _CODE_OF_STATUS.get(status, "http_error")


def _redirection(status: int, headers: Mapping[str, str]) -> str:
    # Without its query, which holds the signature of a signed URL.
    place = re.split("[?#]", headers.get("location", ""), maxsplit=1)[0]
    if not 300 <= status <= 399 or not place:
        return ""
    return f"HTTP {status}: redirected to {place}, which is not followed"


# What nginx, Go, Apache and Tomcat answer to a request in clear at a port for TLS.
_WANTS_TLS = (
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"This combination of host and port requires TLS",
)


def _tls_hint(status: int, body: bytes) -> str:
    if status == 400 and any(words in body for words in _WANTS_TLS):
        return ": use https:// in base_url"
    return ""


def _message(content: Any, objects: list[dict[str, Any]]) -> str:
    """Return the sentence for people in an error, "" where it has none."""
    if isinstance(content, str):
        return " ".join(content[:_KEPT_BYTES].split())
    for found in objects:
        for key in _MESSAGE_KEYS:
            text = _text(found.get(key))
            if text:
                title = _text(found.get("title")) if key == "detail" else ""
                return f"{title}: {text}" if title else text
    return _problems(_details(content, objects))


def _details(content: Any, objects: list[dict[str, Any]]) -> list[Any]:
    if isinstance(content, list):
        return _list(content)
    for key in _DETAILS_KEYS:
        for found in objects:
            value = found.get(key)
            if _list(value):
                return _list(value)
            # An object by itself is one detail, unless it is an envelope.
            if key != "error" and _object(value) and not _object(_object(value).get("error")):
                return [value]
    return []


def _problems(details: list[Any]) -> str:
    """Return the first of the details as a sentence, and how many more there are."""
    first = next((text for text in map(_problem, details) if text), "")
    more = len(details) - 1
    return f"{first} (and {more} more)" if first and more else first


def _problem(detail: Any) -> str:
    """Return one detail as text: FastAPI's `{"loc", "msg"}`, compare's `{"model", "error"}`."""
    if isinstance(detail, str):
        return detail.strip()
    found = _object(detail)
    text = _first_text([found], "msg", "message", "error", "detail")
    parts = _list(found.get("loc")) or [found.get("model")]
    place = ".".join(str(part) for part in parts if isinstance(part, (str, int)))
    return f"{place}: {text}" if place and text else text


def _wait_in_headers(headers: Mapping[str, str], received_at: Optional[float]) -> Optional[float]:
    # The finer unit wins, as with the SDKs that made it up: the other one is it, rounded up.
    milliseconds = parse_retry_after(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return parse_retry_after(
        headers.get("retry-after"), date=headers.get("date"), received_at=received_at
    )


def _wait_in_objects(objects: list[dict[str, Any]]) -> Optional[float]:
    values = (found.get(key) for found in objects for key in ("retry_after_seconds", "retry_after"))
    return next((wait for wait in map(_seconds, values) if wait is not None), None)


def _seconds(value: Any) -> Optional[float]:
    if isinstance(value, str):
        return parse_retry_after(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
