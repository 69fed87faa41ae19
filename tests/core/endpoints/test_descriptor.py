"""One declaration, the methods of both clients."""

import inspect
from typing import Any

import pytest

from meshapi_core.endpoints import Chat, Completions
from meshapi_core.errors import InvalidParamsError

FIELDS: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


class Recorder:
    """A runner that returns the call itself as the response."""

    def run(self, call: Any, /) -> Any:
        return call

    def open(self, call: Any, /) -> Any:
        return call


class Waiting(Recorder):
    """The same for an event loop."""

    async def run(self, call: Any, /) -> Any:
        return call


def test_an_endpoint_of_a_resource_runs_the_call_that_it_builds():
    chat: Any = Chat(Recorder())
    assert chat.completions.create(**FIELDS) == Completions.create.build(**FIELDS)
    assert chat.completions.stream(**FIELDS) == Completions.stream.build(**FIELDS)


def test_an_endpoint_of_an_async_resource_gives_a_coroutine_and_the_stream_at_once():
    completions: Any = Completions(Waiting())
    coroutine = completions.create(**FIELDS)
    assert inspect.iscoroutine(coroutine)
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert stopped.value.value == Completions.create.build(**FIELDS)
    assert completions.stream(**FIELDS) == Completions.stream.build(**FIELDS)


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
