"""Masks WebSocket messages in C, where `websockets` is installed: an accelerator, and no more.

100 ms of audio are 6.4 KiB of base64, which wsproto masks in eight times the time.
"""

from functools import cache
from typing import Any, Optional

__all__ = ["fast_mask"]

# Longer than what C takes at a time, and no multiple of a key.
_SAMPLE = bytes(range(250))
_KEY = b"\x00\x5a\xa5\xff"


@cache
def fast_mask() -> Optional[Any]:
    """Return the function of `websockets`; None where it is missing, or does not do what it should.

    It is what `WebSocketConnection` takes as its `apply_mask`. Looked for once, when the first
    session is opened.
    """
    try:
        from websockets.speedups import apply_mask

        masked = apply_mask(_SAMPLE, _KEY)
    except Exception:  # of another version, or built for another Python: anything may come
        return None
    expected = bytes(byte ^ _KEY[at % 4] for at, byte in enumerate(_SAMPLE))
    return apply_mask if masked == expected else None
