"""Waits, results, pages and downloads that are cancelled at any place lose nothing.

Each helper is run again and again, and cancelled at its first step, its second, and so on, and at
each step and the next one. After each run:

- it has either finished, with the value of an undisturbed run, or was cancelled by the loop;
- the client's one connection is free, and a further request succeeds;
- every job that was made is known to the program, but for one that was being made;
- its folder has no part of a file, and at the target is the old file or the new one;
- the helper, begun again (an iterator: gone on with), has the value of an undisturbed run.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest

from meshapi import Limits, Progress
from meshapi_core.endpoints import Completions
from meshapi_core.types import ImageItem
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.file_server import FileServer
from support.flavours import World, on_every_flavour
from support.scripted_server import Peer, Received, ScriptedServer
from support.wire import completion, dump, head

WAYS = {"asyncio": ("blocked", "race", "level"), "trio": ("after", "before")}

CONTENT = b"0123456789" * 5
OLD = b"what was there before"
QUICKLY = {"poll_interval": 0.001}


class Gateway:
    """A gateway whose jobs have ended at the second look, and whose file breaks off once."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.made: list[str] = []
        self.looks: Counter[str] = Counter()
        self.file = FileServer(CONTENT)
        self.file.cuts = [self.file.size() - len(CONTENT) // 2]

    def script(self, peer: Peer) -> None:
        for request in peer.requests():
            method, target, _ = request.line.decode().split(" ")
            path, _, query = target.partition("?")
            parts = path.strip("/").split("/")
            is_rows = path.endswith("/out/content")
            if parts[-1] in ("a.bin", "content", "speech") and not is_rows:
                if not self._send_file(peer, request):
                    return
                continue
            if is_rows:
                body = b"\n".join(dump(row) for row in reversed(rows(2)))
                kind = "application/octet-stream"
            else:
                body, kind = dump(self._respond(method, parts, query)), "application/json"
            peer.send(head(200, f"Content-Length: {len(body)}", kind=kind), body)

    def _send_file(self, peer: Peer, request: Received) -> bool:
        """Whether the connection goes on."""
        response = self.file._response(request)
        cut = self.file.cuts.pop() if self.file.cuts and b"speech" not in request.line else None
        peer.send(response[:cut])
        return cut is None

    def _respond(self, method: str, parts: list[str], query: str) -> Any:
        if method == "PUT":
            return {}
        kind = parts[1]
        if kind == "chat":
            return completion("whole")
        if method == "POST":
            job_id = f"job{len(self.made)}"
            self.made.append(job_id)
            signed = f"{self.url}/put?signature=1"
            return {**job(kind, job_id, False), "signed_url": signed, "expires_in": 60}
        if kind == "batches" and len(parts) == 2:
            after = int(query[-1]) if "after" in query else 0
            return {"data": [{"id": str(after + 1)}], "has_more": after < 2, "last_id": after + 1}
        if kind == "documents" and len(parts) == 2:
            offset = int(query[-1]) if "offset" in query else 0
            return {"documents": [{"document_id": str(offset + 1)}], "total": 3}
        self.looks[parts[-1]] += 1
        return job(kind, parts[-1], self.looks[parts[-1]] > 1)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"custom_id": f"call-{n}", "response": {"status_code": 200, "body": completion(str(n))}}
        for n in range(count)
    ]


def job(kind: str, job_id: str, is_over: bool) -> dict[str, Any]:
    """A job of any kind, with the fields of all."""
    fields: dict[str, Any] = {"id": job_id, "file_id": job_id, "document_id": job_id}
    fields.update(upload_status="ready", embedding_status="ready" if is_over else "processing")
    done = "completed" if kind in ("batches", "responses") else "succeeded"
    fields["status"] = done if is_over else "in_progress"
    if kind == "batches" and is_over:
        files = job_id == "infile"
        fields.update({"output_file_id": "out"} if files else {"results": rows(2)})
    return fields


