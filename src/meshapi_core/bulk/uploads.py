"""Calls that send files, in a run, which may make each of them more than once.

Each attempt opens the files anew. An open file stands where the attempt before it ended, and an
iterator of bytes is used up: what is sent would be empty, and the response that of an empty file.
"""

import errno
from typing import Any, Final, Optional, TypeVar

from msgspec.structs import replace

from meshapi_core._base_error import MeshAPIError
from meshapi_core._json_kinds import value_name
from meshapi_core.bulk.journals.keys import in_memory
from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import FilePart, Multipart
from meshapi_core.retries import Outcome

__all__ = ["NO_FILES", "repeatable", "unreadable"]

T = TypeVar("T")

NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""The numbers of the errors that say that the process, or the system, may open no more files."""


def repeatable(call: Call[T], where: str) -> Call[T]:
    """Return a call that sends the same in each attempt. What it has in memory becomes bytes.

    Args:
        call: the call.
        where: its place, for errors.

    Raises:
        InvalidParamsError: it has a file that can be read only once.
    """
    form = call.body
    if not isinstance(form, Multipart):
        return call
    files = tuple(_repeatable(part, where) for part in form.files)
    return replace(call, body=replace(form, files=files))


def _repeatable(part: FilePart, where: str) -> FilePart:
    content: Any = part.source.content
    if isinstance(content, str) or hasattr(content, "__fspath__"):
        return part
    known = in_memory(content)
    if known is None:
        expected = "a path or bytes, as a call may be sent again"
        hint = "give the path of the file" if hasattr(content, "name") else "read all of it first"
        place = f"{where}.{part.name}"
        raise InvalidParamsError(place, expected, value_name(content), hint)
    return replace(part, source=replace(part.source, content=known))


def unreadable(call: Call[Any], error: object) -> Optional[MeshAPIError]:
    """Return the error of a call whose file cannot be opened: that of one item, not of the run.

    Args:
        call: the call.
        error: what came of it.

    Returns:
        The error, with the `OSError` as its cause. None if `error` is not about a file of the call,
        such as one that the program's middleware raised.
    """
    form = call.body
    if not isinstance(form, Multipart) or not isinstance(error, OSError) or error.filename is None:
        return None
    name = _plain(error.filename)
    if all(_plain(part.source.content) != name for part in form.files):
        return None
    made = MeshAPIError(
        f"the file {name!r} could not be opened: {error.strerror or error}",
        error_code="source_unreadable",
    )
    made.__cause__ = error
    if error.errno in NO_FILES:
        # As if there were none left for a connection: another call must end first.
        made.outcome = Outcome(call.method, "connect")
    return made


def _plain(path: Any) -> Any:
    return path.__fspath__() if hasattr(path, "__fspath__") else path
