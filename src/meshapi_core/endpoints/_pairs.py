"""How a method that is declared once returns one of a pair of classes with the flow in its hands.

`@stream_endpoint_as` and `@item_flow_endpoint_as` of `_descriptor` wrap what the runner has opened.
The classes here get the runner, and what the function under the decorator has built: a tool run has
the state of its flow, and a conversation begins a flow for each of its turns.
"""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Generic, NoReturn, TypeVar, Union, overload

from typing_extensions import Concatenate, ParamSpec, Self

from meshapi_core.endpoints._descriptor import Declared, Resource, opening
from meshapi_core.protocols import AsyncRawRunner, AsyncRunner, RawRunner, Runner

P = ParamSpec("P")
A = TypeVar("A")
B = TypeVar("B")
S = TypeVar("S")


class MadeAs(Declared[P, B], Generic[P, B, S, A]):
    """What `@made_as` makes of a function."""

    def __init__(
        self,
        build: Callable[Concatenate[Any, P], B],
        blocking: Callable[[], type[S]],
        asynchronous: Callable[[], type[A]],
    ) -> None:
        super().__init__(build)
        self._blocking, self._asynchronous = blocking, asynchronous

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
        if resource is None:
            return self
        runner = resource._runner
        is_async = iscoroutinefunction(runner.run)
        # Asked for now, so that neither class is imported before a program uses it.
        made: Any = self._asynchronous() if is_async else self._blocking()
        bound = opening(partial(made, runner), self._build)
        return self._keep(resource, bound, made)


class made_as(Generic[S, A]):  # noqa: N801 - used as a decorator, named as those are
    """Declares a method that returns one of a pair of classes, for either kind of client.

    Args:
        blocking, asynchronous: return the classes, which are called with the runner and with what
            the function returned.
    """

    def __init__(
        self, blocking: Callable[[], type[S]], asynchronous: Callable[[], type[A]]
    ) -> None:
        self._pair = blocking, asynchronous

    def __call__(self, build: Callable[Concatenate[Any, P], B], /) -> MadeAs[P, B, S, A]:
        """Return the descriptor."""
        return MadeAs(build, *self._pair)
