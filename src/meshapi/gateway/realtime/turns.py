"""Where a turn of speech begins and ends: a rule of loudness, in the time of the audio itself.

A stretch of 20 ms is loud if one of its samples is beyond 2 % of full scale. A turn begins with a
loud stretch, and ends when as much has been quiet as the session says. What is heard depends on
the bytes alone, not on when they come.
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
    """A turn begins, or ends, so many bytes into the buffer."""

    begins: bool
    at: int


class TurnDetector:
    """Looks at each byte of a buffer once."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The buffer begins anew, outside of a turn."""
        self._seen = 0
        self._speaking = False
        self._quiet_ms = 0

    def next(self, audio: bytearray, silence_ms: int) -> Optional[TurnBoundary]:
        """The next mark in the buffer; None until there is more of it.

        After the end of a turn comes `restart`, with a buffer that is cut there.
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
    """How long so many bytes sound."""
    return size / BYTES_PER_SECOND


def milliseconds_of(size: int) -> int:
    """The same, in whole milliseconds."""
    return size // _BYTES_PER_MS
