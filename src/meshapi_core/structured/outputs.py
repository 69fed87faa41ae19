"""What a program asks a model for: the schema that is sent, and how a text becomes a value."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Generic, Optional, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

from meshapi_core._json_kinds import is_object
from meshapi_core.structured import models
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.schemas import (
    Schema,
    TypeSchemas,
    name_of_type,
    refused,
    unsupported,
)
from meshapi_core.structured.strictness import properties, restored, strict

__all__ = ["Output", "output_of"]

T = TypeVar("T")

Convert = Callable[[Any], Any]

# Source: https://platform.openai.com/docs/api-reference/chat/create (response_format)
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME: Final = 64

# Programs ask for few types, but some make new ones while they run.
_MOST_KEPT: Final = 256

_WRAPPED: Final = "value"
"""The field of the object in which a value is sent that is not an object itself."""

_PLACE: Final = re.compile(r" - at (?:`key` in )?`\$(.*?)`$")


class Output(Struct, Generic[T], frozen=True):
    """A type as a model is asked for it.

    Fields:
        title: the name of the type, for people: `list[Person]`.
        name: the name of the schema, as gateways accept it.
        schema: the strict schema of the whole text.
        is_wrapped: whether the value is in an object with one field, `value`.
        convert: makes a value of what a model wrote; raises Mismatch.
    """

    title: str
    name: str
    schema: Schema
    is_wrapped: bool
    convert: Callable[[Any], T]

    def decode(self, text: str) -> T:
        """Return the value that a model's text describes; nothing in it is guessed.

        Raises:
            Mismatch: it is not JSON, or not of the type.
        """
        try:
            plain = msgspec.json.decode(text)
        except RecursionError as exc:
            raise Mismatch("", "nested too deeply") from exc
        except (ValueError, msgspec.DecodeError) as exc:
            # The second is a ValueError, too, in newer versions of msgspec.
            raise Mismatch("", f"not JSON: {exc}" if text else "it is empty") from exc
        if self.is_wrapped:
            if not is_object(plain) or plain.keys() != {_WRAPPED}:
                raise Mismatch("", f'expected an object with the field "{_WRAPPED}" alone')
            plain = plain[_WRAPPED]
        try:
            return self.convert(plain)
        except RecursionError as exc:
            raise Mismatch("", "nested too deeply") from exc

    def response_format(self) -> dict[str, Any]:
        """Return the schema as chat completions take it."""
        named = {"name": self.name, "schema": self.schema, "strict": True}
        return {"type": "json_schema", "json_schema": named}

    def text_format(self) -> dict[str, Any]:
        """Return the schema as responses take it, in `text`."""
        named = {"name": self.name, "schema": self.schema, "strict": True}
        return {"format": {"type": "json_schema", **named}}


def output_of(kind: Any) -> Output[Any]:
    """Return a type as a model is asked for it; made once for each type.

    Raises:
        UnsupportedSchemaError: it has no schema, or contains a type that has none.
    """
    try:
        hash(kind)
    except TypeError:
        # `Annotated` with a list or a dict.
        return _made(kind, name_of_type(kind))
    return _kept(kind, name_of_type(kind))


def _made(kind: Any, name: str) -> Output[Any]:
    try:
        return _read_whole(kind, name)
    except RecursionError:
        reason = "it contains itself with nothing between, or is nested too deeply"
        raise unsupported(name, name, reason) from None


def _read_whole(kind: Any, name: str) -> Output[Any]:
    schemas = TypeSchemas()
    root, convert = _read(kind, name, schemas)
    definitions = schemas.definitions
    whole = strict(root, definitions, name)
    is_wrapped = whole.get("type") != "object"
    if is_wrapped:
        alone: Schema = {"type": "object", "properties": {_WRAPPED: root}, "required": [_WRAPPED]}
        whole = strict(alone, definitions, name)
    short = _NOT_IN_NAMES.sub("_", name).strip("_")[:_LONGEST_NAME] or "output"
    return Output(name, short, whole, is_wrapped, convert)


# With the name, as `Union[A, B]` equals `Union[B, A]`, and the first match counts.
_kept: Callable[[Any, str], Output[Any]] = lru_cache(maxsize=_MOST_KEPT)(_made)


def _read(kind: Any, path: str, schemas: TypeSchemas) -> tuple[Schema, Convert]:
    """Return the schema of a type, and what makes a value of what a model wrote by it."""
    if type(kind).__name__ == "TypeAliasType":
        kind = kind.__value__
    model = kind if models.is_model(kind) else models.adapted(kind, path, whole=False)
    if model is not None:
        return _of_model(model, path, schemas)
    try:
        info = inspect.type_info(kind)
    except Exception as exc:
        # Of the annotations, too, which may raise anything.
        reason = exc
    else:
        return _with(schemas.of(info, path), schemas, kind, _converted)
    members = get_args(kind) if _is_union(kind) else ()
    if not members:
        model = models.adapted(kind, path, whole=True)
        if model is not None:
            return _of_model(model, path, schemas)
        raise refused(kind, reason) from None
    # msgspec tells the members of such a union apart by tags only.
    read = [_read(member, name_of_type(member), schemas) for member in members]
    root: Schema = {"anyOf": [schema for schema, _ in read]}
    found = [(properties(schema, schemas.definitions), convert) for schema, convert in read]
    return root, _Choice([name_of_type(member) for member in members], found)


def _of_model(model: Any, path: str, schemas: TypeSchemas) -> tuple[Schema, Convert]:
    return _with(schemas.of(inspect.CustomType(model), path), schemas, model, models.validated)


def _with(
    schema: Schema, schemas: TypeSchemas, kind: Any, make: Callable[[Any, Any], Any]
) -> tuple[Schema, Convert]:
    definitions = schemas.definitions
    return schema, lambda written: make(kind, restored(written, schema, definitions))


class _Choice:
    """Makes a value of the first member of a union that matches.

    An object is of a member that has exactly its properties, if there is such a member. A match
    with another would be a guess: it would leave out what the model wrote.
    """

    def __init__(
        self, names: list[str], members: list[tuple[Optional[frozenset[str]], Convert]]
    ) -> None:
        self._names = names
        self._members = members

    def __call__(self, written: Any) -> Any:
        members = self._members
        if is_object(written):
            keys = written.keys()
            members = [member for member in members if member[0] is None or keys <= member[0]]
            members = [member for member in members if member[0] == keys] or members
        first = None
        for _, convert in members:
            try:
                return convert(written)
            except Mismatch as exc:
                first = first or exc
        named = " or ".join(self._names)
        if first is None:
            raise Mismatch("", f"expected {named}: no member has these fields")
        raise Mismatch(first.path, f"expected {named}: {first.reason}")


def _is_union(kind: Any) -> bool:
    origin = get_origin(kind)
    # `X | Y` has a class of its own, `types.UnionType`, which Python 3.9 does not have.
    return origin is Union or getattr(origin, "__name__", "") == "UnionType"


def _converted(kind: Any, plain: Any) -> Any:
    try:
        return msgspec.convert(plain, kind, str_keys=True, dec_hook=models.validated)
    except msgspec.ValidationError as exc:
        text = str(exc)
        found = _PLACE.search(text)
        path = found[1].lstrip(".") if found else ""
        raise Mismatch(path, _PLACE.sub("", text)) from exc
