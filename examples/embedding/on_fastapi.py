"""A relay: FastAPI on one side, httpx on the other, and a call in between.

It reads from the gateway only as fast as its client reads, and if the client disconnects, the call
ends.
To serve it: `uvicorn on_fastapi:app`, with the gateway in the environment.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from time import monotonic
from typing import Any, Optional, TypeVar

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from meshapi_core import (
    Abort,
    ClientCall,
    Finished,
    Item,
    MeshAPIError,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from meshapi_core.endpoints import Completions
from meshapi_core.types import ChatCompletionChunk
from table import Case, Result, config, play_async

T = TypeVar("T")

app = FastAPI()

# No time limits of httpx's: the call has its own.
client = httpx.AsyncClient(timeout=None)


async def drive(call: ClientCall[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    response: Optional[httpx.Response] = None
    pieces: Optional[AsyncIterator[bytes]] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await asyncio.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort) and response:
                await response.aclose()
            elif isinstance(action, (SendRequest, ReadBody)):
                seconds = action.seconds(monotonic())
                try:
                    if isinstance(action, SendRequest):
                        response = await asyncio.wait_for(send(action), seconds)
                        pieces = response.aiter_raw()
                        call.receive_head(response.status_code, response.headers.raw, monotonic())
                    elif pieces:
                        data = await asyncio.wait_for(read(pieces), seconds)
                        call.receive_body(data, monotonic())
                except (asyncio.TimeoutError, httpx.HTTPError) as exc:
                    call.fail(exc, monotonic())
    finally:
        if response:
            await response.aclose()


async def send(action: SendRequest) -> httpx.Response:
    request, content = action.request, action.content
    assert isinstance(content, bytes)
    headers = request.raw_headers
    outgoing = client.build_request(
        request.method, request.plain_url, headers=headers, content=content
    )
    return await client.send(outgoing, stream=True, follow_redirects=False)


async def read(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        return piece
    return b""


# The demonstration: the relay, and the calls of the table without it.


class Events(StreamingResponse):
    """Chunks as server-sent events. However the response ends, it ends the call."""

    def __init__(self, chunks: AsyncGenerator[ChatCompletionChunk, None]) -> None:
        super().__init__(self.events(chunks), media_type="text/event-stream")
        self.chunks = chunks

    async def events(self, chunks: AsyncGenerator[ChatCompletionChunk, None]) -> AsyncIterator[str]:
        try:
            async for chunk in chunks:
                yield f"data: {json.dumps(chunk.raw)}\n\n"
        except MeshAPIError as exc:
            yield f"data: {json.dumps(exc.envelope())}\n\n"
        yield "data: [DONE]\n\n"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.chunks.aclose()


@app.post("/v1/chat/completions")
async def relay(params: dict[str, Any]) -> Response:
    params.pop("stream", None)
    try:
        call = ClientCall(
            Completions.stream.build(**params), config(), now=monotonic(), random_bytes=os.urandom
        )
    except MeshAPIError as exc:
        return JSONResponse(exc.envelope(), exc.status or 502)
    return Events(drive(call))


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.client_call())


async def main() -> None:
    async with client:
        await play_async("fastapi", responses)


if __name__ == "__main__":
    asyncio.run(main())
