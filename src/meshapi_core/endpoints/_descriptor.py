"""How an endpoint that is written once becomes a method of both clients, exactly typed.

The package says how to write one; here is how it works. This is the one clever file of the package.
A resource class is generic over its runner:

    class Completions(Resource[R_co]):
        @endpoint
        def create(self, params: ..., /, **fields: ...) -> Call[ChatCompletionResponse]:
            '''Return one completion, whole.'''
            return Call(...)

The function under `@endpoint` builds a `Call`; it does no I/O and never sees a client. What a user
gets by attribute access depends on the runner of the resource, and type checkers see the same:

    Completions[Runner].create(...)        -> ChatCompletionResponse
    Completions[AsyncRunner].create(...)   -> Coroutine[..., ChatCompletionResponse]
    Completions.create.build(...)          -> Call[ChatCompletionResponse]

`@stream_endpoint` does the same for a `StreamCall`, giving `Stream[T]` or `AsyncStream[T]`.

`@flow_endpoint` is for what takes several calls: a generator function that yields calls, gets
their answers, and returns the result. It is written once, and each runner drives it in its way.

Three overloads of `__get__` make the types: no instance gives the descriptor itself; a resource
with a blocking runner gives the plain function; one with an async runner gives the coroutine
function. `ParamSpec` carries the parameters over, so hover, completion and go-to-definition lead
to the one declaration. At run time the bound function is made once for each resource object and
put into its `__dict__`, where later look-ups find it first (the descriptor has no `__set__`).
With an async runner it is a real coroutine function: it begins, and refuses what is wrong with its
arguments, when it is awaited.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import update_wrapper
from inspect import Signature, iscoroutinefunction, signature
from types import TracebackType
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union, get_args, get_origin, overload

from typing_extensions import Concatenate, ParamSpec, Protocol, Self, runtime_checkable

from meshapi_core.bodies import FileSource
from meshapi_core.calls import AnyCall, Call, StreamCall
from meshapi_core.headers import Headers

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Flow = Generator[Union[AnyCall[Any], FileSource], Any, T]
"""Calls that follow from each other: yields each call, is sent its answer (or thrown its error),
and returns the result. Where it yields a `FileSource`, a path is to be looked at: a missing file
shall be noticed before the calls that lead up to its upload."""


@runtime_checkable
class Stream(Protocol[T_co]):
    """The chunks of one streamed answer: an iterator and a context manager.

    The request is sent when the stream is entered or first iterated. Iterating to the end, or
    leaving the `with` block, gives the connection back; so does `close()`. A stream is for one
    thread at a time.
    """

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's id of this request; None until the answer has begun, or without one."""
        ...

    @property
    def headers(self) -> Headers:
        """The answer's header fields; empty until it has begun."""
        ...

    def __iter__(self) -> Iterator[T_co]: ...
    def __next__(self) -> T_co: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    def close(self) -> None:
        """End the stream now, and wake whoever reads it. Harmless twice.

        A loop over it ends; a new one, or a new block, raises RuntimeError.
        """
        ...


@runtime_checkable
class AsyncStream(Protocol[T_co]):
    """The chunks of one streamed answer: an async iterator and an async context manager.

    The request is sent when the stream is entered or first iterated. Iterating to the end, or
    leaving the `async with` block, gives the connection back; so does `aclose()`. A stream is for
    one task at a time.
    """

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's id of this request; None until the answer has begun, or without one."""
        ...

    @property
    def headers(self) -> Headers:
        """The answer's header fields; empty until it has begun."""
        ...

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    async def __anext__(self) -> T_co: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    async def aclose(self) -> None:
        """End the stream now, and wake whoever reads it. Harmless twice.

        A loop over it ends; a new one, or a new block, raises RuntimeError.
        """
        ...

    async def close(self) -> None:
        """The same as `aclose()`, under the name that the blocking stream has."""
        ...


class Runner(Protocol):
    """Runs calls and blocks until they are done."""

    def run(self, call: AnyCall[T], /) -> T:
        """The call's answer."""
        ...

    def run_flow(self, flow: Flow[T], /) -> T:
        """The flow's result, each of its calls run in turn."""
        ...

    def open(self, call: StreamCall[T], /) -> Stream[T]:
        """The call's stream; nothing is sent yet."""
        ...


