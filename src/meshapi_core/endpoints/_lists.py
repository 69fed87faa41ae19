"""How a list that is declared once becomes a method of both clients, exactly typed.

As `_descriptor` does it for an endpoint with a whole response; but the method of an async client
returns an `AsyncList`, which a program awaits or iterates over.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, overload

from typing_extensions import ParamSpec, Self

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import Method, Resource, endpoint
from meshapi_core.protocols import AsyncRawRunner, AsyncRunner, RawRunner, Runner
from meshapi_core.raw_response import RawResponse

if TYPE_CHECKING:
    from meshapi_core.listing import AsyncList

P = ParamSpec("P")
T = TypeVar("T")


class list_endpoint(endpoint[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint that returns a list or a page of one; see `meshapi_core.endpoints`."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Method[P, T, Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Method[P, "AsyncList[T]", Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[RawRunner], owner: type, /
    ) -> Method[P, RawResponse[T], Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRawRunner], owner: type, /
    ) -> Method[P, Coroutine[Any, Any, RawResponse[T]], Call[T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or a function whose result a program can iterate over."""
        if resource is None or getattr(resource._runner, "returns_raw", False):
            return super().__get__(resource, owner)
        from meshapi_core.listing import listing

        bound = listing(resource._runner, self.build, f"{resource._name}.{self._name}")
        return self._keep(resource, bound)
