"""What goes over the wire: JSON, event-stream frames, IDs, times."""

import json
import secrets
import time
from datetime import datetime, timezone
from typing import Any

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


def dump(value: Any) -> bytes:
    """The value as compact JSON in UTF-8, without escapes for non-ASCII characters.

    A lone surrogate, which JSON can express and UTF-8 cannot, becomes a question mark.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def frame(value: Any) -> bytes:
    """One event of a stream, in the service's format: a `data` line and a blank line."""
    return b"data: " + dump(value) + b"\n\n"


def named_frame(name: str, value: Any) -> bytes:
    """One event of a stream, with an `event` line before its `data` line."""
    return b"event: " + name.encode() + b"\n" + frame(value)


def ulid() -> str:
    """A new ID of 26 characters; IDs sort by the millisecond of their creation.

    Source: https://github.com/ulid/spec
    """
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def iso(seconds: float) -> str:
    """A time in the service's format: UTC, to the second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
