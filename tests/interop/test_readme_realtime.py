"""The realtime programs of the README of 0.1.4, with nothing changed but address, token and audio.

They configure the session by its instructions alone, send audio without a commit, and wait for the
response: the gateway hears the end of the turn in a pause.
"""

import asyncio
import math
import struct

import pytest
import trio
from interop.questions import TOKEN

from meshapi import AsyncMeshAPI, MeshAPI, RealtimeError

RATE = 24_000
# A fifth of a second that is loud, and more than half a second that is not.
HUM = [round(9000 * math.sin(step / 12)) for step in range(RATE // 5)]
pcm_bytes = struct.pack(f"<{len(HUM)}h", *HUM) + bytes(2 * RATE * 7 // 10)
HEARD = "input_audio_buffer.committed"


def check(kinds, sound):
    assert kinds[:2] == ["session.created", "session.updated"]
    assert HEARD in kinds
    assert kinds[-1] == "response.done"
    assert len(b"".join(sound)) > len(HUM)


def test_a_session_speaks_and_listens(url, capsys):
    sound = []
    process_audio = sound.append

    client = MeshAPI(base_url=url, token=TOKEN)
    with client.realtime.connect(model="openai/gpt-4o-realtime-preview") as session:
        session.send({"type": "session.update", "session": {"instructions": "Be kind."}})
        session.send_audio(pcm_bytes)
        for msg in session:
            print(msg.event["type"])  # noqa: T201
            if msg.audio:
                process_audio(msg.audio)
            if msg.event and msg.event["type"] == "response.done":
                break
    client.close()

    check(capsys.readouterr().out.split(), sound)


async def speak_and_listen(url, sound):
    process_audio = sound.append
    # As the page has it.
    async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:  # noqa: SIM117
        async with client.realtime.connect(model="openai/gpt-4o-realtime-preview") as session:
            await session.send({"type": "session.update", "session": {"instructions": "Be kind."}})
            await session.send_audio(pcm_bytes)
            async for msg in session:
                print(msg.event["type"])  # noqa: T201
                if msg.audio:
                    process_audio(msg.audio)
                if msg.event and msg.event["type"] == "response.done":
                    break


@pytest.mark.parametrize("loop", [asyncio, trio], ids=lambda loop: loop.__name__)
def test_the_same_on_an_event_loop(url, capsys, loop):
    sound = []
    if loop is trio:
        trio.run(speak_and_listen, url, sound)
    else:
        asyncio.run(speak_and_listen(url, sound))
    check(capsys.readouterr().out.split(), sound)


async def await_a_session(url):
    client = AsyncMeshAPI(base_url=url, token=TOKEN)
    session = await client.realtime.connect(model="openai/gpt-4o-realtime-preview")
    try:
        msg = await session.receive()
        return msg.event["type"]
    finally:
        await session.close()
        await client.close()


def test_a_session_is_awaited_where_no_block_fits(url):
    assert asyncio.run(await_a_session(url)) == "session.created"
    assert trio.run(await_a_session, url) == "session.created"


def test_an_error_of_the_gateway_has_its_code(url):
    client = MeshAPI(base_url=url, token=TOKEN)
    with client.realtime.connect(model="mesh/close-4402") as session:
        session.send({"type": "response.create"})
        with pytest.raises(RealtimeError) as caught:
            for msg in session:
                assert msg.event["type"] == "session.created"
    client.close()
    assert caught.value.code == "insufficient_quota"
    assert caught.value.request_id.startswith("req_")
    assert str(caught.value).startswith("realtime[insufficient_quota]: ")
