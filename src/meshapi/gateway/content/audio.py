"""Audio: a different tone for each voice, in several formats, and the format of an upload."""

import hashlib
import math
import struct
from typing import Optional

# About as fast as people speak; a limit, because memory has one.
_SECONDS_PER_CHARACTER = 0.06
_LONGEST_SECONDS = 60.0

# MPEG-1 Layer III, 64 kbit/s, 44.1 kHz, one channel. All bytes after the header are zero, which is
# silence. Source: ISO/IEC 11172-3, section 2.4.1
_MP3_FRAME = b"\xff\xfb\x50\xc4" + bytes(204)
_MP3_FRAME_SECONDS = 1152 / 44100

# The first bytes of a file, and the format that they indicate.
_BEGINNINGS = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"\x1aE\xdf\xa3": "WebM",
}


def seconds_to_say(text: str, pace: float = 1.0) -> float:
    """The seconds that it takes to say the text; at most a minute."""
    return min(len(text) * _SECONDS_PER_CHARACTER / pace, _LONGEST_SECONDS)


def tone(voice: str, seconds: float, rate: int) -> bytes:
    """Samples of a tone between 110 and 365 Hz: 16 bits, little-endian, at least one sample."""
    hertz = 110 + hashlib.sha256(voice.encode("utf-8", "replace")).digest()[0]
    # The period is a whole number of samples, so that it can be repeated.
    length = rate // hertz
    wave = (round(8000 * math.sin(2 * math.pi * step / length)) for step in range(length))
    period = struct.pack(f"<{length}h", *wave)
    size = 2 * max(1, round(seconds * rate))
    return (period * (size // len(period) + 1))[:size]


def silent_mp3(seconds: float) -> bytes:
    """A silent MP3 file of about this length, at least one frame."""
    return _MP3_FRAME * max(1, round(seconds / _MP3_FRAME_SECONDS))


def wav(samples: bytes, rate: int) -> bytes:
    """A WAV file of 16-bit samples, one channel.

    Source: http://soundfile.sapp.org/doc/WaveFormat/
    """
    size = len(samples)
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE"
    return head + b"fmt " + form + b"data" + struct.pack("<I", size) + samples


def format_of(beginning: bytes) -> str:
    """The format of a file, in words, from its first bytes."""
    if _is_wav(beginning):
        return "WAV audio"
    if beginning[4:8] == b"ftyp":
        return "MP4 audio"
    for start, name in _BEGINNINGS.items():
        if beginning.startswith(start):
            return f"{name} audio"
    return "something it does not recognise as audio"


def wav_bytes_per_second(beginning: bytes) -> Optional[int]:
    """Bytes per second of a WAV file, from its first 32 bytes; None for other files, and for 0."""
    if not _is_wav(beginning):
        return None
    rate: int = struct.unpack("<I", beginning[28:32])[0]
    return rate or None


def _is_wav(beginning: bytes) -> bool:
    return beginning[:4] == b"RIFF" and beginning[8:12] == b"WAVE" and len(beginning) >= 32
