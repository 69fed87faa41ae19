"""What an error answer means: from a status, headers and any body to one typed error.

Servers disagree about the shape of an error, and what stands between (edges, proxies) sends none
at all. So nothing is required here: each fact is looked for in the objects that may hold it, the
most specific first, and whatever is missing or of a wrong kind is as good as absent.

    {"error": {"code", "message", "details", ...}, "request_id"}     the gateway
    {"detail": {"error": {...}}}                                     the gateway's compare
    {"detail": "text" | [{"type", "loc", "msg"}] | {...}}            FastAPI
    {"type", "title", "status", "detail"}                            RFC 9457
    [{"error": {...}}]                                               Google
    {"object": "error", "message"}, {"type": "error", ...}           vLLM; OpenAI's events
    {"choices": [{"finish_reason": "error", "error": {...}}]}        OpenRouter
    {"error": "{\\"error\\": {...}}"}                                a gateway before a gateway
    {"error_code": 1, "error_msg"}, {"base_resp": {"status_code"}}   Baidu; MiniMax
    {"error": "text"}, {"message": "text"}, "text", HTML, nothing    everyone else

The names of members go by their letters alone: `errorMessage` is `error_message`.

Some servers answer 200 all the same. Whether that is an error is decided here, too, and in one
place for whole answers and streams: see `answered_error` and `is_error_frame`. Such a call is not
repeated: the server said that it had done its work, and may bill for it.

Source: https://developers.meshapi.ai (errors),
    https://fastapi.tiangolo.com/tutorial/handling-errors/,
    https://www.rfc-editor.org/rfc/rfc9457#section-3,
    https://openrouter.ai/docs/api-reference/errors,
    https://cloud.google.com/apis/design/errors
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from itertools import chain, count
from typing import Any, Optional, cast

from meshapi_core._kinds import is_array, is_object
from meshapi_core.codec import parse
from meshapi_core.durations import parse_duration
from meshapi_core.errors import APIStatusError, ResponseDecodeError
from meshapi_core.headers import find_request_id
from meshapi_core.redaction import conceal
from meshapi_core.sniffing import KEPT_BYTES, readable
from meshapi_core.statuses import code_of_status, error_class, status_of_code
from meshapi_core.waits import now_of, parse_retry_after, wait_in_headers, wait_in_resets

__all__ = [
    "answered_error",
    "error_from_frame",
    "error_from_reply",
    "is_blank",
    "is_error_frame",
    "may_be_error",
    "members_of",
    "refused_upload",
    "results_of",
]

# What stays in memory with an error. Every usual one fits whole. A 422 that echoes the images of
# the request does not: it is cut to so many values, each with a key and a text of so many
# characters, which is 64 KiB again.
_KEPT_VALUES = 64
_KEPT_TEXT = 500
# Deeper than any error is, and far from where pickle and copy run out of stack.
_KEPT_DEPTH = 64
# JSON in a string in JSON: two gateways, one behind the other, and one more.
_MOST_LAYERS = 3
# Values that are looked through for words where nothing stands at its usual place.
_SEARCHED = 256

# Names of members here and below are as `_name` has them. A title comes last: it is the kind of
# the error, as a rule, and something else is its sentence.
_MESSAGE_KEYS = (
    "message errordescription errormessage faultstring detail details msg errormsg errmsg reason"
    " description error errors statusmessage statusmsg statustext title"
).split()
_DETAILS_KEYS = ("details", "errors", "detail", "error")
# What holds an error that is not at the top: the wrappings of APIs, proxies and events.
_WRAPPINGS = ("fault", "exception", "baseresp", "data", "response", "result")
# Of these, what holds nothing but an error.
_ERRORS_THEMSELVES = ("fault", "exception", "baseresp")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_THREE_DIGITS = re.compile(r"[0-9]{3}")


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
    code = _code(objects) or code_of_status(status)
    message = _message(content, objects)
    if isinstance(_unwrapped(content), str) and message:
        # What a proxy says makes little sense without the status.
        message = f"HTTP {status}: {message}"
    return _error(
        error_class(status),
        _redirection(status, headers)
        or (message or _shown(f"HTTP {status} ({code})", content, _KEPT_VALUES))
        + _tls_hint(status, body),
        objects,
        headers,
        raw=_kept(content, whole=len(body) <= KEPT_BYTES),
        code=code,
        wait=_wait(status, headers, received_at, objects),
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
    found = _STORAGE_CODE.search(body[:KEPT_BYTES])
    code = found[1].decode() if found else None
    reason = f" ({code})" if code else ""
    error = error_class(status)(
        f"the storage refused the upload: HTTP {status}{reason}",
        status=status,
        error_code=code_of_status(status),
        request_id=find_request_id(headers),
        provider_code=code,
        retry_after_seconds=wait_in_headers(headers, received_at),
        headers=headers,
    )
    # A Location repeats the URL.
    return conceal(error, ())


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
    return _error_in(frame, headers, "error frame in the stream", partial=partial)


def answered_error(
    content: Any,
    headers: Mapping[str, str],
    status: int,
    *,
    results: Optional[Collection[str]] = None,
    declared: Collection[str] = (),
) -> Optional[APIStatusError]:
    """Return the error that the whole body of a 2xx answer is; None where it is none.

    It is one where it says so and has nothing of a result beside it: what an answer declares as
    its own (the `error` of a task, of one model in a comparison) stays its own.

    Args:
        content: the body's decoded JSON.
        headers, status: of the answer.
        results: the members that are what was asked for; without it, all but those that say
            something about the request.
        declared: all members that the answer may have.
    """
    found = _alone(content)
    if found is None:
        return None
    if _has_result(found, None if found is not content else results):
        if not _failed_choices(found):
            return None
    elif not (
        _says_error(found)
        or _wraps_an_error(found)
        or _says_that_it_failed(_members(_undeclared(found, declared)))
        or _speaks_of_an_error(found, declared)
    ):
        return None
    error = _error_in(content, headers, "the answer is an error", status=status)
    wait = _wait(_status_of(_objects(content)), headers, None, [])
    if wait is not None:
        error.retry_after_seconds = max(wait, error.retry_after_seconds or 0.0)
    return error


def is_error_frame(frame: Any, results: Optional[Collection[str]] = None) -> bool:
    """Return whether the data of an event ends the stream with the error that it is.

    Args:
        frame: the decoded JSON.
        results: the members that are what a chunk brings. What has one of them is an error only
            where it says so; without any, a sentence about what went wrong is enough.
    """
    found = _alone(frame)
    if found is None:
        return False
    if _says_error(found) or _failed_choices(found):
        return True
    return not _has_result(found, results) and (_wraps_an_error(found) or _tells_a_failure(found))


def may_be_error(frame: dict[str, Any], results: Optional[Collection[str]] = None) -> bool:
    """Return whether a frame is an error if it is the last, though it does not say so plainly.

    It brings nothing, and has a sentence and a code.

    Args:
        frame, results: as in `is_error_frame`.
    """
    members = _members(frame)
    code = members.get("code")
    return (
        not _has_result(frame, results)
        and bool(_sentence(members))
        and isinstance(code, (int, str))
        and not _is_good(code)
    )


def is_blank(value: Any, depth: int = _KEPT_DEPTH) -> bool:
    """Return whether a value says nothing: null, false, 0, no text, or none but such values."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (dict, list)):
        inner: Any = _object(value).values() if isinstance(value, dict) else _list(value)
        return depth > 0 and all(is_blank(item, depth - 1) for item in inner)
    return not value


