"""The signatures of endpoints and of other methods: for `help()`, notebooks and mocks."""

from collections.abc import Callable, Generator
from functools import cache, wraps
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Any, NoReturn, TypeVar, cast, get_args, get_origin

from typing_extensions import Unpack

from meshapi_core.calls import Call, StreamCall
from meshapi_core.flows.steps import Emit
from meshapi_core.protocols import AsyncItemStream, AsyncStream, ItemStream, Stream
from meshapi_core.raw_response import RawResponse

__all__ = ["explains_arguments", "lists_keywords", "signature_of"]

F = TypeVar("F", bound=Callable[..., Any])


def signature_of(build: Callable[..., Any], runner: Any, result: Any = None) -> Signature:
    """Return the signature that `help()` and mocks see: no `self`, and the result, not a `Call`."""
    declared = signature(build)
    returned: Any = result or declared.return_annotation
    if get_origin(returned) in (Call, StreamCall, Generator):
        returned = _returned(
            returned,
            is_async=iscoroutinefunction(runner.run),
            is_raw=getattr(runner, "returns_raw", False),
        )
    parameters = list(declared.parameters.values())[1:]
    keywords = _keywords(build)
    if keywords:
        # They replace `**fields`, from which a notebook could complete no name.
        parameters[-1:] = [each for each in keywords if each.name not in declared.parameters]
    return declared.replace(parameters=parameters, return_annotation=returned)


def _returned(declared: Any, *, is_async: bool, is_raw: bool) -> Any:
    """Return the annotation of a method's result, as that of its declaration has it.

    A coroutine function is annotated with the result of awaiting it.
    """
    kind, arguments = get_origin(declared), get_args(declared)
    # A class that is not imported until it is needed is declared by its name.
    result: Any = getattr(arguments[-1], "__forward_arg__", arguments[-1])
    stream: Any = AsyncStream if is_async else Stream
    items: Any = AsyncItemStream if is_async else ItemStream
    raw: Any = RawResponse
    if kind is StreamCall:
        return stream[result]
    if is_raw:
        return raw[result] if kind is Call else NoReturn
    if kind is Generator:
        emitted = [step for step in get_args(arguments[0]) if get_origin(step) is Emit]
        if emitted:
            return items[(*get_args(emitted[0]), result)]
    return result


class _NotGiven:
    """The default of a keyword in a signature; None would not do, as it may mean something."""

    def __repr__(self) -> str:
        return "..."


_NOT_GIVEN = _NotGiven()

_FIRST = frozenset(("messages", "input"))


@cache
def _keywords(build: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return the keywords in the TypedDict of a method; none where it has no TypedDict.

    They have no types here, which would turn the one line that `help()` shows into pages. The
    types are in the TypedDict, and the class of `params` says what each keyword means.
    """
    last = [*signature(build).parameters.values()][-1]
    if last.kind is not Parameter.VAR_KEYWORD or get_origin(last.annotation) is not Unpack:
        return ()
    (fields,) = get_args(last.annotation)
    # What every call needs comes first, whichever TypedDict it was inherited from.
    names = sorted(fields.__annotations__, key=lambda name: name not in _FIRST)
    return tuple(Parameter(name, Parameter.KEYWORD_ONLY, default=_NOT_GIVEN) for name in names)


def lists_keywords(function: F) -> F:
    """Give a function a signature with the keywords of the TypedDict behind its `**fields`."""
    declared = signature(function)
    parameters = [*declared.parameters.values()][:-1]
    listed = declared.replace(parameters=[*parameters, *_keywords(function)])
    vars(function)["__signature__"] = listed
    return function


def explains_arguments(method: F) -> F:
    """Have a method refuse arguments as endpoints do: with what to write, and no name of a base.

    Python's TypeError names the class that declares the method, which programs do not know.
    """
    from meshapi_core.endpoints._descriptor import explain_arguments

    @wraps(method)
    def explaining(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except TypeError as exc:
            explain_arguments(method, args[1:], kwargs, exc)
            raise
        finally:
            # Error trackers show the locals of frames that raise.
            del args, kwargs

    @wraps(method)
    async def async_explaining(*args: Any, **kwargs: Any) -> Any:
        try:
            made = explaining(*args, **kwargs)
        finally:
            del args, kwargs
        return await made

    return cast("F", async_explaining if iscoroutinefunction(method) else explaining)
