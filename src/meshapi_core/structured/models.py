"""Types that bring a JSON schema and a validator of their own, as pydantic's models do.

They are recognised by their methods, so pydantic is never imported here.
"""

import sys
from collections.abc import Iterator
from typing import Any, Optional, TypeVar, get_args

import msgspec

from meshapi_core._json_kinds import is_object
from meshapi_core.errors import UnsupportedSchemaError

__all__ = ["Mismatch", "adapted", "is_adapted", "is_model", "schema_of", "validated"]

T = TypeVar("T")

_REFERENCE = "#/$defs/"


class Mismatch(ValueError):
    """A value does not match its type.

    Attributes:
        path: where, such as `people[0].age`; "" for the value as a whole.
        reason: what was expected, and what was found.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class _Adapter:
    """A type that pydantic knows, with the methods of a model."""

    def __init__(self, kind: Any, name: str) -> None:
        # It is loaded, as the type has a part that it made.
        pydantic: Any = sys.modules["pydantic"]
        self._adapter = pydantic.TypeAdapter(kind)
        self.__name__ = name

    def model_json_schema(self, *, ref_template: str) -> Any:
        return self._adapter.json_schema(ref_template=ref_template)

    def model_validate_json(self, data: bytes) -> Any:
        return self._adapter.validate_json(data)


def is_model(kind: Any) -> bool:
    """Return whether a class has `model_json_schema` and `model_validate_json`."""
    names = ("model_json_schema", "model_validate_json")
    is_one = isinstance(kind, (type, _Adapter))
    return is_one and all(callable(getattr(kind, name, None)) for name in names)


def is_adapted(kind: Any) -> bool:
    """Return whether a class is a dataclass of pydantic's, which msgspec would not validate."""
    return hasattr(kind, "__pydantic_validator__") and not is_model(kind)


def adapted(kind: Any, name: str, *, whole: bool) -> Any:
    """Return a type with the methods of a model; None if pydantic does not know it.

    Args:
        name: the name of the type.
        whole: whether models count, too, and not only the dataclasses that are not models.
    """
    if any(is_adapted(part) or (whole and is_model(part)) for part in _parts(kind)):
        try:
            return _Adapter(kind, name)
        except Exception:
            # It has classes of its own for a type that it does not know.
            return None
    return None


def _parts(kind: Any) -> Iterator[Any]:
    yield kind
    for argument in get_args(kind):
        yield from _parts(argument)


def schema_of(kind: Any, prefix: str, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a model, and those that it refers to, by name.

    Args:
        prefix: begins the names of those.
        path: where the model is, for errors.

    Raises:
        UnsupportedSchemaError: the model contains something that has no schema.
    """
    try:
        whole = kind.model_json_schema(ref_template=f"{_REFERENCE}{prefix}{{model}}")
    except Exception as exc:
        # Of another library, which has its own class for this error.
        reason = str(exc).partition("\n")[0]
        message = f"{path}: {kind.__name__} has no JSON schema ({reason}); nothing was sent"
        raise UnsupportedSchemaError(message, path=path) from exc
    root = dict(whole)
    others = {f"{prefix}{name}": schema for name, schema in root.pop("$defs", {}).items()}
    return root, others


def validated(kind: Any, plain: Any) -> Any:
    """Return a model made from plain values.

    Raises:
        Mismatch: they do not match it.
    """
    try:
        return kind.model_validate_json(msgspec.json.encode(plain))
    except ValueError as exc:
        raise _mismatch(exc) from exc


def _mismatch(error: ValueError) -> Mismatch:
    errors: Any = getattr(error, "errors", None)
    first: Optional[Any] = None
    if callable(errors):
        found: Any = errors()
        first = found[0] if found else None
    if not is_object(first):
        return Mismatch("", str(error).partition("\n")[0])
    place: Any = first.get("loc") or ()
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return Mismatch(path.lstrip("."), str(first.get("msg")))
