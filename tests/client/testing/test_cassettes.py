"""Cassettes around real clients: what was recorded is played, on every transport."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi import (
    CassetteError,
    InvalidParamsError,
    MeshAPI,
    NetworkBlockedError,
    RateLimitError,
    StreamInterruptedError,
)
from meshapi.testing import LocalGateway, block_network, cassette
from support.flavours import ASK, QUICK, TOKEN, World, on_every_flavour
from support.transports import Sender, on_transports

QUESTION: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "What is 2+2?"}],
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as gateway:
        yield gateway


@on_transports(lambda sender, world: sender.sockets and not sender.http2)
async def test_what_was_recorded_is_played(
    world: World, sender: Sender, gateway: LocalGateway, tmp_path: Path
):
    path = tmp_path / "new" / "a.json"

    async def program() -> list[Any]:
        seen: list[Any] = []
        async with sender.options(world) as options:
            client = world.client(gateway.url, **{"token": gateway.token, **options})
            async with client:
                response = await client.chat.completions.create(**QUESTION)
                seen.append((response.id, response.text, response.meta.request_id))
                async for chunk in client.chat.completions.stream(**QUESTION):
                    seen.append((chunk.id, chunk.text))
        return seen

    with cassette(path) as tape:
        first = await program()
    assert (tape.recorded, tape.played) == (2, 0)
    before = path.read_bytes()
    assert gateway.token.encode() not in before
    with cassette(path) as tape, block_network(allow=[]):
        assert await program() == first
    assert (tape.recorded, tape.played, tape.unplayed) == (0, 2, 0)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


@on_every_flavour
async def test_retries_uploads_and_forms_are_played(world: World):
    import tempfile

    with LocalGateway(words_per_second=0) as gateway, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")

        async def program() -> list[Any]:
            async with world.client(gateway.url, token=gateway.token, retry=QUICK) as client:
                flaky = await client.chat.completions.create(**{**ASK, "model": "mesh/flaky"})
                upload = await client.rag.upload_file(__file__)
                heard = await client.audio.transcribe(
                    model="openai/whisper-1", file=("a.wav", b"RIFF\xff")
                )
                return [flaky.meta.attempts, upload.file_id, heard.text]

        with cassette(path):
            first = await program()
        assert first[0] == 3
        with cassette(path, mode="none") as tape, block_network(allow=[]):
            assert await program() == first
        assert tape.unplayed == 0


class Scripted:
    """A transport in memory: each response in the given pieces."""

    offline = True

    def __init__(self, pieces: Sequence[bytes], kind: str = "text/event-stream") -> None:
        self._all, self.headers, self.status = list(pieces), [("Content-Type", kind)], 200

    def send(self, request: Any, **options: Any) -> Any:
        self._left = iter(self._all)
        return self

    def read(self, until: Any) -> bytes:
        piece = next(self._left, b"")
        if piece == b"BREAK":
            raise ConnectionResetError
        return piece

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


def client_of(transport: Any, **options: Any) -> MeshAPI:
    return MeshAPI(base_url="https://a.invalid", token=TOKEN, transport=transport, **options)


def watched(seen: list[bytes]) -> Any:
    from meshapi.transports import MiddlewareResponse

    class Watched(MiddlewareResponse):
        def read(self, until: Any = None) -> bytes:
            piece = super().read(until)
            seen.append(piece)
            return piece

    return lambda request, call_next: Watched(call_next(request))


def stream_of(texts: list[str]) -> bytes:
    events = [
        {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in texts
    ]
    last = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    lines = [json.dumps(each, ensure_ascii=False) for each in (*events, last)]
    return "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]")).encode("utf-8", "replace")


@given(st.lists(st.text(max_size=5), max_size=3), st.sets(st.integers(1, 300), max_size=6))
def test_a_stream_is_played_in_the_same_pieces(tmp_path_factory, texts, cuts):
    body = stream_of(texts)
    borders = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[start:end] for start, end in zip(borders, borders[1:])]
    path = tmp_path_factory.mktemp("cassettes") / "a.json"
    played: list[list[Any]] = []
    for transport in (Scripted(pieces), None):
        seen: list[bytes] = []
        client = client_of(transport, middleware=[watched(seen)])
        with cassette(path), block_network():
            chunks = [str(chunk) for chunk in client.chat.completions.stream(**ASK)]
        played.append([chunks, seen])
    assert played[0] == played[1]
    assert [piece for piece in played[0][1] if piece] == pieces


def test_a_broken_stream_is_played_as_one(tmp_path):
    path = tmp_path / "a.json"
    texts = []
    for transport in (Scripted([stream_of(["a"])[:90], b"BREAK"]), None):
        with cassette(path), client_of(transport, max_retries=0) as client:
            with pytest.raises(StreamInterruptedError) as caught:
                for _ in client.chat.completions.stream(**ASK):
                    pass
            texts.append(caught.value.partial)
    assert texts[0] == texts[1]
    assert '"end": "broken"' in path.read_text("utf-8")


def test_a_stream_that_was_left_can_be_left_again_but_not_read_further(tmp_path):
    path = tmp_path / "a.json"
    body = stream_of(["a", "b"])
    cut = body.index(b"\n\n") + 2
    for transport in (Scripted([body[:cut], body[cut:]]), None):
        client = client_of(transport)
        with cassette(path), client.chat.completions.stream(**ASK) as stream:
            assert next(iter(stream)).text == "a"
    with cassette(path), client_of(None) as client, pytest.raises(CassetteError) as caught:
        for _ in client.chat.completions.stream(**ASK):
            pass
    assert caught.value.error_code == "cassette_incomplete"


def record(path: Path, *questions: str, mode: Any = "once") -> Any:
    with (
        cassette(path, mode) as tape,
        client_of(Scripted([b'{"data":[]}'], "application/json")) as c,
    ):
        for question in questions:
            c.embeddings.create(model="m", input=question)
    return tape


def test_a_request_that_was_not_recorded_is_refused_at_once(tmp_path):
    path = tmp_path / "a.json"
    record(path, "Hello!")
    client = client_of(None)
    with cassette(path) as tape, pytest.raises(CassetteError) as caught:
        client.embeddings.create(model="m", input="Goodbye!")
    error = caught.value
    assert error.error_code == "cassette_mismatch"
    assert error.attempts == 1
    assert "The nearest is number 1: body.input: recorded 'Hello!', got 'Goodbye!'" in str(error)
    assert 'mode="new_episodes"' in str(error)
    assert tape.played == 0


def test_the_file_is_written_when_the_test_fails(tmp_path):
    path = tmp_path / "a.json"
    client = client_of(Scripted([b'{"data":[]}'], "application/json"))
    with pytest.raises(ZeroDivisionError), cassette(path):
        client.models.list()
        raise ZeroDivisionError
    assert "/v1/models" in path.read_text("utf-8")


def test_two_tests_share_a_cassette(tmp_path):
    path = tmp_path / "a.json"
    record(path, "one")
    assert record(path, "two", mode="new_episodes").recorded == 1
    assert record(path, "one", "two").unplayed == 0
    assert record(path, "two").unplayed == 1
    assert record(path, "three", mode="all").recorded == 1
    assert '"one"' not in path.read_text("utf-8")


def test_nothing_is_written_if_nothing_is_new(tmp_path):
    path = tmp_path / "a.json"
    with cassette(path):
        pass
    assert not path.exists()
    with (
        pytest.raises(CassetteError, match="there is no cassette") as caught,
        cassette(path, "none"),
    ):
        pass
    assert caught.value.error_code == "cassette_missing"


def test_a_damaged_file_is_left_alone(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{]")
    for _ in range(2):
        with pytest.raises(CassetteError, match="is not a cassette"), cassette(path):
            pass
    assert path.read_text() == "{]"
    with pytest.raises(CassetteError) as caught, cassette(tmp_path):
        pass
    assert caught.value.error_code == "cassette_damaged"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match="cannot be") as caught:
        record(tmp_path / "file" / "a.json", "one")
    assert caught.value.error_code in ("cassette_not_written", "cassette_damaged")


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        (1, "once", "path: expected the path of a file, got int"),
        (
            "a.json",
            "onec",
            "mode: expected 'once' or 'none' or 'new_episodes' or 'all', got 'onec'",
        ),
        ("a.json", None, "mode: expected .* got None"),
    ],
)
def test_wrong_arguments_are_refused(path: Any, mode: Any, message: str):
    with pytest.raises(InvalidParamsError, match=message):
        cassette(path, mode)


def test_one_file_is_open_once_at_a_time(tmp_path):
    path = tmp_path / "a.json"
    again = cassette(path)
    with cassette(path), pytest.raises(InvalidParamsError, match="is open in another block"):
        again.__enter__()
    with cassette(path):
        pass


def test_the_inner_of_two_cassettes_records(tmp_path):
    with cassette(tmp_path / "outer.json") as outer:
        inner = record(tmp_path / "inner.json", "one")
    assert (outer.recorded, inner.recorded) == (0, 1)


def test_threads_share_a_cassette(tmp_path):
    path = tmp_path / "a.json"
    questions = [str(number) for number in range(8)]
    record(path, *questions)
    errors: list[BaseException] = []

    def ask(question: str) -> None:
        try:
            with client_of(None) as client:
                client.embeddings.create(model="m", input=question)
        except BaseException as exc:
            errors.append(exc)

    with cassette(path) as tape:
        threads = [threading.Thread(target=ask, args=[each]) for each in questions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert tape.unplayed == 0


def test_recording_keeps_to_the_blocked_network(tmp_path):
    client, tape = client_of(None), cassette(tmp_path / "a.json")
    with block_network(), tape, pytest.raises(NetworkBlockedError):
        client.models.list()
    assert not (tmp_path / "a.json").exists()


def test_an_error_is_played_as_an_error(tmp_path):
    path = tmp_path / "a.json"
    transport = Scripted([b'{"error":{"code":"rate_limit_exceeded","message":"slow"}}'])
    transport.status = 429
    for each in (transport, None):
        client = client_of(each, max_retries=0)
        with cassette(path), pytest.raises(RateLimitError, match="slow"):
            client.models.list()


@on_every_flavour
async def test_a_token_in_an_upload_to_a_signed_url_is_not_in_the_file(
    world: World, gateway: LocalGateway, tmp_path: Path
):
    # The request that carries the document has no token by which to know it.
    path = tmp_path / "a.json"
    token = gateway.token

    async def program() -> None:
        async with world.client(gateway.url, token=token) as client:
            await client.rag.upload_file(("notes.txt", f"key = {token}".encode()))

    for mode in ("once", "none"):
        with cassette(path, mode) as tape:
            await program()
        assert tape.unplayed == 0
        assert token not in path.read_text("utf-8")


@pytest.mark.parametrize("mode", ["once", "none"])
@on_every_flavour
async def test_playing_needs_no_token(
    world: World, mode: Any, gateway: LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.json"
    for variable in ("MESHAPI_TOKEN", "MESHAPI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    async def program(token: Any) -> str:
        async with world.client(gateway.url, token=token) as client:
            return (await client.chat.completions.create(**QUESTION)).id

    with cassette(path):
        first = await program(gateway.token)
    with cassette(path, mode=mode), block_network(allow=[]):
        assert await program(None) == first


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_recording_needs_a_token(mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable in ("MESHAPI_TOKEN", "MESHAPI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    with cassette(tmp_path / "a.json", mode=mode), pytest.raises(ValueError, match="token"):
        MeshAPI()


@on_every_flavour
async def test_playing_asks_no_function_for_a_token(
    world: World, gateway: LocalGateway, tmp_path: Path
):
    path = tmp_path / "a.json"
    given = ["rsk_test_expired", gateway.token]

    async def program(token: Any) -> Any:
        async with world.client(gateway.url, token=token) as client:
            response = await client.chat.completions.create(**QUESTION)
            texts = [chunk.text async for chunk in client.chat.completions.stream(**QUESTION)]
            return response.id, texts

    def recorded() -> str:
        return given.pop(0) if len(given) > 1 else given[0]

    def fails() -> str:
        raise LookupError("CI has no token")

    with cassette(path) as tape:
        first = await program(recorded)
    # The first token was refused, and the function asked again.
    assert tape.recorded == 3
    with cassette(path) as tape, block_network(allow=[]):
        assert await program(fails) == first
    assert (tape.played, tape.unplayed) == (3, 0)
    with cassette(path, mode="all"), pytest.raises(LookupError):
        await program(fails)
