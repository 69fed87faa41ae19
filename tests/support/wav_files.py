"""WAV files with silence in them."""

import wave
from pathlib import Path

RATE = 24_000


def wav_file(path: Path, seconds: float = 0.5, width: int = 2, channels: int = 1) -> str:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(bytes(round(seconds * RATE) * width * channels))
    return str(path)
