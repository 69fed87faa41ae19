"""Runs in which something fails that is not the gateway's response, on every flavour."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshapi import APIConnectionError, MeshAPIError
from meshapi.testing import LocalGateway
from meshapi_core import Call
from meshapi_core.endpoints import Audio, Completions
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_failures"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def ask(question: str) -> Call[Any]:
    messages = [{"role": "user", "content": question}]
    return Completions.create.build(model="openai/gpt-4o-mini", messages=messages, max_tokens=5)


def with_files(folder: Path) -> list[Call[Any]]:
    """A call whose file exists, one whose file does not, a folder, and a call without a file."""
    there = folder / "audio.wav"
    there.write_bytes(b"RIFF" + bytes(60))
    files = [there, str(folder / "none.wav"), folder]
    return [
        *(Audio.transcribe.build(file, model="openai/whisper-1") for file in files),
        ask("Hello"),
    ]


@on_every_flavour
@pytest.mark.parametrize("recorded", [False, True])
async def test_a_file_that_cannot_be_opened_is_the_error_of_its_call(
    world: World, gateway: LocalGateway, tmp_path: Path, recorded: bool
) -> None:
    calls = with_files(tmp_path)
    options: Any = {"journal": tmp_path / "run.jsonl"} if recorded else {}
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(calls, order="input", **options))
        items = [item async for item in run]
        assert [item.error is None for item in items] == [True, False, False, True]
        for item, path in zip(items[1:3], [tmp_path / "none.wav", tmp_path]):
            assert type(item.error) is MeshAPIError
            assert item.error.error_code == "source_unreadable"
            assert isinstance(item.error.__cause__, OSError)
            assert str(path) in item.error.message
            assert (item.attempts, item.usage.requests) == (0, 0)
        assert run.summary().stopped == "completed"
        # Once they are there, they are sent.
        (tmp_path / "none.wav").write_bytes(b"RIFF" + bytes(9))
        run = world.dress(client.map(calls[:2], order="input", **options))
        assert [item.recorded async for item in run] == [recorded, False]


@on_every_flavour
async def test_such_an_error_can_be_raised_or_left_out(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    calls = with_files(tmp_path)
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(calls, on_error="skip"))
        assert {item.index async for item in run} == {0, 3}
        run = world.dress(client.map(calls, on_error="raise"))
        with pytest.raises(MeshAPIError, match="could not be opened") as caught:
            await run.until_done()
        assert isinstance(caught.value.__cause__, OSError)
        assert run.stopped == "error"


@on_every_flavour
@pytest.mark.parametrize("error", [LookupError("a bug"), FileNotFoundError(2, "gone", "token")])
async def test_what_middleware_raises_ends_the_run_as_it_is(
    world: World, gateway: LocalGateway, tmp_path: Path, error: Exception
) -> None:
    """A mistake in the program: every call would meet it."""

    @world.middleware
    async def fail(request: Any, call_next: Any) -> Any:
        if request.url.endswith("/transcriptions"):
            raise error
        return await call_next(request)

    calls = [ask("Hello"), *with_files(tmp_path)[:1], *[ask("Hi")] * 1000]
    async with world.client(gateway.url, token=TOKEN, middleware=[fail]) as client:
        run = world.dress(client.map(calls, on_error="skip", concurrency=2))
        items = []
        with pytest.raises(type(error)) as caught:
            async for item in run:
                items.append(item)
        assert caught.value is error
        # Those under way are handed over.
        assert items
        assert len(items) < 1000


@on_every_flavour
async def test_a_gateway_that_is_not_there_is_not_asked_by_every_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshapi_core.bulk.pacing.outages._SHORTEST_WAIT", 0.001)
    with LocalGateway(token=TOKEN) as stopped:
        url = stopped.url
    async with world.client(url, token=TOKEN) as client:
        run = world.dress(client.map(ask(str(number)) for number in range(100_000)))
        with pytest.raises(APIConnectionError, match="the gateway could not be reached for"):
            await run.until_done()
        assert run.summary().calls < 10
        assert run.stopped == "error"
