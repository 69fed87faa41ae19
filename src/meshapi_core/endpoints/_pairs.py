"""How a method that is declared once returns one of a pair of classes with the flow in its hands.

`@stream_endpoint_as` and `@item_flow_endpoint_as` of `_descriptor` wrap what the runner has opened.
The classes here get the runner, and what the function under the decorator has built: a tool run has
the state of its flow, and a conversation begins a flow for each of its turns.

`TypedStreamEndpoint` is for `stream`, which also takes a type as `response_format`: the call asks
for its schema then, and another pair of classes is made, which have the value. A type checker sees
a function with two overloads (`ChatStreaming` and the like), as no `Callable` can say that.

`ParseEndpoint` is for `parse`, a flow that is generic in that type, and whose `build` returns a
call. A type checker sees a function with that method (`ChatParsing` and the like).
"""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, Union, overload

from typing_extensions import Concatenate, ParamSpec, Self

from meshapi_core import endpoints
from meshapi_core._json_kinds import is_type
from meshapi_core.calls import StreamCall
from meshapi_core.endpoints._descriptor import (
    Declared,
    OpenedAs,
    Pair,
    Resource,
    explain_arguments,
    flow_endpoint,
    opening,
)
from meshapi_core.protocols import AsyncRawRunner, AsyncRunner, RawRunner, Runner

P = ParamSpec("P")
A = TypeVar("A")
B = TypeVar("B")
S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F")
A_co = TypeVar("A_co", covariant=True)
B_co = TypeVar("B_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)

_KEYWORD = "response_format"


class MadeAs(OpenedAs[P, B, S, A], Generic[P, B, S, A]):
    """What `@made_as` makes of a function."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Callable[P, S]: ...
    @overload
    def __get__(self, resource: Resource[AsyncRunner], owner: type, /) -> Callable[P, A]: ...
    @overload
    def __get__(
        self, resource: Union[Resource[RawRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> Callable[P, NoReturn]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that makes one of the pair."""
        return self if resource is None else self._bind(resource)

    def _bound(self, runner: Any, made: Any) -> Callable[..., Any]:
        return opening(partial(made, runner), self._build)


class made_as(Pair[S, A]):  # noqa: N801 - used as a decorator, named as those are
    """Declares a method that returns one of a pair of classes, for either kind of client.

    Args:
        blocking, asynchronous: return the classes, which are called with the runner and with what
            the function returned.
    """

    def __call__(self, build: Callable[Concatenate[Any, P], B], /) -> MadeAs[P, B, S, A]:
        """Return the descriptor."""
        return MadeAs(build, *self._pair)


class TypedStreamEndpoint(Declared[P, StreamCall[T]], Generic[P, T, F, A]):
    """An endpoint whose response is a stream, of chunks alone or with a value at its end.

    Args:
        build: makes the call.
        name: of the class that wraps the stream, in `meshapi_core.endpoints`. With a type it is
            that with `Parsed` before it, which is called with the stream and the `Output`.
        asked: the name of the function in `structured.parsing` that makes this `Output`, and puts
            its schema into the parameters.
    """

    def __init__(
        self, build: Callable[Concatenate[Any, P], StreamCall[T]], name: str, asked: str
    ) -> None:
        super().__init__(build)
        self._class = name
        self._asked = asked

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self, resource: Union[Resource[Runner], Resource[RawRunner]], owner: type, /
    ) -> F: ...
    @overload
    def __get__(
        self, resource: Union[Resource[AsyncRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> A: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that opens the stream."""
        if resource is None:
            return self
        prefix = "Async" if iscoroutinefunction(resource._runner.run) else ""
        plain: Any = getattr(endpoints, prefix + self._class)
        open_it: Callable[..., Any] = resource._runner.open
        build: Callable[..., Any] = self._build

        def opening_method(*args: Any, **kwargs: Any) -> Any:
            try:
                if _KEYWORD in kwargs and is_type(kwargs[_KEYWORD]):
                    # Imported on first use: most programs pass no type.
                    from meshapi_core.structured import parsing

                    fields, output = getattr(parsing, self._asked)(*args, **kwargs)
                    made: Any = getattr(endpoints, f"{prefix}Parsed{self._class}")
                    return made(open_it(build(None, **fields)), output)
                call = build(None, *args, **kwargs)
            except TypeError as exc:
                explain_arguments(build, args, kwargs, exc)
                raise
            return plain(open_it(call))

        return self._keep(resource, opening_method, plain)


class ParseMethod(Protocol[S_co, A_co, B_co]):
    """What `ParseEndpoint` is to a type checker, for `S` and `A` of the two clients."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> B_co: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> S_co: ...
    @overload
    def __get__(self, resource: Resource[AsyncRunner], owner: type, /) -> A_co: ...


if TYPE_CHECKING:
    _AnyFlow = flow_endpoint[..., Any]
else:
    # Python 3.9 takes no `...` for the parameters of a generic class.
    _AnyFlow = flow_endpoint


class ParseEndpoint(_AnyFlow):
    """A method that asks for a value of a type, and may ask again. It is a `ParseMethod`.

    Args:
        build: makes the flow.
        call: makes one call of the same arguments.
    """

    def __init__(self, build: Callable[..., Any], call: Callable[..., Any]) -> None:
        super().__init__(build)
        self._call = call

    def build(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return one call as a value, whose result has the value in `.parsed`.

        Raises:
            UnsupportedSchemaError, InvalidParamsError: as for the method.
        """
        try:
            return self._call(*args, **kwargs)
        except TypeError as exc:
            explain_arguments(self._build, args, kwargs, exc)
            raise
