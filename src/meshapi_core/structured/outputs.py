"""What a program asks a model for: the schema that is sent, and how a text becomes a value."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

from meshapi_core._json_kinds import is_object
from meshapi_core.structured import models
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.schemas import Schema, TypeSchemas, name_of_type, refused
from meshapi_core.structured.strictness import restored, strict

__all__ = ["Output", "output_of"]

T = TypeVar("T")

# Source: https://platform.openai.com/docs/api-reference/chat/create (response_format)
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME: Final = 64

# Programs ask for few types, but some make new ones while they run.
_MOST_KEPT: Final = 256

_WRAPPED: Final = "value"
"""The one field of the object in which a value is sent that is no object itself."""

# What msgspec raises for a type that it does not support, or whose names cannot be found.
_REFUSALS: Final = (TypeError, NameError, ValueError, AttributeError)

_PLACE: Final = re.compile(r" - at `(?:key in )?\$(.*?)`$")


class Output(Struct, Generic[T], frozen=True):
    """A type as a model is asked for it.

    Fields:
        name: the name of the schema, as gateways accept it.
        schema: the strict schema of the whole text.
        is_wrapped: whether the value is in an object with one field, `value`.
        convert: makes a value from plain ones; raises Mismatch.
    """

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
        except ValueError as exc:
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
        return _kept(kind)
    except TypeError as exc:
        if isinstance(exc, msgspec.MsgspecError) or not _is_unhashable(kind):
            raise
    # `Annotated` with a list or a dict cannot be a key.
    return _made(kind)


def _is_unhashable(kind: Any) -> bool:
    try:
        hash(kind)
    except TypeError:
        return True
    return False


def _made(kind: Any) -> Output[Any]:
    schemas, name = TypeSchemas(), name_of_type(kind)
    root, convert = _read(kind, name, schemas)
    definitions = schemas.definitions
    whole = strict(root, definitions, name)
    is_wrapped = whole.get("type") != "object"
    if is_wrapped:
        alone: Schema = {"type": "object", "properties": {_WRAPPED: root}, "required": [_WRAPPED]}
        whole = strict(alone, definitions, name)

    def restore_and_convert(plain: Any) -> Any:
        return convert(restored(plain, root, definitions))

    short = _NOT_IN_NAMES.sub("_", name).strip("_")[:_LONGEST_NAME] or "output"
    return Output(short, whole, is_wrapped, restore_and_convert)


_kept: Callable[[Any], Output[Any]] = lru_cache(maxsize=_MOST_KEPT)(_made)


def _read(kind: Any, path: str, schemas: TypeSchemas) -> tuple[Schema, Callable[[Any], Any]]:
    """Return the schema of a type, and what makes a value of it."""
    if models.is_model(kind):
        return schemas.of(inspect.CustomType(kind), path), lambda plain: models.validated(
            kind, plain
        )
    try:
        info = inspect.type_info(kind)
    except _REFUSALS as exc:
        reason = exc
    else:
        return schemas.of(info, path), lambda plain: _converted(kind, plain)
    members = get_args(kind) if _is_union(kind) else ()
    if not members:
        raise refused(kind, reason) from None
    # msgspec tells the members of such a union apart by tags only.
    read = [_read(member, name_of_type(member), schemas) for member in members]
    root: Schema = {"anyOf": [schema for schema, _ in read]}
    return root, _Choice(
        [name_of_type(member) for member in members],
        [(output_properties(schema, schemas), convert) for schema, convert in read],
    )


def output_properties(schema: Schema, schemas: TypeSchemas) -> frozenset[str]:
    """Return the names of the properties that a schema, or the one that it refers to, has."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return frozenset(schemas.definitions.get(name, schema).get("properties") or ())


class _Choice:
    """Makes a value of the first member of a union that matches.

    An object is first tried as the members that have exactly its properties.
    """

    def __init__(
        self, names: list[str], members: list[tuple[frozenset[str], Callable[[Any], Any]]]
    ) -> None:
        self._names = names
        self._members = members

    def __call__(self, plain: Any) -> Any:
        keys = frozenset(plain) if is_object(plain) else None
        members = sorted(self._members, key=lambda member: member[0] != keys)
        first = None
        for _, convert in members:
            try:
                return convert(plain)
            except Mismatch as exc:
                first = first or exc
        named = " or ".join(self._names)
        path, reason = (first.path, first.reason) if first else ("", "no member matches")
        raise Mismatch(path, f"expected {named}: {reason}")


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
