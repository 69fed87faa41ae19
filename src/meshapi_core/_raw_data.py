"""What a response, a chunk or a part of one was made from, kept beside its fields.

This is the one place that knows how it is kept: in the object's `__dict__`, under three names, none
of which is a field. Who makes a response keeps what is at hand; the rest is made of it when
somebody first asks.

    _sent    the body, JSON, and the request's id
    _raw     the decoded body: from `_sent`, or what the object was read from, field by field
    _extra   the fields that the class does not name: from `_raw`, or given to the constructor

An object without any was made here: nothing was sent for it, and it has no further fields.
"""

from collections.abc import Callable
from typing import Any, Final, Optional

from typing_extensions import TypeAlias

from meshapi_core._json_kinds import is_object

__all__ = [
    "SENT",
    "Sent",
    "all_of",
    "extra_of",
    "keep_all",
    "keep_extra",
    "keep_raw",
    "raw_of",
    "sent_of",
]

Sent: TypeAlias = tuple[bytes, str]
"""A body and the id of its request."""

Parse: TypeAlias = Callable[[bytes], Any]

SENT: Final = "_sent"
"""Where a `Sent` goes: one entry, not two, and without a call, as it is written for every chunk."""

_RAW: Final = "_raw"
_EXTRA: Final = "_extra"


def sent_of(response: object) -> Optional[Sent]:
    """Return the body and the request's id; None where no server sent it, or it is a part."""
    sent: Optional[Sent] = vars(response).get(SENT)
    return sent


def keep_raw(record: object, decoded: Any) -> None:
    """Let a record that has a place for it keep what it was made from."""
    if type(record).__dictoffset__:
        vars(record)[_RAW] = decoded


def raw_of(record: object, parse: Parse) -> Any:
    """Return what the server sent for this object, decoded once; None where no server did."""
    kept = vars(record)
    if _RAW not in kept:
        sent = kept.get(SENT)
        kept[_RAW] = None if sent is None else parse(sent[0])
    return kept[_RAW]


def keep_extra(record: object, fields: dict[str, Any]) -> None:
    """Let the further fields of a record be these, whatever was sent for it.

    Give a new dict for each change: copies of a record have the same one.
    """
    vars(record)[_EXTRA] = fields


def extra_of(record: object, named: tuple[str, ...], parse: Parse) -> dict[str, Any]:
    """Return the fields that were sent or given and are not among the named ones."""
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
    """Return all that is kept, for `keep_all` on a copy, also in another process."""
    kept = dict(vars(record))
    if SENT in kept:
        # The parsed form is left out: it is the body once more, and larger.
        kept.pop(_RAW, None)
    return kept


def keep_all(record: object, kept: dict[str, Any]) -> None:
    """Give a copy what the original kept."""
    vars(record).update(kept)
