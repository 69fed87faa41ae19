"""What a check has found."""

from typing import NamedTuple


class Finding(NamedTuple):
    """The result of one check.

    Fields:
        name: what was checked.
        ok: whether it is well.
        said: what was found, in one line.
        advice: what to do; "" if nothing is to be done.
    """

    name: str
    ok: bool
    said: str
    advice: str = ""


def well(name: str, said: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(name, True, said)


def wrong(name: str, said: str, advice: str) -> Finding:
    """Return the finding that something is to be done."""
    return Finding(name, False, said, advice)
