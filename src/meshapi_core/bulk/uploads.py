"""Calls that send files, in a run, which may make each of them more than once.

Each attempt opens the files anew. An open file stands where the attempt before it ended, and an
iterator of bytes is used up: what is sent would be empty, and the response that of an empty file.
"""

from typing import Any, TypeVar

from msgspec.structs import replace

from meshapi_core._json_kinds import value_name
from meshapi_core.bulk.journals.keys import in_memory
from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import FilePart, Multipart

__all__ = ["repeatable"]

T = TypeVar("T")


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
