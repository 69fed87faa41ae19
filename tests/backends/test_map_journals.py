"""Runs with a journal that end in every bad way, in real processes, over the local gateway.

The gateway's log is the judge: nothing whose result was recorded is sent again.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.map_processes import JournalRead, Judge, MapProcess, gateway_that_remembers

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")
BREAKS_LOOPS = sys.version_info < (3, 11)
"""Whether an interrupt is raised wherever asyncio is at that time, also in the middle of its own
work, and not in the main task."""

FLAVOURS = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])

_LINE = 690
"""About the bytes of a record."""


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with gateway_that_remembers() as running:
        yield running


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# Killed.


def is_killed_and_resumed(
    gateway: LocalGateway, outputs: Path, flavour: str, calls: int, *, early: int, middle: int
) -> None:
    """Kill a run at random moments until it ends, and look at what it did."""
    journal = outputs.with_name("run.jsonl")
    judge = Judge(gateway, journal)
    moments = random.Random(f"{flavour} {calls}")
    given: dict[str, Any] = {
        "flavour": flavour,
        "journal": str(journal),
        "calls": calls,
        "options": {"concurrency": 20},
    }

    def killed(at: int, seconds: float) -> None:
        process = MapProcess(gateway, outputs, **given)
        process.until_begun()
        assert process.until(lambda: size_of(journal) >= at), "it has ended too early"
        time.sleep(seconds)
        judge.look(process.kill())
        assert process.process.returncode < 0, "it has ended too early"

    # While nothing is recorded: the journal is made, or the first calls are sent.
    for _ in range(early):
        killed(0, moments.uniform(0, 0.06))
    for at in sorted(moments.uniform(0.02, 0.9) * calls for _ in range(middle)):
        killed(int(at * _LINE), moments.uniform(0, 0.01))
    # While most of it is read, and when only the last few are under way.
    for _ in range(early):
        killed(0, moments.uniform(0, 0.06))
    if early:
        killed(int(0.97 * calls * _LINE), 0)
    # When the program has the last result.
    process = MapProcess(gateway, outputs, die=["after", "item", calls], **given)
    told = process.end()
    assert process.process.returncode < 0, (told[-1], process.errors())
    judge.look(told).check(calls)
    sent = len(judge.requested())
    process = MapProcess(gateway, outputs, **given)
    told = process.end()
    assert process.errors() == [], process.errors()
    summary = {"ended": "completed", "calls": calls, "recorded": calls, "attempts": 0}
    assert told[-1] == summary
    assert [each["recorded"] for each in told[1:-1]] == [True] * calls
    judge.look(told).check(calls)
    judge.check()
    assert len(judge.requested()) == sent
    # What was under way at each kill was sent again, with the same key, and nothing else.
    assert set(judge.requested()) == judge.look(told).succeeded
    assert sent <= calls + 20 * (2 * early + middle + 2)


@POSIX
@FLAVOURS
@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(gateway: LocalGateway, outputs: Path, flavour: str) -> None:
    is_killed_and_resumed(gateway, outputs, flavour, 100, early=0, middle=1)


@POSIX
@FLAVOURS
@pytest.mark.exhaustive
def test_a_long_run_that_is_killed_twenty_times_goes_on(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    is_killed_and_resumed(gateway, outputs, flavour, 5000, early=3, middle=12)


# Killed, as batch jobs.


def submitted(gateway: LocalGateway) -> list[str]:
    """The custom IDs of all rows of all batches that the gateway has got."""
    return [
        row["custom_id"]
        for request in gateway.requests
        if (request.method, request.path) == ("POST", "/v1/batches")
        for row in request.json()["requests"]
    ]


def are_killed_and_resumed(
    gateway: LocalGateway,
    outputs: Path,
    flavour: str,
    moments: "list[tuple[list[Any], int]]",
    *,
    models: int = 1,
    calls: int = 30,
) -> None:
    """Kill a run of batches at moments, each with how many rows were submitted by then."""
    journal = outputs.with_name("run.jsonl")
    judge = Judge(gateway, journal)
    given: dict[str, Any] = {
        "flavour": flavour,
        "journal": str(journal),
        "calls": calls,
        "models": ["openai/gpt-4o-mini", "openai/gpt-4o"][:models],
        "options": {"via": "batch"},
    }
    for die, rows in moments:
        if die[0] == "random":
            process = MapProcess(gateway, outputs, **given)
            process.until_begun()
            time.sleep(die[1])
            told = process.kill()
        else:
            process = MapProcess(gateway, outputs, die=die, **given)
            told = process.end()
            assert process.process.returncode < 0, (die, told[-1], process.errors())
        judge.look(told)
        assert len(submitted(gateway)) == rows or die[0] == "random", die
        with journal.open("ab") as file:
            # As if it had been killed in the middle of a write.
            file.write(b'{"batch_made":"12')
    process = MapProcess(gateway, outputs, **given)
    told = process.end()
    assert process.errors() == [], process.errors()
    assert (told[-1]["ended"], told[-1]["calls"]) == ("completed", calls)
    read = judge.look(told)
    read.check(calls)
    assert sorted(submitted(gateway)) == sorted(read.succeeded)
    assert judge.requested() == []
    # A batch whose request may have been lost is made with the same mark and idempotency key.
    assert len({note["batch"] for note in read.notes if "batch" in note}) == models


@POSIX
@pytest.mark.slow
def test_batches_are_not_submitted_twice_if_the_run_is_killed(
    gateway: LocalGateway, outputs: Path
) -> None:
    # Before the batch is made, before its ID is recorded, and between its results.
    moments: Any = [
        (["before", "POST /v1/batches", 1], 0),
        (["after", "POST /v1/batches", 1], 30),
        (["after", "item", 4], 30),
    ]
    are_killed_and_resumed(gateway, outputs, "asyncio", moments)


@POSIX
@FLAVOURS
@pytest.mark.exhaustive
def test_batches_are_not_submitted_twice_whenever_the_run_is_killed(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    moments: Any = [
        # Between the intent and the request.
        (["before", "POST /v1/batches", 1], 0),
        # Between the request and its record: of the first batch, and then of the second.
        (["after", "POST /v1/batches", 1], 15),
        (["after", "POST /v1/batches", 1], 30),
        # While it looks for the second one in the list, and when it has found it.
        (["before", "GET /v1/batches", 1], 30),
        (["after", "GET /v1/batches", 1], 30),
        # While it waits.
        (["after", "GET /v1/batches", 2], 30),
        # While results are recorded, of the first batch and of the second.
        (["after", "item", 4], 30),
        (["after", "item", 20], 30),
        (["after", "item", 30], 30),
    ]
    are_killed_and_resumed(gateway, outputs, flavour, moments, models=2)


@POSIX
@FLAVOURS
@pytest.mark.exhaustive
def test_batches_are_not_submitted_twice_if_the_run_is_killed_at_random(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    drawn = random.Random(flavour)
    moments: Any = [(["random", drawn.uniform(0, 2)], 0) for _ in range(6)]
    are_killed_and_resumed(gateway, outputs, flavour, moments, models=2, calls=3000)


@POSIX
@pytest.mark.slow
def test_a_failure_that_was_recorded_is_not_taken_from_the_same_batch_again(
    gateway: LocalGateway, outputs: Path
) -> None:
    journal = outputs.with_name("run.jsonl")
    given: dict[str, Any] = {
        "flavour": "asyncio",
        "journal": str(journal),
        "calls": 4,
        "prefix": "Fail 400 once:",
        "options": {"via": "batch"},
    }
    process = MapProcess(gateway, outputs, die=["after", "item", 2], **given)
    told = process.end()
    assert [each["ok"] for each in told[1:]] == [False, False]
    # The other two are still in the first batch, and the failures in a new one.
    process = MapProcess(gateway, outputs, **given)
    told = process.end()
    assert {each["item"]: each["ok"] for each in told[1:-1]} == {
        "call-0": True,
        "call-1": True,
        "call-2": False,
        "call-3": False,
    }
    first, second = submitted(gateway)[:4], submitted(gateway)[4:]
    assert second == first[:2]


# No room.


@POSIX
@FLAVOURS
@pytest.mark.slow
def test_a_full_disk_ends_a_run_after_what_was_under_way(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    journal = outputs.with_name("run.jsonl")
    judge = Judge(gateway, journal)
    given: dict[str, Any] = {
        "flavour": flavour,
        "journal": str(journal),
        "calls": 100,
        "options": {"concurrency": 8},
    }
    process = MapProcess(gateway, outputs, most_bytes=20_000, **given)
    told = process.end()
    assert process.errors() == [], process.errors()
    read = JournalRead(journal)
    assert 20 <= len(read.records) < 40
    assert not read.torn
    end = told.pop()
    assert end["ended"] == "journal_not_written"
    assert "make room, and start again with the same journal" in end["message"]
    # Whatever was sent was handed over.
    assert len(told[1:]) == len(judge.requested()) > len(read.records)
    process = MapProcess(gateway, outputs, **given)
    told = process.end()
    judge.look(told).check(100)
    assert told[-1]["recorded"] == len(read.records)
    keys = judge.requested()
    assert all(keys.count(key) == 1 for key in read.succeeded)


@POSIX
@pytest.mark.slow
def test_a_full_disk_ends_a_run_of_batches_after_the_batch(
    gateway: LocalGateway, outputs: Path
) -> None:
    journal = outputs.with_name("run.jsonl")
    given: dict[str, Any] = {
        "flavour": "asyncio",
        "journal": str(journal),
        "calls": 30,
        "options": {"via": "batch"},
    }
    process = MapProcess(gateway, outputs, most_bytes=10_000, **given)
    told = process.end()
    assert process.errors() == [], process.errors()
    assert told[-1]["ended"] == "journal_not_written"
    assert [each["item"] for each in told[1:-1]] == [f"call-{number}" for number in range(30)]
    recorded = len(JournalRead(journal).records)
    assert 5 <= recorded < 15
    process = MapProcess(gateway, outputs, **given)
    told = process.end()
    JournalRead(journal).check(30)
    assert told[-1]["recorded"] == recorded
    assert len(submitted(gateway)) == 30


@POSIX
@FLAVOURS
@pytest.mark.slow
def test_a_disk_without_room_for_the_header_is_noticed_before_anything_is_sent(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    journal = outputs.with_name("run.jsonl")
    given: dict[str, Any] = {"flavour": flavour, "journal": str(journal), "calls": 3}
    told = MapProcess(gateway, outputs, most_bytes=70, **given).end()
    assert [each.get("ended") for each in told] == [None, "journal_not_written"]
    # The limits of the account may have been asked for.
    assert [request for request in gateway.requests if request.method == "POST"] == []
    assert MapProcess(gateway, outputs, **given).end()[-1]["calls"] == 3
    JournalRead(journal).check(3)


@POSIX
@pytest.mark.slow
def test_a_second_process_cannot_have_the_journal_of_the_first(
    gateway: LocalGateway, outputs: Path
) -> None:
    journal = outputs.with_name("run.jsonl")
    given: dict[str, Any] = {
        "journal": str(journal),
        "calls": 10,
        "models": ["openai/gpt-4o-mini", "mesh/stall"],
        "options": {"concurrency": 2},
    }
    first = MapProcess(gateway, outputs, flavour="asyncio", **given)
    # Then two of its calls stall.
    assert first.until(lambda: len(JournalRead(journal).records) == 2)
    before = journal.read_bytes()
    told = MapProcess(gateway, outputs, flavour="sync", **given).end()
    assert [each.get("ended") for each in told] == [None, "journal_locked"]
    first.interrupt()
    assert first.end()[-1] == {"ended": "interrupted"}
    assert journal.read_bytes() == before


# Interrupted.


@POSIX
@FLAVOURS
@pytest.mark.slow
def test_an_interrupt_ends_a_run_which_goes_on_later(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    journal = outputs.with_name("run.jsonl")
    judge = Judge(gateway, journal)
    given: dict[str, Any] = {
        "flavour": flavour,
        "journal": str(journal),
        "calls": 100,
        "options": {"concurrency": 8},
    }
    process = MapProcess(gateway, outputs, strict=True, **given)
    assert process.until(lambda: size_of(journal) > 20 * _LINE)
    process.interrupt()
    told = process.end()
    if not BREAKS_LOOPS or flavour != "asyncio":
        assert process.errors() == [], process.errors()
    assert told[-1] == {"ended": "interrupted"}
    assert not judge.look(told[:-1]).torn
    process = MapProcess(gateway, outputs, strict=True, **given)
    told = process.end()
    assert process.errors() == [], process.errors()
    judge.look(told).check(100)
    judge.check()


@POSIX
@FLAVOURS
@pytest.mark.slow
def test_an_interrupt_ends_calls_that_wait_for_the_gateway(
    gateway: LocalGateway, outputs: Path, flavour: str
) -> None:
    journal = outputs.with_name("run.jsonl")
    process = MapProcess(
        gateway,
        outputs,
        strict=True,
        flavour=flavour,
        journal=str(journal),
        calls=100,
        models=["mesh/stall"],
        options={"concurrency": 8},
    )
    # Its limits are asked for, too.
    assert process.until(lambda: len(gateway.requests) == 9)
    process.interrupt()
    told = process.end()
    if not BREAKS_LOOPS or flavour != "asyncio":
        assert process.errors() == [], process.errors()
    assert told[1:] == [{"ended": "interrupted"}]
    assert len(JournalRead(journal).records) == 0