# What says something about the request, and is beside errors, too: it is no result.
_ABOUT = frozenset(
    (
        "id object type event created createdat updatedat timestamp asof model models provider code"
        " error errors errorcode status statuscode success ok message msg detail details title path"
        " param requestid userid usage cost systemfingerprint servicetier metadata total limit"
        " offset hasmore count truncated totalcount nextpagetoken firstid lastid query size quality"
        " background outputformat comparisonid comparisonmodel comparisonfallbackused"
        " totallatencyms latencyms partial skipcomparison sequencenumber finishreason retryafter"
        " retryafterseconds errordescription errormessage errormsg errcode errmsg errortype reason"
        " baseresp"
    ).split()
)
# Of a job, which is a result though it has failed; those are the words for an error instead.
_ERROR_STATUSES = frozenset({"error", "fail", "failure"})
# In place of a code or a message where all is well.
_GOOD_WORDS = frozenset({"", "0", "ok", "200", "success", "successful", "succeeded"})
_FAILED = "error"


def _alone(content: Any) -> Optional[dict[str, Any]]:
    """Return the object that a body is, or that is the only thing in its list."""
    rows = _list(content)
    return _object(rows[0] if len(rows) == 1 else content) or None


def _has_result(found: dict[str, Any], results: Optional[Collection[str]]) -> bool:
    if results is None:
        names: Collection[str] = [name for name in found if _is_result(name)]
    else:
        names = results
        if "status" in names and _is_job_status(found.get("status")) and found.get("id"):
            return True
    return any(_brings_something(found.get(name)) for name in names if name != "status")


