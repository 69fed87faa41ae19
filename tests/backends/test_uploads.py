"""Uploads: from each kind of source, sent again, broken off, refused, cancelled."""

import io
import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
from python_multipart import parse_form

from meshapi import APIStatusError, ContentTooLargeError, InternalServerError, MeshAPIError
from meshapi_core import Call, SignedPut, StreamCall
from meshapi_core.bodies import OpenBody
from meshapi_core.endpoints import (
    ByteStreamReader,
    EmptyReader,
    FilePart,
    JSONReader,
    Multipart,
    file_source,
)
from meshapi_core.errors import InvalidParamsError
from support.flavours import TOKEN, World, descriptors, on_every_flavour
from support.scripted_server import PATIENCE, Peer, Received, ScriptedServer
from support.wire import make_response

SIZE = 300 * 1024
CONTENT = (
    random.Random(7).randbytes(SIZE) if hasattr(random.Random, "randbytes") else os.urandom(SIZE)
)
OK = make_response(200, b"{}")
BUSY = make_response(503, b"", "Retry-After: 0")


def busy_at_first(times: int = 1, *, close: bool = False) -> Any:
    """A script: some refusals, then success."""

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(BUSY if len(peer.server.requests) <= times else OK)
            if close:
                return

    return script


good = busy_at_first(0)


