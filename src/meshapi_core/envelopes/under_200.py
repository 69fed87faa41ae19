"""Errors where the status says that all is well: whole responses, and frames of a stream.

Whether that is an error is decided here and in one place for both: see `error_in_response` and
`is_error_frame`. Such a call is not repeated: the server said that it had done its work, and may
bill for it.

The status says nothing, so the class comes from the error's code, by `CODES` in
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
    """Return the error that the whole body of a 2xx response is; None where it is none.

    It is one where it says so and has nothing of a result beside it: what a response declares as
    its own (the `error` of a task, of one model in a comparison) stays its own.

    Args:
        content: the body's decoded JSON.
        headers, status: of the response.
        results: the members that are what was asked for; without it, all but those that say
            something about the request.
        declared: all members that the response may have.
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
    """Return whether the data of an event ends the stream with the error that it is.

    Args:
        frame: the decoded JSON.
        results: the members that are what a chunk brings. What has one of them is an error only
            where it says so; without any, a sentence about what went wrong is enough.
    """
    found = _alone(frame)
    if found is None:
        return False
    if says_error(found) or failed_choices(found):
        return True
    return not has_result(found, results) and (wraps_an_error(found) or tells_a_failure(found))


def may_be_error(frame: dict[str, Any], results: Optional[Collection[str]] = None) -> bool:
    """Return whether a frame is an error if it is the last, though it does not say so plainly.

    It brings nothing, and has a sentence and a code.

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
    """Return the object that a body is, or that is the only thing in its list."""
    rows = list_of(content)
    return object_of(rows[0] if len(rows) == 1 else content) or None


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
    return _error_in(frame, headers, "the stream ended with an error", partial=partial)


def _error_in(
    content: Any,
    headers: Mapping[str, str],
    otherwise: str,
    *,
    status: int = 0,
    partial: Any = None,
) -> APIStatusError:
    """Return the error in a 2xx response, by its code."""
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
    """Return the names that a response's type declares, as they are sent; none for plain JSON."""
    names: tuple[str, ...] = getattr(kind, "__struct_encode_fields__", ())
    return names


def _find_results(kind: Any) -> tuple[str, ...]:
    """Return the members of a response's type that are what was asked for; see `error_in_response`.

    Of a job the id and the status are enough.
    """
    names = members_of(kind)
    kept = tuple(name for name in names if is_result(name))
    return (*kept, "status") if {"id", "status"} <= set(names) else kept


# Not as a decorator: mypy asks of its arguments that they be hashable, as types are.
results_of: Callable[[Any], tuple[str, ...]] = cache(_find_results)
