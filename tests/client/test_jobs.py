"""Work that is billed is never started twice."""

import pytest

from meshapi import InternalServerError
from support.flavours import World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.turns import by_turns

MESSAGES = [{"role": "user", "content": "hi"}]
REQUESTS = [{"custom_id": "a", "body": {"model": "m", "messages": MESSAGES}}]
JOBS = {
    "batches.create": {"requests": REQUESTS},
    "videos.generate": {"model": "m", "content": [{"type": "text", "text": "a fox"}]},
    "documents.generate": {"format": "pdf", "prompt": "a fox"},
    "responses.create": {"input": "hi", "background": True},
    "audio.transcribe": {"file": b"x", "model": "m", "webhook": True},
    "rag.embed": {"file_ids": ["a"]},
}
OTHERS = {
    "chat.completions.create": {"messages": MESSAGES},
    "responses.create": {"input": "hi"},
    "embeddings.create": {"input": "hi"},
    "audio.transcribe": {"file": b"x", "model": "m", "webhook": False},
    "compare.create": {"models": ["a"], "messages": MESSAGES},
}


def refuse(status: int):
    def script(peer: Peer) -> None:
        while peer.receive() is not None:
            body = b'{"error":{"code":"upstream_error","message":"no"}}'
            head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n"
            peer.send(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)

    return script


async def ask(client, name, arguments):
    method = client
    for part in name.split("."):
        method = getattr(method, part)
    with pytest.raises(InternalServerError):
        await method(**arguments)


@by_turns
@pytest.mark.parametrize(("status", "attempts"), [(502, 1), (504, 1), (503, 3)])
@pytest.mark.parametrize("name", JOBS)
@on_every_flavour
async def test_a_job_is_started_again_only_where_it_was_refused(
    world: World, name: str, status: int, attempts: int
) -> None:
    with ScriptedServer(refuse(status)) as server:
        async with world.client(server.url) as client:
            await ask(client, name, JOBS[name])
        assert len(server.requests) == attempts


@pytest.mark.parametrize("name", OTHERS)
@on_every_flavour
async def test_all_attempts_of_a_call_have_one_key_and_two_calls_have_two(
    world: World, name: str
) -> None:
    with ScriptedServer(refuse(502)) as server:
        async with world.client(server.url) as client:
            await ask(client, name, OTHERS[name])
            await ask(client, name, OTHERS[name])
        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert len(keys) == 6
        assert len(set(keys[:3])) == len(set(keys[3:])) == 1
        assert keys[0] != keys[3]
        assert len(keys[0]) == 26