class Sources:
    """Every way to name the same content."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "content.bin"
        self.path.write_bytes(CONTENT)

    def bytes(self) -> Any:
        return CONTENT

    def path_object(self) -> Any:
        return self.path

    def path_text(self) -> Any:
        return str(self.path)

    def file(self) -> Any:
        return self.path.open("rb")

    def file_from_the_middle(self) -> Any:
        prefix = self.path.with_name("prefixed.bin")
        prefix.write_bytes(b"not this" + CONTENT)
        file = prefix.open("rb")
        file.seek(8)
        return file

    def unbuffered_file(self) -> Any:
        return self.path.open("rb", buffering=0)

    def memory(self) -> Any:
        return io.BytesIO(CONTENT)

    def spooled(self) -> Any:
        file = tempfile.SpooledTemporaryFile(max_size=1000)  # noqa: SIM115 - the test closes it
        file.write(CONTENT)
        file.seek(0)
        return file

    def pipe(self) -> Any:
        reader, writer = os.pipe()

        def write() -> None:
            with open(writer, "wb") as file:
                file.write(CONTENT)

        threading.Thread(target=write, daemon=True).start()
        return open(reader, "rb")

    def named_pipe(self) -> Any:
        path = self.path.with_name("fifo")
        os.mkfifo(path)
        threading.Thread(target=lambda: path.write_bytes(CONTENT), daemon=True).start()
        return path

    def generator(self) -> Any:
        return (CONTENT[i : i + 1000] for i in range(0, SIZE, 1000))

    def list(self) -> Any:
        return [CONTENT[:5], b"", bytearray(CONTENT[5:])]

    def without_seek(self) -> Any:
        class Reader:
            def __init__(self) -> None:
                self._inner = io.BytesIO(CONTENT)

            def read(self, size: int = -1) -> bytes:
                return self._inner.read(min(size, 777))

        return Reader()

    def seek_says_nothing(self) -> Any:
        class Reader(io.BytesIO):
            def seek(self, *args: Any) -> Any:  # type: ignore[override]
                super().seek(*args)

        return Reader(CONTENT)


def closing(source: Any) -> Any:
    """Close at the end what the caller has opened."""
    return source if isinstance(source, FILES) else nullcontext()


FILES = (io.IOBase, tempfile.SpooledTemporaryFile)
KINDS = [name for name in vars(Sources) if not name.startswith("_")]


def put(server: ScriptedServer, content: Any) -> SignedPut:
    return SignedPut(
        url=f"{server.url}/bucket/a%20b?signature=secret",
        content_type="audio/mpeg",
        source=file_source("file", content),
    )


def post(server: ScriptedServer, content: Any) -> "Call[Any]":
    part = FilePart("file", file_source("file", content), 'a "b".mp3')
    return Call(
        method="POST",
        path="/v1/audio/transcriptions",
        body=Multipart((("model", "m"),), (part,)),
        reader=JSONReader(dict),
    )


def content_of(request: Received) -> bytes:
    """The file in a request."""
    assert request.headers["content-length"] == str(len(request.body))
    if request.line.startswith(b"PUT"):
        return request.body
    fields: dict[Any, Any] = {}
    files: dict[Any, Any] = {}
    headers = {
        "Content-Type": request.headers["content-type"].encode(),
        "Content-Length": request.headers["content-length"].encode(),
    }
    parse_form(
        headers,  # type: ignore[arg-type]
        io.BytesIO(request.body),
        lambda field: fields.update({field.field_name: field.value}),
        lambda file: files.update({file.field_name: file.file_object}),
    )
    assert fields == {b"model": b"m"}
    file = files[b"file"]
    file.seek(0)
    data: bytes = file.read()
    file.close()
    return data


def run(client: Any, call: Any) -> Any:
    return client._runner.run(call)


async def running(world: World, client: Any, call: Any) -> Any:
    return await world.settle(run(client, call))


@pytest.mark.parametrize("call", [put, post])
@pytest.mark.parametrize("kind", KINDS)
@on_every_flavour
async def test_any_source_is_sent_whole_and_the_same_again(
    world: World, tmp_path: Path, kind: str, call: Any
) -> None:
    """Other clients send a form only once, whatever the response."""
    source = getattr(Sources(tmp_path), kind)()
    with closing(source), ScriptedServer(busy_at_first()) as server:
        async with world.client(server.url) as client:
            await running(world, client, call(server, source))
        first, second = server.requests
        assert content_of(first) == CONTENT
        assert (second.head, second.body) == (first.head, first.body)
        if isinstance(source, FILES):
            assert not source.closed, "it is the caller's"


@on_every_flavour
async def test_the_content_type_is_all_that_goes_to_a_signed_url(
    world: World, tmp_path: Path
) -> None:
    with ScriptedServer(good) as server:
        options = {"extra_headers": {"X-Key": "1"}, "extra_query": {"q": 1}, "extra_body": {"b": 1}}
        async with world.client(server.url) as client:
            assert await running(world, client.with_options(**options), put(server, b"abc")) is None
        (request,) = server.requests
        assert request.line == b"PUT /bucket/a%20b?signature=secret HTTP/1.1"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "content-type": "audio/mpeg",
            "content-length": "3",
        }
        assert TOKEN.encode() not in request.head


@pytest.mark.parametrize("call", [put, post])
@pytest.mark.parametrize("close", [False, True])
@on_every_flavour
async def test_a_file_is_sent_again_on_another_connection(
    world: World, tmp_path: Path, call: Any, close: bool
) -> None:
    path = Sources(tmp_path).path
    with ScriptedServer(busy_at_first(2, close=close)) as server:
        async with world.client(server.url) as client:
            await running(world, client, call(server, path))
        assert [content_of(request) for request in server.requests] == [CONTENT] * 3
        assert len({request.body for request in server.requests}) == 1
        assert server.connections == (3 if close else 1)


@on_every_flavour
async def test_an_upload_that_broke_off_is_sent_again_whole(world: World, tmp_path: Path) -> None:
    path = Sources(tmp_path).path

    def breaks_off(peer: Peer) -> None:
        peer.receive_head()
        peer.take()
        peer.reset()

    with ScriptedServer(breaks_off, good) as server:
        async with world.client(server.url) as client:
            await running(world, client, put(server, path))
        (request,) = server.requests
        assert request.body == CONTENT


@pytest.mark.parametrize("call", [put, post])
@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1])
@on_every_flavour
async def test_files_of_all_sizes(world: World, tmp_path: Path, call: Any, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    with ScriptedServer(good) as server:
        async with world.client(server.url) as client:
            for source in (path, path.read_bytes(), [path.read_bytes()]):
                await running(world, client, call(server, source))
        assert [content_of(request) for request in server.requests] == [b"x" * size] * 3
        assert server.connections == 1


class Odd:
    """Sources that cannot be read, by name."""

    @staticmethod
    def missing(folder: Path) -> Any:
        return folder / "missing", FileNotFoundError

    @staticmethod
    def a_folder(folder: Path) -> Any:
        return folder, IsADirectoryError

    @staticmethod
    def gives_text(folder: Path) -> Any:
        return (text for text in ["text"]), InvalidParamsError

    @staticmethod
    def gives_numbers(folder: Path) -> Any:
        return iter([1, 2]), InvalidParamsError

    @staticmethod
    def raises(folder: Path) -> Any:
        def pieces() -> Any:
            yield b"a"
            raise KeyError("of the caller")

        return pieces(), KeyError

    @staticmethod
    def closed(folder: Path) -> Any:
        file = io.BytesIO(b"x")
        file.close()
        return file, ValueError

    @staticmethod
    def pipe_that_gives_text(folder: Path) -> Any:
        class Reader:
            def read(self, size: int) -> str:
                return "text"

        return Reader(), InvalidParamsError


ODD = [name for name in vars(Odd) if not name.startswith("_")]


@pytest.mark.parametrize("call", [put, post])
@pytest.mark.parametrize("kind", ODD)
@on_every_flavour
async def test_what_cannot_be_read_raises_before_anything_is_sent(
    world: World, tmp_path: Path, kind: str, call: Any
) -> None:
    source, error = getattr(Odd, kind)(tmp_path)
    with ScriptedServer(good) as server:
        async with world.client(server.url) as client:
            with pytest.raises(error) as caught:
                await running(world, client, call(server, source))
            assert not isinstance(caught.value, MeshAPIError)
            assert server.connections == 0
            await running(world, client, put(server, b"next"))


@on_every_flavour
async def test_files_opened_before_the_one_that_is_missing_are_closed(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    parts = tuple(
        FilePart("file", file_source("file", tmp_path / name), name) for name in ("a", "missing")
    )
    call = Call(method="POST", path="/v1/x", body=Multipart((), parts), reader=EmptyReader())
    with ScriptedServer(good) as server:
        async with world.client(server.url) as client:
            with pytest.raises(FileNotFoundError):
                await running(world, client, call)
        assert server.connections == 0


class Shrinks(io.BytesIO):
    """A file that somebody else truncates while it is read."""

    def read(self, size: Any = -1) -> bytes:
        self.truncate(SIZE // 2)
        return super().read(size)


class Grows(io.BytesIO):
    """A file to which somebody else appends while it is read."""

    def read(self, size: Any = -1) -> bytes:
        data = super().read(size)
        at = self.tell()
        self.seek(0, os.SEEK_END)
        self.write(b"more" * 1000)
        self.seek(at)
        return data


class Breaks(io.BytesIO):
    """A file on a disk that fails half-way through."""

    def read(self, size: Any = -1) -> bytes:
        if self.tell() > SIZE // 2:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("call", [put, post])
@pytest.mark.parametrize(
    ("kind", "code"), [(Shrinks, "source_changed"), (Breaks, "source_unreadable")]
)
@on_every_flavour
async def test_a_file_that_fails_while_it_is_sent_ends_the_call_and_its_connection(
    world: World, kind: Any, code: str, call: Any
) -> None:
    with ScriptedServer(good) as server, kind(CONTENT) as source:
        async with world.client(server.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await running(world, client, call(server, source))
            assert caught.value.error_code == code
            assert server.requests == []
            await running(world, client, put(server, b"next"))
        assert [request.body for request in server.requests] == [b"next"]
        assert server.connections == 2
        assert not source.closed


@on_every_flavour
async def test_what_is_appended_meanwhile_is_not_sent(world: World) -> None:
    with ScriptedServer(good) as server, Grows(CONTENT) as source:
        async with world.client(server.url) as client:
            await running(world, client, put(server, source))
        assert [request.body for request in server.requests] == [CONTENT]


@pytest.mark.parametrize("call", [put, post])
@on_every_flavour
async def test_a_refusal_while_it_is_sent_is_heard(world: World, tmp_path: Path, call: Any) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)

    def refuse(peer: Peer) -> None:
        peer.receive_head()
        peer.send(make_response(413, b'{"error": {"code": "too_large", "message": "no"}}'))
        peer.wait_until_left()

    with ScriptedServer(refuse) as server:
        async with world.client(server.url) as client:
            with pytest.raises(ContentTooLargeError):
                await running(world, client, call(server, path))


@on_every_flavour
async def test_a_refusal_before_the_last_piece_costs_the_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server waits for the rest of the body, and would take the next request for it."""
    responded = threading.Event()
    waited = []
    pieces_of = OpenBody.pieces

    def pieces(body: OpenBody) -> Iterator[bytes]:
        yield from pieces_of(body)
        # All but the last piece has been written, and that one has not.
        waited.append(responded.wait(PATIENCE))

    monkeypatch.setattr(OpenBody, "pieces", pieces)

    def refuse(peer: Peer) -> None:
        assert peer.receive_head() is not None
        taken = 0
        while taken < 64 * 1024:
            taken += len(peer.take())
        peer.send(make_response(413, b'{"error": {"code": "too_large", "message": "no"}}'))
        responded.set()
        peer.wait_until_left()

    with ScriptedServer(refuse, good) as server:
        async with world.client(server.url, max_retries=0, retry=None) as client:
            with pytest.raises(ContentTooLargeError):
                await running(world, client, put(server, io.BytesIO(CONTENT[:100_000])))
            await running(world, client, put(server, b"next"))
        assert waited == [True]
        assert [(sent.connection, sent.body) for sent in server.requests] == [(1, b"next")]


