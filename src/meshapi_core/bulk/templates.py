"""A call as a template: the texts of its JSON body are filled from rows.

    in the template          in the call
    {name}                   the row's value as text
    {{name}}                 {name}; each further pair of braces is one more around the value or the
                             name, as in `str.format`
    "{parts}", all there is  a list or a dict as such, for example the parts of a message
    any other brace          itself: only a name that could be a variable's is a placeholder

A value is a str, or a number or another object whose `str()` is its text. A list or a dict within
a longer text becomes JSON. None, NaN and bytes are refused: in a prompt, they are mistakes.

Values go into JSON strings and cannot end them. Keys of objects are never filled, and neither are
the members that hold schemas, in which braces are common: see `UNTOUCHED`.

A template is taken apart once; to fill it costs no decoding.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Union

import msgspec
from msgspec.structs import replace

from meshapi_core._json_kinds import (
    is_array,
    is_mapping,
    is_object,
    is_sequence,
    type_name,
)
from meshapi_core.calls import Call
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.plain_values import as_plain

__all__ = ["UNTOUCHED", "CallTemplate"]

UNTOUCHED: Final = frozenset({"functions", "metadata", "response_format", "tools"})
"""Members of a body that are not filled: they hold schemas with patterns, or notes. Neither is a
member `text` that is an object: the Responses API has schemas there."""

_PLACEHOLDER: Final = re.compile(r"(\{+)([^\W\d]\w*)(\}+)")
_MOST_NAMES: Final = 8


class _Slot(NamedTuple):
    """Where a value goes.

    Fields:
        name: the row's.
        whole: whether the string has nothing else.
    """

    name: str
    whole: bool


class CallTemplate:
    """A call whose texts have placeholders.

    Args:
        call: with a JSON object as its body.

    Raises:
        InvalidParamsError: it has another body, or no placeholder.
    """

    def __init__(self, call: Call[Any]) -> None:
        body = call.body
        if not isinstance(body, bytes):
            hint = "write template=lambda row: ..., which makes a call of each row"
            raise InvalidParamsError("template", "a call with a JSON body", "a form", hint)
        try:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            got = f"{call.method} {call.path} with another body"
            raise InvalidParamsError("template", "a call with a JSON object", got) from None
        self._call = call
        self._parts: list[Union[bytes, _Slot]] = [b""]
        for index, (name, raw) in enumerate(members.items()):
            self._write(b"{" if index == 0 else b",")
            self._write(msgspec.json.encode(name) + b":")
            content = bytes(raw)
            if b"{" not in content or _is_untouched(name, content):
                self._write(content)
            else:
                self._compile(_decoded(content))
        self._write(b"}")
        self._slots = [
            (index, part) for index, part in enumerate(self._parts) if isinstance(part, _Slot)
        ]
        if not self._slots:
            hint = "braces and a name within a text stand for a field of the row"
            raise InvalidParamsError("template", "a placeholder such as {text}", "none", hint)

    @property
    def names(self) -> list[str]:
        """The names that a row must have, in the order in which they first appear."""
        return list(dict.fromkeys(slot.name for _, slot in self._slots))

    def fill(self, row: object, where: str) -> Call[Any]:
        """Return the call for a row.

        Args:
            row: a mapping that has all the `names`.
            where: the place of the row, for errors.

        Raises:
            InvalidParamsError: it is no such mapping, or a value cannot be inserted.
        """
        if not is_mapping(row):
            hint = self._row_hint(row)
            raise InvalidParamsError(where, "a mapping, such as a dict", type_name(row), hint)
        parts: list[Any] = self._parts[:]
        known: dict[_Slot, bytes] = {}
        for index, slot in self._slots:
            piece = known.get(slot)
            if piece is None:
                piece = known[slot] = _piece(row, slot, where)
            parts[index] = piece
        return replace(self._call, body=b"".join(parts))

    def _row_hint(self, row: Any) -> str:
        if isinstance(row, str):
            return f"write {{{', '.join(f'{name!r}: ...' for name in self.names)}}}"
        if is_sequence(row) and any(hasattr(one, "to_dict") for one in row):
            return 'write df.to_dict("records"), without iterrows()'
        return "write row._asdict()" if hasattr(row, "_asdict") else ""

    def _write(self, text: bytes) -> None:
        last = self._parts[-1]
        if isinstance(last, bytes):
            self._parts[-1] = last + text
        else:
            self._parts.append(text)

    def _compile(self, value: Any) -> None:
        """Write a value, with slots in place of the placeholders."""
        if isinstance(value, str):
            self._compile_text(value)
        elif is_array(value):
            self._write(b"[")
            for index, item in enumerate(value):
                self._write(b"," if index else b"")
                self._compile(item)
            self._write(b"]")
        elif is_object(value):
            self._write(b"{")
            for index, (name, item) in enumerate(value.items()):
                self._write(b"," if index else b"")
                self._write(msgspec.json.encode(name) + b":")
                self._compile(item)
            self._write(b"}")
        else:
            self._write(msgspec.json.encode(value))

    def _compile_text(self, text: str) -> None:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole is not None and (whole[1], whole[3]) == ("{", "}"):
            self._parts.append(_Slot(whole[2], whole=True))
            return
        self._write(b'"')
        start = 0
        for found in _PLACEHOLDER.finditer(text):
            opening, name, closing = found.groups()
            count = min(len(opening), len(closing))
            inner, is_filled = divmod(count, 2)
            before = opening[count:] + "{" * inner
            after = "}" * inner + closing[count:]
            self._write(_quoted(text[start : found.start()] + before))
            if is_filled:
                self._parts.append(_Slot(name, whole=False))
            else:
                self._write(_quoted(name))
            self._write(_quoted(after))
            start = found.end()
        self._write(_quoted(text[start:]) + b'"')


def _is_untouched(name: str, content: bytes) -> bool:
    return name in UNTOUCHED or (name == "text" and content[:1] == b"{")


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return parse(content)
    except ResponseDecodeError:
        raise InvalidParamsError("template", "JSON", "a body that is not JSON") from None


def _quoted(text: str) -> bytes:
    """Return text as it stands within a JSON string."""
    return msgspec.json.encode(text)[1:-1]


def _piece(row: Mapping[Any, Any], slot: _Slot, where: str) -> bytes:
    """Return the bytes for a slot: the inside of a JSON string, or a whole value."""
    try:
        value = row[slot.name]
    except KeyError:
        raise _missing(row, slot.name, where) from None
    if not isinstance(value, str):
        value = _as_text_or_json(value, slot, where)
        if isinstance(value, bytes):
            return value
    try:
        encoded = msgspec.json.encode(str.__str__(value))
    except UnicodeEncodeError:
        got = "text with half a character (a lone surrogate)"
        raise InvalidParamsError(f"{where}[{slot.name!r}]", "text", got) from None
    return encoded if slot.whole else encoded[1:-1]


def _as_text_or_json(value: Any, slot: _Slot, where: str) -> Union[str, bytes]:
    """Return what is inserted for a value that is no str: text, or JSON if it is all there is."""
    place = f"{where}[{slot.name!r}]"
    if is_mapping(value) or is_sequence(value) or isinstance(value, msgspec.Struct):
        try:
            encoded = msgspec.json.encode(as_plain(value))
        except InvalidParamsError as exc:
            raise InvalidParamsError(place, "JSON values", exc.got or exc.expected) from None
        except RecursionError:
            raise InvalidParamsError(place, "", "nested too deeply") from None
        return encoded if slot.whole else encoded.decode()
    given: object = value
    is_binary = isinstance(given, (bytes, bytearray, memoryview))
    if value is None or is_binary or _is_missing(value):
        got = "NaN, a missing value" if isinstance(value, float) else type_name(value)
        hint = 'write "" for no text, or leave the row out'
        if is_binary:
            hint = "decode it"
        elif hasattr(value, "__len__"):
            hint = "write it as a list"
        raise InvalidParamsError(place, "text, a number, a list or a dict", got, hint)
    return str(value)


def _is_missing(value: Any) -> bool:
    """Return whether a value stands for a missing one: NaN differs from itself."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        # `pandas.NA`, or an array of numpy, which have no truth value.
        return True


def _missing(row: Mapping[Any, Any], name: str, where: str) -> InvalidParamsError:
    has = ", ".join(str(key)[:40] for key, _ in zip(row, range(_MOST_NAMES)))
    has += ", ..." if len(row) > _MOST_NAMES else ""
    hint = f"if the prompt means the braces themselves, write {{{{{name}}}}} in it"
    return InvalidParamsError(where, f"a field {name!r}", f"only {has}" if has else "none", hint)
