"""The calls that are made through everything: chat, a stream, an upload, a realtime session."""

import threading
from collections.abc import Callable
from typing import Any, Optional

from support.flavours import ASK
from support.scripted_server import Peer
from support.wire import chunk, chunked, frame, stream_head, texts

CHAT: "dict[str, Any]" = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "Count to 200."}],
}
COUNTED = " ".join(map(str, range(1, 201)))

AUDIO = bytes(range(256)) * 4000
"""A megabyte: more than the buffers of sockets and programs hold."""


async def chat(client: Any) -> None:
    response = await client.chat.completions.create(**CHAT)
    assert response.choices[0].message.content == COUNTED


async def stream(client: Any) -> None:
    async with client.chat.completions.stream(**CHAT) as chunks:
        texts = [chunk.choices[0].delta.content async for chunk in chunks if chunk.choices]
    assert "".join(text or "" for text in texts) == COUNTED
    assert len(texts) > 100


async def upload(client: Any) -> None:
    response = await client.audio.transcribe(AUDIO, model="openai/whisper-1")
    assert f"{len(AUDIO):,} bytes" in response.text


async def realtime(client: Any) -> None:
    async with client.realtime.connect(model="openai/gpt-realtime-mini") as session:
        await session.update({"output_modalities": ["text"]})
        content = [{"type": "input_text", "text": "Repeat: " + COUNTED}]
        item = {"type": "message", "role": "user", "content": content}
        await session.send({"type": "conversation.item.create", "item": item})
        await session.send({"type": "response.create"})
        done = await session.wait_for("response.done", timeout=10)
        (said,) = done.event["response"]["output"]
        assert said["content"][0]["text"] == COUNTED
    assert session.close_code == 1000


ALL = (chat, stream, upload, realtime)
REQUESTS = (chat, stream, upload)
"""Without WebSockets, which other transports do not have."""

PATHS = {
    chat: "/v1/chat/completions",
    stream: "/v1/chat/completions",
    upload: "/v1/audio/transcriptions",
}


class InSteps:
    """A script: a stream whose every chunk is sent when the one before it has arrived."""

    WORDS = ("one", "two", "three", "four")

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(1)

    def __call__(self, peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head())
        for word in self.WORDS:
            assert self.arrived.acquire(timeout=5), "the chunk before this one has not arrived"
            peer.send(chunked(frame(chunk(word)), end=False))
        peer.send(chunked(*texts()))

    async def read(self, client: Any, before_next: Optional[Callable[[], Any]] = None) -> None:
        """Read the stream, and have the next chunk sent for each chunk."""
        found = []
        async with client.chat.completions.stream(**ASK) as chunks:
            async for one in chunks:
                if one.choices and one.choices[0].delta.content:
                    found.append(one.choices[0].delta.content)
                    if before_next is not None:
                        before_next()
                    self.arrived.release()
        assert tuple(found) == self.WORDS
