"""`cassette()`: reads and writes the file."""

import os
import threading
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Final, Optional, Union

from typing_extensions import Self

from meshapi.testing.cassettes.exchanges import Exchange, decoded
from meshapi.testing.cassettes.recorder import Recorder
from meshapi.testing.cassettes.tape import Mode, Tape
from meshapi_backends import RECORDERS
from meshapi_core import CassetteError, InvalidParamsError, type_name

__all__ = ["cassette", "cassette_of"]

_MODES: Final = ("once", "none", "new_episodes", "all")

_OPEN: "set[Path]" = set()
_LOCK = threading.Lock()


class cassette:  # noqa: N801 - used as a function
    """Records what clients send and get in a `with` block, and plays it back the next time.

        with cassette("tests/cassettes/weather.json"):
            run_my_program()

    It holds for every client, every transport and every thread of the process. A request that was
    recorded gets the recorded response, in the same pieces, each recorded exchange once and in
    order. Requests are the same if method, path, query and body are; JSON is compared as values,
    and the server and the headers count for nothing. Of a realtime session, all messages are
    recorded; those of the gateway come after what the program had sent before them. The file is
    JSON, without tokens, keys and signatures. It is written at the end of the block, also after an
    exception, in one step.

    In a block that only plays, a client needs no token.

    Args:
        path: the file.
        mode: as in vcr. "once" records if there is no file, and otherwise plays it and refuses new
            requests. "none" only plays. "new_episodes" plays what was recorded and adds the rest.
            "all" sends everything, and records it anew.

    Raises:
        InvalidParamsError: an argument is wrong, or the file is open in another block.
        CassetteError: when the block is entered, that the file is missing or damaged; in it, that a
            request was not recorded; at its end, that the file cannot be written.
    """

    def __init__(self, path: "Union[str, PathLike[str]]", mode: Mode = "once") -> None:
        if not isinstance(path, (str, PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParamsError("path", "the path of a file", type_name(path))
        if mode not in _MODES:
            raise InvalidParamsError("mode", " or ".join(map(repr, _MODES)), repr(mode))
        self._path = Path(path)
        self._mode: Mode = mode
        self._key = Path(os.path.realpath(self._path))
        self._option = 'mode="{}"'
        self._tape: Optional[Tape] = None
        self._recorder: Optional[Recorder] = None

    def __repr__(self) -> str:
        return f"<cassette {self._path}, mode {self._mode}>"

    @property
    def played(self) -> int:
        """How many recorded exchanges have been played."""
        return 0 if self._tape is None else self._tape.played

    @property
    def unplayed(self) -> int:
        """How many recorded exchanges have not been played."""
        return 0 if self._tape is None else self._tape.unplayed

    @property
    def recorded(self) -> int:
        """How many exchanges have been recorded."""
        return 0 if self._tape is None else self._tape.recorded

    def __enter__(self) -> Self:
        with _LOCK:
            if self._key in _OPEN:
                raise InvalidParamsError(
                    "path", "", f"{self._path} is open in another block", "leave that one first"
                )
            _OPEN.add(self._key)
        try:
            self._tape = Tape(self._path.name, self._mode, self._exchanges(), self._option)
        except BaseException:
            _OPEN.discard(self._key)
            raise
        self._recorder = Recorder(self._tape)
        RECORDERS.append(self._recorder)
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        assert self._tape is not None
        try:
            place = next(i for i, each in enumerate(RECORDERS) if each is self._recorder)
            del RECORDERS[place]
            file = self._tape.file()
            if file is not None:
                self._write(file)
        finally:
            _OPEN.discard(self._key)

    def _exchanges(self) -> Optional[list[Exchange]]:
        try:
            file = self._path.read_bytes()
        except FileNotFoundError:
            if self._mode == "none":
                raise CassetteError(
                    f"there is no cassette {self._path}, and {self._option.format('none')} records"
                    f" none; record it with {self._option.format('once')}",
                    error_code="cassette_missing",
                ) from None
            return None
        except OSError as exc:
            raise CassetteError(
                f"the cassette {self._path} cannot be read: {exc.strerror or exc}",
                error_code="cassette_damaged",
            ) from exc
        return [] if self._mode == "all" else decoded(file, str(self._path))

    def _write(self, file: bytes) -> None:
        folder = self._path.parent
        new = folder / f".{self._path.name}.{os.getpid()}.{id(self)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new.write_bytes(file)
            os.replace(new, self._path)
        except OSError as exc:
            with suppress(OSError):
                new.unlink()
            raise CassetteError(
                f"the cassette {self._path} cannot be written: {exc.strerror or exc}",
                error_code="cassette_not_written",
            ) from exc


def cassette_of(path: "Union[str, PathLike[str]]", mode: Mode, option: str) -> cassette:
    """Return a cassette whose errors name the option that sets its mode.

    Args:
        option: the option with `{}` for the mode.
    """
    made = cassette(path, mode)
    made._option = option  # pyright: ignore[reportPrivateUsage]
    return made
