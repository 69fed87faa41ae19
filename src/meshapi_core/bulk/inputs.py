"""What a run is given: calls, one after another, from any iterable.

    item                                            its ID
    a `Call`                                        "call-" and its place
    `(id, Call)`                                    the program's
    a row, with `template=`                         its "id" or "custom_id", if it has one
    a line of a batch file: a mapping with          its `custom_id`
    `custom_id`, `method`, `url` and `body`

A template is a call whose texts have placeholders (see `templates`), or a function that makes a
call, or `(id, Call)`, of a row. Nothing is read ahead, and nothing is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final, Optional, Union

import msgspec

from meshapi_core._copies import copied
from meshapi_core._json_kinds import is_mapping, type_name, value_name
from meshapi_core.batching.submission import KINDS, custom_id
from meshapi_core.bulk.templates import CallTemplate
from meshapi_core.bulk.uploads import repeatable
from meshapi_core.calls import Call, StreamCall
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import as_plain
from meshapi_core.readers import JSONReader

__all__ = ["Entry", "Inputs", "call_of_line"]

_BUILD: Final = "Completions.create.build(...), from meshapi_core.endpoints, makes one"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One call of a run.

    Fields:
        index: its place in the input, from 0.
        id: the program's own, else "call-" and the index.
        given_id: the program's own; None if it gave none.
        call: what to send.
    """

    index: int
    id: str
    given_id: Optional[str]
    call: Call[Any]

    def without_body(self) -> "Entry":
        """Return the entry for what a response says, without what was sent."""
        call = copied(self.call)
        msgspec.structs.force_setattr(call, "body", b"")
        return Entry(self.index, self.id, self.given_id, call)


class Inputs:
    """The calls of a run.

    Args:
        calls: an iterable or an async iterable of calls or rows.
        template: makes calls of rows.
        takes_async: whether the client can read an async iterable.

    Attributes:
        total: how many there are; None if the iterable does not say.
        source: the iterator that the host reads and whose items go to `entry`, if `calls` is an
            async iterable; else None, and `next` has the entries.

    Raises:
        InvalidParamsError: `calls` is no such iterable, or the template cannot be used.
    """

    def __init__(self, calls: object, template: object = None, *, takes_async: bool = True) -> None:
        self._make = _maker(template)
        self._has_template = template is not None
        self._count = 0
        self.total: Optional[int] = None
        self.source: Any = None
        self._iterator: Iterator[Any] = iter(())
        _check_iterable(calls)
        given: Any = calls
        if isinstance(calls, Iterable):
            self._iterator = iter(given)
            self.total = len(calls) if isinstance(calls, Sized) else None
        elif not takes_async:
            hint = "AsyncMeshAPI takes it"
            raise InvalidParamsError("calls", "an iterable", "an async iterable", hint)
        else:
            self.source = given.__aiter__()

    @property
    def count(self) -> int:
        """How many entries there have been."""
        return self._count

    def next(self) -> Optional[Entry]:
        """Return the next entry; None at the end.

        Raises:
            InvalidParamsError: the next item is no call, or no row for the template.
            Exception: what the program's iterable raised.
        """
        for item in self._iterator:
            return self.entry(item)
        return None

    def entry(self, item: object) -> Entry:
        """Return the entry for the next item of `source`. Raises as `next`."""
        index = self._count
        given_id: Optional[str] = None
        call: Any = item
        if self._make is not None:
            if is_mapping(item):
                given_id = _row_id(item, index)
            call = self._make(item, index)
        elif item.__class__ is not Call and is_mapping(item) and "url" in item and "body" in item:
            given_id, call = call_of_line(item, f"calls[{index}]")
        if call.__class__ is not Call:
            if call.__class__ is tuple and len(call) == 2:
                given_id = _checked_id(call[0], f"calls[{index}][0]")
                call = call[1]
            call = _checked(call, index, has_template=self._has_template)
        if type(call.body) is not bytes:
            call = repeatable(call, f"calls[{index}]")
        self._count = index + 1
        name = custom_id(index) if given_id is None else given_id
        return Entry(index, name, given_id, call)


_Make = Callable[[Any, int], object]


def _maker(template: Any) -> Optional[_Make]:
    given: object = template
    if given is None:
        return None
    if isinstance(given, Call):
        compiled = CallTemplate(template)
        return lambda row, index: compiled.fill(row, f"calls[{index}]")
    if isinstance(given, type) or not callable(given):
        expected = "a Call with placeholders, or a function from a row to a Call"
        hint = "write .build(...) in place of the call" if given is Call else ""
        if isinstance(given, str):
            hint = 'write Completions.create.build(messages=[{"role": "user", "content": ...}])'
        if isinstance(given, StreamCall):
            hint = "a run has no streams; write create.build(...)"
        raise InvalidParamsError("template", expected, type_name(template), hint)
    function: Any = template
    return lambda row, index: function(row)


