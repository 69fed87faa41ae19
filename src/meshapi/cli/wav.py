"""WAV files of the audio that realtime sessions take: 16 bit, one channel, 24 kHz."""

import contextlib
import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Optional

from typing_extensions import Self

_WIDTH, _CHANNELS, _RATE = 2, 1, 24_000

# One second: 64 KB of base64. The gateway takes up to 15 MiB at once.
_FRAMES = _RATE


class WavError(ValueError):
    """A file cannot be read or written; the message is one line with its name."""


class WavReader:
    """The audio of a WAV file, which is opened and checked at once. A context manager.

    Raises:
        WavError: the file does not exist, or has another format.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = wave.open(path, "rb")  # noqa: SIM115 - closed by __exit__
        except (OSError, EOFError, wave.Error) as error:
            raise WavError(f"{path} cannot be read as a WAV file: {_why(error)}") from error
        try:
            self._check()
        except WavError:
            self._file.close()
            raise

    def pieces(self) -> Iterator[bytes]:
        """The samples in pieces of a second at most, to be sent. Raises WavError."""
        try:
            while piece := self._file.readframes(_FRAMES):
                yield piece
        except (OSError, EOFError, wave.Error) as error:
            raise WavError(f"{self._path} cannot be read: {_why(error)}") from error

    def _check(self) -> None:
        file = self._file
        bits, channels, rate = 8 * file.getsampwidth(), file.getnchannels(), file.getframerate()
        if (bits, channels, rate) != (8 * _WIDTH, _CHANNELS, _RATE):
            raise WavError(
                f"{self._path}: expected a WAV file of 16 bit, 1 channel and 24000 Hz, "
                f"got {bits} bit, {channels} channel{'s' * (channels != 1)} and {rate} Hz"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class WavWriter:
    """A WAV file to write, named "<name>.part" until it is complete.

    A context manager. If its block raises, the file is removed, and an older file of that name is
    left as it was.

    Raises:
        WavError: the file cannot be created, or there is a folder or a device of that name.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if self._path.exists() and not self._path.is_file():
            # `replace` would not write to a device, but remove it.
            raise WavError(f"{path} cannot be written: it exists and is not a regular file")
        self._part = Path(f"{path}.part")
        try:
            # Not opened by `wave`, which prints to stderr if that fails.
            self._raw = self._part.open("wb")
        except OSError as error:
            raise self._failure(error) from error
        self._file = wave.open(self._raw, "wb")  # noqa: SIM115 - as above
        self._file.setnchannels(_CHANNELS)
        self._file.setsampwidth(_WIDTH)
        self._file.setframerate(_RATE)

    def write(self, samples: bytes) -> None:
        """Append audio. Raises WavError."""
        try:
            self._file.writeframesraw(samples)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            if exc is None:
                self._complete()
        finally:
            # After `_complete`, the ".part" file is gone already.
            with contextlib.suppress(OSError):
                self._file.close()
            with contextlib.suppress(OSError):
                self._raw.close()
            with contextlib.suppress(OSError):
                self._part.unlink()

    def _complete(self) -> None:
        try:
            self._file.close()
            self._raw.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> WavError:
        return WavError(f"{self._path} cannot be written: {_why(error)}")


def _why(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or "it ends too early"