def _brings_something(value: Any) -> bool:
    within = _object(value)
    return not is_blank(value) and not (_says_error(within) and not _has_result(within, None))


def _is_result(name: str) -> bool:
    return _name(name) not in _ABOUT and not name.startswith("x_")


def _is_job_status(value: Any) -> bool:
    return bool(_text(value)) and _text(value).lower() not in _ERROR_STATUSES


def members_of(kind: Any) -> tuple[str, ...]:
    """Return the names that an answer's type declares, as they are sent; none for plain JSON."""
    names: tuple[str, ...] = getattr(kind, "__struct_encode_fields__", ())
    return names


def _find_results(kind: Any) -> tuple[str, ...]:
    """Return the members of an answer's type that are what was asked for; see `answered_error`.

    Of a job the id and the status are enough.
    """
    names = members_of(kind)
    kept = tuple(name for name in names if _is_result(name))
    return (*kept, "status") if {"id", "status"} <= set(names) else kept


# Not as a decorator: mypy asks of its arguments that they be hashable, as types are.
results_of: Callable[[Any], tuple[str, ...]] = cache(_find_results)


def _says_error(found: dict[str, Any]) -> bool:
    return (
        not is_blank(found.get("error"))
        or _text(found.get("object")) == "error"
        or _text(found.get("type")) == "error"
    )


def _wraps_an_error(found: dict[str, Any]) -> bool:
    return any(_says_error(_object(found.get(name))) for name in _WRAPPINGS)