def _check_iterable(calls: Any) -> None:
    expected = "an iterable of calls, or of rows with template="
    given: object = calls
    if isinstance(given, (Call, StreamCall)):
        raise InvalidParamsError("calls", expected, "one call", "write [call]")
    if is_mapping(calls):
        hint = "write calls.items() if the keys are the IDs, or [row] for one row"
        raise InvalidParamsError("calls", expected, type_name(calls), hint)
    if hasattr(calls, "columns") or hasattr(calls, "column_names"):
        # A table iterates over the names of its columns.
        hint = 'write df.to_dict("records") (pandas), df.iter_rows(named=True) (polars) or'
        hint += " table.to_pylist() (pyarrow)"
        raise InvalidParamsError("calls", expected, type_name(calls), hint)
    is_iterable = isinstance(given, Iterable) or hasattr(calls, "__aiter__")
    if isinstance(given, (str, bytes, bytearray)) or not is_iterable:
        hint = "call it: the iterable is what it returns" if callable(calls) else ""
        raise InvalidParamsError("calls", expected, value_name(calls), hint)


def _checked(call: Any, index: int, *, has_template: bool) -> Call[Any]:
    """Return what should be a call.

    Raises:
        InvalidParamsError: it is none.
    """
    given: object = call
    if isinstance(given, Call):
        made: Call[Any] = call
        return made
    where = f"calls[{index}]"
    expected = "a Call or (id, Call)"
    if isinstance(given, StreamCall):
        hint = "a run has no streams; write create.build(...)"
        raise InvalidParamsError(where, "a call with a whole response", "a stream", hint)
    if hasattr(call, "__await__"):
        close = getattr(call, "close", None)
        if close is not None:
            # Otherwise Python warns that it was never awaited.
            close()
        hint = _BUILD
        if has_template:
            hint = "the template must be a plain function; or give an async generator of calls"
        raise InvalidParamsError(where, expected, "an awaitable", hint)
    hint = _BUILD
    if has_template:
        expected = "a Call from the template"
        hint = "return it" if call is None else hint
    elif is_mapping(call):
        hint = "give template= to make calls of rows"
    raise InvalidParamsError(where, expected, type_name(call), hint)


def _row_id(row: Mapping[Any, Any], index: int) -> Optional[str]:
    """Return the ID that a row has."""
    for name in ("id", "custom_id"):
        value: object = row.get(name)
        if value is not None:
            return _checked_id(value, f"calls[{index}][{name!r}]")
    return None


def _checked_id(value: object, where: str) -> str:
    """Return an ID as text; also an integer, such as the keys of databases are."""
    if isinstance(value, str) and value:
        return str.__str__(value)
    if hasattr(value, "__index__") and not isinstance(value, bool):
        number: Any = value
        return str(int(number))
    got = "an empty string" if value == "" else value_name(value)
    raise InvalidParamsError(where, "an ID: text or an integer", got, "write str(...)")


class _Line(msgspec.Struct):
    """What a line of a batch file has."""

    url: str
    body: Any
    custom_id: Any = None
    method: str = "POST"


def call_of_line(
    line: Union[str, bytes, Mapping[str, Any]], where: str = "line"
) -> tuple[Optional[str], Call[Any]]:
    """Return the ID and the call of a line of a batch file: `custom_id, method, url, body`.

    Args:
        line: as JSON, or decoded.
        where: its place, for errors.

    Raises:
        InvalidParamsError: it is no such line, or asks for another endpoint than chat completions,
            embeddings and responses.
    """
    try:
        if isinstance(line, (str, bytes)):
            found = msgspec.json.decode(line, type=_Line)
        else:
            found = msgspec.convert(dict(line), _Line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        expected = "custom_id, method, url and body"
        raise InvalidParamsError(where, expected, f"another line: {exc}") from None
    path = _path(found.url)
    if found.method.upper() != "POST" or path not in KINDS:
        got = f"{found.method[:20]} {found.url[:80]}"
        raise InvalidParamsError(where, f"a POST to {', '.join(KINDS)}", got)
    if not is_mapping(found.body):
        raise InvalidParamsError(f"{where}.body", "an object", type_name(found.body))
    if found.body.get("stream"):
        hint = "leave stream out"
        raise InvalidParamsError(f"{where}.body", "a call with a whole response", "a stream", hint)
    name = found.custom_id
    given_id = None if name is None else _checked_id(name, f"{where}.custom_id")
    try:
        body = msgspec.json.encode(as_plain(found.body))
    except InvalidParamsError as exc:
        place = f"{where}.body.{exc.field}" if exc.field else f"{where}.body"
        raise InvalidParamsError(place, exc.expected, exc.got, exc.hint) from None
    return given_id, Call(method="POST", path=path, body=body, reader=JSONReader(KINDS[path]))


def _path(url: str) -> str:
    """Return the path of an endpoint, whatever stands before it."""
    _, found, rest = url.partition("/v1/")
    return f"/v1/{rest}" if found else url
