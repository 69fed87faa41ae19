"""The parameters of a function as a JSON schema, and arguments that are checked against them."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, isroutine, signature, unwrap
from types import SimpleNamespace
from typing import Annotated, Any, Optional, get_args, get_origin

import msgspec
from msgspec import Meta
from typing_extensions import get_type_hints

from meshapi_core.errors import InvalidParamsError
from meshapi_core.structured import models
from meshapi_core.tools.docstrings import described

__all__ = ["Arguments", "InvalidArguments", "inner_function", "parameters_of"]

_SIMPLE = (str, int, float, bool, type(None))
_MISSING: Any = msgspec.UNSET


class InvalidArguments(ValueError):
    """The model's arguments do not fit; the text says why, to the model."""


class Arguments:
    """The arguments that a function takes.

    Attributes:
        schema: the JSON schema, of type "object".
    """

    def __init__(self, kind: Any, parameters: list[Parameter], schema: dict[str, Any]) -> None:
        self._kind = kind
        self._parameters = parameters
        self.schema = schema

    def decode(self, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments, of the annotated types.

        Raises:
            InvalidArguments: one is missing, unknown or of the wrong type.
        """
        try:
            values = msgspec.convert(given, self._kind, dec_hook=models.validated)
        except (msgspec.ValidationError, ValueError) as exc:
            raise InvalidArguments(str(exc)) from None
        except RecursionError:
            raise InvalidArguments("nested too deeply") from None
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in self._parameters:
            value = getattr(values, parameter.name)
            if parameter.kind is Parameter.POSITIONAL_ONLY:
                positional.append(parameter.default if value is _MISSING else value)
            elif value is not _MISSING:
                keywords[parameter.name] = value
        return tuple(positional), keywords


def parameters_of(function: Callable[..., Any], place: str) -> Arguments:
    """Return the arguments that a function takes, from its signature.

    Args:
        function: the function.
        place: names it in errors, such as "tools[0]".

    Raises:
        InvalidParamsError: no schema can be made of the signature; the error names the parameter.
    """
    parameters = _parameters(function, place)
    hints = _hints(function, place)
    texts = described(getattr(inner_function(function), "__doc__", None))
    fields: list[Any] = []
    for parameter in parameters:
        where = f"{place}.{parameter.name}"
        if parameter.name not in hints:
            hint = f"write {parameter.name}: str, or whatever its type is"
            if parameter.name == "self":
                hint = "pass the method of an object, not that of its class"
            raise InvalidParamsError(where, "an annotated parameter", "no annotation", hint)
        kind = _with_description(hints[parameter.name], texts.get(parameter.name))
        _refuse_without_schema(kind, where)
        fields.append((parameter.name, kind, *_default(parameter)))
    # Its own name, which no type of the program's is likely to have.
    made = msgspec.defstruct(
        "ToolArguments", fields, kw_only=True, forbid_unknown_fields=True, module=__name__
    )
    return Arguments(made, parameters, _schema(made))


def _parameters(function: Callable[..., Any], place: str) -> list[Parameter]:
    try:
        parameters = [*signature(function).parameters.values()]
    except (TypeError, ValueError):
        hint = "give FunctionTool(...) name, description and parameters"
        raise InvalidParamsError(
            place, "a function with a signature", repr(function), hint
        ) from None
    bound = function.keywords if isinstance(function, partial) else {}
    for parameter in parameters:
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is Parameter.VAR_POSITIONAL else "**"
            got = f"{stars}{parameter.name}"
            hint = "a model cannot be told what it takes"
            raise InvalidParamsError(f"{place}.{parameter.name}", "named parameters", got, hint)
    # What `partial` has set is not the model's to choose.
    return [parameter for parameter in parameters if parameter.name not in bound]


def _hints(function: Callable[..., Any], place: str) -> dict[str, Any]:
    inner = inner_function(function)
    try:
        # Not that of the result, whose class may be imported for type checkers alone.
        annotations: Any = getattr(inner, "__annotations__", {})
        named = {name: kind for name, kind in annotations.items() if name != "return"}
        names = getattr(unwrap(inner), "__globals__", {})
        return get_type_hints(SimpleNamespace(__annotations__=named), names, include_extras=True)
    except Exception as exc:
        hint = "annotations must be names that the function's module has"
        raise InvalidParamsError(
            place, "annotations that can be evaluated", f"{type(exc).__name__}: {exc}", hint
        ) from exc


def inner_function(function: Any) -> Any:
    """Return the function behind partials, bound methods and objects that can be called."""
    while isinstance(function, partial):
        function = function.func
    if isroutine(function):
        return function
    if isinstance(function, type):
        return vars(function).get("__init__", function)
    return type(function).__call__


def _with_description(kind: Any, text: Optional[str]) -> Any:
    """Return a type that has the text of its `Annotated[...]`, or else of the docstring."""
    described_type: Any
    extras: list[Any]
    described_type, *extras = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    metas = [each for each in extras if isinstance(each, Meta)]
    # A `Meta` has one, and so has a `Field` of pydantic.
    told = [*extras, *(getattr(each, "description", None) for each in extras)]
    text = next((each for each in told if isinstance(each, str) and each), text)
    # One after the other, as `Annotated[T, *metas]` is not Python 3.9. They are flattened.
    for meta in metas:
        described_type = Annotated[described_type, meta]
    return Annotated[described_type, Meta(description=text)] if text else described_type


def _default(parameter: Parameter) -> tuple[Any, ...]:
    if parameter.default is Parameter.empty:
        return ()
    if type(parameter.default) in _SIMPLE:
        return (parameter.default,)
    # Not in the schema: the function's own default is used.
    return (msgspec.field(default_factory=lambda: _MISSING),)


def _refuse_without_schema(kind: Any, where: str) -> None:
    try:
        _components(kind)
    except Exception as exc:
        reason = str(exc).strip().rpartition("\n")[2]
        hint = "use dataclasses, msgspec Structs, TypedDicts, pydantic models, enums or Literals"
        raise InvalidParamsError(where, "a type that JSON can represent", reason, hint) from None


def _schema(kind: Any) -> dict[str, Any]:
    reference, components = _components(kind)
    schema: dict[str, Any] = components.pop(reference["$ref"].rpartition("/")[2])
    del schema["title"]
    return {**schema, "$defs": components} if components else schema


def _components(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a type, and those that it refers to."""
    of_models: dict[str, Any] = {}

    def of_model(found: type) -> dict[str, Any]:
        if not models.is_model(found):
            raise NotImplementedError
        schema, others = models.schema_of(found, f"{found.__name__}_", found.__name__)
        of_models.update(others)
        return schema

    (schema,), components = msgspec.json.schema_components(
        (kind,), schema_hook=of_model, ref_template="#/$defs/{name}"
    )
    return schema, {**components, **of_models}
