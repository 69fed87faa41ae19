"""Parquet files: all of a table is at its path, or nothing is, and its rows are as they were."""

import gc
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Optional

import pytest

import meshapi_backends
import meshapi_core
from meshapi import MeshAPI, RateLimitError
from meshapi_backends._tables import PartTable
from meshapi_core.bulk import MapItem, save_jsonl, save_parquet, saving
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.flavours import World, on_every_flavour
from support.interrupting import Interrupter

COLUMNS: Any = {"id": "text", "count": "int", "cost": "float"}
ROWS: dict[str, Any] = {"id": ["a", "ü", None], "count": [1, None, 3], "cost": [0.5, 1.0, None]}
ERROR = RateLimitError("slow down", status=429)

needs_pyarrow = pytest.mark.skipif(
    not any((Path(folder) / "pyarrow" / "parquet" / "__init__.py").exists() for folder in sys.path),
    reason="needs the extra `parquet`",
)


def read(path: Path) -> dict[str, Any]:
    parquet = pytest.importorskip("pyarrow.parquet")
    columns: dict[str, Any] = parquet.read_table(path).to_pydict()
    return columns


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def opened(path: Path, *, overwrite: bool = True) -> PartTable:
    table = PartTable(path, COLUMNS)
    table.open(overwrite=overwrite)
    return table


@needs_pyarrow
def test_rows_come_back_as_they_were_in_groups(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = opened(tmp_path / "a.parquet")
    for _ in range(3):
        table.write_rows(ROWS)
    assert not (tmp_path / "a.parquet").exists()
    table.keep()
    assert read(tmp_path / "a.parquet") == {name: 3 * rows for name, rows in ROWS.items()}
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    assert names_in(tmp_path) == ["a.parquet"]
    table.discard()
    assert (tmp_path / "a.parquet").exists()


@needs_pyarrow
def test_a_table_may_have_no_rows(tmp_path: Path) -> None:
    table = opened(tmp_path / "a.parquet")
    table.keep()
    assert read(tmp_path / "a.parquet") == {"id": [], "count": [], "cost": []}


@needs_pyarrow
@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_that_is_discarded_leaves_nothing(tmp_path: Path, rows: int) -> None:
    (tmp_path / "a.parquet").write_bytes(b"old")
    table = opened(tmp_path / "a.parquet")
    for _ in range(rows):
        table.write_rows(ROWS)
    table.discard()
    table.discard()
    table.write_rows(ROWS)
    table.keep()
    assert names_in(tmp_path) == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == b"old"
    # pyarrow's finalizer must not raise: the tests make a failure of that.
    del table
    gc.collect()


@needs_pyarrow
def test_rows_that_do_not_fit_the_columns_leave_nothing(tmp_path: Path) -> None:
    table = opened(tmp_path / "a.parquet")
    with pytest.raises(Exception, match="int"):
        table.write_rows({**ROWS, "count": ["many", 1, 2]})
    table.discard()
    assert names_in(tmp_path) == []


@needs_pyarrow
def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite is False"):
        opened(tmp_path / "a.parquet", overwrite=False)
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        opened(tmp_path / "none" / "a.parquet")


FULL = """
    import resource, signal, sys
    from meshapi_backends._tables import PartTable

    table = PartTable(sys.argv[1], {"id": "text"})
    table.open(overwrite=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        for number in range(100):
            table.write_rows({"id": [f"{number}-{n:x}" * 20 for n in range(100)]})
        table.keep()
    except OSError as error:
        print(error)
    table.discard()
"""


@needs_pyarrow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FULL), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert "there is no room for the file, and nothing was changed" in done.stdout
    assert str(path) in done.stdout
    assert names_in(tmp_path) == []


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        opened(tmp_path / "a.parquet")
    assert caught.value.name == "pyarrow"
    assert "pip install pyarrow" in str(caught.value)
    assert names_in(tmp_path) == []


class _Items:
    """Items, as a run has them: an iterator for one kind of flow, an async one for the other."""

    def __init__(self, world: World, count: int, error: Optional[Exception]) -> None:
        self._world, self._count, self._error = world, count, error
        self._number = 0

    def __next__(self) -> MapItem[str]:
        number = self._number
        if number == self._count:
            if self._error is not None:
                raise self._error
            raise StopIteration
        self._number = number + 1
        return MapItem(index=number, id=f"call-{number}", value=f"text {number}")

    async def __anext__(self) -> MapItem[str]:
        await self._world.sleep(0)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None


