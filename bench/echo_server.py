"""A WebSocket server of PyPI's `websockets`, in a process of its own, for measuring sessions.

    python bench/echo_server.py [--deflate]

A session with `model=talk` gets, for each `input_audio_buffer.append`, a
`response.output_audio.delta` with the same audio; any other gets every message back. `--deflate`
accepts permessage-deflate, as the library does unless it is told otherwise. Prints its port.
Stops when its standard input closes, or after twenty minutes.
"""

import asyncio
import json
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

APPEND = '{"type":"input_audio_buffer.append","audio":"'
DELTA = (
    '{"type":"response.output_audio.delta","event_id":"event_1","response_id":"resp_1",'
    '"item_id":"item_1","output_index":0,"content_index":0,"delta":"'
)


def talk(text):
    if text.startswith(APPEND):
        return DELTA + text[len(APPEND) :]
    return json.dumps({"type": "session.updated", "session": json.loads(text).get("session")})


async def handle(connection):
    talks = "model=talk" in connection.request.path
    try:
        async for message in connection:
            await connection.send(talk(message) if talks else message)
    except ConnectionClosed:
        pass


async def main():
    compression = "deflate" if "--deflate" in sys.argv else None
    server = await serve(
        handle,
        "127.0.0.1",
        0,
        compression=compression,
        subprotocols=["openai-realtime"],
        max_size=None,
    )
    print(next(iter(server.sockets)).getsockname()[1], flush=True)
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([closed], timeout=1200)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
