"""Where a turn of speech begins and ends: decided by loudness, in the time of the audio itself.

A stretch of 20 ms is loud if one of its samples exceeds 2 % of full scale. A turn begins with a
loud stretch, and ends after as much quiet as the session configures. The result depends on the
bytes alone, not on when they arrive.
"""

import struct
from dataclasses import dataclass
from typing import Optional

RATE = 24000
BYTES_PER_SECOND = 2 * RATE
_BYTES_PER_MS = BYTES_PER_SECOND // 1000

_STRETCH_MS = 20
_STRETCH = struct.Struct(f"<{_STRETCH_MS * RATE // 1000}h")
_LOUD = 32768 * 2 // 100


@dataclass(frozen=True)
class TurnBoundary:
    """A turn begins or ends at this byte of the buffer."""

    begins: bool
    at: int


class TurnDetector:
    """Finds the turns in a buffer; looks at each byte once."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin again at the start of the buffer, outside a turn."""
        self._seen = 0
        self._speaking = False
        self._quiet_ms = 0

    def next(self, audio: bytearray, silence_ms: int) -> Optional[TurnBoundary]:
        """The next boundary in the buffer; None if it needs more audio.

        After the end of a turn, cut the buffer there and call `restart`.
        """
        while self._seen + _STRETCH.size <= len(audio):
            start = self._seen
            samples = _STRETCH.unpack_from(audio, start)
            self._seen += _STRETCH.size
            if max(samples) > _LOUD or min(samples) < -_LOUD:
                self._quiet_ms = 0
                if not self._speaking:
                    self._speaking = True
                    return TurnBoundary(True, start)
            elif self._speaking:
                self._quiet_ms += _STRETCH_MS
                if self._quiet_ms >= silence_ms:
                    return TurnBoundary(False, self._seen)
        return None


def seconds_of(size: int) -> float:
    """The length of this many bytes of audio, in seconds."""
    return size / BYTES_PER_SECOND


def milliseconds_of(size: int) -> int:
    """The length of this many bytes of audio, in whole milliseconds."""
    return size // _BYTES_PER_MS
