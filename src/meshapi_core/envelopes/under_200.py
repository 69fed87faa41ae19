"""Errors under a status that says that all is well: in 2xx responses, and in frames of a stream.

A frame is the data of one server-sent event. `error_in_response` and `is_error_frame` decide what
is an error. Such a call is not retried: the server said that it had done its work, and may bill for
it.

As the status says nothing, the class comes from the error code, by `CODES` in
`meshapi_core/statuses.py`.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Optional

from meshapi_core.envelopes.error_fields import (
    code_in,
    failed_choices,
    objects_in,
    status_in,
    wait_in_objects,
)
from meshapi_core.envelopes.error_message import message_in, shown
from meshapi_core.envelopes.heuristics import (
    has_result,
    is_good,
    is_result,
    says_error,
    says_that_it_failed,
    sentence,
    speaks_of_an_error,
    tells_a_failure,
    undeclared,
    wraps_an_error,
)
from meshapi_core.envelopes.loose_json import by_letters, list_of, object_of
from meshapi_core.envelopes.typed_errors import kept, typed_error, wait_asked
from meshapi_core.errors import APIStatusError
from meshapi_core.statuses import error_class

__all__ = [
    "error_in_response",
    "error_from_frame",
    "is_error_frame",
    "may_be_error",
    "members_of",
    "results_of",
]


def error_in_response(
    content: Any,
    headers: Mapping[str, str],
    status: int,
    *,
    results: Optional[Collection[str]] = None,
    declared: Collection[str] = (),
) -> Optional[APIStatusError]:
    """Return the error if the whole body of a 2xx response is one, else None.

    A body is an error if it says so and contains none of the result. So the `error` of a task, or
    of one model in a comparison, is a field like any other.

    Args:
        content: the body's decoded JSON.
        headers, status: of the response.
        results: the names of the result's fields; None for all fields except those that describe
            the request or the response.
        declared: the names of all fields that the response's type declares.
    """
    found = _alone(content)
    if found is None:
        return None
    if has_result(found, None if found is not content else results):
        if not failed_choices(found):
            return None
    elif not (
        says_error(found)
        or wraps_an_error(found)
        or says_that_it_failed(by_letters(undeclared(found, declared)))
        or speaks_of_an_error(found, declared)
    ):
        return None
    error = _error_in(content, headers, "the response is an error", status=status)
    wait = wait_asked(status_in(objects_in(content)), headers, None, [])
    if wait is not None:
        error.retry_after_seconds = max(wait, error.retry_after_seconds or 0.0)
    return error


def is_error_frame(frame: Any, results: Optional[Collection[str]] = None) -> bool:
    """Return whether a frame is an error, which ends the stream.

    Args:
        frame: the frame's decoded JSON.
        results: the names of the fields that make up a chunk's content. A frame with any of them is
            an error only if it says so; without them, a message about a failure is enough.
    """
    found = _alone(frame)
    if found is None:
        return False
    if says_error(found) or failed_choices(found):
        return True
    return not has_result(found, results) and (wraps_an_error(found) or tells_a_failure(found))


def may_be_error(frame: dict[str, Any], results: Optional[Collection[str]] = None) -> bool:
    """Return whether a frame is an error if it is the last one, although it does not say so.

    Such a frame has no content, but a message and a code.

    Args:
        frame, results: as in `is_error_frame`.
    """
    members = by_letters(frame)
    code = members.get("code")
    return (
        not has_result(frame, results)
        and bool(sentence(members))
        and isinstance(code, (int, str))
        and not is_good(code)
    )


def _alone(content: Any) -> Optional[dict[str, Any]]:
    """Return the object that a body consists of, also if it is alone in a list."""
    rows = list_of(content)
    return object_of(rows[0] if len(rows) == 1 else content) or None


def error_from_frame(
    frame: Any, headers: Mapping[str, str], *, partial: Any = None
) -> APIStatusError:
    """Return the error for an error frame of a stream. Never raises.

    The HTTP status was 200 and says nothing. So the class comes from the error code, or else from a
    status in the frame, or else it is `APIStatusError`. The error's `status` is 0.

    Args:
        frame: the frame's decoded JSON, or its text if it is not JSON.
        headers: the headers of the stream's response, with lower-case names.
        partial: what had arrived before the frame.
    """
    return _error_in(frame, headers, "the stream ended with an error", partial=partial)


def _error_in(
    content: Any,
    headers: Mapping[str, str],
    otherwise: str,
    *,
    status: int = 0,
    partial: Any = None,
) -> APIStatusError:
    """Return the error in a 2xx response or a stream; its class comes from its code."""
    objects = objects_in(content)
    code = code_in(objects) or "upstream_error"
    return typed_error(
        error_class(status_in(objects)),
        message_in(content, objects) or shown(otherwise, content, told=code),
        objects,
        headers,
        raw=kept(content, whole=True),
        code=code,
        wait=wait_in_objects(objects),
        status=status,
        partial=partial,
    )


def members_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a response's type, as in JSON; none for plain JSON."""
    names: tuple[str, ...] = getattr(kind, "__struct_encode_fields__", ())
    return names


def _find_results(kind: Any) -> tuple[str, ...]:
    """Return the names of the result's fields in a response's type; see `error_in_response`.

    For a job, an ID and a status are result enough.
    """
    names = members_of(kind)
    kept = tuple(name for name in names if is_result(name))
    return (*kept, "status") if {"id", "status"} <= set(names) else kept


# Not as a decorator: mypy would then insist on hashable arguments, although all types are.
results_of: Callable[[Any], tuple[str, ...]] = cache(_find_results)
