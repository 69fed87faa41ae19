"""Files that are not complete yet: how they end, whatever interrupts them."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import meshapi_backends
import meshapi_core
from meshapi import MeshAPI
from meshapi_backends._files import PartFile
from support.file_server import FileServer
from support.flavours import QUICK, TOKEN
from support.interrupting import Interrupter
from support.leaks import descriptors
from support.scripted_server import ScriptedServer

CONTENT = b"0123456789" * 3
OLD = b"what was there before"

_FOLDER = "/proc/self/fd"

TRACED = {
    str(Path(meshapi_backends.__file__).parent / "_files.py"),
    str(Path(meshapi_backends.__file__).parent / "_sync" / "flows.py"),
    str(Path(meshapi_core.__file__).parent / "flows" / "downloads.py"),
}


def in_folder(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


def open_in(folder: Path) -> list[str]:
    """The files in a folder that this process has open; none if the system does not tell."""
    found = []
    for name in os.listdir(_FOLDER) if os.path.isdir(_FOLDER) else ():
        with suppress(OSError):
            path = os.readlink(f"{_FOLDER}/{name}")
            if path.startswith(f"{folder}/"):
                found.append(path)
    return found


@pytest.mark.slow
def test_an_interrupt_at_any_line_leaves_all_of_the_file_or_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    kept = 0
    files = FileServer(CONTENT)
    options: dict[str, Any] = {"token": TOKEN, "timeout": 5.0, "retry": QUICK}
    with ScriptedServer(files.script) as server:
        for at in range(1, 2000):
            path.write_bytes(OLD)
            files.cuts = [files.size() - 5]
            with MeshAPI(base_url=server.url, **options) as client:
                try:
                    with Interrupter(at, TRACED) as interrupter:
                        client.files.download("file-1", path)
                except KeyboardInterrupt:
                    pass
            assert in_folder(tmp_path) in ({"a": OLD}, {"a": CONTENT}), at
            kept += in_folder(tmp_path) == {"a": CONTENT}
            assert open_in(tmp_path) == [], at
            if interrupter.lines < at:
                break
    # It ran to its end once, and was interrupted after the file was in its place as well.
    assert at > 100
    assert kept > 1


def test_what_is_discarded_while_it_is_synced_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, goes_on = threading.Event(), threading.Event()

    def slow(file: int) -> None:
        syncs.set()
        assert goes_on.wait(10)

    before = descriptors()
    monkeypatch.setattr(os, "fsync", slow)
    file = PartFile(tmp_path / "a")
    file.open(overwrite=True)
    file.write(CONTENT)
    thread = threading.Thread(target=file.keep)
    thread.start()
    assert syncs.wait(10)
    file.discard()
    assert in_folder(tmp_path) == {}
    goes_on.set()
    thread.join(10)
    file.discard()
    assert in_folder(tmp_path) == {}
    assert descriptors() == before


def test_what_was_discarded_is_not_kept_later(tmp_path: Path) -> None:
    file = PartFile(tmp_path / "a")
    file.open(overwrite=True)
    file.discard()
    file.keep()
    assert in_folder(tmp_path) == {}


def test_what_was_kept_is_not_discarded(tmp_path: Path) -> None:
    file = PartFile(tmp_path / "a")
    file.open(overwrite=True)
    file.write(CONTENT)
    file.keep()
    file.discard()
    assert in_folder(tmp_path) == {"a": CONTENT}


def test_what_was_emptied_begins_again(tmp_path: Path) -> None:
    file = PartFile(tmp_path / "a")
    file.open(overwrite=True)
    file.write(CONTENT)
    file.empty()
    file.write(b"new")
    file.keep()
    assert in_folder(tmp_path) == {"a": b"new"}


def test_a_sync_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_bytes(OLD)
    before = descriptors()
    monkeypatch.setattr(os, "fsync", full)
    file = PartFile(tmp_path / "a")
    file.open(overwrite=True)
    file.write(CONTENT)
    with pytest.raises(OSError, match="no room for the file, and nothing was changed"):
        file.keep()
    file.discard()
    assert in_folder(tmp_path) == {"a": OLD}
    assert descriptors() == before


@pytest.mark.parametrize("can_link", [True, False])
def test_without_overwrite_a_file_that_exists_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_link: bool
) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not can_link:
        monkeypatch.setattr(os, "link", refuse)
    file = PartFile(tmp_path / "a")
    file.open(overwrite=False)
    file.write(CONTENT)
    file.keep()
    assert in_folder(tmp_path) == {"a": CONTENT}
    late = PartFile(tmp_path / "b")
    late.open(overwrite=False)
    (tmp_path / "b").write_bytes(OLD)
    with pytest.raises(FileExistsError):
        late.keep()
    late.discard()
    assert in_folder(tmp_path) == {"a": CONTENT, "b": OLD}


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs modes that bind")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            PartFile(tmp_path / "a").open(overwrite=True)
        assert caught.value.filename == str(tmp_path / "a")
    finally:
        tmp_path.chmod(0o700)
