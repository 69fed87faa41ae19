"""Values of another JSON kind than declared: converted or reported, never lost silently.

The rule: a paid response is never discarded for one odd field, and a default must not pass for what
the server said.

- What can be converted without loss is converted, without a warning. Text where JSON is declared is
  read as JSON ("12", "true", "[1, 2]"), and JSON where text is declared is written as text (such as
  the arguments of a tool call that arrive as an object). A time with a fraction is rounded down to
  its second, and a date becomes its Unix time. One row stands for a list of one, and a list of one
  for its row.
- Null, and a missing value, become the default of their field, or the empty value of its kind.
- Any string is accepted where a set of strings is declared: enums are open in responses.
- Any other value is lost. It becomes a `Mismatch` with its path: an error where the field is
  essential (`DecodingRules`), else a `ResponseWarning`. The field gets its default. A list of
  objects is kept without the lost row; a list of plain values, where a gap would shift the others,
  is lost as a whole.
"""

from typing import Any, Callable, ClassVar, Final, Union

import msgspec
from msgspec import inspect

from meshapi_core._json_kinds import is_array, is_kind, is_object, kind_name, value_name
from meshapi_core._raw_data import keep_raw
from meshapi_core.codec.content_parts import Parts, is_prose
from meshapi_core.codec.decoding_rules import DecodingRules, decoding_rules_of
from meshapi_core.codec.mismatches import ABSENT, LOST, Mismatch, NoValue, Path
from meshapi_core.codec.scalars import as_text, fit_scalar

__all__ = ["Converter"]


_JSON: Final = msgspec.json.Decoder()


