"""Checks of the argument `middleware`. Loaded only when it is given."""

from collections.abc import Sequence
from functools import partial
from inspect import (
    isasyncgenfunction,
    isclass,
    iscoroutinefunction,
    isgeneratorfunction,
    isroutine,
    signature,
)
from typing import Any, cast

from meshapi_core import InvalidParamsError, type_name

__all__ = ["checked_middleware"]


def checked_middleware(given: object, *, of_async: bool) -> tuple[Any, ...]:
    """Return the middleware of a client as a tuple.

    Args:
        given: what the program passed.
        of_async: whether the client is the async one.

    Raises:
        InvalidParamsError: it is no list of functions of the client's kind.
    """
    if not isinstance(given, (list, tuple)):
        hint = "leave it out" if given is None else ""
        hint = "write middleware=[fn]" if callable(given) else hint
        raise InvalidParamsError("middleware", "a list of functions", _kind(given), hint)
    items = tuple(cast("Sequence[Any]", given))
    for index, item in enumerate(items):
        _check(f"middleware[{index}]", item, of_async)
    return items


def _check(field: str, item: Any, of_async: bool) -> None:
    expected = "an async function" if of_async else "a function"
    if not callable(item):
        raise InvalidParamsError(field, expected, _kind(item))
    if isclass(item):
        hint = f"write {item.__name__}()"
        raise InvalidParamsError(field, expected, f"the class {item.__name__}", hint)
    code = _code_of(item)
    name = _name(item)
    if isgeneratorfunction(code) or isasyncgenfunction(code):
        hint = "return the response, instead of yielding it"
        raise InvalidParamsError(field, expected, f"the generator function {name}", hint)
    is_async = iscoroutinefunction(code)
    if of_async and not is_async:
        hint = "write async def, and await call_next(request)"
        raise InvalidParamsError(field, expected, f"{name}, which is not async", hint)
    if is_async and not of_async:
        hint = "write def instead of async def, or use AsyncMeshAPI"
        raise InvalidParamsError(field, expected, f"{name}, which is async", hint)
    try:
        parameters = signature(item)
    except (TypeError, ValueError):
        return  # it does not tell
    try:
        parameters.bind(None, None)
    except TypeError:
        raise InvalidParamsError(
            field,
            f"{expected} that takes (request, call_next)",
            f"{name}{parameters}",
        ) from None


def _code_of(item: Any) -> Any:
    """The function that is called in the end."""
    while isinstance(item, partial):
        item = item.func
    return item if isroutine(item) else type(item).__call__


def _name(item: Any) -> str:
    while isinstance(item, partial):
        item = item.func
    name: str = getattr(item, "__name__", "") or type(item).__name__
    return name


def _kind(value: object) -> str:
    return f"the function {_name(value)}" if isroutine(value) else type_name(value)
