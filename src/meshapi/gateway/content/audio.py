"""What speech sounds like here: a tone that each voice has of its own."""

import hashlib
import math
import struct

# As fast as people speak, and a bound, because memory has one.
_SECONDS_PER_CHARACTER = 0.06
_LONGEST_SECONDS = 60.0


def seconds_to_say(text: str, pace: float = 1.0) -> float:
    """How long it takes to say the text; at most a minute."""
    return min(len(text) * _SECONDS_PER_CHARACTER / pace, _LONGEST_SECONDS)


def tone(voice: str, seconds: float, rate: int) -> bytes:
    """16-bit samples, little-endian, of a tone between 110 and 365 Hz; at least one of them."""
    hertz = 110 + hashlib.sha256(voice.encode("utf-8", "replace")).digest()[0]
    # Whole periods, so that one of them can be said over and over.
    length = rate // hertz
    wave = (round(8000 * math.sin(2 * math.pi * step / length)) for step in range(length))
    period = struct.pack(f"<{length}h", *wave)
    size = 2 * max(1, round(seconds * rate))
    return (period * (size // len(period) + 1))[:size]