class Converter:
    """Converts a parsed JSON value to a declared type, field by field."""

    def __init__(self, made: Callable[[Any, Any], None]) -> None:
        """Create a converter for one response.

        Args:
            made: called with each Struct that msgspec converted by itself, and its JSON value.
        """
        self.mismatches: list[Mismatch] = []
        self._made = made
        self._path: Path = ()

    def fit(self, value: Any, info: inspect.Type) -> Any:
        """Return the value as the type that `info` declares, or LOST."""
        fitted = self._fit(value, info)
        return LOST if fitted is ABSENT else fitted

    def _fit(self, value: Any, info: inspect.Type) -> Any:
        repair = self._repairs.get(type(info))
        return LOST if repair is None else repair(self, value, info)

    def _inside(self, step: Union[str, int], value: Any, info: inspect.Type) -> Any:
        """Fit a value one level deeper, and record a mismatch if it is lost."""
        outer, self._path = self._path, (*self._path, step)
        before = len(self.mismatches)
        fitted = self._fit(value, info)
        if fitted is LOST and len(self.mismatches) == before:
            expected = kind_name(info, structs=False)
            self.mismatches.append(Mismatch(self._path, expected, value_name(value)))
        self._path = outer
        return fitted

    # Kinds

    def _exact(self, value: Any, info: inspect.Type) -> Any:
        return value if is_kind(value, info) else LOST

    def _scalar(self, value: Any, info: inspect.Type) -> Any:
        fitted = fit_scalar(value, info, self._path[-1] if self._path else "")
        return self._otherwise(value, info) if fitted is LOST else fitted

    def _str(self, value: Any, info: inspect.StrType) -> Any:
        return as_text(value)

    def _literal(self, value: Any, info: inspect.LiteralType) -> Any:
        # is_kind compares kinds only, so that unknown choices are kept.
        if is_kind(value, info):
            return value
        texts = all(isinstance(choice, str) for choice in info.values)
        return as_text(value) if texts and not isinstance(value, (list, dict)) else LOST

    def _list(self, value: Any, info: inspect.ListType) -> Any:
        if not is_array(value):
            return self._rows_otherwise(value, info)
        plain = not is_kind({}, info.item_type)
        if plain and len(value) == 1 and is_array(value[0]) and not is_kind([], info.item_type):
            value = value[0]
        before = len(self.mismatches)
        rows = [self._row(place, row, info.item_type) for place, row in enumerate(value)]
        kept = [row for row in rows if row is not LOST]
        if plain and len(kept) < len(rows):
            del self.mismatches[before + 1 :]
            return LOST
        return kept

    def _row(self, place: int, row: Any, info: inspect.Type) -> Any:
        fitted = self._inside(place, row, info)
        if fitted is ABSENT:
            self.mismatches.append(
                Mismatch((*self._path, place), kind_name(info, structs=False), "list")
            )
            return LOST
        return fitted

    def _rows_otherwise(self, value: Any, info: inspect.ListType) -> Any:
        if not self._path:
            # A body of the wrong type is refused as a whole: it may be something else altogether.
            return LOST
        if value == {}:
            # PHP writes some empty lists this way.
            return []
        if is_object(value) and _is_row(value, info.item_type):
            return self._list([value], info)
        if isinstance(value, str):
            rows = self._read(value, info)
            if rows is LOST and isinstance(info.item_type, inspect.StrType):
                return [value]
            return rows
        return LOST

    def _dict(self, value: Any, info: inspect.DictType) -> Any:
        if value == []:
            # PHP writes an empty object this way.
            return {}
        if value == 0:
            # Some languages write an absent object as 0 or false, which equals 0 here.
            return ABSENT
        if not is_object(value):
            return self._otherwise(value, info)
        # The keys are the server's own data, and must not appear in a message: "*" does.
        kept: dict[str, Any] = {}
        for key, item in value.items():
            if item is not None or is_kind(None, info.value_type):
                fitted = self._inside("*", item, info.value_type)
                if not isinstance(fitted, NoValue):
                    kept[key] = fitted
        return kept

    def _union(self, value: Any, info: inspect.UnionType) -> Any:
        before = len(self.mismatches)
        first: list[Mismatch] = []
        for member in _candidates(value, info):
            fitted = self._fit(value, member)
            if fitted is not LOST:
                return fitted
            first = first or self.mismatches[before:]
            del self.mismatches[before:]
        self.mismatches += first
        return LOST

    def _metadata(self, value: Any, info: inspect.Metadata) -> Any:
        return self._fit(value, info.type)

    def _struct(self, value: Any, info: inspect.StructType) -> Any:
        if not is_object(value):
            return self._struct_otherwise(value, info)
        if info.tag_field is not None and value.get(info.tag_field) != info.tag:
            return LOST
        try:
            record = msgspec.convert(value, info.cls)
        except (msgspec.ValidationError, RecursionError, SystemError):
            return self._build(value, info)
        self._made(record, value)
        return record

    def _struct_otherwise(self, value: Any, info: inspect.StructType) -> Any:
        if not self._path:
            return LOST
        if value == [] or value == 0:
            # Some languages write an absent object as [], 0 or false, which equals 0 here.
            return ABSENT
        fitted = self._otherwise(value, info)
        bare = decoding_rules_of(info.cls).bare
        if fitted is not LOST or not bare or not isinstance(value, (str, list)):
            return fitted
        before = len(self.mismatches)
        record = self._build({bare: value}, info)
        if len(self.mismatches) == before:
            return record
        del self.mismatches[before:]
        return LOST

    def _build(self, value: dict[str, Any], info: inspect.StructType) -> Any:
        rules = decoding_rules_of(info.cls)
        fields: dict[str, Any] = {}
        thoughts = ""
        for field in info.fields:
            # A missing field needs no work: most rows of a catalogue leave most fields out.
            sent = value.get(field.encode_name)
            fitted: Any = ABSENT
            if field.name in rules.prose and is_prose(sent):
                parts = Parts(sent)
                fitted = self._prose(parts, field, rules)
                thoughts += parts.thoughts
            elif sent is not None:
                fitted = self._field(sent, field, rules)
            elif field.encode_name in value and is_kind(None, field.type):
                fitted = None
            if not isinstance(fitted, NoValue):
                fields[field.name] = fitted
            elif field.required:
                fields[field.name] = self._blank(field.type)
        if thoughts and rules.thoughts:
            fields[rules.thoughts] = thoughts + (fields.get(rules.thoughts) or "")
        try:
            record = info.cls(**fields)
        except (TypeError, ValueError):
            return LOST
        keep_raw(record, value)
        return record

    def _field(self, sent: Any, field: inspect.Field, rules: DecodingRules) -> Any:
        before = len(self.mismatches)
        fitted = self._inside(field.encode_name, sent, field.type)
        if field.name in rules.essential:
            depth = len(self._path) + 2
            for place, mismatch in enumerate(self.mismatches[before:], before):
                # Essential are the field itself and each of its rows, but not a value inside a row.
                if fitted is LOST or _loses_a_row(
                    mismatch, depth, nulls=field.name in rules.counted
                ):
                    self.mismatches[place] = mismatch._replace(essential=True)
        return fitted

    def _prose(self, parts: Parts, field: inspect.Field, rules: DecodingRules) -> Any:
        for kind in parts.others + ([] if rules.thoughts or not parts.thoughts else ["thinking"]):
            path = (*self._path, field.encode_name)
            self.mismatches.append(Mismatch(path, "text", f"a part of type {kind}"))
        return parts.text or ABSENT

    def _blank(self, info: inspect.Type) -> Any:
        """Return the value of a required field that the server left out."""
        if isinstance(info, inspect.StructType):
            return self._build({}, info)
        if isinstance(info, inspect.LiteralType):
            return info.values[0]
        if isinstance(info, inspect.Metadata):
            return self._blank(info.type)
        if isinstance(info, inspect.UnionType) and not info.includes_none:
            return self._blank(info.types[0])
        blank = _BLANKS.get(type(info))
        return None if blank is None else blank()

    # Other kinds

    def _otherwise(self, value: Any, info: inspect.Type) -> Any:
        """Return the only row of a list, or the JSON in a text, as the declared type."""
        if not self._path:
            return LOST
        if is_array(value):
            is_row = isinstance(self._path[-1], int)
            if is_row or len(value) != 1 or value[0] is None or is_array(value[0]):
                return LOST
            return self._fit(value[0], info)
        return self._read(value, info) if isinstance(value, str) else LOST

    def _read(self, text: str, info: inspect.Type) -> Any:
        try:
            value = _JSON.decode(text.strip().encode())
        except (msgspec.DecodeError, ValueError, RecursionError):
            # DecodeError is a ValueError only in newer versions of msgspec.
            return LOST
        return LOST if value is None or isinstance(value, str) else self._fit(value, info)

    _repairs: ClassVar[dict[type[inspect.Type], Callable[["Converter", Any, Any], Any]]] = {
        inspect.AnyType: _exact,
        inspect.NoneType: _exact,
        inspect.BoolType: _scalar,
        inspect.LiteralType: _literal,
        inspect.IntType: _scalar,
        inspect.FloatType: _scalar,
        inspect.StrType: _str,
        inspect.ListType: _list,
        inspect.DictType: _dict,
        inspect.UnionType: _union,
        inspect.StructType: _struct,
        inspect.Metadata: _metadata,
    }


