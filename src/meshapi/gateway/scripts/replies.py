"""What a script responds with: a reply of the model, a JSON body, an error or a fault.

All of them are checked when they are made, so that a wrong script fails where it is written and not
in the program that it tests.
"""

import json as _json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union, cast

from meshapi.gateway.scripts.values import (
    Action,
    Body,
    ErrorReply,
    Fault,
    Reply,
    ScriptedCall,
)

FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")
"""The finish reasons that the service has."""

CODES: Mapping[int, str] = {
    400: "invalid_request",
    401: "unauthorized",
    402: "spend_limit_exceeded",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "content_too_large",
    422: "validation_error",
    429: "rate_limit_exceeded",
    500: "internal_error",
    501: "not_implemented",
    502: "upstream_error",
    503: "provider_not_available",
    504: "gateway_timeout",
}
"""The error code of a status, by default."""

_USAGE = {
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
}

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
# They frame the body: a wrong one breaks the connection, which `cut` does in a defined way.
_FRAMING = ("connection", "content-length", "transfer-encoding")

Answer = Union[Reply, str, Mapping[str, Any]]
"""What a response says: a reply, or short for one: a text, or a whole JSON body."""


def reply(
    text: Optional[str] = None,
    *,
    tool_calls: Optional[Sequence[ScriptedCall]] = None,
    finish_reason: Optional[str] = None,
    usage: Optional[Mapping[str, int]] = None,
    json: Any = None,
    refusal: Optional[str] = None,
    chunks: Optional[Sequence[str]] = None,
    embedding: Optional[Sequence[float]] = None,
    delay: float = 0.0,
    headers: Optional[Mapping[str, str]] = None,
) -> Reply:
    """Return what the model says, for any endpoint where a model says something.

    Without any of the first parts, it is the gateway's own answer, with the delay and the headers.

    Args:
        text: the text; for embeddings, the vector of that text, so that equal texts are equal.
        tool_calls: calls of tools, made by `tool_call`.
        finish_reason: "stop", "length", "tool_calls" or "content_filter"; by default, "tool_calls"
            with calls and "stop" without.
        usage: `prompt_tokens` and `completion_tokens`; what is missing is counted. The total and
            the cost follow from them.
        json: a value whose JSON is the text.
        refusal: a refusal in place of the text.
        chunks: the text, as the deltas of a stream; by default, there is one for each word.
        embedding: the vector of each input, for embeddings.
        delay: seconds until the response begins.
        headers: more headers of the response.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: two values contradict each other, or one is out of range.
    """
    said = {"text": text, "json": json, "refusal": refusal, "chunks": chunks}
    given = [name for name, value in said.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)}: expected one of them: what the model says")
    _check_text("text", text)
    _check_text("refusal", refusal)
    pieces = None if chunks is None else _texts("chunks", chunks)
    if pieces is not None:
        text = "".join(pieces)
    if json is not None:
        text = _dumped("json", json)
    calls = _calls(tool_calls)
    _check_reason(finish_reason, calls)
    return Reply(
        text=text,
        tool_calls=calls,
        finish_reason=finish_reason,
        usage=_usage(usage),
        refusal=refusal,
        chunks=pieces,
        embedding=None if embedding is None else _vector(embedding),
        delay=_seconds("delay", delay),
        headers=_headers(headers),
    )


def tool_call(
    name: str,
    arguments: Union[Mapping[str, Any], str, None] = None,
    *,
    call_id: Optional[str] = None,
    raw_arguments: Optional[str] = None,
) -> ScriptedCall:
    """Return a call of a tool, for `reply(tool_calls=[...])`.

    Args:
        name: the name of the function.
        arguments: an object, or its JSON; by default, no arguments.
        call_id: the ID of the call; by default, a new one each time.
        raw_arguments: a text to send as it is, to test how your program takes arguments that are
            not JSON.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: the arguments are not a JSON object.
    """
    if not name or not _is(name, str):
        raise TypeError(f"name: expected the name of a function, got {name!r}")
    _check_text("call_id", call_id)
    if raw_arguments is not None:
        if arguments is not None:
            raise ValueError("arguments and raw_arguments: expected one of them")
        _check_text("raw_arguments", raw_arguments)
        return ScriptedCall(name, raw_arguments, call_id)
    if not isinstance(arguments, str):
        if arguments is not None and not _is(arguments, Mapping):
            raise TypeError(f"arguments: expected a dict or JSON, got {arguments!r}")
        return ScriptedCall(name, _dumped("arguments", dict(arguments or {})), call_id)
    try:
        found = _json.loads(arguments)
    except ValueError as error:
        hint = "raw_arguments= sends any text"
        raise ValueError(f"arguments: expected JSON, got {arguments!r}: {error}; {hint}") from None
    if not isinstance(found, dict):
        raise ValueError(f"arguments: expected a JSON object, got {arguments!r}")
    return ScriptedCall(name, arguments, call_id)


