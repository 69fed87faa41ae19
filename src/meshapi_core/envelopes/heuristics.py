"""Heuristics: whether an object is a result, or an error, whatever the status said.

Each of them looks at one object, from a body or from an event. `under_200.py` weighs them.
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


def has_result(found: dict[str, Any], results: Optional[Collection[str]]) -> bool:
    """Return whether an object has something of what was asked for.

    Args:
        results: its names; without them, all members but those that say something of the request.
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
    """Return whether a member of this name is more than something said of the request."""
    return letters_of(name) not in _ABOUT and not name.startswith("x_")


def _is_job_status(value: Any) -> bool:
    return bool(text_of(value)) and text_of(value).lower() not in _ERROR_STATUSES


def says_error(found: dict[str, Any]) -> bool:
    """Return whether an object calls itself an error, or has one."""
    return (
        not is_blank(found.get("error"))
        or text_of(found.get("object")) == "error"
        or text_of(found.get("type")) == "error"
    )


def wraps_an_error(found: dict[str, Any]) -> bool:
    """Return whether an object is something around an error."""
    return any(says_error(object_of(found.get(name))) for name in WRAPPINGS)


def tells_a_failure(found: dict[str, Any]) -> bool:
    """Return whether an object without a result is about something that went wrong."""
    members = by_letters(found)
    kind = text_of(members.get("type")).lower()
    if kind and not re.search("error|exception|fail|:", kind):
        # An event with a name of its own; RFC 9457 has a URI here.
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
    """Return the members that are not the response's own, and those with a meaning of their own."""
    kept = ("status", "message", "msg")
    return {name: item for name, item in found.items() if name in kept or name not in declared}


def says_that_it_failed(members: dict[str, Any]) -> bool:
    """Return whether an object without a result has a member that is there for failures alone."""
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
    """Return what members say in words, unless that is that all is well."""
    said = first_text([members], "message", "msg", "reason", "title")
    return "" if is_good(said) else said


def is_good(value: Any) -> bool:
    """Return whether a code, or a message, says that all is well; or says nothing."""
    return is_blank(value) or str(value).strip().lower() in _GOOD_WORDS


def speaks_of_an_error(found: dict[str, Any], declared: Collection[str]) -> bool:
    """Return whether a response has nothing that it should have, and a sentence instead."""
    if any(not is_blank(found.get(name)) for name in declared):
        return False
    members = by_letters(found)
    words = [*MESSAGE_KEYS, "fault", "exception", "errors"]
    return bool(declared) and not all(is_good(members.get(name)) for name in words)