_BLANKS: Final[dict[type[inspect.Type], Callable[[], Any]]] = {
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.StrType: str,
    inspect.ListType: list,
    inspect.DictType: dict,
}


_NULL: Final = value_name(None)


def _loses_a_row(mismatch: Mismatch, depth: int, *, nulls: bool) -> bool:
    """Return whether the mismatch is a row at this depth; with `nulls`, even if it was null."""
    is_row = len(mismatch.path) == depth and isinstance(mismatch.path[-1], int)
    return is_row and (nulls or mismatch.got != _NULL)


def _candidates(value: Any, info: inspect.UnionType) -> list[inspect.Type]:
    """Return the members of a union that a value may be read as, the most likely first."""
    members = [member for member in info.types if is_kind(value, member)]
    if members:
        return members
    # A str accepts any value, so it comes last. Beside a list of numbers, a str is their bytes in
    # base64, and nothing is converted to it.
    numbers = any(map(_holds_numbers, info.types))
    return [m for m in sorted(info.types, key=_is_text) if not (numbers and _is_text(m))]


def _is_text(info: inspect.Type) -> bool:
    return isinstance(info, inspect.StrType)


def _holds_numbers(info: inspect.Type) -> bool:
    return isinstance(info, inspect.ListType) and isinstance(
        info.item_type, (inspect.FloatType, inspect.IntType)
    )


def _is_row(value: dict[str, Any], info: inspect.Type) -> bool:
    """Return whether an object is a row of a list of this type, rather than a wrapper around it."""
    if isinstance(info, inspect.StructType):
        return any(field.encode_name in value for field in info.fields)
    if isinstance(info, inspect.AnyType):
        return isinstance(value.get("type"), str)
    return isinstance(info, inspect.DictType)