def _failed_choices(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the choices of an answer or a chunk that ended in an error."""
    choices = map(_object, _list(found.get("choices")))
    return [
        choice
        for choice in choices
        if choice.get("finish_reason") == _FAILED
        or any(not is_blank(holder.get("error")) for holder in _holders(choice))
    ]


def _holders(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a choice that may have its error."""
    return [choice, _object(choice.get("delta")), _object(choice.get("message"))]


def _tells_a_failure(found: dict[str, Any]) -> bool:
    """Return whether an object without a result is about something that went wrong."""
    members = _members(found)
    kind = _text(members.get("type")).lower()
    if kind and not re.search("error|exception|fail|:", kind):
        # An event with a name of its own; RFC 9457 has a URI here.
        return False
    if _says_that_it_failed(members) or any(
        not is_blank(members.get(name)) for name in ("detail", "details")
    ):
        return True
    if not _sentence(members):
        return False
    code = _text(members.get("code"))
    return (
        bool(kind or _status_number([members]))
        or _text(members.get("status")).lower() == "failed"
        or not (code.isdigit() or _is_good(code))
    )


def _undeclared(found: dict[str, Any], declared: Collection[str]) -> dict[str, Any]:
    """Return the members that are not the answer's own, and those with a meaning of their own."""
    kept = ("status", "message", "msg")
    return {name: item for name, item in found.items() if name in kept or name not in declared}


def _says_that_it_failed(members: dict[str, Any]) -> bool:
    """Return whether an object without a result has a member that is there for failures alone."""
    if members.get("success") is False or members.get("ok") is False:
        return True
    if not _is_good(_object(members.get("baseresp")).get("status_code")):
        return True
    names = ["errors", "fault", "exception"]
    if not any(name in members and _is_good(members[name]) for name in ("errorcode", "errcode")):
        names += ["errormessage", "errordescription", "errormsg", "errmsg"]
    if any(not is_blank(members.get(name)) for name in names):
        return True
    kind = _text(members.get("type")).lower()
    failed = _text(members.get("status")).lower() in _ERROR_STATUSES
    return bool(_sentence(members)) and (failed or bool(re.search("error|exception|fail", kind)))


def _sentence(members: dict[str, Any]) -> str:
    said = _first_text([members], "message", "msg", "reason", "title")
    return "" if _is_good(said) else said


def _is_good(value: Any) -> bool:
    """Return whether a code, or a message, says that all is well; or says nothing."""
    return is_blank(value) or str(value).strip().lower() in _GOOD_WORDS


def _speaks_of_an_error(found: dict[str, Any], declared: Collection[str]) -> bool:
    """Return whether an answer has nothing that it should have, and a sentence instead."""
    if any(not is_blank(found.get(name)) for name in declared):
        return False
    members = _members(found)
    words = [*_MESSAGE_KEYS, "fault", "exception", "errors"]
    return bool(declared) and not all(_is_good(members.get(name)) for name in words)


def _error_in(
    content: Any,
    headers: Mapping[str, str],
    otherwise: str,
    *,
    status: int = 0,
    partial: Any = None,
) -> APIStatusError:
    """Return the error in a 2xx answer, by its code."""
    objects = _objects(content)
    code = _code(objects) or "upstream_error"
    return _error(
        error_class(_status_of(objects)),
        _message(content, objects) or _shown(f"{otherwise} ({code})", content, _KEPT_VALUES),
        objects,
        headers,
        raw=_kept(content, whole=True),
        code=code,
        wait=_wait_in_objects(objects),
        status=status,
        partial=partial,
    )


def _status_of(objects: list[dict[str, Any]]) -> int:
    return status_of_code(_code(objects)) or _status_number(objects)


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
        request_id=_first_text(objects, "requestid") or find_request_id(headers),
        details=_details(_unwrapped(raw), kept),
        provider_error=_first(kept, "providererror"),
        provider_code=_first_text(objects, "providercode") or None,
        retry_after_seconds=wait,
        partial=partial,
        headers=headers,
        raw=raw,
    )


# Up to the data of the first event, or to JSON without a field.
_EVENT = re.compile(r"\s*(?:event:[^\n]*\r?\n)?(?:(?:data|error): *)?([{\[].*)", re.DOTALL)


def _read(body: bytes) -> Any:
    """Return the JSON in a body, or the body as text if it is none.

    A server that fails before the stream has begun may write its error as an event all the same,
    or the end of the stream behind it.
    """
    try:
        return parse(body)
    except ResponseDecodeError:
        text = body[:KEPT_BYTES].decode("utf-8", "replace")
        event = _EVENT.match(text)
        return text if event is None else _first_json(event[1], text)


def _first_json(text: str, otherwise: str) -> Any:
    """Return the object or list that a text begins with."""
    import json

    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return otherwise
    return _json_in(text[:end], otherwise)


def _kept(content: Any, *, whole: bool) -> Any:
    if whole or isinstance(content, str):
        return _abridged(content, count(), KEPT_BYTES)
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


