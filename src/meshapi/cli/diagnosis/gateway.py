"""Checks of what the gateway responds with: the key, the clock, the latency."""

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Optional

from meshapi import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    MeshAPI,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
)
from meshapi.cli.diagnosis.findings import Finding, well, wrong

# How much skew tokens and signed URLs tolerate is not documented; most services allow minutes.
_MOST_SKEW = 60.0


def check_gateway(client: MeshAPI, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Make a small call twice, and say what came back."""
    try:
        balance = client.balance.get()
    except MeshAPIError as error:
        yield from _failed(error, now())
        return
    yield well("gateway", f"responds with {balance.meta.status}")
    yield from _clock(balance.meta.headers.get("date"), now())
    yield well("key", "accepted")
    # The second call uses the open connection: what every further call takes.
    again = client.balance.get().meta
    yield well("latency", f"{again.elapsed * 1000:.0f} ms a call, after the first")


def _failed(error: MeshAPIError, now: float) -> Iterator[Finding]:
    if isinstance(error, AuthenticationError):
        yield well("gateway", "responds with 401")
        yield from _clock(error.headers.get("date"), now)
        advice = "copy the key again, or make a new one; a key of another gateway does not fit"
        yield wrong("key", f"refused: {error.message}", advice)
    elif isinstance(error, ResponseDecodeError) or _is_foreign(error):
        advice = (
            "check the base URL; on a guest network, sign in with a browser first; a proxy may"
            " respond in the gateway's place"
        )
        yield wrong("gateway", f"not a gateway's response: {error}", advice)
    elif isinstance(error, RateLimitError):
        yield well("gateway", "responds with 429")
        yield from _clock(error.headers.get("date"), now)
        yield wrong("key", f"accepted, but {error.message}", "wait; see `meshapi usage`")
    elif isinstance(error, APIStatusError):
        yield from _clock(error.headers.get("date"), now)
        yield wrong("gateway", str(error), "try again later; quote the request ID to support")
    elif isinstance(error, APIConnectionError):
        yield wrong("gateway", str(error), "the checks above say how far a connection gets")
    else:
        yield wrong("gateway", str(error), "")


def _is_foreign(error: MeshAPIError) -> bool:
    """Whether something other than a gateway sent this error, such as a sign-in page."""
    if not isinstance(error, APIStatusError):
        return False
    return 300 <= error.status < 400 or not (isinstance(error.raw, dict) or error.request_id)


def _clock(date: Optional[str], now: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return
    skew = now - theirs
    if abs(skew) > _MOST_SKEW:
        which = "ahead of" if skew > 0 else "behind"
        said = f"{abs(skew):.0f} s {which} the gateway's"
        yield wrong("clock", said, "set the date and time of this machine")
    else:
        yield well("clock", "agrees with the gateway's")
