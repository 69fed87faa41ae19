"""Journals as files: what is in them, whatever fails, and whoever else wants to write.

The flows run on every flavour; the failures are those of the system.
"""

import json
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

import meshapi_backends
import meshapi_core
from meshapi import MeshAPI
from meshapi_backends._journals import JournalFile
from meshapi_core import FileSource, Headers, JournalError
from meshapi_core.bulk.journals.journal import Journal, gateway_of
from meshapi_core.bulk.journals.journaling import begin_journal, digest_of, read_journal, read_notes
from meshapi_core.bulk.journals.keys import CallKeys, idempotency_key
from meshapi_core.bulk.journals.records import Record
from meshapi_core.endpoints import Completions
from meshapi_core.flows import (
    AppendJournal,
    CloseJournal,
    CutJournal,
    Emit,
    FileSize,
    Flow,
    GetConfig,
    ItemFlow,
    OpenJournal,
    ReadJournal,
    ReadRecord,
)
from meshapi_core.messages import Response
from support.flavours import TOKEN, World, on_every_flavour
from support.interrupting import Interrupter
from support.leaks import descriptors

NOWHERE = "http://127.0.0.1:9"
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


def call_of(text: str) -> Any:
    return Completions.create.build(model="m", messages=[{"role": "user", "content": text}])


def response_to(text: str) -> Response:
    body = json.dumps({"choices": [{"message": {"content": f"{text}!"}}]}).encode()
    return Response(200, Headers([("content-type", "application/json")]), body)


def run(path: Any, texts: list[str], *, resume: bool = True, until: int = 1000) -> Flow[list[Any]]:
    """A run that makes no calls, but does all that one does with its journal."""
    config = yield GetConfig()
    opened = yield from read_journal(path)
    keys, told = CallKeys(opened.journal.run), []
    for position, text in enumerate(texts):
        call = call_of(text)
        key = keys.key_of((yield from digest_of(call)))
        if position == 0:
            gateway = gateway_of(config)
            yield from begin_journal(opened, gateway=gateway, first=key, resume=resume)
        place = opened.journal.find(key)
        if place is not None and place.ok:
            record = opened.journal.read((yield ReadRecord(opened.file, place.offset)))
            told.append(("recorded", record.value(call).choices[0].message.content))
        elif position < until:
            sent = idempotency_key(key, place.failures if place else 0)
            assert sent == key
            record = Record.of_response(key, f"item {position}", response_to(text))
            yield AppendJournal(opened.file, opened.journal.line_of(record))
            told.append(("called", record.value(call).choices[0].message.content))
    yield CloseJournal(opened.file)
    yield CloseJournal(opened.file)
    return told