def error(
    status: int,
    code: Optional[str] = None,
    message: Optional[str] = None,
    *,
    retry_after: Optional[float] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> ErrorReply:
    """Return an error response in the service's envelope.

    Args:
        status: 400 to 599.
        code: the error code; by default, the usual one of the status.
        message: the message; by default, a sentence with the status.
        retry_after: seconds for `Retry-After` and `retry_after_seconds`.
        headers: more headers of the response.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: the status is not an error, or another value is out of range.
    """
    if not _is(status, int):
        raise TypeError(f"status: expected a whole number, got {status!r}{_as_number(status)}")
    if not 400 <= status <= 599:
        raise ValueError(f"status: expected an error, 400 to 599, got {status}")
    _check_text("code", code)
    _check_text("message", message)
    usual = CODES.get(status, "http_error")
    return ErrorReply(
        status,
        code or usual,
        f"The script responds with a {status}." if message is None else message,
        None if retry_after is None else _seconds("retry_after", retry_after),
        _headers(headers),
    )


def broken_stream(answer: Optional[Answer] = None) -> Fault:
    """Return a response that ends half-way: the connection is closed.

    Args:
        answer: what the response would have been; by default, the gateway's own.
    """
    return Fault("broken_stream", _answer(answer))


def error_in_stream(
    answer: Optional[Answer] = None,
    *,
    status: int = 504,
    code: Optional[str] = None,
    message: str = "Upstream provider did not respond in time.",
) -> Fault:
    """Return a stream that sends an error half-way and then ends; a whole response is that error.

    Args:
        answer: what the response would have been; by default, the gateway's own.
        status, code, message: those of the error, as for `error`.
    """
    return Fault("error_in_stream", _answer(answer), error(status, code, message))


def stall(answer: Optional[Answer] = None) -> Fault:
    """Return a response that falls silent half-way; a whole response never begins.

    Args:
        answer: what the response would have been; by default, the gateway's own.
    """
    return Fault("stall", _answer(answer))


def slow(answer: Optional[Answer] = None, *, start: float = 1.0, pause: float = 0.5) -> Fault:
    """Return a response that takes its time.

    Args:
        answer: what the response says; by default, the gateway's own.
        start: seconds until it begins.
        pause: seconds between two words of a stream.
    """
    start, pause = _seconds("start", start), _seconds("pause", pause)
    return Fault("slow", _answer(answer), start=start, pause=pause)


def cut(answer: Optional[Answer] = None, *, after_bytes: int) -> Fault:
    """Return a response whose connection is closed after some bytes of its body.

    Args:
        answer: what the response would have been; by default, the gateway's own.
        after_bytes: how many bytes of the body arrive; 0 for the headers only. A shorter body
            arrives whole, but does not end.
    """
    if not _is(after_bytes, int) or after_bytes < 0:
        raise ValueError(f"after_bytes: expected 0 or more, got {after_bytes!r}")
    return Fault("cut", _answer(answer), after_bytes=after_bytes)


def close(code: int = 1000, reason: str = "") -> Fault:
    """End a realtime session in place of a response, with a close code and a reason.

    Args:
        code: 1000 to 1014 or 3000 to 4999, except 1004 to 1006, which are never sent.
        reason: at most 123 bytes of UTF-8.
    """
    if not _is(code, int):
        raise TypeError(f"code: expected a close code such as 1000 or 4402, got {code!r}")
    sendable = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if not (sendable or 3000 <= code <= 4999):
        raise ValueError(f"code: expected a close code such as 1000 or 4402, got {code!r}")
    _check_text("reason", reason)
    if len(reason.encode("utf-8", "replace")) > 123:
        raise ValueError("reason: expected at most 123 bytes of UTF-8")
    return Fault("close", close_code=code, reason=reason)


def action_of(response: object) -> Action:
    """Return what a script does for this response.

    Raises:
        TypeError: there is no such response.
    """
    if isinstance(response, (Reply, Body, ErrorReply, Fault)):
        return response
    if isinstance(response, str):
        return reply(response)
    if isinstance(response, Mapping):
        body = cast("Mapping[str, Any]", response)
        _dumped("response", body)
        return Body(body)
    raise TypeError(
        "response: expected reply(...), error(...), a fault such as broken_stream(), a text, a dict"
        f" (a JSON body), or a function of the request, got {response!r}"
    )


def _answer(answer: object) -> Union[Reply, Body, None]:
    if answer is None:
        return None
    action = action_of(answer)
    if not isinstance(action, (Reply, Body)):
        raise TypeError(f"answer: expected reply(...), a text or a dict, got {answer!r}")
    return action


def _is(value: object, *kinds: type) -> bool:
    """Return whether a value has one of these types; True is not a number."""
    return isinstance(value, kinds) and not isinstance(value, bool)


def check_whole(name: str, value: object, meaning: str, least: int = 1) -> None:
    """Raise unless a value is a whole number, and at least so large."""
    if not isinstance(value, int) or isinstance(value, bool):
        got = f"{value!r}{_as_number(value)}"
        raise TypeError(f"{name}: expected a whole number, {meaning}, got {got}")
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")


def _as_number(value: object) -> str:
    return f"; write {int(value)}" if isinstance(value, str) and value.isdecimal() else ""


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name}: expected a text, got {value!r}")


