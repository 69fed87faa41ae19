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
their responses, and returns the result. It is written once, and each runner drives it in its way.

Three overloads of `__get__` make the types: no instance gives the descriptor itself; a resource
with a blocking runner gives the plain function; one with an async runner gives the coroutine
function. `ParamSpec` carries the parameters over, so hover, completion and go-to-definition lead
to the one declaration. At run time the bound function is made once for each resource object and
put into its `__dict__`, where later look-ups find it first (the descriptor has no `__set__`).
With an async runner it is a real coroutine function: it begins, and refuses what is wrong with its
arguments, when it is awaited.
"""

from collections.abc import Callable, Coroutine, Generator
from functools import cache, update_wrapper
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin, overload

from typing_extensions import Concatenate, ParamSpec, Self, Unpack

from meshapi_core.calls import Call, StreamCall
from meshapi_core.protocols import AsyncRunner, AsyncStream, Flow, Runner, Stream

P = ParamSpec("P")
T = TypeVar("T")
B_co = TypeVar("B_co", covariant=True)
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
        raise TypeError("a resource cannot be copied or pickled: its client holds connections")


class _Declared(Generic[P, B_co]):
    """The function under a decorator, and what it builds."""

    def __init__(self, build: Callable[Concatenate[Any, P], B_co]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> B_co:
        """The call as a value: for a machine of your own, a test or a batch file.

        What a flow needs is only checked by its first step.

        Raises:
            InvalidParamsError: a parameter is missing, unknown, or of the wrong kind.
        """
        try:
            return self._build(None, *args, **kwargs)
        except TypeError as exc:
            _name_fault(self._build, args, kwargs, exc)
            raise


class endpoint(_Declared[P, Call[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint that answers once; see `meshapi_core.endpoints`."""

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


class stream_endpoint(_Declared[P, StreamCall[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares an endpoint that answers with a stream; see `meshapi_core.endpoints`."""

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
            try:
                call = build(None, *args, **kwargs)
            except TypeError as exc:
                _name_fault(build, args, kwargs, exc)
                raise
            return open_stream(call)

        return _keep(resource, self._name, bound, build)


class flow_endpoint(_Declared[P, Flow[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares what takes several calls; see `meshapi_core.endpoints`."""

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
        try:
            call = build(None, *args, **kwargs)
        except TypeError as exc:
            _name_fault(build, args, kwargs, exc)
            raise
        return await run(call)

    def blocks(*args: Any, **kwargs: Any) -> Any:
        try:
            call = build(None, *args, **kwargs)
        except TypeError as exc:
            _name_fault(build, args, kwargs, exc)
            raise
        return run(call)

    return begins if iscoroutinefunction(run) else blocks


def _name_fault(
    build: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: TypeError
) -> None:
    """Raise if a TypeError is of Python's own making: an argument that the method does not take.

    Raises:
        InvalidParamsError: says which, and what was probably meant.
    """
    if type(reason) is TypeError:
        # No call that succeeds needs it.
        from meshapi_core.params.arguments import fault_of_arguments

        fault = fault_of_arguments(build, len(args), [*kwargs])
        if fault is not None:
            raise fault from None


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
        response = get_args(returned)[-1]
        stream: Any = AsyncStream if iscoroutinefunction(runner.run) else Stream
        # A coroutine function is annotated with what it gives when it is awaited.
        returned = stream[response] if get_origin(returned) is StreamCall else response
    parameters = list(declared.parameters.values())[1:]
    keywords = _keywords(build)
    if keywords:
        # In the place of `**fields`, which would tell a notebook no name to complete.
        parameters[-1:] = [each for each in keywords if each.name not in declared.parameters]
    return declared.replace(parameters=parameters, return_annotation=returned)


class _NotGiven:
    """The default of a keyword in a signature, where None may mean something."""

    def __repr__(self) -> str:
        return "..."


_NOT_GIVEN = _NotGiven()


@cache
def _keywords(build: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return the keywords that stand in the TypedDict of a method; none where it has none.

    Without their types, which would make pages of the line that `help()` shows: those are in the
    TypedDict, and what each means is in the class of `params`.
    """
    last = [*signature(build).parameters.values()][-1]
    if last.kind is not Parameter.VAR_KEYWORD or get_origin(last.annotation) is not Unpack:
        return ()
    (fields,) = get_args(last.annotation)
    return tuple(
        Parameter(name, Parameter.KEYWORD_ONLY, default=_NOT_GIVEN)
        for name in fields.__annotations__
    )
