"""How an endpoint that is written once becomes a method of both clients, exactly typed.

The docstring of the package says how to write an endpoint; this one says how it works. It is the
one clever file of the package.

A resource class is generic over its runner. The function under `@endpoint` builds a `Call`; it does
no I/O and never sees a client:

    class Completions(Resource[R_co]):
        @endpoint
        def create(self, params: ..., /, **fields: ...) -> Call[ChatCompletionResponse]:
            '''Return one completion, whole.'''
            return Call(...)

What `create` is depends on where it is looked up, and type checkers see what Python does:

    Completions.create.build(...)        Call[ChatCompletionResponse]
    Completions(runner).create(...)      ChatCompletionResponse, where `runner` is a `Runner`
    Completions(runner).create(...)      a coroutine that returns one, where it is an `AsyncRunner`
    Completions(runner).create(...)      RawResponse[ChatCompletionResponse], where it is a
                                         `RawRunner`, and so on
    Completions(runner).create.build     `build` of the class, whatever the runner

`@stream_endpoint` does the same for a `StreamCall`, and returns a `Stream` or an `AsyncStream`.
`@flow_endpoint` is for a generator function that makes several calls: see `meshapi_core.flows`.
`@item_flow_endpoint` is for one that also hands over items on its way, and returns an `ItemStream`
or an `AsyncItemStream`. `@stream_endpoint_as` and `@item_flow_endpoint_as` return one of a pair of
classes instead, made from that stream; the functions that they take return the two classes.

The types: each decorator is a generic descriptor. Its `__init__` takes the function as
`Callable[Concatenate[Any, P], ...]`, which drops `self` and captures the parameters in `P`. The
overloads of its `__get__` return them again: looked up on the class (`resource` is None), the
descriptor itself; on a `Resource[Runner]`, a function that returns the response; on a
`Resource[AsyncRunner]`, one that returns a coroutine; on those of a `RawRunner` and an
`AsyncRawRunner`, the same with a `RawResponse`. `Method` is such a function that has `build`. So
hover, completion and "go to definition" lead to the one declaration.

At run time:

1. The first look-up on a resource calls `__get__`, which makes the bound function and stores it in
   the `__dict__` of the resource. A descriptor without `__set__` comes after the instance's
   `__dict__`, so every later look-up finds the function there, at the price of a plain attribute.
2. The bound function calls the declared one with None for `self`, and passes the `Call` to the
   runner. With an async runner it is a real coroutine function, which builds the call, and so
   refuses wrong arguments, when it is awaited. A stream is opened by a plain function in every
   flavour, and refuses them at once.
3. If Python itself refuses the arguments, its TypeError is replaced by an `InvalidParamsError`: a
   TypeError, too, which says what was probably meant.
4. The bound function has the name and the docstring of the declared one, and a `__signature__` that
   lists the keywords behind `**fields`: for `help()`, notebooks and mocks.
"""

from collections.abc import Callable, Coroutine
from functools import update_wrapper
from inspect import iscoroutinefunction
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NoReturn,
    Optional,
    Protocol,
    TypeVar,
    Union,
    overload,
)

from typing_extensions import Concatenate, ParamSpec, Self

from meshapi_core.calls import Call, StreamCall
from meshapi_core.flows.steps import Flow, ItemFlow
from meshapi_core.protocols import (
    AsyncItemStream,
    AsyncRawRunner,
    AsyncRunner,
    AsyncStream,
    ItemStream,
    RawRunner,
    Runner,
    Stream,
)
from meshapi_core.raw_response import RawResponse

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
B_co = TypeVar("B_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", bound=Union[Runner, AsyncRunner, RawRunner, AsyncRawRunner], covariant=True)


class Method(Protocol[P, T_co, B_co]):
    """A method of a client, as type checkers see it: a function that also builds its call."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    def build(self, *args: P.args, **kwargs: P.kwargs) -> B_co:
        """Return the call as a value, without making it. See `Declared.build`."""
        ...


class Resource(Generic[R_co]):
    """A group of endpoints, whose calls the runner makes: `client.embeddings` is one."""

    _name: ClassVar[str] = ""
    """The attribute of a client that holds it, such as "chat.completions".

    By default the name of the class in lower case.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_name" not in vars(cls):
            cls._name = cls.__name__.lower()

    def __init__(self, runner: R_co) -> None:
        self._runner = runner

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError("a resource cannot be copied or pickled: its client holds connections")


