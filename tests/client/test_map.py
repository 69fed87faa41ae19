"""`client.map` on every flavour, against the local gateway. For killed runs and full disks, see
tests/backends/test_map_journals.py.
"""

import gc
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from meshapi import APIStatusError, Budget, InvalidParamsError
from meshapi.testing import LocalGateway
from meshapi_core import Call, JournalError
from meshapi_core.bulk import MapItem
from meshapi_core.endpoints import Audio, Completions, Embeddings, Responses
from support.flavours import World, on_every_flavour
from support.turns import by_turns

TOKEN = "rsk_test_map"
MODEL = "openai/gpt-4o-mini"
UNKNOWN = "nobody/knows"

LIVE_OR_BATCH = pytest.mark.parametrize(
    # A batch takes two seconds: the gateway is asked twice whether it has ended.
    "via",
    ["live", pytest.param("batch", marks=[pytest.mark.slow, by_turns])],
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


@pytest.fixture
def gateway(server: LocalGateway) -> LocalGateway:
    server.reset()
    return server


def ask(question: object, model: str = MODEL) -> Call[Any]:
    messages = [{"role": "user", "content": str(question)}]
    return Completions.create.build(model=model, messages=messages, max_tokens=10)


def asks(count: int) -> list[Call[Any]]:
    return [ask(number) for number in range(count)]


def sent(gateway: LocalGateway) -> list[Any]:
    """The requests for calls."""
    return [each for each in gateway.requests if each.path != "/v1/usage/rate-limits"]


async def run(
    world: World, gateway: LocalGateway, calls: Any, **options: Any
) -> tuple[list[Any], Any]:
    """All items of a run, and its summary."""
    async with world.client(gateway.url, token=TOKEN) as client:
        mapped = world.dress(client.map(calls, **options))
        items = [item async for item in mapped]
        return items, mapped.summary()


async def failure(world: World, gateway: LocalGateway, calls: Any, **options: Any) -> Any:
    """The error of a run that hands over nothing."""
    async with world.client(gateway.url, token=TOKEN) as client:
        mapped = world.dress(client.map(calls, **options))
        with pytest.raises(JournalError) as caught:
            await mapped.until_done()
        assert mapped.stopped == "error"
        assert mapped.summary().calls == 0
    return caught.value


def content_of(path: Path) -> Optional[bytes]:
    return path.read_bytes() if path.is_file() else None


# Results.


@on_every_flavour
async def test_each_call_has_one_item(world: World, gateway: LocalGateway) -> None:
    calls = [("first", ask("first")), *asks(29)]
    items, summary = await run(world, gateway, iter(calls), concurrency=4)
    assert sorted(item.index for item in items) == [*range(30)]
    by_id = {item.id: item for item in items}
    assert by_id.keys() == {"first", *(f"call-{number}" for number in range(1, 30))}
    assert all(item.result() is item.value for item in items)
    assert all(item.usage.total_tokens > 0 and item.request_id for item in items)
    assert {(item.attempts, item.recorded, item.error) for item in items} == {(1, False, None)}
    assert len(sent(gateway)) == 30
    assert (summary.calls, summary.succeeded, summary.attempts) == (30, 30, 30)
    assert summary.stopped == "completed"


@on_every_flavour
@LIVE_OR_BATCH
async def test_items_are_in_the_order_of_the_input(
    world: World, gateway: LocalGateway, via: str
) -> None:
    # Each batch has one model.
    models = [MODEL, "openai/gpt-4o", UNKNOWN]
    calls = [ask(number, models[number % 3]) for number in range(60)]
    items, _ = await run(world, gateway, calls, order="input", via=via)
    assert [item.index for item in items] == [*range(60)]
    assert [item.error is None for item in items] == [True, True, False] * 20
    answers = {item.value.text for item in items if item.value}
    assert len(answers) > 1


@on_every_flavour
@LIVE_OR_BATCH
async def test_a_run_keeps_no_items_that_it_has_handed_over(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    def alive() -> int:
        return sum(type(each) is MapItem for each in gc.get_objects())

    async with world.client(gateway.url, token=TOKEN) as client:
        for _ in range(2):
            before, most = alive(), 0
            # The second time, all of them are recorded.
            journal = tmp_path / "run.jsonl"
            some: Any = {"via": via} if via == "batch" else {"concurrency": 4}
            mapped = client.map(asks(100), journal=journal, **some)
            async for item in world.dress(mapped):
                if item.index % 10 == 9:
                    most = max(most, alive() - before)
            assert most < 60


@on_every_flavour
async def test_rows_and_async_iterables_are_read(world: World, gateway: LocalGateway) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(12):
            await world.sleep(0)
            yield {"id": f"row {number}", "number": number}

    template = ask("{number}")
    given: Any = rows()
    if world.name == "sync":
        with pytest.raises(InvalidParamsError, match="AsyncMeshAPI takes it"):
            await run(world, gateway, given, template=template)
        given = [{"id": f"row {number}", "number": number} for number in range(12)]
    items, _ = await run(world, gateway, given, template=template, order="input")
    assert [item.id for item in items] == [f"row {number}" for number in range(12)]
    questions = [request.json()["messages"][0]["content"] for request in sent(gateway)]
    assert sorted(questions) == sorted(str(number) for number in range(12))


# Errors.


@on_every_flavour
@LIVE_OR_BATCH
async def test_errors_are_returned_skipped_or_raised(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    calls = [ask(0), ask(1, UNKNOWN), ask(2)]
    items, summary = await run(world, gateway, calls, via=via)
    assert {item.index for item in items if item.error} == {1}
    assert (summary.succeeded, summary.failed, summary.skipped) == (2, 1, 0)
    items, summary = await run(world, gateway, calls, via=via, on_error="skip")
    assert {item.index for item in items} == {0, 2}
    assert (summary.succeeded, summary.skipped) == (2, 1)
    journal = tmp_path / "run.jsonl"
    async with world.client(gateway.url, token=TOKEN) as client:
        mapped = world.dress(client.map(calls, via=via, on_error="raise", journal=journal))
        taken = []
        with pytest.raises(APIStatusError):
            async for item in mapped:
                taken.append(item)
        assert mapped.stopped == "error"
    # What was under way, or in the same batch, is recorded and handed over first.
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    recorded = {line["id"] for line in lines if "key" in line and not line.get("error")}
    assert {item.id for item in taken} == recorded
    assert all(item.error is None for item in taken)


@on_every_flavour
async def test_what_the_iterable_raises_comes_after_the_results(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    def calls() -> Iterator[Any]:
        yield from asks(5)
        raise ValueError("no more")

    taken = []
    async with world.client(gateway.url, token=TOKEN) as client:
        mapped = world.dress(client.map(calls(), journal=tmp_path / "run.jsonl"))
        with pytest.raises(ValueError, match="no more"):
            async for item in mapped:
                taken.append(item)
        assert mapped.stopped == "error"
    assert len(taken) == 5
    items, _ = await run(world, gateway, asks(7), journal=tmp_path / "run.jsonl")
    assert sum(item.recorded for item in items) == 5


# Journals.


@on_every_flavour
@LIVE_OR_BATCH
async def test_recorded_results_are_not_asked_for_again(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    journal = tmp_path / "run.jsonl"
    calls = [*asks(5), ask(0), ("mine", ask(0))]
    before, _ = await run(world, gateway, iter(calls), journal=journal, via=via, order="input")
    assert not any(item.recorded for item in before)
    requests = len(sent(gateway))
    kept = journal.read_bytes()
    after, summary = await run(world, gateway, calls, journal=journal, via=via, order="input")
    assert all(item.recorded for item in after)
    assert [item.row() for item in after] == [item.row() for item in before]
    assert [item.value for item in after] == [item.value for item in before]
    assert (summary.recorded, summary.attempts) == (7, 0)
    assert len(sent(gateway)) == requests
    assert journal.read_bytes() == kept
    # More calls, in another order, and one less.
    some = [*calls[1:5], ask("new"), ask(0)]
    _, summary = await run(world, gateway, some, journal=journal, via=via)
    assert (summary.calls, summary.recorded) == (6, 5)


@on_every_flavour
async def test_answers_that_are_not_whole_are_counted(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    whole = Responses.create.build(model=MODEL, input="hi")
    models = ["mesh/length", "mesh/content-filter", "mesh/refusal"]
    options: dict[str, Any] = {"order": "input", "journal": tmp_path / "run.jsonl"}
    for recorded in (0, 4):
        calls: list[Call[Any]] = [*(ask(0, model) for model in models), whole]
        items, summary = await run(world, gateway, calls, **options)
        reasons = [item.finish_reason for item in items]
        assert reasons == ["length", "content_filter", "refusal", "stop"]
        assert (summary.truncated, summary.filtered, summary.refused) == (1, 1, 1)
        assert (summary.succeeded, summary.recorded) == (4, recorded)


@on_every_flavour
async def test_the_key_in_the_journal_is_the_idempotency_key(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    await run(world, gateway, [*asks(5), ask(0)], journal=journal)
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()[1:]]
    keys = [request.headers["idempotency-key"] for request in sent(gateway)]
    assert sorted(line["key"] for line in lines) == sorted(keys)
    assert len(set(keys)) == 6
    # Another journal is another run: the gateway must not send what it stored.
    await run(world, gateway, asks(5), journal=tmp_path / "other.jsonl")
    others = [request.headers["idempotency-key"] for request in sent(gateway)][6:]
    assert not {*keys} & {*others}


@on_every_flavour
@LIVE_OR_BATCH
async def test_failed_calls_are_made_again_unless_told_otherwise(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    journal = tmp_path / "run.jsonl"
    calls = [ask(0), ask(1, UNKNOWN)]
    options: dict[str, Any] = {"journal": journal, "via": via, "order": "input"}
    before, _ = await run(world, gateway, calls, **options)
    requests = len(sent(gateway))
    kept, _ = await run(world, gateway, calls, **options, retry_failed=False)
    assert len(sent(gateway)) == requests
    assert [item.recorded for item in kept] == [True, True]
    assert isinstance(kept[1].error, APIStatusError)
    assert str(kept[1].error) == str(before[1].error)
    assert kept[1].error.status == before[1].error.status
    again, _ = await run(world, gateway, calls, **options)
    assert [item.recorded for item in again] == [True, False]
    assert len(sent(gateway)) > requests
    if via == "live":
        lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
        (key,) = {line["key"] for line in lines if line.get("error")}
        keys = {request.headers["idempotency-key"] for request in sent(gateway)}
        assert {f"{key}-1", key} < keys


@on_every_flavour
async def test_every_kind_of_response_is_recorded(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    audio = tmp_path / "audio.wav"
    audio.write_bytes(b"RIFF" + bytes(60))
    journal = tmp_path / "run.jsonl"
    calls = [
        Audio.transcribe.build(audio, model="openai/whisper-1"),
        Audio.transcribe.build(b"RIFF" + bytes(9), filename="a.wav", model="openai/whisper-1"),
        Audio.synthesize.build(input="Hello", model="openai/tts-1", voice="alloy"),
        Embeddings.create.build(input="Hello", model="openai/text-embedding-3-small"),
        Embeddings.create.build(input=["a", "b"], model="openai/text-embedding-3-small"),
        ask("Hello"),
    ]
    before, _ = await run(world, gateway, calls, journal=journal, order="input")
    assert [item.error for item in before] == [None] * 6
    assert len(sent(gateway)) == 6
    after, _ = await run(world, gateway, calls, journal=journal, order="input")
    assert len(sent(gateway)) == 6
    assert [item.value for item in after] == [item.value for item in before]
    assert [type(item.value) for item in after] == [type(item.value) for item in before]
    assert isinstance(after[2].value, bytes)
    # Another size is another file.
    audio.write_bytes(b"RIFF" + bytes(61))
    items, _ = await run(world, gateway, calls[::-1], journal=journal)
    assert [item.index for item in items if not item.recorded] == [5]
    audio.unlink()
    items, _ = await run(world, gateway, calls, journal=journal)
    assert [item.index for item in items if item.error is not None] == [0]


@on_every_flavour
async def test_a_torn_last_line_is_dropped_and_its_call_is_made_again(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    await run(world, gateway, asks(3), journal=journal)
    whole = journal.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for cut in (last + 1, last + 40, len(whole) - 2):
        journal.write_bytes(whole[:cut])
        items, _ = await run(world, gateway, asks(3), journal=journal)
        assert sum(item.recorded for item in items) == 2
        assert journal.read_bytes().startswith(whole[:last])
        assert len(journal.read_bytes().splitlines()) == 4
    journal.write_bytes(whole[:-1])
    items, _ = await run(world, gateway, [*asks(3), ask(3)], journal=journal)
    assert sum(item.recorded for item in items) == 3
    assert journal.read_bytes().startswith(whole)


@on_every_flavour
@LIVE_OR_BATCH
async def test_a_journal_that_cannot_be_used_is_refused_before_anything_is_sent(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    async def refused(path: Path, calls: Optional[Any] = None, **options: Any) -> tuple[str, str]:
        before = content_of(path)
        error = await failure(world, gateway, calls or asks(3), journal=path, via=via, **options)
        assert content_of(path) == before
        assert gateway.requests == []
        return error.error_code, str(error)

    code, message = await refused(tmp_path / "none" / "run.jsonl")
    assert code == "journal_not_written"
    assert f"the folder {tmp_path / 'none'} does not exist; make it first" in message
    code, message = await refused(tmp_path)
    assert code == "journal_not_written"
    assert "it is a folder; add the name of the file" in message

    journal = tmp_path / "run.jsonl"
    await run(world, gateway, asks(3), journal=journal, via=via)
    gateway.reset()
    code, message = await refused(journal, resume=False)
    assert code == "journal_exists"
    assert "give another path, or resume=True" in message
    code, message = await refused(journal, [ask("other"), ask(1)])
    assert code == "journal_mismatch"
    assert "the first call of this run is not in it; give another path" in message

    with LocalGateway(token=TOKEN) as other:
        code, message = await refused_by(world, other, journal, via)
    assert code == "journal_mismatch"
    assert f"it was written for the gateway {gateway.url}" in message
    assert other.url in message

    (tmp_path / "text").write_text("Dear diary\n")
    code, message = await refused(tmp_path / "text")
    assert code == "journal_mismatch"
    assert "it is not a journal" in message

    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:-30] + b"\n"
    journal.write_bytes(b"".join(lines))
    code, message = await refused(journal)
    assert code == "journal_damaged"
    assert "line 3 is not as it was written" in message
    assert "remove this line, and its call is made again" in message
    # That is what to do.
    del lines[2]
    journal.write_bytes(b"".join(lines))
    _, summary = await run(world, gateway, asks(3), journal=journal, via=via)
    assert (summary.calls, summary.succeeded) == (3, 3)
    if via == "live":
        assert summary.recorded == 2


async def refused_by(
    world: World, gateway: LocalGateway, journal: Path, via: str
) -> tuple[str, str]:
    error = await failure(world, gateway, asks(3), journal=journal, via=via)
    assert gateway.requests == []
    return error.error_code, str(error)


@on_every_flavour
async def test_two_runs_cannot_have_a_journal_at_the_same_time(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    async with world.client(gateway.url, token=TOKEN) as client:
        first = world.dress(client.map(asks(30), journal=journal, concurrency=2))
        taken = [await first.__anext__()]
        error = await failure(world, gateway, asks(30), journal=journal)
        assert error.error_code == "journal_locked"
        assert "wait until it has ended, or give another path" in str(error)
        taken += [item async for item in first]
    assert len(taken) == 30
    assert len(sent(gateway)) == 30
    assert len(journal.read_bytes().splitlines()) == 31


@on_every_flavour
@LIVE_OR_BATCH
async def test_a_journal_in_which_nothing_is_recorded_becomes_that_of_the_next_run(
    world: World, gateway: LocalGateway, tmp_path: Path, via: str
) -> None:
    journal = tmp_path / "run.jsonl"
    items, _ = await run(world, gateway, [], journal=journal, via=via)
    assert items == []
    # Its first call is not recorded when it ends: it must not look like another run later.
    calls = [ask("stalls", "mesh/stall"), *asks(3)]
    async with world.client(gateway.url, token=TOKEN) as client:
        async with world.dress(client.map(calls, journal=journal)) as mapped:
            for _ in range(3):
                await mapped.__anext__()
        assert mapped.stopped == "cancelled"
        async with world.dress(client.map(calls, journal=journal)) as mapped:
            taken = [await mapped.__anext__() for _ in range(3)]
    assert all(item.recorded for item in taken)


@on_every_flavour
async def test_a_run_that_is_left_goes_on_later(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    taken = []
    async with world.client(gateway.url, token=TOKEN) as client:
        async with world.dress(client.map(asks(40), journal=journal, concurrency=4)) as mapped:
            async for item in mapped:
                taken.append(item)
                if len(taken) == 10:
                    break
        assert mapped.stopped == "cancelled"
    recorded = len(journal.read_bytes().splitlines()) - 1
    assert 10 <= recorded < 40
    items, summary = await run(world, gateway, asks(40), journal=journal)
    assert (summary.calls, summary.recorded) == (40, recorded)
    assert {item.id for item in items} == {f"call-{number}" for number in range(40)}


# Limits.


@on_every_flavour
async def test_a_budget_is_shared_by_runs_and_a_journal_takes_nothing_of_it(
    world: World, gateway: LocalGateway, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    budget = Budget(requests=10)
    _, summary = await run(world, gateway, asks(4), budget=budget)
    assert (summary.stopped, summary.calls) == ("completed", 4)
    _, summary = await run(world, gateway, asks(20), budget=budget, journal=journal)
    assert (summary.stopped, summary.limit, summary.calls) == ("budget", "requests", 6)
    assert len(sent(gateway)) == 10
    _, summary = await run(world, gateway, asks(20), budget=budget, journal=journal)
    assert (summary.stopped, summary.calls, summary.recorded) == ("budget", 6, 6)
    assert len(sent(gateway)) == 10
    _, summary = await run(world, gateway, asks(20), journal=journal)
    assert (summary.stopped, summary.calls, summary.recorded) == ("completed", 20, 6)


@on_every_flavour
async def test_results_go_to_a_file(world: World, gateway: LocalGateway, tmp_path: Path) -> None:
    path, journal = tmp_path / "out.jsonl", tmp_path / "run.jsonl"
    for _ in range(2):
        async with world.client(gateway.url, token=TOKEN) as client:
            mapped = world.dress(client.map([*asks(20), ask(0, UNKNOWN)], journal=journal))
            saved = await mapped.to_jsonl(path)
        assert saved.rows == 21
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert {row["id"] for row in rows} == {f"call-{number}" for number in range(21)}
        assert sum(row["error"] is not None for row in rows) == 1