class AsyncRunner(Protocol):
    """Runs calls on an event loop."""

    async def run(self, call: AnyCall[T], /) -> T:
        """The call's answer."""
        ...

    async def run_flow(self, flow: Flow[T], /) -> T:
        """The flow's result, each of its calls run in turn."""
        ...

    def open(self, call: StreamCall[T], /) -> AsyncStream[T]:
        """The call's stream; nothing is sent yet."""
        ...


R_co = TypeVar("R_co", bound=Union[Runner, AsyncRunner], covariant=True)


class Resource(Generic[R_co]):
    """A group of endpoints; made by a client, for its runner."""

    _name: ClassVar[str] = ""
    """Where a client has it, such as "chat.completions"; the name of the class if not said."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_name" not in vars(cls):
            cls._name = cls.__name__.lower()

    def __init__(self, runner: R_co) -> None:
        self._runner = runner

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError("a resource cannot be pickled or copied: its client holds connections")


class endpoint(Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint that answers once; see `meshapi_core.endpoints`."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """The call as a value, for an `Exchange` of your own, a test or a batch file.

        Raises:
            InvalidParamsError: a parameter is missing, unknown, or of the wrong kind.
        """
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """This descriptor, the blocking function, or the coroutine function."""
        if resource is None:
            return self
        bound = _runs(resource._runner.run, self._build)
        return _keep(resource, self._name, bound, self._build)


class stream_endpoint(Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint that answers with a stream; see `meshapi_core.endpoints`."""

    def __init__(self, build: Callable[Concatenate[Any, P], StreamCall[T]]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> StreamCall[T]:
        """The call as a value, for an `Exchange` of your own or a test.

        Raises:
            InvalidParamsError: a parameter is missing, unknown, or of the wrong kind.
        """
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Callable[P, AsyncStream[T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """This descriptor, or the function that returns the stream."""
        if resource is None:
            return self
        build, open_stream = self._build, resource._runner.open

        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return open_stream(build(None, *args, **kwargs))

        return _keep(resource, self._name, bound, build)


class flow_endpoint(Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares what takes several calls; see `meshapi_core.endpoints`."""

    def __init__(self, build: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        """The flow, for `Exchange`s of your own or a test; nothing is checked before its start.

        Raises:
            InvalidParamsError: by its first step: a parameter is missing, unknown, or of the
                wrong kind.
        """
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """This descriptor, the blocking function, or the coroutine function."""
        if resource is None:
            return self
        bound = _runs(resource._runner.run_flow, self._build)
        return _keep(resource, self._name, bound, self._build)


def _runs(run: Callable[..., Any], build: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that builds a call and runs it: a coroutine function where `run` is one.

    Retries and mocks look whether it is (`inspect.iscoroutinefunction`), and treat it so.
    """

    async def begins(*args: Any, **kwargs: Any) -> Any:
        return await run(build(None, *args, **kwargs))

    def blocks(*args: Any, **kwargs: Any) -> Any:
        return run(build(None, *args, **kwargs))

    return begins if iscoroutinefunction(run) else blocks


def _keep(resource: Any, name: str, bound: Callable[..., Any], build: Callable[..., Any]) -> Any:
    update_wrapper(bound, build)
    # Python calls a coroutine by it that is never awaited.
    bound.__qualname__ = f"{resource._name}.{name}"
    vars(bound)["__signature__"] = _signature(build, resource._runner)
    vars(resource)[name] = bound
    return bound


def _signature(build: Callable[..., Any], runner: Any) -> Signature:
    """What `help()` and mocks shall see: no `self`, and what the bound function returns."""
    declared = signature(build)
    returned: Any = declared.return_annotation
    if get_origin(returned) in (Call, StreamCall, Generator):
        answer = get_args(returned)[-1]
        stream: Any = AsyncStream if iscoroutinefunction(runner.run) else Stream
        # A coroutine function is annotated with what it gives when it is awaited.
        returned = stream[answer] if get_origin(returned) is StreamCall else answer
    parameters = list(declared.parameters.values())[1:]
    return declared.replace(parameters=parameters, return_annotation=returned)
