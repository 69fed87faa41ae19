"""Flows that save a response in a file: of a download, which may break off, or of any byte stream.

What has arrived, and what to ask for next, is decided by a `PartialDownload`; whether there is
another request, and when, by the retry policy of the client.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Optional, Union, cast

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.bodies import cut
from meshapi_core.calls import AnyCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.downloads import PartialDownload, URLDownload, checked_url
from meshapi_core.errors import (
    APIStatusError,
    APITimeoutError,
    InvalidParamsError,
    MeshAPIError,
    StreamInterruptedError,
)
from meshapi_core.flows.saving import EmptyFile, KeepFile, OpenFile, WritePiece
from meshapi_core.flows.steps import (
    CloseStream,
    Flow,
    GetConfig,
    NextChunk,
    Now,
    OpenStream,
    Pause,
    RandomBytes,
)
from meshapi_core.progress import OnProgress, Progress, progress_functions, tell_progress
from meshapi_core.randomness import number
from meshapi_core.retries import Outcome
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.types._file_content import PathLike

__all__ = [
    "FilePath",
    "SavedFile",
    "Target",
    "checked_path",
    "save_bytes",
    "save_download",
    "save_stream",
    "save_url",
]

FilePath = Union[str, PathLike]

_RANDOM_SIZE = 7


def checked_path(parameter: str, given: Any) -> str:
    """Return the path of a file that is to be written, as text.

    Args:
        parameter: what the program passed it as.
        given: what it passed.

    Raises:
        InvalidParamsError: it is no path, or cannot be that of a file.
    """
    expected = "the path of a file"
    path: object = given
    if not isinstance(given, str) and hasattr(given, "__fspath__"):
        path = given.__fspath__()
    if not isinstance(path, str):
        hint = "write os.fsdecode(x)" if isinstance(path, bytes) else ""
        if hasattr(path, "write"):
            hint = "pass the path, not an open file"
        raise InvalidParamsError(parameter, expected, value_name(path), hint)
    if not path or "\0" in path or path.endswith("/"):
        got = "an empty str" if not path else value_name(path, show=True)
        hint = "add the name of the file" if path.endswith("/") else ""
        raise InvalidParamsError(parameter, expected, got, hint)
    return path


class SavedFile(Struct, frozen=True):
    """A file that was written.

    Fields:
        path: as it was given.
        size: in bytes.
        content_type: the media type that the server named; "" if it named none.
    """

    path: str
    size: int
    content_type: str = ""


class Target(Struct, frozen=True):
    """Where a method saves a file, as a program passed it.

    Fields:
        path: of the file.
        overwrite: whether a file that is there is replaced.
        on_progress, progress: see `progress_functions`.
    """

    path: FilePath
    overwrite: bool = True
    on_progress: Optional[OnProgress] = None
    progress: bool = False

    def checked_path(self) -> str:
        """Return the path as text.

        Raises:
            InvalidParamsError: it is no path, or cannot be that of a file; or `overwrite` is wrong.
        """
        path = checked_path("path", self.path)
        # For callers without a type checker.
        overwrite: Any = self.overwrite
        if not isinstance(overwrite, bool):
            raise InvalidParamsError("overwrite", "True or False", value_name(overwrite))
        return path

    def begin(self) -> Flow["_Saving"]:
        """Check everything that was passed, and make the temporary file."""
        path = self.checked_path()
        functions = yield from progress_functions(self.on_progress, self.progress, "B")
        file = yield OpenFile(path, self.overwrite)
        return _Saving(path, file, functions)


class _Saving(Struct):
    """A file that is being written.

    Fields:
        path: where it is to be.
        file: what `OpenFile` gave.
        functions: are told of the progress.
        content_type: see `SavedFile`.
    """

    path: str
    file: Any
    functions: tuple[OnProgress, ...]
    content_type: str = ""

    def write(self, piece: bytes, done: int, total: Optional[int]) -> Flow[None]:
        yield WritePiece(self.file, piece)
        if self.functions:
            name = self.path.replace("\\", "/").rpartition("/")[2]
            yield from tell_progress(self.functions, Progress(done, total, name))

    def keep(self, size: int) -> Flow[SavedFile]:
        yield KeepFile(self.file)
        return SavedFile(self.path, size, self.content_type)


def save_bytes(content: bytes, target: Target) -> Flow[SavedFile]:
    """Save bytes."""
    saving = yield from target.begin()
    done, size = 0, len(content)
    for piece in cut(content):
        done += len(piece)
        yield from saving.write(piece, done, size)
    return (yield from saving.keep(size))


def save_stream(call: AnyCall[Any], target: Target) -> Flow[SavedFile]:
    """Save the response to a call that is made only once, such as one that costs something."""
    saving = yield from target.begin()
    part = PartialDownload()
    stream = yield OpenStream(call)
    yield from _receive(stream, part, saving)
    return (yield from saving.keep(part.received))


def save_url(url: Optional[str], target: Target) -> Flow[SavedFile]:
    """Save the file that a URL leads to; the URL is a secret."""
    # Rebound at once: where a later line raises, error trackers show the locals.
    url = checked_url(url)
    return (yield from save_download(partial(_call_of, url), target))


def _call_of(url: str, start: int, validator: str) -> URLDownload:
    return URLDownload(url=url, start=start, validator=validator)


def save_download(make: Callable[[int, str], AnyCall[Any]], target: Target) -> Flow[SavedFile]:
    """Save a file that can be asked for again, and go on where a response breaks off.

    Args:
        make: makes the call, from the first byte to ask for and the validator of those before it.
        target: where to save it.
    """
    saving = yield from target.begin()
    config: MeshAPIConfig = yield GetConfig()
    began: float = yield Now()
    part = PartialDownload()
    breaks = 0
    while True:
        stream = yield OpenStream(make(part.start, part.validator))
        try:
            yield from _receive(stream, part, saving)
            break
        except (StreamInterruptedError, APITimeoutError) as exc:
            error: MeshAPIError = exc
        except APIStatusError as exc:
            if not part.is_all(exc):
                raise
            break
        yield CloseStream(stream)
        drawn: bytes = yield RandomBytes(_RANDOM_SIZE)
        now: float = yield Now()
        delay = _delay(config, breaks, error, drawn, now - began)
        if delay is None:
            raise error
        breaks += 1
        yield Pause(delay)
    return (yield from saving.keep(part.received))


def _receive(stream: Any, part: PartialDownload, saving: _Saving) -> Flow[None]:
    """Write one response to the file."""
    chunk: Any = yield NextChunk(stream)
    meta = stream.meta
    if part.begin(meta.status, meta.headers):
        yield EmptyFile(saving.file)
    saving.content_type = meta.headers.get("content-type", "")
    while chunk is not END_OF_STREAM:
        piece = cast("bytes", chunk)
        part.receive(len(piece))
        yield from saving.write(piece, part.received, part.total)
        chunk = yield NextChunk(stream)
    part.end()


def _delay(
    config: MeshAPIConfig, breaks: int, error: MeshAPIError, drawn: bytes, elapsed: float
) -> Optional[float]:
    """Return the seconds to wait before the rest is asked for; None where it is not."""
    timed_out = False
    if isinstance(error, APITimeoutError):
        if error.phase != "read" or not error.stream_status:
            # Before the body began, the call itself was retried.
            return None
        timed_out = True
    outcome = Outcome(
        method="GET", stage="response", error_code=error.error_code, timed_out=timed_out
    )
    delay = config.retry_policy.delay(breaks, outcome, number(lambda size: drawn[:size]))
    total = config.time_limits.total
    if delay is not None and total is not None and elapsed + delay >= total:
        return None
    return delay
