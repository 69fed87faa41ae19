"""Downloads on every flavour, over real sockets: whole files appear, or nothing does."""

import base64
import os
import random
import re
import stat
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    APIStatusError,
    Hooks,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    NotFoundError,
    Progress,
    ResponseDecodeError,
    RetryPolicy,
    SavedFile,
    StreamInterruptedError,
)
from meshapi_core.errors import RedirectError
from meshapi_core.types import ImageGenerationResponse, ImageItem
from support.file_server import FileServer
from support.flavours import QUICK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer, answering
from support.wire import make_response

CONTENT = bytes(random.Random(3).choices(range(256), k=60))
OLD = b"what was there before"
SECRET = "Sig-9f8e7d6c5b4a"
NO_RETRIES = RetryPolicy(max_retries=0)


def in_folder(folder: Path) -> dict[str, bytes]:
    """All that is in a folder, hidden files included."""
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


async def download(world: World, client: Any, path: Path, **options: Any) -> Any:
    return await client.files.download("file-1", path, **options)


@on_every_flavour
async def test_a_file_is_saved(world: World, tmp_path: Path) -> None:
    files = FileServer(CONTENT)
    with ScriptedServer(files.script) as server:
        async with world.client(server.url) as client:
            saved = await client.files.download("file-1", tmp_path / "a.mp4")
        (request,) = server.requests
    assert saved == SavedFile(str(tmp_path / "a.mp4"), len(CONTENT), "video/mp4")
    assert in_folder(tmp_path) == {"a.mp4": CONTENT}
    assert stat.S_IMODE((tmp_path / "a.mp4").stat().st_mode) == 0o600
    assert request.line == b"GET /v1/files/file-1/content HTTP/1.1"
    assert TOKEN in request.headers["authorization"]
    assert request.headers["accept-encoding"] == "identity"


@on_every_flavour
async def test_a_file_behind_a_url_is_saved_without_the_token(world: World, tmp_path: Path) -> None:
    files = FileServer(CONTENT)
    with ScriptedServer(files.script) as server:
        url = f"{server.url}/a/%2e%2e/other.exe?signature={SECRET}"
        async with world.client("http://127.0.0.1:9") as client:
            saved = await client.download(url, str(tmp_path / "a.mp4"))
        (request,) = server.requests
    assert in_folder(tmp_path) == {"a.mp4": CONTENT}
    assert saved.size == len(CONTENT)
    assert TOKEN.encode() not in request.head
    assert f"signature={SECRET}".encode() in request.line
    assert "x-meshapi-sdk" not in request.headers


