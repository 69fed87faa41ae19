"""Audio: a tone that each voice has of its own, in its formats; and what an upload seems to be."""

import hashlib
import math
import struct
from typing import Optional

# As fast as people speak, and a bound, because memory has one.
_SECONDS_PER_CHARACTER = 0.06
_LONGEST_SECONDS = 60.0

# MPEG-1 Layer III, 64 kbit/s, 44.1 kHz, one channel; what follows the header is all zeros, which
# is silence. Source: ISO/IEC 11172-3, section 2.4.1
_MP3_FRAME = b"\xff\xfb\x50\xc4" + bytes(204)
_MP3_FRAME_SECONDS = 1152 / 44100

# The first bytes of a file, by what they say it is.
_BEGINNINGS = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"\x1aE\xdf\xa3": "WebM",
}


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


def silent_mp3(seconds: float) -> bytes:
    """An MP3 file of about this length, at least one frame."""
    return _MP3_FRAME * max(1, round(seconds / _MP3_FRAME_SECONDS))


def wav(samples: bytes, rate: int) -> bytes:
    """A WAV file of samples of 16 bits, one channel.

    Source: http://soundfile.sapp.org/doc/WaveFormat/
    """
    size = len(samples)
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE"
    return head + b"fmt " + form + b"data" + struct.pack("<I", size) + samples


def format_of(beginning: bytes) -> str:
    """What a file is by its first bytes, in words."""
    if _is_wav(beginning):
        return "WAV audio"
    if beginning[4:8] == b"ftyp":
        return "MP4 audio"
    for start, name in _BEGINNINGS.items():
        if beginning.startswith(start):
            return f"{name} audio"
    return "something that is no audio it knows"


def wav_bytes_per_second(beginning: bytes) -> Optional[int]:
    """Bytes a second of a WAV file, as its first 32 bytes have it; None of anything else, or 0."""
    if not _is_wav(beginning):
        return None
    rate: int = struct.unpack("<I", beginning[28:32])[0]
    return rate or None


def _is_wav(beginning: bytes) -> bool:
    return beginning[:4] == b"RIFF" and beginning[8:12] == b"WAVE" and len(beginning) >= 32
