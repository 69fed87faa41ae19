"""A realtime session that sends events of 1 KiB and receives them again.

One after the other, or (`flow`) by one task that sends and another that receives. The official
client is what it does on `websockets`, with that library's defaults; the floors are in
`echo_floors`.
"""

import json
import random
import threading
from base64 import b64decode, b64encode
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle, islice

from bench.cases import echo_floors
from bench.peers.questions import TOKEN

# Events whose JSON is 1 KiB. Their sound is noise, and enough of it that a compressor's window has
# forgotten one when it comes again: recorded speech is not much easier to compress.
EVENTS = [
    {
        "type": "input_audio_buffer.append",
        "audio": b64encode(random.Random(seed).randbytes(732)).decode(),
    }
    for seed in range(16)
]


async def events(run):
    """On an event loop: the session of whoever is measured."""
    openers = {
        "ours": ours,
        "official": official,
        "bare": echo_floors.bare,
        "wsproto": echo_floors.wsproto,
        "wire": echo_floors.wire,
    }
    async with openers[run.peer](run, EVENTS) as (send, receive):

        async def feed(times):
            for event in islice(cycle(EVENTS), times):
                await send(event)

        async def drain(times):
            for _ in range(times):
                await receive()

        async def work(times):
            if run.options.get("flow"):
                await run.together([lambda: feed(times), lambda: drain(times)])
            else:
                for event in islice(cycle(EVENTS), times):
                    await send(event)
                    await receive()

        await run.arepeat(work)


@asynccontextmanager
async def ours(run, _events):
    from meshapi import AsyncMeshAPI

    client = AsyncMeshAPI(base_url=run.url, token=TOKEN)
    async with client, client.realtime.connect(model="echo") as session:
        yield session.send, session.receive


@asynccontextmanager
async def official(run, _events):
    """`send(dict)` and `receive()` as the official client has them."""
    from websockets.asyncio.client import connect

    async with connect(
        f"ws://127.0.0.1:{run.port}{echo_floors.UPGRADE}",
        subprotocols=["openai-realtime"],
        additional_headers={"X-MeshAPI-SDK": "python/0.1.11"},
    ) as connection:

        async def send(event):
            await connection.send(json.dumps(event))

        async def receive():
            return read(await connection.recv())

        yield send, receive


def read(text):
    event = json.loads(text)
    if event["type"] == "error":
        raise ValueError(text)
    if event["type"] in ("response.output_audio.delta", "response.audio.delta"):
        return text, b64decode(event["delta"]), event
    return text, None, event


def blocking(run):
    with (ours_blocking if run.peer == "ours" else official_blocking)(run) as (send, receive):

        def feed(times):
            for event in islice(cycle(EVENTS), times):
                send(event)

        def work(times):
            if run.options.get("flow"):
                thread = threading.Thread(target=feed, args=(times,))
                thread.start()
                for _ in range(times):
                    receive()
                thread.join()
            else:
                for event in islice(cycle(EVENTS), times):
                    send(event)
                    receive()

        run.repeat(work)


@contextmanager
def ours_blocking(run):
    from meshapi import MeshAPI

    client = MeshAPI(base_url=run.url, token=TOKEN)
    with client, client.realtime.connect(model="echo") as session:
        yield session.send, session.receive


@contextmanager
def official_blocking(run):
    from websockets.sync.client import connect

    uri = f"ws://127.0.0.1:{run.port}{echo_floors.UPGRADE}"
    with connect(uri, subprotocols=["openai-realtime"]) as connection:
        yield lambda event: connection.send(json.dumps(event)), lambda: read(connection.recv())
