"""Realtime sessions with the local gateway over a plain socket, not our client."""

import base64
import contextlib
import functools
import http.client
import json
import math
import socket
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN, Response

MODEL = "openai/gpt-realtime-mini"
RATE = 24000
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@functools.cache
def loud(seconds: float) -> bytes:
    samples = (round(9000 * math.sin(step / 10)) for step in range(480))
    period = struct.pack("<480h", *samples)
    size = 2 * round(seconds * RATE)
    return (period * (size // len(period) + 1))[:size]


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


class Session:
    """A session, event by event; it sends anything, valid or not."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, kind: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **members}))

    def append(self, audio: bytes) -> None:
        self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def ask(self, text: str, **response: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.send("conversation.item.create", item=item)
        self.send("response.create", **({"response": response} if response else {}))

    def receive(self) -> Any:
        return json.loads(self.socket.recv(timeout=10))

    def until(self, kind: str) -> list[Any]:
        """The events up to and including the next one of this kind."""
        events = [self.receive()]
        while events[-1]["type"] != kind:
            events.append(self.receive())
        return events

    def error(self) -> Any:
        event = self.until("error")[-1]
        assert event["event_id"].startswith("event_")
        assert event["request_id"] == self.request_id
        return event["error"]

    @property
    def request_id(self) -> Any:
        assert self.socket.response is not None
        return self.socket.response.headers["x-request-id"]

    def rest(self) -> tuple[list[Any], ConnectionClosed]:
        """All further events, and how the connection ends."""
        events: list[Any] = []
        while True:
            try:
                events.append(self.receive())
            except ConnectionClosed as closed:
                return events, closed


@contextlib.contextmanager
def opened(gateway: LocalGateway, model: str = MODEL) -> Iterator[Session]:
    url = f"ws{gateway.url[len('http') :]}/v1/realtime?model={quote(model)}&api_key={TOKEN}"
    with connect(url, subprotocols=["openai-realtime"], max_size=None, proxy=None) as peer:
        session = Session(peer)
        assert session.receive()["type"] == "session.created"
        yield session


def kinds(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def deltas(events: list[Any], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")


def audio_of(events: list[Any]) -> bytes:
    pieces = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(piece) for piece in pieces)


def raw_upgrade(gateway: LocalGateway, target: str, *headers: str, key: str = KEY) -> socket.socket:
    host, port = gateway.url[len("http://") :].split(":")
    peer = socket.create_connection((host, int(port)), timeout=10)
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", *([f"Sec-WebSocket-Key: {key}"] if key else [])]
    peer.sendall("\r\n".join([*lines, *headers, "", ""]).encode("latin-1"))
    return peer


def upgrade(gateway: LocalGateway, target: str, *headers: str, key: str = KEY) -> Response:
    """The response to an upgrade; a refusal's body ends with the connection."""
    with raw_upgrade(gateway, target, *headers, key=key) as peer:
        return read_response(peer)


def read_response(peer: socket.socket) -> Response:
    response = http.client.HTTPResponse(peer, method="GET")
    response.begin()
    return Response(response.status, response.headers, response.read())
