"""Calls through aiohttp, whose session keeps the connections."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Optional, TypeVar

import aiohttp
from yarl import URL

from meshapi_core import (
    Abort,
    ClientCall,
    Finished,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from table import Case, Result, play_async

T = TypeVar("T")


async def drive(call: ClientCall[T], session: aiohttp.ClientSession) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    now = asyncio.get_running_loop().time
    response: Optional[aiohttp.ClientResponse] = None
    try:
        while not isinstance(action := call.next_action(now()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await asyncio.sleep(action.seconds(now()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort) and response:
                response.close()
            elif isinstance(action, (SendRequest, ReadBody)):
                seconds = action.seconds(now())
                try:
                    if isinstance(action, SendRequest):
                        response = await asyncio.wait_for(send(session, action), seconds)
                        call.receive_head(response.status, response.headers.items(), now())
                    elif response:
                        data = await asyncio.wait_for(response.content.readany(), seconds)
                        call.receive_body(data, now())
                except (OSError, asyncio.TimeoutError, aiohttp.ClientError) as exc:
                    call.fail(exc, now())
    finally:
        if response:
            response.close()


async def send(session: aiohttp.ClientSession, action: SendRequest) -> aiohttp.ClientResponse:
    """Wait for the head of the response; the call decides everything else."""
    request = action.request
    return await session.request(
        request.method,
        URL(request.plain_url, encoded=True),
        data=action.content,
        headers=request.plain_headers(),
        allow_redirects=False,
    )


# The demonstration.


async def main() -> None:
    # No time limits of aiohttp's, and bodies as they come over the wire.
    limits = aiohttp.ClientTimeout(total=None, sock_connect=None)
    async with aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session:

        def responses(case: Case) -> AsyncGenerator[Result, None]:
            return drive(case.client_call(asyncio.get_running_loop().time), session)

        await play_async("aiohttp", responses)


if __name__ == "__main__":
    asyncio.run(main())