def _texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError(f"{name}: expected a list of texts, got the text {values!r}")
    texts = tuple(values)
    for text in texts:
        _check_text(name, text)
        if not text:
            raise ValueError(f"{name}: expected texts that are not empty, got {texts!r}")
    return texts


def _calls(calls: Optional[Sequence[ScriptedCall]]) -> tuple[ScriptedCall, ...]:
    if _is(calls, ScriptedCall):
        raise TypeError(f"tool_calls: expected a list, [tool_call(...)], got {calls!r}")
    made = tuple(calls or ())
    for call in made:
        if not _is(call, ScriptedCall):
            raise TypeError(f"tool_calls: expected [tool_call(name, arguments), ...], got {call!r}")
    return made


def _check_reason(reason: Optional[str], calls: Sequence[ScriptedCall]) -> None:
    if reason is None:
        return
    if reason not in FINISH_REASONS:
        known = ", ".join(FINISH_REASONS)
        raise ValueError(f"finish_reason: expected one of {known}, got {reason!r}")
    if reason == "tool_calls" and not calls:
        raise ValueError('finish_reason: "tool_calls" needs tool_calls=[...]')


def _usage(usage: Optional[Mapping[str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, count in (usage or {}).items():
        if name not in _USAGE:
            raise ValueError(
                f"usage: expected prompt_tokens and completion_tokens, got {name!r}; the total"
                " follows from them"
            )
        if not _is(count, int) or count < 0:
            raise ValueError(f"usage: expected 0 or more {name}, got {count!r}")
        found[_USAGE[name]] = count
    return found


def _vector(values: Sequence[float]) -> tuple[float, ...]:
    vector = tuple(values)
    for value in vector:
        if not _is(value, int, float) or not math.isfinite(value):
            raise TypeError(f"embedding: expected numbers, got {value!r}")
    if not vector:
        raise ValueError("embedding: expected at least one number")
    return tuple(map(float, vector))


def _seconds(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name}: expected seconds, got {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected 0 or more seconds, got {value}")
    return value


def _headers(headers: Optional[Mapping[str, str]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not _is(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"headers: expected the name of a header, got {name!r}")
        if not _is(value, str) or not _VALUE.fullmatch(value):
            raise ValueError(f"headers: expected a value of one line for {name}, got {value!r}")
        if name.lower() in _FRAMING:
            raise ValueError(f"headers: {name} is up to the gateway; cut() breaks a response off")
        found[name] = value
    return found


def _dumped(name: str, value: object) -> str:
    try:
        return _json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name}: expected what JSON can express: {error}") from None