@on_every_flavour
async def test_what_a_storage_says_is_an_error_that_shows_no_signature(world: World) -> None:
    body = b"<Error><Code>SignatureDoesNotMatch</Code><Message>signature=secret</Message></Error>"

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(make_response(403, body, kind="application/xml"))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await running(world, client, put(server, b"abc"))
    error = caught.value
    assert (error.status, error.provider_code) == (403, "SignatureDoesNotMatch")
    assert "secret" not in f"{error!r} {error} {error.args} {vars(error)}"


@on_every_flavour
async def test_a_busy_storage_is_asked_again_and_then_given_up(world: World) -> None:
    with ScriptedServer(busy_at_first(99)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(InternalServerError) as caught:
                await running(world, client, put(server, b"abc"))
        assert len(server.requests) == 3
        assert "secret" not in repr(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("ours", [True, False])
@on_every_flavour
async def test_giving_up_half_way_leaves_the_callers_file_open_and_ours_closed(
    world: World, tmp_path: Path, ours: bool
) -> None:
    """Descriptors that stay open fail every test here; see `nothing_left_open`."""
    path = Sources(tmp_path).path

    class GivesUp(io.FileIO):
        def read(self, size: Any = -1) -> bytes:
            if not ours and self.tell() > SIZE // 2:
                raise KeyboardInterrupt
            return super().read(size) or b""

    file = GivesUp(path)
    source: Any = file
    if ours:
        source = (CONTENT for _ in range(9))

    def half(peer: Peer) -> None:
        peer.receive_head()
        peer.take()
        peer.wait_for_the_end()

    with file, ScriptedServer(half, receive_buffer=4096) as server:
        async with world.client(server.url, timeout=0.05, max_retries=0, retry=None) as client:
            with pytest.raises(BaseException) as caught:  # noqa: PT011 - one of the two
                await running(world, client, put(server, source))
        assert isinstance(caught.value, MeshAPIError if ours else KeyboardInterrupt)
        assert not file.closed
        assert len(os.listdir("/proc/self/fd")) < 200


@pytest.mark.parametrize("ours", [True, False])
@on_every_flavour
async def test_cancelling_an_upload_closes_our_file_and_not_the_callers(
    world: World, tmp_path: Path, ours: bool
) -> None:
    path = Sources(tmp_path).path
    if world.name == "sync":
        return

    def half(peer: Peer) -> None:
        peer.receive_head()
        peer.take()
        peer.wait_for_the_end()

    large = path.with_name("large")
    with large.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    with ScriptedServer(half, receive_buffer=4096) as server, large.open("rb") as file:
        source: Any = large if ours else file
        async with world.client(server.url) as client:
            with anyio.move_on_after(0.05) as scope:
                await running(world, client, put(server, source))
            assert scope.cancelled_caught
            opened = [fd for fd, to in descriptors().items() if to == str(large)]
            assert set(opened) <= {str(file.fileno())}
            assert not file.closed


def _target(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


@on_every_flavour
async def test_a_download_goes_on_piece_by_piece(world: World) -> None:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(make_response(200, CONTENT, kind="application/octet-stream"))

    call = StreamCall(method="GET", path="/v1/files/a/content", reader=ByteStreamReader())
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            for _ in range(2):
                got = b""
                async with world.dress(client._runner.open(call)) as stream:
                    async for piece in stream:
                        assert 0 < len(piece) <= 256 * 1024
                        got += piece
                assert got == CONTENT
        assert server.connections == 1


@on_every_flavour
async def test_a_form_may_be_answered_by_a_stream(world: World, tmp_path: Path) -> None:
    path = Sources(tmp_path).path

    def script(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(make_response(200, content_of(request), kind="audio/mpeg"))

    part = FilePart("file", file_source("file", path), "a")
    call = StreamCall(
        method="POST",
        path="/v1/x",
        body=Multipart((("model", "m"),), (part,)),
        reader=ByteStreamReader(),
    )
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            stream = world.dress(client._runner.open(call))
            assert b"".join([piece async for piece in stream]) == CONTENT
