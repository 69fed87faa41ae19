"""Heuristics: whether an object is a result or an error, whatever the status.

Each looks at one object, from a body or from an event. `under_200.py` combines them.
"""

import re
from collections.abc import Collection
from typing import Any, Optional

from meshapi_core.envelopes.error_fields import WRAPPINGS, first_text, status_number
from meshapi_core.envelopes.error_message import MESSAGE_KEYS
from meshapi_core.envelopes.loose_json import by_letters, is_blank, letters_of, object_of, text_of

__all__ = [
    "has_result",
    "is_good",
    "is_result",
    "says_error",
    "says_that_it_failed",
    "sentence",
    "speaks_of_an_error",
    "tells_a_failure",
    "undeclared",
    "wraps_an_error",
]

# Fields that describe the request or the response, and also occur in errors: they are no result.
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
# A job that has failed is a result all the same; an object with one of these statuses is an error.
_ERROR_STATUSES = frozenset({"error", "fail", "failure"})
# Codes and messages of successful responses.
_GOOD_WORDS = frozenset({"", "0", "ok", "200", "success", "successful", "succeeded"})


def has_result(found: dict[str, Any], results: Optional[Collection[str]]) -> bool:
    """Return whether an object contains any of the result that was asked for.

    Args:
        results: the names of the result's fields; None for all fields except those that describe
            the request or the response.
    """
    if results is None:
        names: Collection[str] = [name for name in found if is_result(name)]
    else:
        names = results
        if "status" in names and _is_job_status(found.get("status")) and found.get("id"):
            return True
    return any(_brings_something(found.get(name)) for name in names if name != "status")


def _brings_something(value: Any) -> bool:
    within = object_of(value)
    return not is_blank(value) and not (says_error(within) and not has_result(within, None))


def is_result(name: str) -> bool:
    """Return whether a field of this name does more than describe the request or the response."""
    return letters_of(name) not in _ABOUT and not name.startswith("x_")


def _is_job_status(value: Any) -> bool:
    return bool(text_of(value)) and text_of(value).lower() not in _ERROR_STATUSES


def says_error(found: dict[str, Any]) -> bool:
    """Return whether an object says that it is an error, or has an `error`."""
    return (
        not is_blank(found.get("error"))
        or text_of(found.get("object")) == "error"
        or text_of(found.get("type")) == "error"
    )


def wraps_an_error(found: dict[str, Any]) -> bool:
    """Return whether an object wraps an error."""
    return any(says_error(object_of(found.get(name))) for name in WRAPPINGS)


def tells_a_failure(found: dict[str, Any]) -> bool:
    """Return whether an object without a result describes a failure."""
    members = by_letters(found)
    kind = text_of(members.get("type")).lower()
    if kind and not re.search("error|exception|fail|:", kind):
        # The name of an ordinary event. In RFC 9457, section 3.1.1, `type` is a URI.
        return False
    if says_that_it_failed(members) or any(
        not is_blank(members.get(name)) for name in ("detail", "details")
    ):
        return True
    if not sentence(members):
        return False
    code = text_of(members.get("code"))
    return (
        bool(kind or status_number([members]))
        or text_of(members.get("status")).lower() == "failed"
        or not (code.isdigit() or is_good(code))
    )


def undeclared(found: dict[str, Any], declared: Collection[str]) -> dict[str, Any]:
    """Return undeclared fields, and `status`, `message` and `msg`, which may describe a failure."""
    kept = ("status", "message", "msg")
    return {name: item for name, item in found.items() if name in kept or name not in declared}


def says_that_it_failed(members: dict[str, Any]) -> bool:
    """Return whether an object without a result has a field that only failures have."""
    if members.get("success") is False or members.get("ok") is False:
        return True
    if not is_good(object_of(members.get("baseresp")).get("status_code")):
        return True
    names = ["errors", "fault", "exception"]
    if not any(name in members and is_good(members[name]) for name in ("errorcode", "errcode")):
        names += ["errormessage", "errordescription", "errormsg", "errmsg"]
    if any(not is_blank(members.get(name)) for name in names):
        return True
    kind = text_of(members.get("type")).lower()
    failed = text_of(members.get("status")).lower() in _ERROR_STATUSES
    return bool(sentence(members)) and (failed or bool(re.search("error|exception|fail", kind)))


def sentence(members: dict[str, Any]) -> str:
    """Return the message among the fields, unless it says that all is well."""
    said = first_text([members], "message", "msg", "reason", "title")
    return "" if is_good(said) else said


def is_good(value: Any) -> bool:
    """Return whether a code or a message says that all is well, or says nothing."""
    return is_blank(value) or str(value).strip().lower() in _GOOD_WORDS


def speaks_of_an_error(found: dict[str, Any], declared: Collection[str]) -> bool:
    """Return whether a response has none of its declared fields, and a message instead."""
    if any(not is_blank(found.get(name)) for name in declared):
        return False
    members = by_letters(found)
    words = [*MESSAGE_KEYS, "fault", "exception", "errors"]
    return bool(declared) and not all(is_good(members.get(name)) for name in words)