class Declared(Generic[P, B_co]):
    """What the decorators share: the function under them, and `build`."""

    def __init__(self, build: Callable[Concatenate[Any, P], B_co]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: Any, name: str) -> None:
        self._owner = owner

    if not TYPE_CHECKING:
        # Hidden from type checkers, which report the mistake only while it is missing.
        def __call__(self, *args: object, **kwargs: object) -> NoReturn:
            method, name = self._build.__qualname__, f"{self._owner._name}.{self._name}"
            said = f"{method}: called on the class; to make the call, write client.{name}(...)"
            if isinstance(self, endpoint):
                said += f"; to have it as a value, for client.map, write {method}.build(...)"
            raise TypeError(said)

    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> B_co:
        """Return the call as a value, without making it: for a machine, a test or a batch file.

        A flow checks its parameters only when its first step runs.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid.
        """
        try:
            return self._build(None, *args, **kwargs)
        except TypeError as exc:
            explain_arguments(self._build, args, kwargs, exc)
            raise

    def _keep(self, resource: Any, bound: Callable[..., Any], returned: Any = None) -> Any:
        vars(bound)["build"] = self.build
        return store(resource, self._name, bound, self._build, returned)


class endpoint(Declared[P, Call[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint with a whole response; see `meshapi_core.endpoints`."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Method[P, T, Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Method[P, Coroutine[Any, Any, T], Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[RawRunner], owner: type, /
    ) -> Method[P, RawResponse[T], Call[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRawRunner], owner: type, /
    ) -> Method[P, Coroutine[Any, Any, RawResponse[T]], Call[T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, the blocking function or the coroutine function."""
        if resource is None:
            return self
        bound = _bound(resource._runner.run, self._build)
        return self._keep(resource, bound)


class stream_endpoint(Declared[P, StreamCall[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint whose response is a stream; see `meshapi_core.endpoints`."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self, resource: Union[Resource[Runner], Resource[RawRunner]], owner: type, /
    ) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(
        self, resource: Union[Resource[AsyncRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> Callable[P, AsyncStream[T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that opens the stream."""
        if resource is None:
            return self
        bound = opening(resource._runner.open, self._build)
        return self._keep(resource, bound)


class flow_endpoint(Declared[P, Flow[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares a method that makes several calls; see `meshapi_core.endpoints`."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, resource: Resource[RawRunner], owner: type, /) -> Callable[P, NoReturn]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRawRunner], owner: type, /
    ) -> Callable[P, Coroutine[Any, Any, NoReturn]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, the blocking function or the coroutine function."""
        if resource is None:
            return self
        bound = _bound(resource._runner.run_flow, self._build)
        return self._keep(resource, bound)


class item_flow_endpoint(Declared[P, ItemFlow[T, R]], Generic[P, T, R]):  # noqa: N801 - used as a decorator, named as those are
    """Declares a flow whose items a program iterates over; see `meshapi_core.endpoints`."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self, resource: Resource[Runner], owner: type, /
    ) -> Callable[P, ItemStream[T, R]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Callable[P, AsyncItemStream[T, R]]: ...
    @overload
    def __get__(
        self, resource: Union[Resource[RawRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> Callable[P, NoReturn]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that begins the flow."""
        if resource is None:
            return self
        bound = opening(resource._runner.open_flow, self._build)
        return self._keep(resource, bound)


class OpenedAs(Declared[P, B_co], Generic[P, B_co, S, A]):
    """What the descriptors for pairs of classes share."""

    _opens: ClassVar[str]

    def __init__(
        self,
        build: Callable[Concatenate[Any, P], B_co],
        blocking: Callable[[], type[S]],
        asynchronous: Callable[[], type[A]],
    ) -> None:
        super().__init__(build)
        self._blocking, self._asynchronous = blocking, asynchronous

    def _bind(self, resource: Any) -> Any:
        runner = resource._runner
        is_async = iscoroutinefunction(runner.run)
        # Asked for now, so that neither class is imported before a program uses it.
        made: Any = self._asynchronous() if is_async else self._blocking()
        return self._keep(resource, self._bound(runner, made), made)

    def _bound(self, runner: Any, made: Any) -> Callable[..., Any]:
        return opening(getattr(runner, self._opens), self._build, made)


class StreamEndpointAs(OpenedAs[P, StreamCall[T], S, A], Generic[P, T, S, A]):
    """What `@stream_endpoint_as` makes of a function."""

    _opens = "open"

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self, resource: Union[Resource[Runner], Resource[RawRunner]], owner: type, /
    ) -> Callable[P, S]: ...
    @overload
    def __get__(
        self, resource: Union[Resource[AsyncRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> Callable[P, A]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that opens the stream."""
        return self if resource is None else self._bind(resource)


class ItemFlowEndpointAs(OpenedAs[P, ItemFlow[T, R], S, A], Generic[P, T, R, S, A]):
    """What `@item_flow_endpoint_as` makes of a generator function."""

    _opens = "open_flow"

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
        """Return this descriptor, or the function that begins the flow."""
        return self if resource is None else self._bind(resource)


class Pair(Generic[S, A]):
    """A pair of classes, given as functions that return them."""

    def __init__(
        self, blocking: Callable[[], type[S]], asynchronous: Callable[[], type[A]]
    ) -> None:
        self._pair = blocking, asynchronous


class stream_endpoint_as(Pair[S, A]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint whose stream a class wraps: one of a pair, for either kind of client.

    Args:
        blocking, asynchronous: return the classes, which are called with the `Stream` or the
            `AsyncStream`.
    """

    def __call__(
        self, build: Callable[Concatenate[Any, P], StreamCall[T]], /
    ) -> StreamEndpointAs[P, T, S, A]:
        """Return the descriptor."""
        return StreamEndpointAs(build, *self._pair)


class item_flow_endpoint_as(Pair[S, A]):  # noqa: N801 - as above
    """Declares a flow whose items a class wraps: one of a pair, for either kind of client.

    Args:
        blocking, asynchronous: return the classes, which are called with the `ItemStream` or the
            `AsyncItemStream`.
    """

    def __call__(
        self, build: Callable[Concatenate[Any, P], ItemFlow[T, R]], /
    ) -> ItemFlowEndpointAs[P, T, R, S, A]:
        """Return the descriptor."""
        return ItemFlowEndpointAs(build, *self._pair)


def opening(
    open_it: Callable[..., Any],
    build: Callable[..., Any],
    made: Optional[Callable[[Any], Any]] = None,
) -> Callable[..., Any]:
    """Return the function that builds a call or a flow and opens it; a plain one in any flavour."""

    def opening_method(*args: Any, **kwargs: Any) -> Any:
        try:
            call = build(None, *args, **kwargs)
        except TypeError as exc:
            explain_arguments(build, args, kwargs, exc)
            raise
        return open_it(call) if made is None else made(open_it(call))

    return opening_method


def _bound(run: Callable[..., Any], build: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that builds a call and runs it: a coroutine function where `run` is one.

    A plain function that returns a coroutine would not do: libraries for retries and mocks ask
    `inspect.iscoroutinefunction`.
    """

    async def async_method(*args: Any, **kwargs: Any) -> Any:
        try:
            call = build(None, *args, **kwargs)
        except TypeError as exc:
            explain_arguments(build, args, kwargs, exc)
            raise
        return await run(call)

    def blocking_method(*args: Any, **kwargs: Any) -> Any:
        try:
            call = build(None, *args, **kwargs)
        except TypeError as exc:
            explain_arguments(build, args, kwargs, exc)
            raise
        return run(call)

    return async_method if iscoroutinefunction(run) else blocking_method


def explain_arguments(
    build: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: TypeError
) -> None:
    """Raise if Python raised the TypeError, because of an argument that the method does not take.

    Raises:
        InvalidParamsError: names the argument, and says what was probably meant.
    """
    if type(reason) is TypeError:
        # Imported here, as no call that succeeds needs it.
        from meshapi_core.params.arguments import fault_of_arguments

        fault = fault_of_arguments(build, len(args), [*kwargs])
        if fault is not None:
            raise fault from None


def store(
    resource: Any,
    name: str,
    bound: Callable[..., Any],
    build: Callable[..., Any],
    returned: Any = None,
) -> Any:
    """Return the bound function, stored where the next look-up finds it."""
    update_wrapper(bound, build)
    # "coroutine 'chat.completions.create' was never awaited" is Python's warning, with this name.
    bound.__qualname__ = f"{resource._name}.{name}"
    # Imported here, as most endpoints of a program are never used.
    from meshapi_core.endpoints._signatures import signature_of

    vars(bound)["__signature__"] = signature_of(build, resource._runner, returned)
    vars(resource)[name] = bound
    return bound
