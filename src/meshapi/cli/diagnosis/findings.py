"""What a check has found."""

from typing import NamedTuple


class Finding(NamedTuple):
    """The result of one check.

    Fields:
        name: what was checked.
        ok: whether it is well.
        detail: what was found, in one line.
        advice: what to do; "" if nothing is to be done.
    """

    name: str
    ok: bool
    detail: str
    advice: str = ""


def well(name: str, detail: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(name, True, detail)


def wrong(name: str, detail: str, advice: str) -> Finding:
    """Return the finding that something is to be done."""
    return Finding(name, False, detail, advice)
