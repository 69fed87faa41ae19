"""A function that the model may call, and how the model is told of it."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, Optional

from typing_extensions import Self

from meshapi_core._json_kinds import is_mapping, is_object, value_name
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.plain_values import as_plain
from meshapi_core.tools.docstrings import description_of
from meshapi_core.tools.signatures import Arguments, InvalidArguments, inner_function, parameters_of

__all__ = ["FunctionTool", "is_async"]

# Source: https://platform.openai.com/docs/api-reference/chat/create (tools: function: name)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class FunctionTool:
    """A tool that `run_tools` offers to the model, and calls.

    The name, the description and the parameters are those of the function: its name, the first
    paragraph of its docstring, and its signature. `Annotated[str, "the city"]`, or the section
    "Args:" of the docstring, describes a parameter. What the model sends is checked, and converted
    to the annotated types, before the function is called.

    Args:
        function: is called with the arguments. A deferred tool needs none.
        name, description: instead of the function's.
        parameters: a JSON schema of type "object", instead of the signature's. The arguments are
            then passed to the function by name, as they came.
        strict: whether the provider is to hold the model to the schema; the schema must be one
            that it accepts.
        deferred: whether a call ends the run with this call in `pending`, without calling anything.

    Raises:
        InvalidParamsError: the model could not be told of this function; `field` names the
            parameter.
    """

    def __init__(
        self,
        function: Optional[Callable[..., Any]] = None,
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        parameters: Optional[Mapping[str, Any]] = None,
        strict: Optional[bool] = None,
        deferred: bool = False,
    ) -> None:
        if function is not None:
            _check_function(function, "function")
        self._set(function, "function", name, description, parameters)
        self.strict = strict
        self.deferred = deferred
        if function is None and not deferred:
            hint = "or deferred=True, if something else than a function has the result"
            raise InvalidParamsError("function", "a function", "None", hint)

    @classmethod
    def of(cls, function: Callable[..., Any], place: str) -> Self:
        """Return a tool that is all in its function; errors call it by its place."""
        _check_function(function, place)
        tool = cls.__new__(cls)
        tool._set(function, place, None, None, None)
        tool.strict = None
        tool.deferred = False
        return tool

    def _set(
        self,
        function: Optional[Callable[..., Any]],
        place: str,
        name: Optional[str],
        description: Optional[str],
        parameters: Optional[Mapping[str, Any]],
    ) -> None:
        self.function = function
        self.is_async = is_async(function)
        self.name = _checked_name(name, function, place)
        documented: Any = getattr(inner_function(function), "__doc__", None)
        self.description = description_of(documented) if description is None else description
        self._arguments: Optional[Arguments] = None
        if parameters is not None:
            self.parameters = _checked_schema(parameters)
        elif function is not None:
            self._arguments = parameters_of(function, place)
            self.parameters = self._arguments.schema
        else:
            raise InvalidParamsError("parameters", "a JSON schema", "None")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}{' deferred' if self.deferred else ''}>"

    def decode(self, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments for the function, from the model's JSON text.

        Raises:
            InvalidArguments: they are not JSON, or do not fit.
        """
        given = decoded_object(text)
        return ((), given) if self._arguments is None else self._arguments.decode(given)


def decoded_object(text: str) -> dict[str, Any]:
    """Return the arguments of a call, as the model wrote them.

    Raises:
        InvalidArguments: they are not a JSON object.
    """
    if not text.strip():
        # What some models write for "no arguments".
        return {}
    try:
        given: Any = parse(text.encode())
    except (ResponseDecodeError, UnicodeEncodeError):
        raise InvalidArguments("not valid JSON") from None
    if not is_object(given):
        raise InvalidArguments(f"expected a JSON object, got {value_name(given)}")
    return given


def is_async(function: Any) -> bool:
    """Return whether a function must be awaited."""
    function = _named(function)
    if not callable(function):
        return False
    # An object may have an async method `__call__`.
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def _check_function(function: Any, place: str) -> None:
    if not callable(function):
        raise InvalidParamsError(place, "a function or a FunctionTool", value_name(function))
    if isinstance(function, type):
        hint = "write a function; its parameters may be of that class"
        raise InvalidParamsError(place, "a function", f"the class {function.__name__}", hint)
    if isasyncgenfunction(function) or isgeneratorfunction(function):
        hint = "a result is sent to the model whole; return a list"
        raise InvalidParamsError(place, "a function", "a generator function", hint)


def _named(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _checked_name(name: Optional[str], function: Any, place: str) -> str:
    inner = _named(function)
    given: Any = getattr(inner, "__name__", type(inner).__name__) if name is None else name
    if function is None and name is None:
        raise InvalidParamsError("name", "a name", "None")
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        hint = "FunctionTool(function, name=...) gives it another"
        field = "name" if name is not None else f"{place}.__name__"
        expected = "1 to 64 letters, digits, _ and -"
        raise InvalidParamsError(field, expected, value_name(given, show=True), hint)
    return given


def _checked_schema(parameters: Any) -> dict[str, Any]:
    if not is_mapping(parameters) or parameters.get("type") != "object":
        got = value_name(parameters, show=True)
        raise InvalidParamsError("parameters", 'a JSON schema with "type": "object"', got)
    schema: dict[str, Any] = as_plain(parameters)
    return schema
