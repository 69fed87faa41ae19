"""Parquet files: all of a table is at its path, or nothing is, and its rows are as they were."""

import gc
import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from meshapi import RateLimitError
from meshapi_backends._tables import PartTable
from meshapi_core.bulk import MapItem, save_jsonl, save_parquet, saving
from support.flavours import World, on_every_flavour

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
    assert "pip install 'meshapi[parquet]'" in str(caught.value)
    assert names_in(tmp_path) == []


def items_of(world: World, count: int, error: Optional[Exception] = None) -> Any:
    """Items, for a flow of this flavour."""

    def blocking() -> Iterator[MapItem[str]]:
        for number in range(count):
            yield MapItem(index=number, id=f"call-{number}", value=f"text {number}")
        if error is not None:
            raise error

    async def asynchronous() -> AsyncIterator[MapItem[str]]:
        for one in blocking():
            await world.sleep(0)
            yield one

    return blocking() if world.name == "sync" else asynchronous()


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
    assert [*found] == [*saving.COLUMNS]
    assert found["text"] == [f"text {number}" for number in range(5)]
    assert names_in(tmp_path) == ["a.parquet"]
