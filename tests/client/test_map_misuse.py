"""Programs that use a run in ways that it is not made for: no result is lost or looks complete."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshapi import (
    AsyncMeshAPI,
    AuthenticationError,
    Budget,
    InvalidParamsError,
    JournalError,
    MeshAPI,
    Progress,
    StreamUsageError,
)
from meshapi.testing import LocalGateway
from meshapi_core import Call
from meshapi_core.endpoints import Completions
from support.flavours import World, on_every_flavour

TOKEN = "rsk_test_misuse"
MODEL = "openai/gpt-4o-mini"
SAVE = ["to_jsonl", "to_parquet"]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def ask(question: str) -> Call[Any]:
    messages = [{"role": "user", "content": question}]
    return Completions.create.build(model=MODEL, messages=messages, max_tokens=5)


def asks(count: int) -> list[Call[Any]]:
    return [ask(str(number)) for number in range(count)]


@on_every_flavour
async def test_a_run_that_raised_did_not_stop_because_it_was_cancelled(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(asks(2), journal=tmp_path / "none" / "run.jsonl"))
        with pytest.raises(JournalError):
            await run.until_done()
        assert run.stopped == run.summary().stopped == "error"
        run = world.dress(client.map(asks(2), on_progress=fail))
        with pytest.raises(ZeroDivisionError):
            await run.until_done()
        assert run.stopped == "error"


@pytest.mark.parametrize("save", SAVE)
@on_every_flavour
async def test_a_run_that_has_ended_writes_no_empty_file(
    world: World, gateway: LocalGateway, tmp_path: Path, save: str
) -> None:
    path = tmp_path / "out"
    path.write_text("of the last run")
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(asks(2)))
        await run.until_done()
        with pytest.raises(StreamUsageError, match="ended or was closed"):
            await getattr(run, save)(path)
    assert path.read_text() == "of the last run"


@pytest.mark.parametrize("save", SAVE)
@on_every_flavour
async def test_a_run_that_is_closed_while_it_is_saved_leaves_no_file(
    world: World, gateway: LocalGateway, tmp_path: Path, save: str
) -> None:
    if save == "to_parquet":
        pytest.importorskip("pyarrow")

    def close(progress: Progress) -> Any:
        # A place in the program that does not know of the file.
        return runs[0].close() if world.name == "sync" else runs[0].aclose()

    async with world.client(gateway.url, token=TOKEN) as client:
        runs = [client.map(asks(20), concurrency=2, on_progress=close)]
        run = world.dress(runs[0])
        with pytest.raises(StreamUsageError, match="closed before its end"):
            await getattr(run, save)(tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 5}, "write client.with_options(timeout=...).map(...)"),
        ({"max_retries": 5}, "write client.with_options(max_retries=...).map(...)"),
        ({"retries": 5}, "write client.with_options(max_retries=...).map(...)"),
        *(
            ({name: 5}, "no such parameter; write concurrency=...")
            for name in ("n_jobs", "max_workers", "workers", "batch_size", "num_threads")
        ),
        ({"rpm": 5}, "write rate_limit=PerMinute(requests=...)"),
        ({"tpm": 5}, "write rate_limit=PerMinute(tokens=...)"),
        ({"max_cost": 5}, "write budget=Budget(cost_usd=...)"),
        ({"callback": print}, "the loop over the run has the results, and on_progress=..."),
        ({"verbose": True}, "no such parameter; write progress=True"),
        ({"via": "batch", "concurrency": 5}, 'given together with via="batch"; leave it out'),
        ({"via": "batch", "rate_limit": None}, 'given together with via="batch"; leave it out'),
    ],
)
def test_an_option_that_has_no_place_says_what_to_write(options: dict[str, Any], said: str) -> None:
    with MeshAPI(token=TOKEN) as client, pytest.raises(InvalidParamsError) as caught:
        client.map([ask("never sent")], **options)
    assert said in str(caught.value)


@pytest.mark.parametrize("save", SAVE)
@on_every_flavour
async def test_results_do_not_replace_the_journal(
    world: World, gateway: LocalGateway, tmp_path: Path, save: str
) -> None:
    journal = tmp_path / "run.jsonl"
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(asks(2), journal=journal))
        with pytest.raises(InvalidParamsError, match="another file than the journal"):
            await getattr(run, save)(str(journal))
        await run.until_done()
        again = world.dress(client.map(asks(2), journal=journal))
        assert (await again.until_done()).recorded == 2


@on_every_flavour
async def test_ids_that_are_no_custom_ids_have_their_results_from_batches(
    world: World, gateway: LocalGateway
) -> None:
    # The same one twice, one as the run itself gives, and one that a gateway would refuse.
    ids = ["same", "same", "call-3", "line\nbreak", "long" * 100]
    calls = [(name, ask(f"{place}?")) for place, name in enumerate(ids)]
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map([*calls, ask("5?")], via="batch"))
        items = [item async for item in run]
    assert sorted((item.index, item.id) for item in items) == [
        *enumerate(ids),
        (5, "call-5"),
    ]
    for item in items:
        assert f"{item.index}?" in item.result().choices[0].message.content


@on_every_flavour
async def test_a_run_that_is_closed_from_elsewhere_was_cancelled(
    world: World, gateway: LocalGateway
) -> None:
    async def close() -> None:
        await world.until(lambda: runs[0].summary().calls)
        await world.dress(runs[0]).close() if world.name == "sync" else await runs[0].aclose()

    async def iterate() -> None:
        async for _ in world.dress(runs[0]):
            pass

    def endless() -> Iterator[Call[Any]]:
        while True:
            yield ask("again")

    async with world.client(gateway.url, token=TOKEN) as client:
        runs = [client.map(endless(), concurrency=2)]
        outcomes = await world.together(iterate, close)
    assert outcomes == [None, None]
    assert runs[0].stopped == runs[0].summary().stopped == "cancelled"


@on_every_flavour
async def test_a_run_that_ends_does_not_wait_for_its_source(
    world: World, gateway: LocalGateway
) -> None:
    async def calls() -> AsyncIterator[Call[Any]]:
        yield ask("the only one for a long time")
        await world.sleep(3600)

    if world.name == "sync":
        return  # it has no async iterables
    async with world.client(gateway.url, token="rsk_test_wrong") as client:
        with pytest.raises(AuthenticationError):
            await client.map(calls()).until_done()


@on_every_flavour
async def test_a_budget_of_seconds_does_not_wait_for_the_source(
    world: World, gateway: LocalGateway
) -> None:
    async def calls() -> AsyncIterator[Call[Any]]:
        yield ask("the only one for a long time")
        await world.sleep(3600)

    if world.name == "sync":
        return  # it has no async iterables
    async with world.client(gateway.url, token=TOKEN) as client:
        run = client.map(calls(), budget=Budget(seconds=0.1))
        assert (await run.until_done()).limit == "seconds"


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize(
    ("method", "given", "options", "said"),
    [
        ("map", ([], ask), {}, "positional arguments: expected at most 1 (calls), got 2; write"),
        ("map", ([], ask), {}, "write template=..."),
        ("map", (), {}, "calls: expected a value, got nothing; write calls=..."),
        ("map", (), {"rows": []}, "rows: no such parameter; did you mean calls?"),
        ("estimate", ([], ask), {}, "got 2; write template=..."),
        ("estimate", ([],), {"journal": "x"}, "journal: no such parameter"),
        ("track_usage", (5,), {}, "positional arguments: expected none, got 1; write budget=..."),
        ("track_usage", (), {"bugdet": 5}, "bugdet: no such parameter; did you mean budget?"),
        ("settings", (5,), {}, "positional arguments: expected none, got 1; write token_variable"),
        ("from_settings", (), {}, "settings: expected a value, got nothing"),
        ("from_config", (), {}, "config: expected a value, got nothing"),
        ("download", ("u",), {}, "path: expected a value, got nothing; write path=..."),
    ],
)
def test_wrong_arguments_of_a_client_name_no_base_class(
    kind: Any, method: str, given: tuple[Any, ...], options: dict[str, Any], said: str
) -> None:
    client = kind(token=TOKEN)
    with pytest.raises(InvalidParamsError) as caught:
        returned = getattr(client, method)(*given, **options)
        if inspect.iscoroutine(returned):
            returned.send(None)
    assert said in str(caught.value)
    assert "Client" not in str(caught.value)
    assert inspect.iscoroutinefunction(client.estimate) is (kind is AsyncMeshAPI)


def test_what_the_input_raises_is_not_explained() -> None:
    class Rows:
        def __iter__(self) -> Any:
            raise TypeError("of the program")

    with MeshAPI(token=TOKEN) as client, pytest.raises(TypeError, match=r"^of the program$"):
        client.map(Rows())


@on_every_flavour
async def test_a_run_that_has_ended_has_no_second_loop(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url, token=TOKEN) as client:
        run = world.dress(client.map(asks(2)))
        assert len([item async for item in run]) == 2
        with pytest.raises(StreamUsageError, match="cannot be iterated again"):
            async for _ in run:
                pass


def test_a_run_on_an_event_loop_is_not_awaited() -> None:
    async def main() -> None:
        await AsyncMeshAPI(token=TOKEN).map(asks(1))  # type: ignore[misc]

    with pytest.raises(TypeError, match="use `async for item in run`"):
        asyncio.run(main())


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize("method", ["run", "submit"])
@pytest.mark.parametrize("option", ["template", "journal", "rate_limit", "concurrency"])
def test_options_of_map_are_named_where_batches_do_not_have_them(
    kind: Any, method: str, option: str
) -> None:
    batches: Any = kind(token=TOKEN).batches
    with pytest.raises(InvalidParamsError, match=r'client\.map.* with via="batch"'):
        returned = getattr(batches, method)(asks(1), **{option: None})
        returned.send(None)


class Table:
    """What a DataFrame is to this library."""

    columns = ("text",)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


@pytest.mark.parametrize("method", ["run", "submit"])
def test_a_table_is_not_a_batch(method: str) -> None:
    with MeshAPI(token=TOKEN) as client, pytest.raises(InvalidParamsError) as caught:
        [*getattr(client.batches, method)(Table())]
    assert "calls: expected an iterable of calls, got" in str(caught.value)
    assert 'write client.map(df.to_dict("records"), template=' in str(caught.value)


@on_every_flavour
async def test_a_tracker_counts_what_is_made_in_its_block(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url, token=TOKEN) as client:
        with client.track_usage() as usage:
            run = world.dress(client.map(asks(2)))
        summary = await run.until_done()
        assert (usage.total.requests, summary.usage.requests) == (0, 2)
