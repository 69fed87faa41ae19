"""Responses that go wrong on their way, as scripts want it, whatever the endpoint.

Endpoints play an event stream with its fault themselves (`frames_of`), because only they know
its words. Everything else goes through `FaultySend`.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Optional

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from meshapi.gateway import clock, failing_models
from meshapi.gateway.http.errors import envelope
from meshapi.gateway.http.streams import ConnectionCut, PacedFrames, play
from meshapi.gateway.scripts.errors import scripted_error
from meshapi.gateway.scripts.values import Fault

_EVENT_STREAM = "text/event-stream"


def frames_of(fault: Fault, frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """Return the frames of an event stream that goes wrong; `cut` is up to `FaultySend`."""
    if fault.kind == "broken_stream":
        return failing_models.cut_half_way(frames, pause)
    if fault.kind == "stall":
        return failing_models.stall_half_way(frames, pause)
    if fault.kind == "slow":
        return failing_models.crawl(frames, fault.start, fault.pause)
    if fault.kind == "error_in_stream" and fault.error is not None:
        return failing_models.fail_half_way(frames, pause, scripted_error(fault.error))
    return play(frames, pause)


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a `send` that adds headers to the response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = MutableHeaders(raw=list(message.get("headers", [])))
            added.update(headers)
            message = {**message, "headers": added.raw}
        await send(message)

    return sending


class FaultySend:
    """A `send` through which a response goes wrong.

    `send` raises ConnectionCut where the connection is to be closed. Errors pass as they are.
    """

    def __init__(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        self._fault = fault
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left = fault.after_bytes
        self._held: Optional[Message] = None
        self._body = bytearray()
        self._passes = False
        self._replaced = False
        self._began = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body" and not self._replaced:
            await self._continue(message)

    async def _start(self, message: Message) -> None:
        kind = self._fault.kind
        is_stream = _media_type(message).startswith(_EVENT_STREAM)
        self._passes = kind != "cut" and (is_stream or message["status"] >= 400)
        if self._passes or kind == "cut":
            await self._send(message)
        elif kind == "slow":
            await clock.sleep(self._fault.start)
            await self._send(message)
        elif kind == "stall":
            while (await self._receive())["type"] != "http.disconnect":
                pass
            raise ConnectionCut
        elif kind == "error_in_stream" and self._fault.error is not None:
            self._replaced = True
            response = envelope(
                scripted_error(self._fault.error), self._scope["state"]["request_id"]
            )
            await response(self._scope, self._receive, self._send)
        else:
            self._held = message

    async def _continue(self, message: Message) -> None:
        if self._passes:
            await self._send(message)
        elif self._fault.kind == "cut":
            await self._cut(message)
        elif self._fault.kind == "slow":
            if self._began:
                await clock.sleep(self._fault.pause)
            self._began = True
            await self._send(message)
        else:
            await self._break_off(message)

    async def _cut(self, message: Message) -> None:
        data: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        ends = len(data) > self._left or not more
        data, self._left = data[: self._left], self._left - len(data)
        await self._send({**message, "body": data, "more_body": True})
        if ends:
            raise ConnectionCut

    async def _break_off(self, message: Message) -> None:
        """Send the first half, once the response is complete."""
        self._body += message.get("body", b"")
        if message.get("more_body", False) or self._held is None:
            return
        await self._send(self._held)
        half = bytes(self._body[: len(self._body) // 2])
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionCut


def _media_type(message: Message) -> str:
    headers: list[tuple[bytes, bytes]] = message.get("headers", [])
    found = [value for name, value in headers if name.lower() == b"content-type"]
    return found[0].decode("latin-1") if found else ""
