"""What a session's messages cost without parts of it.

`bare` is the session's machine on its network stream, without the session; `wsproto` is that and
msgspec on an asyncio protocol, and `wire` the event loop and the system alone.
"""

import asyncio
import json
import os
from contextlib import asynccontextmanager

from bench.peers.questions import TOKEN

UPGRADE = f"/v1/realtime?model=echo&api_key={TOKEN}"


@asynccontextmanager
async def bare(run, _events):
    """The machine on our network stream: no session, no turns, no queue."""
    from meshapi_backends import current_network
    from meshapi_core import NEED_DATA, MeshAPIConfig, RealtimeCall, RealtimeConnection

    network = current_network()
    (address,) = await network.resolve("127.0.0.1", run.port, None)
    stream = await network.connect(address, None)
    machine = RealtimeConnection(random_bytes=os.urandom)
    config = MeshAPIConfig(base_url=run.url, token=TOKEN)
    await stream.write(machine.connect(RealtimeCall(model="echo").request(config)), None)

    async def send(event):
        await stream.write(machine.send(event), None)

    async def receive():
        while True:
            event = machine.next_event()
            if event is not NEED_DATA:
                return event
            machine.receive_data(await stream.read(None))

    while not machine.is_open:
        machine.receive_data(await stream.read(None))
        assert machine.next_event() is NEED_DATA
    try:
        yield send, receive
    finally:
        stream.abort()


class FloorProtocol(asyncio.Protocol):
    """wsproto's frames on a transport; neither limits nor back-pressure nor a close."""

    def __init__(self):
        from wsproto.frame_protocol import FrameDecoder, FrameProtocol

        self.frames = FrameDecoder(client=True)
        self.writer = FrameProtocol(client=True, extensions=[])
        self.upgraded = b""
        self.waiting = None

    def data_received(self, data):
        if not self.upgraded:
            _, self.upgraded, data = data.partition(b"\r\n\r\n")
        self.frames.receive_bytes(data)
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def more(self):
        self.waiting = asyncio.get_running_loop().create_future()
        await self.waiting


@asynccontextmanager
async def on_the_floor(port):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(FloorProtocol, "127.0.0.1", port)
    transport.write(
        f"GET {UPGRADE} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "sec-websocket-protocol: openai-realtime\r\n\r\n".encode()
    )
    while not protocol.upgraded:
        await protocol.more()
    try:
        yield transport, protocol
    finally:
        transport.abort()


@asynccontextmanager
async def wsproto(run, _events):
    import msgspec

    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
    async with on_the_floor(run.port) as (transport, protocol):

        async def send(event):
            transport.write(protocol.writer.send_data(encode(event).decode()))

        async def receive():
            payload = b""
            while True:
                frame = protocol.frames.process_buffer()
                if frame is None:
                    await protocol.more()
                    continue
                payload += frame.payload
                if frame.frame_finished:
                    text = payload.decode()
                    return text, decode(text)

        yield send, receive


@asynccontextmanager
async def wire(run, events):
    """No WebSocket at all: a frame made beforehand goes out, as many bytes are waited for."""
    async with on_the_floor(run.port) as (transport, protocol):
        frame = bytes(protocol.writer.send_data(json.dumps(events[0])))
        received = protocol.frames.buffer.buffer
        # A server's frame has no mask.
        size = len(frame) - 4

        async def send(_event):
            transport.write(frame)

        async def receive():
            while len(received) < size:
                await protocol.more()
            del received[:size]

        yield send, receive
