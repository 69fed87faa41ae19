"""What the page can switch on for the next call."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from meshapi.gateway.scripts.conditions import Conditions
from meshapi.gateway.scripts.engine import ScriptedResponse, Scripts
from meshapi.gateway.scripts.replies import (
    broken_stream,
    cut,
    error,
    error_in_stream,
    slow,
    stall,
)

_PLACE: Final = "switched on at the page"


class PageFault(NamedTuple):
    """One of them."""

    title: str
    response: ScriptedResponse


FAULTS: Final[Mapping[str, PageFault]] = {
    "rate-limit": PageFault("429, wait 1 s", error(429, retry_after=1)),
    "unavailable": PageFault("503", error(503)),
    "failure": PageFault("500", error(500)),
    "wrong-token": PageFault("401", error(401)),
    "no-money": PageFault("402", error(402)),
    "broken": PageFault("breaks off half-way", broken_stream()),
    "cut": PageFault("closes after the headers", cut(after_bytes=0)),
    "error-in-stream": PageFault("error half-way", error_in_stream()),
    "stall": PageFault("falls silent", stall()),
    "slow": PageFault("slow", slow()),
}


def switch_on(scripts: Scripts, name: str) -> None:
    """Have the next call go wrong in this way. Several wait for one call each.

    Raises:
        ValueError: there are too many scripts.
    """
    response = FAULTS[name].response
    scripts.add(Conditions(), (response,), times=1, place=_PLACE, first=True)


def switch_off(scripts: Scripts) -> None:
    """Forget the faults that wait for a call."""
    scripts.discard(_PLACE)


def waiting(scripts: Scripts) -> list[str]:
    """Return the titles of the faults that wait for a call, the next one first."""
    waits = [one for one in scripts.unused() if one.place == _PLACE]
    return [
        fault.title for one in waits for fault in FAULTS.values() if fault.response == one.next()
    ]
