"""Masks WebSocket messages in C where `websockets` is installed. It only makes them faster.

100 ms of audio are 6.4 KiB of base64, which take wsproto eight times as long.
"""

from functools import cache
from typing import Any, Optional

__all__ = ["fast_mask"]

# Longer than the blocks that C masks at a time, and not a multiple of the key's length.
_SAMPLE = bytes(range(250))
_KEY = b"\x00\x5a\xa5\xff"


@cache
def fast_mask() -> Optional[Any]:
    """Return the masking function of `websockets`; None if it is missing or masks wrongly.

    `WebSocketConnection` takes it as its `apply_mask`. It is looked up once, when the first
    session is opened.
    """
    try:
        from websockets.speedups import apply_mask

        masked = apply_mask(_SAMPLE, _KEY)
    except Exception:  # another version, or built for another Python: it may raise anything
        return None
    expected = bytes(byte ^ _KEY[at % 4] for at, byte in enumerate(_SAMPLE))
    return apply_mask if masked == expected else None
