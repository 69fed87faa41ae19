"""Methods seen by `inspect`, mocks and retry decorators: their parameters, and which are async."""

import asyncio
import gc
import inspect
import sys
import warnings
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Union
from unittest import mock

import pytest

from meshapi import AsyncMeshAPI, ChatCompletionParams, MeshAPI
from meshapi_core.endpoints import Resource
from meshapi_core.endpoints._descriptor import (
    endpoint,
    flow_endpoint,
    stream_endpoint,
)
from meshapi_core.types import ChatCompletionFields

SETTINGS: dict[str, Any] = {"base_url": "http://127.0.0.1:9", "token": "rsk_test_coroutines"}

asks_asyncio = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="asyncio.iscoroutinefunction is deprecated; see inspect's"
)


def groups(holder: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every resource of a client, by the name that a user writes."""
    for name in dir(holder):
        found = getattr(holder, name)
        if isinstance(found, Resource):
            yield f"{path}{name}", found
            yield from groups(found, f"{path}{name}.")


def methods(client: object, *kinds: type) -> dict[str, Any]:
    return {
        f"{path}.{name}": getattr(group, name)
        for path, group in groups(client)
        for name, declared in vars(type(group)).items()
        if isinstance(declared, kinds)
    }


def answering(client: object) -> dict[str, Any]:
    found = methods(client, endpoint, flow_endpoint)
    assert {"chat.completions.create", "rag.upload_file", "api_versions.list"} <= set(found)
    return found


@pytest.fixture(params=["as made", "with options"])
def client(request: pytest.FixtureRequest) -> AsyncMeshAPI:
    made = AsyncMeshAPI(**SETTINGS)
    return made if request.param == "as made" else made.with_options(timeout=5)


def test_each_async_method_is_a_coroutine_function_to_inspect(client: AsyncMeshAPI) -> None:
    for name, method in answering(client).items():
        # Before 3.11, `inspect` believes functions alone, and those of lists are objects.
        if sys.version_info >= (3, 11) or inspect.isfunction(method):
            assert inspect.iscoroutinefunction(method), name
    assert inspect.iscoroutinefunction(client.aclose)
    assert inspect.iscoroutinefunction(client.close)


@asks_asyncio
def test_each_async_method_is_a_coroutine_function_to_asyncio(client: AsyncMeshAPI) -> None:
    for name, method in answering(client).items():
        assert asyncio.iscoroutinefunction(method), name


def test_what_gives_a_stream_is_no_coroutine_function(client: AsyncMeshAPI) -> None:
    for name, method in methods(client, stream_endpoint).items():
        assert not inspect.iscoroutinefunction(method), name


def test_no_blocking_method_is_a_coroutine_function() -> None:
    with MeshAPI(**SETTINGS) as client:
        for name, method in methods(client, endpoint, flow_endpoint, stream_endpoint).items():
            assert not inspect.iscoroutinefunction(method), name


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_signature_names_each_keyword_for_notebooks_to_complete(kind: Any) -> None:
    completions = kind(**SETTINGS).chat.completions
    for method in (completions.create, completions.stream):
        shown = inspect.signature(method)
        first, *others = shown.parameters
        assert first == "params"
        assert sorted(others) == sorted(ChatCompletionFields.__annotations__)
        assert ", *, messages=..., model=..., " in str(shown)
        # As mocks do with the arguments of a call.
        shown.bind(messages=[])
        shown.bind(ChatCompletionParams(messages=[]))
        with pytest.raises(TypeError, match="mesages"):
            shown.bind(mesages=[])


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_every_method_names_the_keywords_that_are_documented(kind: Any) -> None:
    client = kind(**SETTINGS)
    for name, method in methods(client, endpoint, flow_endpoint, stream_endpoint).items():
        shown = inspect.signature(method).parameters
        catching = [each for each in shown.values() if each.kind is each.VAR_KEYWORD]
        assert bool(catching) is (name in UNDOCUMENTED), name
        assert "self" not in shown, name


UNDOCUMENTED = {"usage.query", "usage.events", "usage.spend_trend", "usage.rate_limits"}


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_each_method_goes_by_the_name_that_a_user_writes(
    kind: type[Union[MeshAPI, AsyncMeshAPI]],
) -> None:
    client = kind(**SETTINGS)
    for name, method in methods(client, endpoint, flow_endpoint, stream_endpoint).items():
        assert method.__qualname__ == name
        assert attrgetter(name)(client) is method


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("chat.completions.create", {"messages": []}),
        ("rag.upload_file", {"file_name": "a", "mime_type": "b", "content": b""}),
        ("api_versions.list", {}),
    ],
)
def test_a_call_that_is_never_awaited_is_warned_of_by_its_name(
    client: AsyncMeshAPI, name: str, fields: Any
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        attrgetter(name)(client)(**fields)
        gc.collect()
    assert f"coroutine '{name}' was never awaited" in [str(each.message) for each in seen]


def test_a_specified_mock_can_be_awaited_where_the_client_can(client: AsyncMeshAPI) -> None:
    fake = mock.create_autospec(client, instance=True)
    for name in answering(client):
        assert isinstance(attrgetter(name)(fake), mock.AsyncMock), name
    for name in methods(client, stream_endpoint):
        assert not isinstance(attrgetter(name)(fake), mock.AsyncMock), name
    assert isinstance(fake.aclose, mock.AsyncMock)


def test_no_mock_of_a_blocking_client_must_be_awaited() -> None:
    with MeshAPI(**SETTINGS) as client:
        fake = mock.create_autospec(client, instance=True)
        for name in methods(client, endpoint, flow_endpoint, stream_endpoint):
            assert not isinstance(attrgetter(name)(fake), mock.AsyncMock), name


def test_a_patched_method_can_be_awaited(client: AsyncMeshAPI) -> None:
    async def main() -> None:
        with mock.patch.object(client.chat.completions, "create", return_value="patched"):
            create: Any = client.chat.completions.create
            assert await create(messages=[]) == "patched"
        with mock.patch.object(client.rag, "upload_file", autospec=True) as upload:
            await client.rag.upload_file(file_name="a", mime_type="b", content=b"")
            upload.assert_awaited_once()

    asyncio.run(main())