@on_every_flavour
async def test_a_run_is_resumed_where_it_ended(world: World, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    texts = ["a", "b", "a", "größer"]
    async with world.client(NOWHERE) as client:

        async def told(**how: Any) -> list[Any]:
            return await world.settle(client._runner.run_flow(run(path, texts, **how)))

        assert await told(until=2) == [("called", "a!"), ("called", "b!")]
        before = path.read_bytes()
        assert await told() == [
            ("recorded", "a!"),
            ("recorded", "b!"),
            ("called", "a!"),
            ("called", "größer!"),
        ]
        after = path.read_bytes()
        assert after.startswith(before)
        assert [what for what, _ in await told()] == ["recorded"] * 4
        assert path.read_bytes() == after
        with pytest.raises(JournalError) as caught:
            await told(resume=False)
        assert caught.value.error_code == "journal_exists"
        texts.insert(0, "another")
        with pytest.raises(JournalError) as caught:
            await told()
        assert caught.value.error_code == "journal_mismatch"
    assert path.read_bytes() == after
    assert [json.loads(line).get("id") for line in after.splitlines()] == [
        None,
        "item 0",
        "item 1",
        "item 2",
        "item 3",
    ]


@on_every_flavour
async def test_a_torn_line_is_cut_off_before_anything_is_appended(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    async with world.client(NOWHERE) as client:

        async def told(*texts: str) -> list[Any]:
            return await world.settle(client._runner.run_flow(run(path, [*texts])))

        await told("a", "b")
        whole = path.read_bytes()
        start = whole.rindex(b"\n", 0, -1) + 1
        for size in (*range(start, len(whole), 40), len(whole) - 1):
            path.write_bytes(whole[:size])
            expected = "recorded" if size == len(whole) - 1 else "called"
            assert await told("a", "b") == [("recorded", "a!"), (expected, "b!")]
            assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
                json.loads(line) for line in whole.splitlines()
            ]


@on_every_flavour
async def test_notes_are_read_again_in_their_order(world: World, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    notes = [{"intent": "a", "keys": ["1", "2"]}, {"batch": "b-1", "intent": "a"}]

    def flow(added: list[dict[str, Any]]) -> Flow[list[dict[str, Any]]]:
        opened = yield from read_journal(path)
        yield from begin_journal(opened, gateway=NOWHERE, first=None)
        for note in added:
            line = opened.journal.note_of(note)
            yield AppendJournal(opened.file, line)
            opened.journal.appended(line)
        return (yield from read_notes(opened))

    async with world.client(NOWHERE) as client:
        for added in (notes, []):
            assert await world.settle(client._runner.run_flow(flow(added))) == notes


@on_every_flavour
async def test_a_file_that_is_refused_stays_as_it_was(world: World, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    async with world.client(NOWHERE) as client:
        for content in (b"hello", b'{"id":"row-1"}\n{"id"'):
            path.write_bytes(content)
            with pytest.raises(JournalError, match="is not a journal"):
                await world.settle(client._runner.run_flow(run(path, ["a"])))
            assert path.read_bytes() == content


@on_every_flavour
async def test_the_steps_read_and_write_what_they_say(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a"
    long = b"x" * 100_000

    def flow() -> Flow[list[Any]]:
        file = yield OpenJournal(str(path))
        nothing = yield ReadJournal(file, 5)
        yield AppendJournal(file, b"one\ntwo\n" + long + b"\n")
        yield AppendJournal(file, b"last\n")
        first = yield ReadJournal(file, 5)
        second = yield ReadJournal(file, 3)
        lines = []
        for offset in (4, 8, 8 + len(long) + 1, 10**9):
            lines.append((yield ReadRecord(file, offset)))
        yield CutJournal(file, 4)
        yield CutJournal(file, 400)
        yield AppendJournal(file, b"three\n")
        return [nothing, first, second, lines]

    async with world.client(NOWHERE) as client:
        assert await world.settle(client._runner.run_flow(flow())) == [
            b"",
            b"one\nt",
            b"wo\n",
            [b"two", long, b"last", b""],
        ]
    assert path.read_bytes() == b"one\nthree\n"


@on_every_flavour
async def test_a_journal_that_is_left_open_is_closed_however_the_flow_ends(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "a"

    def flow(fails: bool) -> ItemFlow[int, None]:
        file = yield OpenJournal(path)
        yield AppendJournal(file, b"line\n")
        yield Emit(1)
        if fails:
            raise LookupError("a mistake")

    before = descriptors()
    async with world.client(NOWHERE) as client:
        opened = world.dress(client._runner.open_flow(flow(False)))
        async with opened:
            async for _ in opened:
                with pytest.raises(JournalError) as caught:
                    await world.settle(client._runner.run_flow(flow(False)))
                assert caught.value.error_code == "journal_locked"
                break
        with pytest.raises(LookupError):
            await world.settle(client._runner.run_flow(flow(True)))
        # Nobody has it open any more.
        await world.settle(client._runner.run_flow(flow(False)))
    assert path.read_bytes() == b"line\n" * 3
    assert descriptors() == before


@on_every_flavour
async def test_a_file_is_measured_if_it_has_a_size(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    inner, outer = os.pipe()

    def flow() -> Flow[list[Optional[int]]]:
        sizes = []
        with path.open("rb") as file, open(inner, "rb") as pipe:
            for content in (path, str(path), file, pipe, iter([b"a"])):
                sizes.append((yield FileSize(FileSource(content))))
        return sizes

    def missing() -> Flow[Any]:
        return (yield FileSize(FileSource(tmp_path / "b")))

    async with world.client(NOWHERE) as client:
        assert await world.settle(client._runner.run_flow(flow())) == [3, 3, 3, None, None]
        with pytest.raises(FileNotFoundError):
            await world.settle(client._runner.run_flow(missing()))
    os.close(outer)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_the_user_may_read_a_new_journal_and_an_old_one_keeps_its_mode(
    tmp_path: Path,
) -> None:
    file = JournalFile(tmp_path / "a")
    file.open()
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o600
    file.close()
    os.chmod(tmp_path / "a", 0o644)
    file.open()
    file.close()
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o644


def opened(path: Any) -> JournalFile:
    file = JournalFile(path)
    file.open()
    return file


def reason_for(path: Any) -> str:
    before = descriptors()
    with pytest.raises(JournalError) as caught:
        opened(path)
    assert caught.value.error_code == "journal_not_written"
    assert descriptors() == before
    return str(caught.value)


def test_a_path_that_is_not_that_of_a_file_is_explained(tmp_path: Path) -> None:
    assert "it is a folder; add the name of the file" in reason_for(tmp_path)
    assert "does not exist; make it first" in reason_for(tmp_path / "no" / "a")
    assert "expanduser()" in reason_for("~/no/such/folder/a")
    (tmp_path / "file").write_bytes(b"")
    assert str(tmp_path / "file" / "a") in reason_for(tmp_path / "file" / "a")


@POSIX
def test_a_device_or_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        assert "it is a device, a pipe or the like" in reason_for(path)


def test_a_symbolic_link_leads_to_the_journal(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    file = opened(tmp_path / "link")
    file.append(b"x\n")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"x\n"
    assert (tmp_path / "link").is_symlink()


def in_python(source: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", source, *map(str, arguments)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **streams, **options)


HOLDS = """
import sys
import meshapi_backends
import meshapi_core
from meshapi import MeshAPI
from meshapi_backends._journals import JournalFile
file = JournalFile(sys.argv[1])
file.open()
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
def test_two_processes_cannot_have_the_same_journal_open(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with in_python(HOLDS, path) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(JournalError) as caught:
            opened(path)
        assert caught.value.error_code == "journal_locked"
        assert str(path) in str(caught.value)
        other.kill()
        other.wait(30)
    # A process that is gone holds no lock.
    opened(path).close()


@POSIX
def test_a_process_that_was_forked_neither_keeps_the_lock_nor_gives_it_up(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = opened(path)
    ready, goes_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may be raised here: it would run the rest of the tests.
        try:
            file.close()
            os.write(ready[1], b"x")
            os.read(goes_on[0], 1)
        finally:
            os._exit(0)
    try:
        os.read(ready[0], 1)
        # The child has closed its own copy, which left this one locked.
        with pytest.raises(JournalError):
            opened(path)
        file.close()
        opened(path).close()
    finally:
        os.write(goes_on[1], b"x")
        os.waitpid(child, 0)
        for end in (*ready, *goes_on):
            os.close(end)


@POSIX
def test_a_forked_process_that_lives_on_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = opened(path)
    goes_on = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(goes_on[0], 1)
        finally:
            os._exit(0)
    try:
        file.close()
        opened(path).close()
    finally:
        os.write(goes_on[1], b"x")
        os.waitpid(child, 0)
        for end in goes_on:
            os.close(end)


FULL = """
import resource, sys
import meshapi_backends
import meshapi_core
from meshapi import MeshAPI
from meshapi_backends._journals import JournalFile
from meshapi_core import JournalError
file = JournalFile(sys.argv[1])
file.open()
file.append(b"a whole line\\n" * 3)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
for lines in (b"x" * 40 + b"\\n", b"y" * 400 + b"\\n", b"z" * 10 + b"\\n"):
    try:
        file.append(lines)
        print("appended")
    except JournalError as exc:
        print(exc.error_code, exc)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
file.append(b"and another one\\n")
file.close()
"""


@POSIX
@pytest.mark.slow
def test_a_write_for_which_there_is_no_room_leaves_the_lines_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with in_python(FULL, path) as other:
        output, _ = other.communicate(timeout=60)
    lines = output.splitlines()
    assert [line.split()[0] for line in lines] == ["journal_not_written"] * 2 + ["appended"]
    assert f"{path}: there is no room for another line, and what it has is kept" in lines[0]
    assert "start again with the same journal" in lines[0]
    assert path.read_bytes() == b"a whole line\n" * 3 + b"z" * 10 + b"\nand another one\n"


WRITES = """
import sys
import meshapi_backends
import meshapi_core
from meshapi import MeshAPI
from meshapi_backends._journals import JournalFile
from meshapi_core import Headers
from meshapi_core.bulk.journals.journal import Journal
from meshapi_core.bulk.journals.records import Record
from meshapi_core.messages import Response
file = JournalFile(sys.argv[1])
file.open()
journal = Journal(file.path, "run")
while piece := file.read(65536):
    journal.feed(piece)
file.cut(journal.end())
lines = b"\\n" if journal.needs_line_feed else b""
if journal.is_new:
    lines = journal.header("http://127.0.0.1", None)
file.append(lines)
number = journal.succeeded
while True:
    number += 1
    response = Response(200, Headers(), b'{"text":"%s"}' % (b"x" * (number % 700)))
    key = f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"
    line = journal.line_of(Record.of_response(key, str(number), response))
    file.append(line)
    print(number, flush=True)
"""


@POSIX
@pytest.mark.slow
def test_a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_has_told_of(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    told = 0
    for _ in range(5):
        with in_python(WRITES, path) as writer:
            assert writer.stdout is not None
            for _ in range(random.randrange(1, 400)):
                told = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            # Python may have been killed with half a line in the pipe.
            rest = writer.stdout.read().rpartition("\n")[0].split()
            told = int(rest[-1]) if rest else told
        journal = Journal(str(path), "")
        journal.feed(path.read_bytes())
        journal.end()
        assert journal.succeeded in (told, told + 1)
        numbers = [json.loads(line).get("id") for line in path.read_bytes().splitlines()[1:]]
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


TRACED = {
    str(Path(meshapi_backends.__file__).parent / "_journals.py"),
    str(Path(meshapi_backends.__file__).parent / "_sync" / "flows.py"),
    str(Path(meshapi_core.__file__).parent / "bulk" / "journaling.py"),
    __file__,
}


@pytest.mark.slow
def test_an_interrupt_at_any_line_leaves_a_journal_with_which_the_run_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    texts = ["a", "b", "a"]
    ways: set[tuple[str, ...]] = set()
    before = descriptors()
    with MeshAPI(base_url=NOWHERE, token=TOKEN) as client:
        for at in range(1, 5000):
            path.unlink(missing_ok=True)
            try:
                with Interrupter(at, TRACED) as interrupter:
                    client._runner.run_flow(run(path, texts))
            except KeyboardInterrupt:
                pass
            # Also: nobody has it open any more.
            told = client._runner.run_flow(run(path, texts))
            ways.add(tuple(what for what, _ in told))
            assert len(path.read_bytes().splitlines()) == 4, at
            assert descriptors() == before, at
            if interrupter.lines < at:
                break
    assert len(ways) == 4


def test_a_journal_that_is_not_open_says_so(tmp_path: Path) -> None:
    file = opened(tmp_path / "a")
    file.close()
    file.close()
    with pytest.raises(ValueError, match="not open"):
        file.append(b"x\n")
    with pytest.raises(ValueError, match="not open"):
        file.read(1)