def _name(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _members(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object's members by their names as `_name` has them; the first of a name counts."""
    members: dict[str, Any] = {}
    for name, value in found.items():
        members.setdefault(_name(name), value)
    return members


def _unwrapped(content: Any) -> Any:
    """Return what a JSON text is about, and the object that a list is around."""
    content = _json_in(content, content)
    rows = _list(content)
    around = next((row for row in map(_object, rows) if not is_blank(row.get("error"))), None)
    if around is None and len(rows) == 1 and not {"code", "status"}.isdisjoint(_object(rows[0])):
        around = _object(rows[0])
    return content if around is None else around


def _json_in(value: Any, otherwise: Any, layers: int = _MOST_LAYERS) -> Any:
    """Return the object or list that a text is the JSON of."""
    text = _text(value)
    if layers == 0 or text[:1] not in ("{", "[", '"') or len(text) > KEPT_BYTES:
        return otherwise
    try:
        inner: Any = parse(text.encode("utf-8", "replace"))
    except ResponseDecodeError:
        return otherwise
    if isinstance(inner, str):
        return _json_in(inner, otherwise, layers - 1)
    return inner if is_object(inner) or is_array(inner) else otherwise


def _objects(content: Any) -> list[dict[str, Any]]:
    """Return the objects that may hold the facts, the most specific first, the whole last.

    Their members have the names of `_members`.
    """
    whole = _members(_object(_unwrapped(content)))
    choices = _failed_choices(whole) if "choices" in whole else ()
    holders = [_members(holder) for choice in choices for holder in _holders(choice)]
    candidates = [*chain.from_iterable(_levels(holder, "error") for holder in holders)]
    candidates += [*_levels(whole, "error"), *_levels(whole, "detail")]
    for name in _WRAPPINGS:
        levels = _levels(whole, name)
        # `data` and the like hold other things as a rule, unless they have an error in them.
        candidates += levels if name in _ERRORS_THEMSELVES else levels[:-1]
    return [candidate for candidate in (*candidates, whole) if candidate]


def _levels(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in one member: those within its own `error` first, itself last."""
    value = _json_in(found.get(name), found.get(name))
    # A list of errors; a list of details has its own rules.
    first = _list(value)[0] if name == "error" and _list(value) else None
    members = _members(_object(value) or _object(first))
    inner = _json_in(members.get("error"), members.get("error"))
    nested = _json_in(members.get("message"), None)
    levels = [_members(_object(inner)), members]
    if nested is not None:
        levels = [*_objects(nested), *levels]
    return levels


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
    texts = (_text(found.get(key)) for found in objects for key in ("code", "errorcode"))
    word = next((text for text in texts if text and not _as_status(text)), "")
    if word:
        return word
    status = _status_number(objects)
    if status:
        return code_of_status(status)
    # OpenAI's way. Outside the error's own object `type` means other things: an event, a URI.
    kind = _first_text(objects[:-1], "type")
    return kind if _WORD.fullmatch(kind) else ""


def _status_number(objects: list[dict[str, Any]]) -> int:
    """Return the HTTP status that an error names in its JSON, 0 where it names none."""
    keys = ("code", "errorcode", "status", "statuscode", "httpstatus", "httpcode")
    numbers = (_as_status(found.get(key)) for found in objects for key in keys)
    return next(filter(None, numbers), 0)


def _as_status(value: Any) -> int:
    if isinstance(value, str) and _THREE_DIGITS.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


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
    content = _unwrapped(content)
    if isinstance(content, str):
        return readable(content[:KEPT_BYTES])
    problems = _problems(_details(content, objects))
    for found in objects:
        for key in _MESSAGE_KEYS:
            text = _said(found.get(key))
            if text and key == "detail":
                title = _text(found.get("title"))
                return f"{title}: {text}" if title else text
            if text and key == "title":
                return f"{text}: {problems}" if problems else text
            if text:
                return _with_cause(text, found)
    return problems or _words_in(content)


def _said(value: Any) -> str:
    """Return what a member says: a text, the text in its JSON, or the first in a list of texts."""
    text = _text(value)
    if text:
        inner = _json_in(text, None)
        said = "" if inner is None else _message(inner, _objects(inner))
        return said or (readable(text) if text.startswith("<") else text)
    rows = _list(value)
    return _problems(rows) if rows and isinstance(rows[0], str) else ""


def _with_cause(text: str, found: dict[str, Any]) -> str:
    # OpenRouter: "Provider returned error", and beside it what the provider did return.
    cause = _said(_object(found.get("metadata")).get("raw"))
    return f"{text}: {cause}" if cause and cause not in text else text


def _words_in(content: Any) -> str:
    """Return the first sentence that stands anywhere in JSON of an unknown form."""
    todo = [content]
    for value in todo:
        members = _members(_object(value))
        for key in _MESSAGE_KEYS:
            text = _said(members.get(key))
            if text:
                return text
        inner = [*members.values(), *_list(value)]
        todo += [item for item in inner if isinstance(item, (dict, list))]
        del todo[_SEARCHED:]
    return ""


def _shown(text: str, content: Any, values: int) -> str:
    """Return a text with JSON that nobody knows behind it, unless the text has it all."""
    if isinstance(content, str) or all(
        leaf in text for leaf in _leaves(_abridged(content, iter(range(values)), _KEPT_TEXT))
    ):
        return text
    import json

    excerpt = _abridged(content, iter(range(values)), _KEPT_TEXT)
    try:
        return f"{text}: {json.dumps(excerpt, ensure_ascii=False, separators=(',', ':'))}"
    except ValueError:
        # CPython refuses to write integers of more than a few thousand digits.
        return text


def _leaves(value: Any) -> Iterator[str]:
    """Give the values in a value that say something, as texts."""
    if isinstance(value, (dict, list)):
        inner: Any = _object(value).values() if isinstance(value, dict) else _list(value)
        for item in inner:
            yield from _leaves(item)
    elif not is_blank(value) and value is not True:
        yield value if isinstance(value, str) else repr(value)


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
    """Return one detail as text: FastAPI's `{"loc", "msg"}`, compare's `{"model", "error"}`.

    Of an object that has the problems of each field, as in Rails and ASP.NET, the first.
    """
    if isinstance(detail, str):
        return detail.strip()
    found = _object(detail)
    members = _members(found)
    text = next(filter(None, (_said(members.get(key)) for key in _PROBLEM_KEYS)), "")
    parts = _list(found.get("loc")) or [found.get("model")]
    place = ".".join(str(part) for part in parts if isinstance(part, (str, int)))
    if text:
        return f"{place}: {text}" if place else text
    told = ((name, _said(value)) for name, value in found.items() if not name.startswith("@"))
    return next((f"{name}: {words}" for name, words in told if words), "")


_PROBLEM_KEYS = ("msg", "message", "error", "detail", "reason", "description", "title")


def _wait(
    status: int,
    headers: Mapping[str, str],
    received_at: Optional[float],
    objects: list[dict[str, Any]],
) -> Optional[float]:
    """Return the longest wait that an error asks for."""
    asked = wait_in_headers(headers, received_at)
    if asked is None and status == _LIMITED:
        # Only there: most answers tell when their limits are lifted.
        asked = wait_in_resets(headers, now_of(headers, received_at))
    waits = (asked, _wait_in_objects(objects))
    return max((wait for wait in waits if wait is not None), default=None)


_LIMITED = 429


_WAITS = (("retryafterseconds", 1.0), ("retryafter", 1.0), ("retryafterms", 0.001))


def _wait_in_objects(objects: list[dict[str, Any]]) -> Optional[float]:
    waits = (_seconds(found.get(key), unit) for found in objects for key, unit in _WAITS)
    return next((wait for wait in chain(waits, _delays(objects)) if wait is not None), None)


def _delays(objects: list[dict[str, Any]]) -> Iterator[Optional[float]]:
    """Give the delays of Google's RetryInfo, which stands among the details."""
    for found in objects:
        for detail in (found, *map(_object, _list(found.get("details")))):
            yield parse_duration(_text(_members(detail).get("retrydelay")))


def _seconds(value: Any, unit: float) -> Optional[float]:
    if isinstance(value, str):
        return parse_retry_after(value, unit=unit)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds * unit if math.isfinite(seconds) and seconds >= 0 else None