class Run:
    """One run of a helper.

    Attributes:
        told: what `on_progress` was told.
        rows: what an iterator has given.
    """

    def __init__(self, world: World, client: Any, gateway: Gateway, folder: Path) -> None:
        self.world, self.client, self.gateway, self.folder = world, client, gateway, folder
        self.told: list[Progress] = []
        self.rows: list[Any] = []
        self.iterator: Any = None
        self.target = folder / "a.bin"

    async def tell(self, progress: Progress) -> None:
        self.told.append(progress)
        await self.world.sleep(0)

    async def tell_of_calls(self, progress: Progress) -> None:
        assert progress.job_id == ""
        await self.world.sleep(0)

    @property
    def options(self) -> dict[str, Any]:
        return {**QUICKLY, "on_progress": self.tell}

    @property
    def job_ids(self) -> set[str]:
        return {each.job_id for each in self.told} - {""}

    async def collect(self, start: Callable[[], Any]) -> list[Any]:
        """Go on with an iterator to its end."""
        if self.iterator is None:
            self.iterator = start().__aiter__()
        async for row in self.iterator:
            self.rows.append(row)
        return self.rows


Helper = Callable[[Run], Awaitable[Any]]


class Victim(NamedTuple):
    """A helper, and what is done after it was cancelled; by default, the same again."""

    run: Helper
    again: Optional[Helper] = None


def waiting(resource: str) -> Victim:
    async def wait(run: Run) -> Any:
        found = await getattr(run.client, resource).wait("job", **run.options)
        return getattr(found, "embedding_status", None) or found.status

    return Victim(wait)


async def generate(run: Run) -> Any:
    content = [{"type": "text", "text": "a fox"}]
    videos = run.client.videos
    return (await videos.generate_and_wait(model="m", content=content, **run.options)).status


async def generate_again(run: Run) -> Any:
    for job_id in run.job_ids:
        return (await run.client.videos.wait(job_id, **QUICKLY)).status
    return await generate(run)


async def embed(run: Run) -> Any:
    rag = run.client.rag
    return (await rag.upload_and_embed(("a.txt", b"words"), **run.options)).embedding_status


async def embed_again(run: Run) -> Any:
    for job_id in run.job_ids:
        return (await run.client.rag.wait(job_id, **QUICKLY)).embedding_status
    return await embed(run)


def calls() -> list[Any]:
    return [
        Completions.create.build(model=model, messages=[{"role": "user", "content": "hi"}])
        for model in ("a", "b", "a")
    ]


async def submit(run: Run) -> Any:
    made = await run.client.batches.submit(calls(), on_progress=run.tell)
    return made.places


async def run_batches(run: Run) -> Any:
    items = run.client.batches.run(calls(), **run.options)
    return sorted([(item.id, item.value and item.value.text) async for item in items])


async def map_calls(run: Run) -> Any:
    mapped = run.client.map(calls(), concurrency=1, order="input", on_progress=run.tell_of_calls)
    return [(item.id, item.result().text) async for item in mapped]


async def map_with_a_journal(run: Run) -> Any:
    """Begun again, it has each call once in the journal, and each result once."""
    journal = run.folder / "run.jsonl"
    async with run.client.map(calls(), concurrency=1, order="input", journal=journal) as mapped:
        found = [(item.id, item.result().text) async for item in mapped]
    assert mapped.stopped == "completed"
    recorded = [row for row in map(json.loads, journal.read_bytes().splitlines()) if "key" in row]
    assert len({row["key"] for row in recorded}) == len(recorded) == len(calls())
    return found


async def map_to_a_file(run: Run) -> Any:
    template = Completions.create.build(messages=[{"role": "user", "content": "{text}"}])
    mapped = run.client.map(rows_as_they_come(), template=template, concurrency=1)
    target = run.folder / "out.jsonl"
    saved = await mapped.to_jsonl(target)
    return saved.rows, len(target.read_bytes().splitlines())


async def rows_as_they_come() -> AsyncIterator[dict[str, str]]:
    for text in ("a", "b"):
        yield {"text": text}


def results(batch: str, **options: Any) -> Victim:
    async def read(run: Run) -> Any:
        items = run.client.batches.results(batch, **run.options, **options)
        return [(item.id, item.result().text) async for item in items]

    return Victim(read)


def pages(resource: str, *, by_page: bool = False) -> Victim:
    async def read(run: Run) -> Any:
        unasked = getattr(run.client, resource).list
        found = await run.collect(lambda: unasked().pages() if by_page else unasked())
        return [*map(str, found)]

    return Victim(read)


async def pages_from_the_first(run: Run) -> Any:
    page = await run.client.batches.list()
    return [row.id async for row in page]


