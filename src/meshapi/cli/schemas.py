"""Answers that must match a JSON schema: what `--schema` asks for, and checks."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Optional, TypeVar, cast

from msgspec import Struct, structs

from meshapi.cli.inputs import json_in
from meshapi.cli.problems import UsageError
from meshapi.cli.wholeness import kind_of

if TYPE_CHECKING:
    from meshapi import ChatCompletionResponse, StructuredOutputError
    from meshapi_core import Call, Response

    E = TypeVar("E", bound=StructuredOutputError)

Schema = Mapping[str, Any]


class Mismatch(NamedTuple):
    """Where a value does not match a schema.

    Fields:
        path: such as `people[0].age`; "" for the value as a whole.
        reason: what was expected, and what was found.
    """

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class SchemaReader(Struct, frozen=True):
    """Reads a completion, and raises if its text does not match a schema.

    Fields:
        reader: reads the completion.
        schema: what must match.
    """

    reader: Any
    schema: Schema

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        accept: str = self.reader.accept
        return accept

    def read(self, response: "Response") -> "ChatCompletionResponse":
        """Return the completion. Raises as `check`."""
        completion: ChatCompletionResponse = self.reader.read(response)
        check(completion, self.schema)
        return completion


def schema_in(path: str) -> Schema:
    """Return the JSON schema of a file.

    Raises:
        UsageError: it cannot be read, or is not a JSON object.
    """
    schema = json_in(path)
    if not isinstance(schema, dict):
        raise UsageError(f"{path}: expected a JSON schema, which is an object")
    return cast("Schema", schema)


def response_format(schema: Schema) -> dict[str, Any]:
    """Return the `response_format` that asks for a schema."""
    named: dict[str, Any] = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def checked(call: "Call[Any]", schema: Schema) -> "Call[Any]":
    """Return the call, whose response is an error if it does not match the schema."""
    return structs.replace(call, reader=SchemaReader(call.reader, schema))


def check(completion: "ChatCompletionResponse", schema: Schema) -> None:
    """Return if the text of a completion matches a schema.

    Raises:
        StructuredOutputError: it is cut off, filtered or refused, or does not match.
    """
    from meshapi import (
        ContentFilterError,
        ModelRefusalError,
        OutputTruncatedError,
        OutputValidationError,
    )

    kind = kind_of(completion)
    if kind == "refused":
        raise _error(ModelRefusalError, "the model refused to answer", completion)
    if kind == "filtered":
        raise _error(ContentFilterError, "a content filter stopped the model", completion)
    mismatch = mismatch_of(completion.text, schema)
    if mismatch is None:
        return
    if kind == "truncated":
        said = "the answer is cut off: it has reached its limit of model tokens"
        raise _error(OutputTruncatedError, said, completion)
    said = f"the answer does not match the schema: {mismatch}"
    error = _error(OutputValidationError, said, completion)
    error.path, error.reason = mismatch
    raise error


def _error(kind: "type[E]", message: str, completion: "ChatCompletionResponse") -> "E":
    meta = completion.meta
    return kind(
        message,
        text=completion.text,
        response=completion,
        status=meta.status,
        headers=meta.headers,
        request_id=meta.request_id,
    )


def mismatch_of(text: str, schema: Schema) -> Optional[Mismatch]:
    """Return where a text does not match a schema; None if it does."""
    if not text:
        return Mismatch("", "it is empty")
    try:
        value = json.loads(text, parse_constant=_refused)
        return next(_mismatches(value, schema, schema, ""), None)
    except RecursionError:
        return Mismatch("", "it is nested too deeply")
    except ValueError as error:
        return Mismatch("", f"it is not JSON: {error}")


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


# A whole number may be written as 1.0.
# Source: https://json-schema.org/draft/2020-12/json-schema-validation#section-6.1.1
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and value == value // 1,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _mismatches(value: Any, schema: Any, root: Schema, path: str) -> Iterator[Mismatch]:
    """Yield where a value does not match, by the keywords that strict modes allow."""
    if schema is False:
        yield Mismatch(path, "nothing is allowed here")
    if not isinstance(schema, dict):
        return
    rules = cast("Schema", schema)
    if "$ref" in rules:
        yield from _mismatches(value, _found(rules["$ref"], root), root, path)
    expected = rules.get("type", [])
    names = [name for name in _listed(expected) if name in _TYPES]
    if names and not any(_TYPES[name](value) for name in names):
        yield Mismatch(path, f"expected {' or '.join(names)}, got {_kind(value)}")
    if "const" in rules and not _is_same(value, rules["const"]):
        yield Mismatch(path, "expected the const of the schema")
    if isinstance(rules.get("enum"), list) and not any(
        _is_same(value, one) for one in rules["enum"]
    ):
        yield Mismatch(path, "expected one of the enum of the schema")
    for choice in ("anyOf", "oneOf"):
        members = rules.get(choice)
        if isinstance(members, list) and not any(
            next(_mismatches(value, member, root, path), None) is None
            for member in _listed(members)
        ):
            yield Mismatch(path, f"expected a match with one of {choice}")
    for member in _listed(rules.get("allOf", [])):
        yield from _mismatches(value, member, root, path)
    if isinstance(value, dict):
        yield from _in_object(cast("dict[str, Any]", value), rules, root, path)
    elif isinstance(value, list):
        for index, item in enumerate(_listed(value)):
            yield from _mismatches(item, rules.get("items"), root, f"{path}[{index}]")


def _in_object(value: dict[str, Any], rules: Schema, root: Schema, path: str) -> Iterator[Mismatch]:
    required = rules.get("required")
    for name in _listed(required) if isinstance(required, list) else ():
        if name not in value:
            yield Mismatch(path, f"the property {name!r} is missing")
    known = rules.get("properties")
    properties: Schema = cast("Schema", known) if isinstance(known, dict) else {}
    others = None if "patternProperties" in rules else rules.get("additionalProperties")
    for name, member in value.items():
        place = f"{path}.{name}" if path else name
        if name in properties:
            yield from _mismatches(member, properties[name], root, place)
        elif others is False:
            yield Mismatch(path, f"the property {name!r} is not in the schema")
        else:
            yield from _mismatches(member, others, root, place)


def _found(reference: Any, root: Schema) -> Any:
    """What a reference within the schema leads to; None, which allows anything, otherwise."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    place: Any = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict):
            return None
        place = cast("dict[str, Any]", place).get(name)
    return place


def _listed(value: Any) -> list[Any]:
    return [*cast("Iterable[Any]", value)] if isinstance(value, list) else [value]


def _is_same(one: Any, other: Any) -> bool:
    # To Python, True is 1.
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _kind(value: Any) -> str:
    found: Optional[str] = next((name for name, fits in _TYPES.items() if fits(value)), None)
    return found or "something else"
