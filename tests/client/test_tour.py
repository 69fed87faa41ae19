"""Every endpoint against the local gateway on every flavour, as a program would use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from meshapi import Deferred, MeshAPI
from meshapi.testing import LocalGateway
from meshapi_core.endpoints import Completions
from support.endpoint_rows import all_endpoints
from support.flavours import World, on_every_flavour

CHAT = "openai/gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "What is 2+2?"}]
SOON = {"poll_interval": 0.005}
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as running:
        yield running


async def chunks_of(stream: Any) -> list[Any]:
    async with stream:
        return [chunk async for chunk in stream]


def content_of(path: str) -> bytes:
    return Path(path).read_bytes()


async def seen(fetch: Any, field: str, wanted: str) -> Any:
    """Fetch until the field of the response has the wanted value; return that response."""
    for _ in range(6):
        response = await fetch()
        if getattr(response, field) == wanted:
            return response
    raise AssertionError(f"never {wanted}")


def add(a: int, b: int) -> Any:
    """Return the sum, later."""
    return Deferred()


async def with_tools(resource: Any, **question: Any) -> None:
    run = resource.run_tools(model=CHAT, tools=[add], **question)
    (pending,) = (await run.until_done()).pending
    again = resource.resume_tools(run.checkpoint(), tools=[add], results={pending.id: 4})
    assert "4" in (await again.until_done()).text


async def chat(client: Any) -> None:
    response = await client.chat.completions.create(model=CHAT, messages=MESSAGES)
    chunks = await chunks_of(client.chat.completions.stream(model=CHAT, messages=MESSAGES))
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed == response.choices[0].message.content == "2 + 2 = 4."
    parsed = await client.chat.completions.parse(
        model=CHAT, messages=MESSAGES, response_format=dict[str, int]
    )
    assert isinstance(parsed.parsed, dict)
    await with_tools(client.chat.completions, messages=[{"role": "user", "content": "add"}])


async def responses(client: Any) -> None:
    response = await client.responses.create(model="openai/o4-mini", input="What is 2+2?")
    assert response.output_text == "2 + 2 = 4."
    events = await chunks_of(client.responses.stream(model="openai/o4-mini", input="What is 2+2?"))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == response.output_text
    queued = await client.responses.create(model="openai/o4-mini", input="Hi", background=True)
    assert (await client.responses.wait(queued, **SOON)).status == "completed"
    assert (await client.responses.get(queued.id)).ended
    assert queued.id in [row.id for row in (await client.responses.list(limit=5)).data]
    parsed = await client.responses.parse(model=CHAT, input="?", response_format=list[int])
    assert isinstance(parsed.parsed, list)
    await with_tools(client.responses, input="add")


async def embeddings(client: Any) -> None:
    one = await client.embeddings.create(input=["a", "b"], dimensions=8)
    other = await client.embeddings.create(input="a", dimensions=8, encoding_format="base64")
    assert other.data[0].vector() == one.data[0].vector()
    assert len(one.data) == 2


async def images(client: Any) -> None:
    model = "openai/gpt-image-1"
    picture = await client.images.generate(model=model, prompt="a", response_format="b64_json")
    assert picture.data[0].image_bytes().startswith(b"\x89PNG")
    chunks = await chunks_of(client.images.stream(model=model, prompt="a"))
    assert chunks[-1].data[0].url
    image = "data:image/png;base64," + picture.data[0].b64_json
    edited = await client.images.edit(model=model, image=image, prompt="b")
    assert edited.data


async def videos(client: Any) -> None:
    task = await client.videos.generate(
        model="bytedance/seedance-1-0-lite", content=[{"type": "text", "text": "a fox"}]
    )
    await seen(lambda: client.videos.retrieve(task.id), "status", "succeeded")
    assert await client.videos.wait(task) == await client.videos.retrieve(task.id)
    content = [{"type": "text", "text": "a fox"}]
    again = await client.videos.generate_and_wait(
        model="bytedance/seedance-1-0-lite", content=content, **SOON
    )
    assert again.ended
    assert task.id in [row.id for row in (await client.videos.list(limit=50)).data]


async def audio(client: Any) -> None:
    speech = {"model": "openai/tts-1", "input": "Hello!", "response_format": "wav"}
    sound = await client.audio.synthesize(**speech)
    assert sound.startswith(b"RIFF")
    assert b"".join(await chunks_of(client.audio.stream(**speech)))[:4] == b"RIFF"
    heard = await client.audio.transcribe(
        sound, model="openai/whisper-1", diarize=False, keyterms=["a", "b"]
    )
    assert heard.text
    srt = await client.audio.transcribe(sound, model="openai/whisper-1", response_format="srt")
    assert "-->" in srt.text
    sent = await client.audio.transcribe(sound, model="elevenlabs/scribe_v1", webhook=True)
    again = await client.audio.get_transcription(sent.transcription_id)
    assert again.raw
    assert (await client.audio.translate(sound)).text
    assert (await client.audio.audio_translate(sound, model="openai/whisper-1")).text
    voices = await client.audio.list_voices(page_size=1)
    voice = await client.audio.get_voice(voices.voices[0].voice_id)
    assert voice == voices.voices[0]


async def saving(client: Any) -> None:
    speech = {"model": "openai/tts-1", "input": "Hello!", "response_format": "wav"}
    drawn = await client.images.generate(model="openai/gpt-image-1", prompt="a fox")
    task = await client.videos.generate(
        model="bytedance/seedance-1-0-lite", content=[{"type": "text", "text": "a fox"}]
    )
    video = await seen(lambda: client.videos.retrieve(task.id), "status", "succeeded")
    batch = await client.batches.create(requests=requests())
    done = await seen(lambda: client.batches.get(batch.id), "status", "completed")
    with TemporaryDirectory() as folder:
        for coroutine, start in (
            (client.audio.synthesize_to(f"{folder}/a", **speech), b"RIFF"),
            (client.images.save(drawn.data[0], f"{folder}/b"), b"\x89PNG"),
            (client.download(video.content.video_url, f"{folder}/c"), b""),
            (client.files.download(done.output_file_id, f"{folder}/d"), b"{"),
        ):
            saved = await coroutine
            content = content_of(saved.path)
            assert content.startswith(start)
            assert len(content) == saved.size > 0


async def compare(client: Any) -> None:
    question = {"models": [CHAT, "no/such"], "messages": MESSAGES}
    response = await client.compare.create(**question, skip_comparison=True)
    assert [bool(row.error) for row in response.results] == [False, True]
    events = await chunks_of(client.compare.stream(**question))
    assert (events[0].event, events[-1].event) == ("meta", "done")
    assert events[0].data["models"] == [CHAT, "no/such"]


def requests() -> list[dict[str, Any]]:
    body = {"model": CHAT, "messages": MESSAGES}
    return [{"custom_id": name, "body": body} for name in ("one", "two")]


async def files_and_batches(client: Any) -> None:
    file = await client.files.upload(requests=requests())
    assert (await client.files.get(file.id)).purpose == "batch"
    batch = await client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    done = await seen(lambda: client.batches.get(batch.id), "status", "completed")
    lines = (await client.files.content(done.output_file_id)).splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["one", "two"]
    assert b"".join(await chunks_of(client.files.stream(done.output_file_id))).count(b"\n") == 2
    assert await client.files.delete(file.id) is None
    other = await client.batches.create(requests=requests(), metadata={"job": "tour"})
    await client.batches.cancel(other.id)
    await seen(lambda: client.batches.get(other.id), "status", "cancelled")
    assert (await client.batches.wait(batch)).total_requests == 2
    calls = [Completions.create.build(model=CHAT, messages=MESSAGES)]
    made = await client.batches.submit(calls)
    results = [item async for item in client.batches.results(made, **SOON)]
    assert [item.result().text for item in results] == ["2 + 2 = 4."]
    assert other.id in [row.id for row in (await client.batches.list(limit=5)).data]


async def models(client: Any) -> None:
    every, free, paid = (
        await client.models.list(),
        await client.models.free(),
        await client.models.paid(),
    )
    assert len(every) == len(free) + len(paid)
    assert all(model.is_free for model in await client.models.list(free=True, type="text"))
    page = await client.models.search(q="claude", brand=["anthropic"], limit=1)
    model = await client.models.get(page.items[0].id)
    assert model == page.items[0]
    assert (await client.models.providers(model.id)).raw


async def templates(client: Any) -> None:
    made = await client.templates.create(name="tour", system="{{a}}", description="d")
    assert (await client.templates.update(made.id, description=None)).description is None
    assert (await client.templates.get(made.id)).system == "{{a}}"
    assert made.id in [row.id for row in await client.templates.list()]
    assert await client.templates.delete(made.id) is None


async def rag(client: Any) -> None:
    await client.rag.init_upload(file_name="a.txt", mime_type="text/plain")
    upload = await client.rag.upload_file(
        file_name="b.txt", mime_type="text/plain", content=b"The quick brown fox."
    )
    await seen(lambda: client.rag.get(upload.file_id), "upload_status", "ready")
    await client.rag.embed(file_ids=[upload.file_id], wait=True)
    assert (await client.rag.wait(upload, **SOON)).ended
    assert (await client.rag.upload_and_embed(("c.txt", b"A dog."), **SOON)).ended
    found = await client.rag.search(query="brown fox", file_ids=[upload.file_id])
    assert "brown fox" in found.results[0].text
    assert (await client.rag.list(limit=50, offset=0)).total >= 2


async def documents(client: Any) -> None:
    made = await client.documents.generate(format="pdf", prompt="a letter")
    await seen(lambda: client.documents.retrieve(made.document_id), "status", "completed")
    assert (await client.documents.wait(made)).ended
    assert (await client.documents.list(limit=5)).total >= 1


async def the_small_ones(client: Any) -> None:
    assert len((await client.moderations.create(input=["a", "b"])).results) == 2
    assert len((await client.web.search(query="foxes", max_results=2)).results) == 2
    assert (await client.router.select(messages=MESSAGES)).model
    assert (await client.balance.get()).balance_usd
    assert (await client.usage.query()).total_requests > 0
    event = (await client.usage.events(limit=1)).events[0]
    assert (await client.usage.attempts(event["id"])).raw
    assert (await client.usage.spend_trend(days=2)).raw
    assert (await client.usage.rate_limits()).key
    assert [row.label for row in await client.api_versions.list()][-1] == "2026-09"


STOPS = (
    chat,
    responses,
    embeddings,
    images,
    videos,
    audio,
    saving,
    compare,
    files_and_batches,
    models,
    templates,
    rag,
    documents,
    the_small_ones,
)


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__)
@on_every_flavour
async def test_it_works_against_the_local_gateway(world: World, stop: Any, gateway: Any) -> None:
    async with world.client(gateway.url, token=gateway.token) as client:
        await stop(client)


def test_the_tour_passes_by_every_endpoint() -> None:
    stops = (*STOPS, with_tools)
    visited = {name for stop in stops for name in stop.__code__.co_names}
    for inner in (c for stop in stops for c in stop.__code__.co_consts if hasattr(c, "co_names")):
        visited.update(inner.co_names)
    for name in all_endpoints(MeshAPI(token="rsk_test_tour")):
        assert set(name.split(".")) <= visited, name