def items_of(world: World, count: int, error: Optional[Exception] = None) -> Any:
    return _Items(world, count, error)


@on_every_flavour
async def test_items_are_saved_as_json_lines(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    async with world.client("http://127.0.0.1:1") as client:
        saved = await world.settle(client._runner.run_flow(save_jsonl(items_of(world, 3), path)))
        assert (saved.path, saved.rows) == (str(path), 3)
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [row["output"] for row in rows] == ["text 0", "text 1", "text 2"]
        with pytest.raises(RateLimitError):
            await world.settle(client._runner.run_flow(save_jsonl(items_of(world, 2, ERROR), path)))
    assert len(path.read_bytes().splitlines()) == 3
    assert names_in(tmp_path) == ["a.jsonl"]


@needs_pyarrow
@on_every_flavour
async def test_items_are_saved_as_a_table(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_ROWS", 2)
    path = tmp_path / "a.parquet"
    async with world.client("http://127.0.0.1:1") as client:
        saved = await world.settle(client._runner.run_flow(save_parquet(items_of(world, 5), path)))
        assert (saved.path, saved.rows) == (str(path), 5)
        with pytest.raises(RateLimitError):
            await world.settle(
                client._runner.run_flow(save_parquet(items_of(world, 5, ERROR), path))
            )
    found = read(path)
    assert [*found] == [*saving.ITEM_COLUMNS]
    assert found["text"] == [f"text {number}" for number in range(5)]
    assert names_in(tmp_path) == ["a.parquet"]


WAYS = {"asyncio": ("blocked", "race", "level"), "trio": ("after", "before"), "sync": ()}
SAVES = [save_jsonl, pytest.param(save_parquet, marks=needs_pyarrow)]


def check_saved(path: Path) -> None:
    """Check that all items are in a file, and remove it."""
    lines = path.read_bytes().splitlines()
    assert lines[0].startswith(b"PAR1") or len(lines) == 5
    if lines[0].startswith(b"PAR1"):
        assert len(read(path)["id"]) == 5
    path.unlink()


async def struck(world: World, victim: Any, blow: Blow) -> Attack:
    kind = EdgeAttack if world.name == "asyncio" else ScopeAttack
    attack: Attack = kind(victim, blow)
    await world.together(attack.run)
    return attack


@pytest.mark.slow
@pytest.mark.parametrize("save", SAVES)
@on_every_flavour
async def test_a_file_whose_saving_is_cancelled_anywhere_is_not_there_or_whole(
    world: World, tmp_path: Path, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_ROWS", 2)
    monkeypatch.setattr(saving, "PIECE", 100)
    ways = WAYS[world.name]
    cancelled = 0
    async with world.client("http://127.0.0.1:1") as client:
        for how in ways:
            step, done = 0, False
            while not done:
                step += 1
                path = tmp_path / f"{how}-{step}"
                victim = client._runner.run_flow(save(items_of(world, 5), path))
                attack = await struck(world, victim, Blow(how, (step,)))
                done = attack.blows == 0
                cancelled += attack.cancelled
                found = names_in(tmp_path)
                assert found == [path.name] or (not attack.finished and found == []), step
                if found:
                    check_saved(path)
    assert cancelled >= 5 * len(ways)


TRACED = frozenset(
    {
        str(Path(meshapi_backends.__file__).parent / "_files.py"),
        str(Path(meshapi_backends.__file__).parent / "_tables.py"),
        str(Path(meshapi_core.__file__).parent / "bulk" / "saving.py"),
    }
)


@needs_pyarrow
@pytest.mark.slow
def test_an_interrupt_at_any_line_leaves_all_of_a_table_or_nothing(tmp_path: Path) -> None:
    items = [MapItem(index=number, id="a", value="text") for number in range(3)]
    path = tmp_path / "a.parquet"
    kept = 0
    with MeshAPI(token="rsk_test_tables", base_url="http://127.0.0.1:1") as client:
        for at in range(1, 2000):
            path.write_bytes(b"old")
            try:
                with Interrupter(at, TRACED) as interrupter:
                    client._runner.run_flow(save_parquet(iter(items), path))
            except KeyboardInterrupt:
                pass
            assert names_in(tmp_path) == ["a.parquet"], at
            if path.read_bytes() != b"old":
                assert read(path)["text"] == ["text"] * 3, at
                kept += 1
            if interrupter.lines < at:
                break
    assert at > 100
    assert kept > 1