async def download(run: Run) -> Any:
    await run.client.files.download("f", run.target, on_progress=run.tell)
    return run.target.read_bytes()


async def download_beside(run: Run) -> Any:
    """To a path where nothing may be replaced."""
    path = run.folder / "new.bin"
    await run.client.files.download("f", path, overwrite=path.exists())
    return path.read_bytes()


async def download_url(run: Run) -> Any:
    await run.client.download(f"{run.gateway.url}/a.bin?signature=1", run.target)
    return run.target.read_bytes()


async def save_image(run: Run) -> Any:
    await run.client.images.save(ImageItem(b64_json="MDEyMw=="), run.target, on_progress=run.tell)
    return run.target.read_bytes()


async def speak(run: Run) -> Any:
    await run.client.audio.synthesize_to(run.target, model="m", input="hi", on_progress=run.tell)
    return run.target.read_bytes()


VICTIMS: dict[str, Victim] = {
    "batches.wait": waiting("batches"),
    "videos.wait": waiting("videos"),
    "rag.wait": waiting("rag"),
    "responses.wait": waiting("responses"),
    "documents.wait": waiting("documents"),
    "videos.generate_and_wait": Victim(generate, generate_again),
    "rag.upload_and_embed": Victim(embed, embed_again),
    "batches.submit": Victim(submit),
    "batches.run": Victim(run_batches),
    "map": Victim(map_calls),
    "map with a journal": Victim(map_with_a_journal),
    "map to a file": Victim(map_to_a_file),
    "batches.results": results("job"),
    "batches.results in a file": results("infile", requests=["call-0", "call-1"]),
    "batches.list": pages("batches"),
    "batches.list by page": pages("batches", by_page=True),
    "batches.list from a page": Victim(pages_from_the_first),
    "documents.list": pages("documents"),
    "files.download": Victim(download),
    "files.download beside": Victim(download_beside),
    "download": Victim(download_url),
    "images.save": Victim(save_image),
    "audio.synthesize_to": Victim(speak),
}


async def struck(world: World, victim: Any, blow: Blow) -> Attack:
    kind = EdgeAttack if world.name == "asyncio" else ScopeAttack
    attack: Attack = kind(victim, blow)
    await world.together(attack.run)
    return attack


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("name", VICTIMS)
@on_every_flavour
async def test_a_helper_that_is_cancelled_at_any_place_loses_nothing(
    world: World, name: str, twice: bool, tmp_path: Path
) -> None:
    if world.name == "sync":
        pytest.skip("there is no cancellation")
    victim, gateway = VICTIMS[name], Gateway()
    with ScriptedServer(gateway.script) as server:
        gateway.url = server.url
        one = Limits(max_connections=1)
        async with world.client(server.url, limits=one) as client:

            def start() -> Run:
                gateway.reset()
                run = Run(world, client, gateway, tmp_path)
                for path in tmp_path.iterdir():
                    path.unlink()
                run.target.write_bytes(OLD)
                return run

            wanted = await victim.run(start())
            for how in WAYS[world.name]:
                step, is_over = 0, False
                while not is_over:
                    step += 1
                    run = start()
                    steps = (step, step + 1) if twice else (step,)
                    attack = await struck(world, victim.run(run), Blow(how, steps))
                    is_over = not attack.blows
                    assert_ended(attack, wanted)
                    await assert_nothing_left(run)
                    if not attack.finished:
                        assert await (victim.again or victim.run)(run) == wanted, (how, steps)
                assert step > 2


def assert_ended(attack: Attack, wanted: Any) -> None:
    assert attack.finished is not attack.cancelled
    if attack.finished:
        assert attack.value == wanted
        assert attack.raised is None
    else:
        assert attack.raised is attack.delivered or attack.blow.how == "level"


async def assert_nothing_left(run: Run) -> None:
    # What was begun in a thread goes on there.
    await run.world.until(lambda: not list(run.folder.glob(".meshapi-*")))
    made = set(run.gateway.made)
    assert run.job_ids - made <= {"job", "infile"}
    assert len(made - run.job_ids) <= 1
    assert made & set(run.gateway.looks) <= run.job_ids
    assert run.target.read_bytes() in (OLD, CONTENT, b"0123")
    response = await run.client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}]
    )
    assert response.text == "whole"
    state = run.world.pool_state(run.client)
    assert (len(state._in_use), state.waiting) == (0, 0)