@on_every_flavour
async def test_a_file_is_replaced_at_the_end_only(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(OLD)
    seen: list[Any] = []

    def look(progress: Progress) -> None:
        seen.append((progress, path.read_bytes(), len(os.listdir(tmp_path))))

    files = FileServer(CONTENT)
    with ScriptedServer(files.script) as server:
        async with world.client(server.url) as client:
            await download(world, client, path, on_progress=look)
    size = len(CONTENT)
    assert seen[-1] == (Progress(size, size, "a.mp4"), OLD, 2)
    assert in_folder(tmp_path) == {"a.mp4": CONTENT}


@on_every_flavour
async def test_an_empty_file(world: World, tmp_path: Path) -> None:
    with ScriptedServer(FileServer(b"").script) as server:
        async with world.client(server.url) as client:
            saved = await download(world, client, tmp_path / "a")
    assert (saved.size, in_folder(tmp_path)) == (0, {"a": b""})


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@on_every_flavour
async def test_wherever_a_response_is_cut_the_file_is_right(
    world: World, tmp_path: Path, chunked: bool, ranges: bool
) -> None:
    files = FileServer(CONTENT)
    files.chunked, files.ranges = chunked, ranges
    path = tmp_path / "a"
    with ScriptedServer(files.script) as server:
        async with world.client(server.url) as client:
            for cut in range(files.size()):
                files.cuts = [cut]
                files.reset = bool(cut % 2)
                path.write_bytes(OLD)
                await download(world, client, path)
                assert in_folder(tmp_path) == {"a": CONTENT}, cut
    asked = [
        request.headers["range"] for request in server.requests if b"\r\nrange" in request.head
    ]
    # All but those that lost their head, or their first byte.
    assert len(asked) >= len(CONTENT) - 1


@pytest.mark.slow
@pytest.mark.parametrize("tag", ['"first"', ""], ids=["tag", "no tag"])
@on_every_flavour
async def test_a_file_that_changes_is_never_mixed(world: World, tmp_path: Path, tag: str) -> None:
    new = bytes(reversed(CONTENT)) + b"more"
    with ScriptedServer(lambda peer: files.script(peer)) as server:
        async with world.client(server.url) as client:
            for cut in range(FileServer(CONTENT, tag=tag).size()):
                files = FileServer(CONTENT, tag=tag)
                files.cuts, files.successor = [cut], new
                await download(world, client, tmp_path / "a")
                assert in_folder(tmp_path) == {"a": new}, cut


@pytest.mark.slow
@on_every_flavour
async def test_any_two_or_three_cuts_lead_to_the_file_or_to_none(
    world: World, tmp_path: Path
) -> None:
    chance = random.Random(11)
    path = tmp_path / "a"
    outcomes = set()
    with ScriptedServer(lambda peer: files.script(peer)) as server:
        async with world.client(server.url) as client:
            for _ in range(80):
                files = FileServer(CONTENT, tag=chance.choice(['"first"', "", 'W/"weak"']))
                files.chunked = chance.random() < 0.5
                files.ranges = chance.random() < 0.7
                files.reset = chance.random() < 0.3
                files.cuts = [chance.randrange(files.size()) for _ in range(chance.choice([2, 3]))]
                path.write_bytes(OLD)
                try:
                    await download(world, client, path)
                    expected = CONTENT
                except (StreamInterruptedError, APIConnectionError):
                    expected = OLD
                outcomes.add(expected)
                assert in_folder(tmp_path) == {"a": expected}
    assert outcomes == {OLD, CONTENT}


@on_every_flavour
async def test_a_download_goes_on_where_it_broke_off(world: World, tmp_path: Path) -> None:
    files = FileServer(CONTENT)
    head = files.size() - len(CONTENT)
    files.cuts = [head + 10]
    told: list[Progress] = []
    with ScriptedServer(files.script) as server:
        async with world.client(server.url) as client:
            await download(world, client, tmp_path / "a", on_progress=told.append)
        _, second = server.requests
    assert second.headers["range"] == "bytes=10-"
    assert second.headers["if-range"] == '"first"'
    assert [each.done for each in told] == sorted({each.done for each in told})
    assert {each.total for each in told} == {len(CONTENT)}
    assert in_folder(tmp_path) == {"a": CONTENT}


@on_every_flavour
async def test_a_connection_that_breaks_too_often(world: World, tmp_path: Path) -> None:
    content = CONTENT * 10
    files = FileServer(content)
    # More than the head of a range, which is longer.
    files.cuts = [files.size() - len(content) + 90] * 9
    with ScriptedServer(files.script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(StreamInterruptedError):
                await download(world, client, tmp_path / "a")
        assert len(server.requests) == 1 + QUICK.max_retries
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_without_retries_a_break_is_an_error(world: World, tmp_path: Path) -> None:
    files = FileServer(CONTENT)
    files.cuts = [files.size() - 1]
    with ScriptedServer(files.script) as server:
        async with world.client(server.url, retry=NO_RETRIES) as client:
            with pytest.raises(StreamInterruptedError):
                await download(world, client, tmp_path / "a")
        assert len(server.requests) == 1
    assert in_folder(tmp_path) == {}


def _head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 " + lines[0], *lines[1:], "", ""]).encode()


@pytest.mark.parametrize(
    "second",
    [
        _head("206 Part", "Content-Length: 9", "Content-Range: bytes 0-8/10") + b"123456789",
        _head("206 Part", "Content-Length: 4", "Content-Range: bytes 3-6/7") + b"4567",
        _head("206 Part", "Content-Length: 4") + b"4567",
        _head("206 Part", "Content-Length: 7", "Content-Range: bytes 3-9/10", 'ETag: "b"')
        + b"4567890",
    ],
    ids=["start", "size", "unnamed", "tag"],
)
@on_every_flavour
async def test_a_wrong_range_leaves_nothing(world: World, tmp_path: Path, second: bytes) -> None:
    def first(peer: Peer) -> None:
        peer.receive()
        peer.send(_head("200 OK", "Content-Length: 10", 'ETag: "a"') + b"123")

    with ScriptedServer(first, answering(second)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(ResponseDecodeError) as caught:
                await download(world, client, tmp_path / "a")
    assert caught.value.error_code == "wrong_range"
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_a_compressed_response_is_decoded(world: World, tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(CONTENT)
    head = _head("200 OK", f"Content-Length: {len(packed)}", "Content-Encoding: gzip", 'ETag: "a"')

    def broken(peer: Peer) -> None:
        peer.receive()
        peer.send(head + packed[:20])

    with ScriptedServer(broken, answering(head + packed)) as server:
        async with world.client(server.url) as client:
            saved = await download(world, client, tmp_path / "a")
        assert "range" not in server.requests[1].headers
    assert saved.size == len(CONTENT)
    assert in_folder(tmp_path) == {"a": CONTENT}


@on_every_flavour
async def test_an_error_leaves_nothing(world: World, tmp_path: Path) -> None:
    body = b'{"error":{"code":"not_found","message":"no such file"}}'
    with ScriptedServer(answering(*[make_response(404, body)] * 2)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(NotFoundError, match="no such file"):
                await download(world, client, tmp_path / "a")
            with pytest.raises(NotFoundError, match="storage refused the download"):
                await client.download(f"{server.url}/x?key={SECRET}", tmp_path / "a")
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_an_error_within_a_200_is_not_saved(world: World, tmp_path: Path) -> None:
    body = b'{"error":{"code":"rate_limit_exceeded","message":"slow down"}}'
    with ScriptedServer(answering(make_response(200, body))) as server:
        async with world.client(server.url) as client:
            with pytest.raises(APIStatusError, match="slow down"):
                await download(world, client, tmp_path / "a")
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_a_redirect_is_not_followed(world: World, tmp_path: Path) -> None:
    place = f"Location: https://elsewhere.example/?{SECRET}"
    with ScriptedServer(answering(make_response(302, b"", place))) as server:
        async with world.client(server.url) as client:
            with pytest.raises(RedirectError) as caught:
                await client.download(f"{server.url}/x", tmp_path / "a")
    assert SECRET not in f"{caught.value!r} {vars(caught.value)}"
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_no_traceback_shows_the_query_of_a_url(world: World, tmp_path: Path) -> None:
    said: list[str] = []
    hooks = Hooks(on_error=lambda notice: said.append(f"{notice!r} {notice.about!r}"))
    with ScriptedServer(answering(make_response(403, SECRET.encode()))) as server:
        async with world.client(server.url, hooks=hooks) as client:
            for url in (f"{server.url}/x?sig={SECRET}", f"https://10.0.0.1/?{SECRET}"):
                with pytest.raises(MeshAPIError) as caught:
                    await client.download(url, tmp_path / "a")
                shown = "".join(_frames_of_ours(caught.value))
                assert SECRET not in shown + "".join(said)
                assert SECRET not in f"{caught.value} {vars(caught.value)}"


def _frames_of_ours(error: BaseException) -> list[str]:
    """What an error tracker shows of the frames in `src`: their locals."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return [f"{frame.locals}" for frame in found.stack if "/src/" in frame.filename]


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes")
@on_every_flavour
async def test_a_target_that_cannot_be_is_refused_before_anything_is_sent(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "link").symlink_to(tmp_path / "old")
    os.mkfifo(tmp_path / "pipe")
    refused: list[tuple[Any, type[Exception], str]] = [
        (tmp_path / "folder", IsADirectoryError, "folder"),
        (f"{tmp_path}/folder/", InvalidParamsError, "name of the file"),
        (tmp_path / "link", FileExistsError, "symbolic link"),
        (tmp_path / "pipe", FileExistsError, "pipe"),
        ("/dev/null", FileExistsError, "device"),
        (tmp_path / "missing" / "a", FileNotFoundError, "does not exist"),
        ("~nobody-here/a", FileNotFoundError, "expanduser"),
        (tmp_path / "old" / "a", NotADirectoryError, "old"),
        (tmp_path / ("x" * 300), OSError, "x"),
        ("", InvalidParamsError, "empty"),
        ("a\0b", InvalidParamsError, "path"),
        (b"a", InvalidParamsError, "fsdecode"),
        (1, InvalidParamsError, "int"),
        (None, InvalidParamsError, "path"),
    ]
    before = sorted(os.listdir(tmp_path))
    with ScriptedServer(lambda peer: None) as server:
        async with world.client(server.url) as client:
            for path, error, words in refused:
                with pytest.raises(error, match=words):
                    await client.files.download("file-1", path)
                with pytest.raises(error, match=words):
                    await client.audio.synthesize_to(path, model="m", input="x")
                with pytest.raises(error, match=words):
                    await client.download(f"{server.url}/a", path)
            with pytest.raises(FileExistsError, match="overwrite is False"):
                await client.files.download("file-1", tmp_path / "old", overwrite=False)
            with pytest.raises(InvalidParamsError, match="overwrite"):
                await client.files.download("file-1", tmp_path / "a", overwrite="no")
            with pytest.raises(InvalidParamsError, match="on_progress"):
                await client.files.download("file-1", tmp_path / "a", on_progress=True)
        assert server.connections == 0
    assert sorted(os.listdir(tmp_path)) == before


@on_every_flavour
async def test_a_file_that_appears_meanwhile_is_not_replaced(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with ScriptedServer(FileServer(CONTENT).script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(FileExistsError):
                await download(
                    world,
                    client,
                    path,
                    overwrite=False,
                    on_progress=lambda _: path.write_bytes(OLD),
                )
            assert in_folder(tmp_path) == {"a": OLD}
            path.unlink()
            await download(world, client, path, overwrite=False)
    assert in_folder(tmp_path) == {"a": CONTENT}


@on_every_flavour
async def test_two_downloads_to_one_path_are_both_whole(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a"
    other = CONTENT[::-1]
    files, others = FileServer(CONTENT), FileServer(other)
    with ScriptedServer(files.script) as server, ScriptedServer(others.script) as second:
        async with world.client(server.url) as client, world.client(second.url) as inner:
            seen: list[bytes] = []
            begun: list[Progress] = []

            async def within(progress: Progress) -> None:
                begun.append(progress)
                if len(begun) == 1:
                    await inner.files.download("file-2", path)
                    seen.append(path.read_bytes())

            # The blocking flavour calls functions, not coroutine functions.
            if world.name == "sync":

                def function(progress: Progress) -> None:
                    with pytest.raises(StopIteration):
                        within(progress).send(None)

            else:
                function = within  # type: ignore[assignment]
            await client.files.download("file-1", path, on_progress=function)
    assert seen == [other]
    assert in_folder(tmp_path) == {"a": CONTENT}


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o177], ids=oct)
def test_no_umask_changes_who_can_read_the_file(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "a"
    with (
        ScriptedServer(FileServer(CONTENT).script) as server,
        MeshAPI(base_url=server.url, token=TOKEN) as client,
    ):
        before = os.umask(mask)
        try:
            client.files.download("file-1", path)
        finally:
            os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@on_every_flavour
async def test_an_error_of_the_programs_function_leaves_nothing(
    world: World, tmp_path: Path
) -> None:
    def fail(progress: Progress) -> None:
        raise KeyError(progress.done)

    with ScriptedServer(FileServer(CONTENT).script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(KeyError):
                await download(world, client, tmp_path / "a", on_progress=fail)
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_an_interruption_leaves_nothing(world: World, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    if world.name == "asyncio":
        pytest.skip("asyncio ends the loop on a KeyboardInterrupt")
    with ScriptedServer(FileServer(CONTENT).script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(KeyboardInterrupt):
                await download(world, client, tmp_path / "a", on_progress=interrupt)
    assert in_folder(tmp_path) == {}


@on_every_flavour
async def test_the_path_is_that_of_the_folder_at_the_beginning(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with ScriptedServer(FileServer(CONTENT).script) as server:
        async with world.client(server.url) as client:
            saved = await client.files.download(
                "file-1", "a", on_progress=lambda _: os.chdir(tmp_path / "other")
            )
    assert saved.path == "a"
    assert (tmp_path / "a").read_bytes() == CONTENT


# Speech


SPEECH: dict[str, Any] = {"model": "openai/tts-1", "input": "Hello"}


@on_every_flavour
async def test_speech_is_saved(world: World, tmp_path: Path) -> None:
    response = make_response(200, b"RIFF" + CONTENT, kind="audio/wav")
    with ScriptedServer(answering(response)) as server:
        async with world.client(server.url) as client:
            saved = await client.audio.synthesize_to(
                tmp_path / "a.wav", response_format="wav", stream=False, **SPEECH
            )
        (request,) = server.requests
    assert request.json() == {**SPEECH, "response_format": "wav", "stream": False}
    assert saved.content_type == "audio/wav"
    assert in_folder(tmp_path) == {"a.wav": b"RIFF" + CONTENT}


@on_every_flavour
async def test_speech_that_breaks_off_is_not_made_again(world: World, tmp_path: Path) -> None:
    response = make_response(200, CONTENT, 'ETag: "a"', "Accept-Ranges: bytes", kind="audio/wav")

    def broken(peer: Peer) -> None:
        peer.receive()
        peer.send(response[:-1])

    (tmp_path / "a").write_bytes(OLD)
    with ScriptedServer(broken) as server:
        async with world.client(server.url) as client:
            with pytest.raises(StreamInterruptedError):
                await client.audio.synthesize_to(tmp_path / "a", **SPEECH)
        assert len(server.requests) == 1
    assert in_folder(tmp_path) == {"a": OLD}


# Images


@on_every_flavour
async def test_an_image_in_the_response_is_saved_without_a_request(
    world: World, tmp_path: Path
) -> None:
    encoded = base64.b64encode(CONTENT).decode()
    told: list[Progress] = []
    async with world.client("http://127.0.0.1:9") as client:
        for name, image in (
            ("a", ImageItem(b64_json=encoded)),
            ("b", ImageItem(url=f"DATA:image/png;base64,{encoded}")),
        ):
            saved = await client.images.save(image, tmp_path / name, on_progress=told.append)
            assert saved == SavedFile(str(tmp_path / name), len(CONTENT))
    assert in_folder(tmp_path) == {"a": CONTENT, "b": CONTENT}
    assert told[0] == Progress(len(CONTENT), len(CONTENT), "a")


@on_every_flavour
async def test_an_image_behind_a_url_is_downloaded(world: World, tmp_path: Path) -> None:
    with ScriptedServer(FileServer(CONTENT).script) as server:
        async with world.client("http://127.0.0.1:9") as client:
            image = ImageItem(url=f"{server.url}/a?sig={SECRET}")
            await client.images.save(image, tmp_path / "a")
    assert in_folder(tmp_path) == {"a": CONTENT}


@on_every_flavour
async def test_what_is_no_image_is_not_saved(world: World, tmp_path: Path) -> None:
    async with world.client("http://127.0.0.1:9") as client:
        with pytest.raises(InvalidParamsError, match=r"response.data\[0\]"):
            await client.images.save(ImageGenerationResponse(), tmp_path / "a")
        with pytest.raises(ValueError, match="no image"):
            await client.images.save(ImageItem(), tmp_path / "a")
        with pytest.raises(ValueError, match="base64"):
            await client.images.save(ImageItem(b64_json="?"), tmp_path / "a")
    assert in_folder(tmp_path) == {}


# A full disk


FULL = """
import resource, signal, sys
from meshapi import {client}
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

{body}
"""
RUNS = {
    "sync": """
with MeshAPI(base_url=sys.argv[1], token="rsk_test_full") as client:
    client.files.download("file-1", sys.argv[2])
""",
    "asyncio": """
import asyncio
async def main():
    async with AsyncMeshAPI(base_url=sys.argv[1], token="rsk_test_full") as client:
        await client.files.download("file-1", sys.argv[2])
asyncio.run(main())
""",
    "trio": """
import trio
async def main():
    async with AsyncMeshAPI(base_url=sys.argv[1], token="rsk_test_full") as client:
        await client.files.download("file-1", sys.argv[2])
trio.run(main)
""",
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no limits for files")
@pytest.mark.parametrize("flavour", RUNS)
def test_a_full_disk_leaves_the_old_file(flavour: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    name = "MeshAPI" if flavour == "sync" else "AsyncMeshAPI"
    program = textwrap.dedent(FULL).format(client=name, body=RUNS[flavour])
    with ScriptedServer(FileServer(CONTENT * 100).script) as server:
        ended = subprocess.run(
            [sys.executable, "-c", program, server.url, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "no room for the file, and nothing was changed" in last
    assert str(path) in last
    assert in_folder(tmp_path) == {"a": OLD}


# A process that is killed


KILLED = """
import os, signal, sys
from meshapi import MeshAPI
def kill(progress):
    os.kill(os.getpid(), signal.SIGKILL)
with MeshAPI(base_url=sys.argv[1], token="rsk_test_killed") as client:
    client.files.download("file-1", sys.argv[2], on_progress=kill)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_process_that_is_killed_leaves_the_old_file_and_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    with ScriptedServer(FileServer(CONTENT).script) as server:
        arguments = [sys.executable, "-c", KILLED, server.url, str(path)]
        assert subprocess.run(arguments, timeout=60, check=False).returncode < 0
        (part,) = in_folder(tmp_path).keys() - {"a"}
        assert re.fullmatch(r"\.meshapi-[0-9a-f]{16}\.part", part)
        assert path.read_bytes() == OLD
        with MeshAPI(base_url=server.url, token=TOKEN) as client:
            client.files.download("file-1", path)
    assert in_folder(tmp_path).keys() == {"a", part}
    assert path.read_bytes() == CONTENT
