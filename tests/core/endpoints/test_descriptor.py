"""One declaration, the methods of both clients."""

import inspect
from typing import Any

import pytest

from meshapi_core.endpoints import (
    Chat,
    Completions,
    Embeddings,
    ItemFlow,
    R_co,
    Resource,
    StreamCall,
    item_flow_endpoint_as,
    stream_endpoint_as,
)
from meshapi_core.errors import InvalidParamsError

FIELDS: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


class Recorder:
    """A runner that returns the call itself as the response."""

    def run(self, call: Any, /) -> Any:
        return call

    def open(self, call: Any, /) -> Any:
        return call

    def open_flow(self, flow: Any, /) -> Any:
        return flow


class Waiting(Recorder):
    """The same for an event loop."""

    async def run(self, call: Any, /) -> Any:
        return call


def test_an_endpoint_of_a_resource_runs_the_call_that_it_builds():
    chat: Any = Chat(Recorder())
    assert chat.completions.create(**FIELDS) == Completions.create.build(**FIELDS)
    assert chat.completions.stream(**FIELDS)._stream == Completions.stream.build(**FIELDS)


def test_an_endpoint_of_an_async_resource_gives_a_coroutine_and_the_stream_at_once():
    completions: Any = Completions(Waiting())
    coroutine = completions.create(**FIELDS)
    assert inspect.iscoroutine(coroutine)
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert stopped.value.value == Completions.create.build(**FIELDS)
    assert completions.stream(**FIELDS)._stream == Completions.stream.build(**FIELDS)


def test_wrong_parameters_are_refused_when_it_is_called():
    blocking: Any = Completions(Recorder())
    waiting: Any = Completions(Waiting())
    for method in (blocking.create, blocking.stream, waiting.stream):
        with pytest.raises(InvalidParamsError, match="modle"):
            method(**FIELDS, modle="auto")


def test_a_coroutine_function_refuses_wrong_parameters_when_it_is_awaited():
    completions: Any = Completions(Waiting())
    coroutine = completions.create(**FIELDS, modle="auto")
    with pytest.raises(InvalidParamsError, match="modle"):
        coroutine.send(None)


def test_a_bound_endpoint_is_made_once_and_looks_like_its_declaration():
    completions: Any = Completions(Recorder())
    assert completions.create is completions.create
    assert completions.create.__name__ == "create"
    assert completions.create.__doc__ == Completions.create.__doc__
    assert completions.stream.__doc__.startswith("Return one completion as a stream")
    assert repr(completions) == "<Completions>"


def test_two_resources_do_not_share_their_endpoints():
    class Other(Recorder):
        def run(self, call: Any, /) -> Any:
            return "other"

    first: Any = Completions(Recorder())
    second: Any = Completions(Other())
    assert first.create(**FIELDS) != second.create(**FIELDS) == "other"


class Wrapper:
    def __init__(self, opened: Any) -> None:
        self.opened = opened


class AsyncWrapper(Wrapper):
    pass


class Pairs(Resource[R_co]):
    @stream_endpoint_as(lambda: Wrapper, lambda: AsyncWrapper)
    def stream(self, model: str) -> StreamCall[Any]:
        """Return a wrapped stream."""
        return Completions.stream.build(model=model, messages=[])

    @item_flow_endpoint_as(lambda: Wrapper, lambda: AsyncWrapper)
    def items(self, model: str) -> ItemFlow[str, None]:
        """Return a wrapped flow."""
        yield from ()


@pytest.mark.parametrize(("runner", "kind"), [(Recorder(), Wrapper), (Waiting(), AsyncWrapper)])
def test_an_endpoint_of_a_pair_returns_the_class_of_its_flavour(runner: Any, kind: type) -> None:
    pairs: Any = Pairs(runner)
    stream = pairs.stream("auto")
    assert type(stream) is kind
    assert stream.opened == Pairs.stream.build("auto")
    items = pairs.items("auto")
    assert type(items) is kind
    assert inspect.isgenerator(items.opened)
    for method in (pairs.stream, pairs.items):
        assert inspect.signature(method).return_annotation is kind
        assert [*inspect.signature(method).parameters] == ["model"]
        assert not inspect.iscoroutinefunction(method)
        with pytest.raises(InvalidParamsError, match="modle"):
            method(modle="auto")


def test_a_class_of_a_pair_is_looked_up_when_the_endpoint_is() -> None:
    def missing() -> type[Wrapper]:
        raise AssertionError("the other flavour is not needed")

    class Lazy(Resource[R_co]):
        @stream_endpoint_as(missing, lambda: AsyncWrapper)
        def stream(self) -> StreamCall[Any]:
            raise AssertionError("not called")

    lazy: Any = Lazy(Waiting())
    assert callable(lazy.stream)


@pytest.mark.parametrize("name", ["create", "stream", "parse"])
def test_a_method_called_on_the_class_is_refused_with_what_to_write(name: str):
    declared: Any = getattr(Completions, name)
    with pytest.raises(TypeError) as caught:
        declared(**FIELDS)
    said = str(caught.value)
    assert f"Completions.{name}: called on the class" in said
    assert f"to make the call, write client.chat.completions.{name}(...)" in said
    assert ("for client.map, write Completions.create.build(...)" in said) is (name == "create")


def test_a_resource_without_a_name_of_its_own_is_named_as_its_class_is():
    declared: Any = Embeddings.create
    with pytest.raises(TypeError, match=r"write client\.embeddings\.create\(\.\.\.\)"):
        declared(**FIELDS)
