"""The data that a response, a chunk or a part of one was made from, kept next to its fields.

Only this module knows how it is kept: in the object's `__dict__`, under three names that are not
names of fields. The code that makes a response stores what it has at hand; the rest is derived from
that when it is first asked for. (A page of a list also has a `_source`, which `types/_pages.py`
keeps.)

    _sent    the JSON body, and what is known about its response
    _raw     the decoded body: from `_sent`, or what the object was read from, field by field
    _extra   the fields that the class does not name: from `_raw`, or passed to the constructor

An object with none of these was made by the program: no server sent it, and it has no extra fields.
"""

from collections.abc import Callable
from typing import Any, Final, Optional

from typing_extensions import TypeAlias

from meshapi_core._json_kinds import is_object
from meshapi_core.response_meta import ResponseMeta

__all__ = [
    "SENT",
    "Sent",
    "all_of",
    "extra_of",
    "keep_all",
    "keep_extra",
    "keep_meta",
    "keep_raw",
    "meta_of",
    "raw_of",
    "sent_of",
]

Sent: TypeAlias = tuple[Optional[bytes], ResponseMeta]
"""A body, and what is known about its response. The body is None where the object was put together
from the chunks of a stream."""

Parse: TypeAlias = Callable[[bytes], Any]

SENT: Final = "_sent"
"""The key of a `Sent`. It is one entry, and written without a function call, because every chunk
needs it."""

_UNKNOWN: Final = ResponseMeta()

_RAW: Final = "_raw"
_EXTRA: Final = "_extra"
_SOURCE: Final = "_source"


def sent_of(response: object) -> Optional[Sent]:
    """Return the body and the response; None for a part, or where no server sent the object."""
    sent: Optional[Sent] = vars(response).get(SENT)
    return sent


def meta_of(response: object) -> ResponseMeta:
    """Return what is known about the response; nothing for a part, and where there is none."""
    sent = sent_of(response)
    return _UNKNOWN if sent is None else sent[1]


def keep_meta(response: object, meta: ResponseMeta) -> None:
    """Store what is known about the response next to the body, if there is one."""
    kept = vars(response)
    kept[SENT] = kept.get(SENT, (None,))[0], meta


def keep_raw(record: object, decoded: Any) -> None:
    """Store what a record was made from, if it has a `__dict__`."""
    if type(record).__dictoffset__:
        vars(record)[_RAW] = decoded


def raw_of(record: object, parse: Parse) -> Any:
    """Return what the server sent for this object, decoded once; None where it sent nothing."""
    kept = vars(record)
    if _RAW not in kept:
        sent = kept.get(SENT)
        body = None if sent is None else sent[0]
        kept[_RAW] = None if body is None else parse(body)
    return kept[_RAW]


def keep_extra(record: object, fields: dict[str, Any]) -> None:
    """Replace the extra fields of a record, whatever was sent for it.

    Pass a new dict for each change: copies of a record share theirs.
    """
    vars(record)[_EXTRA] = fields


def extra_of(record: object, named: tuple[str, ...], parse: Parse) -> dict[str, Any]:
    """Return the fields that were sent, or passed to the constructor, and are not in `named`."""
    kept = vars(record)
    if _EXTRA not in kept:
        raw = raw_of(record, parse)
        kept[_EXTRA] = (
            {name: value for name, value in raw.items() if name not in named}
            if is_object(raw)
            else {}
        )
    extra: dict[str, Any] = kept[_EXTRA]
    return extra


def all_of(record: object) -> dict[str, Any]:
    """Return everything that is kept, for `keep_all` on a copy, which may be in another process."""
    kept = dict(vars(record))
    if kept.get(SENT, (None,))[0] is not None:
        # Without the decoded form: it repeats the body, and is larger.
        kept.pop(_RAW, None)
    # A page's client, which cannot go along.
    kept.pop(_SOURCE, None)
    return kept


def keep_all(record: object, kept: dict[str, Any]) -> None:
    """Store in a copy what the original kept."""
    vars(record).update(kept)
