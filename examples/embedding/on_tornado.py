"""Calls on Tornado's streams, with TLS."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Optional, TypeVar

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from meshapi_core import (
    Connect,
    Finished,
    Item,
    OpenFiles,
    Origin,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
)
from table import Case, Result, play_async

T = TypeVar("T")


async def drive(call: PipeCall[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    stream: Optional[IOStream] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await asyncio.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release) and stream:
                stream.close()
            elif isinstance(action, (Connect, Write, Read)):
                seconds = action.seconds(monotonic())
                try:
                    if isinstance(action, Connect):
                        stream = await asyncio.wait_for(connect(action.origin), seconds)
                        call.connected(monotonic())
                    elif isinstance(action, Write) and stream:
                        await asyncio.wait_for(stream.write(action.data), seconds)
                        call.written()
                    elif stream:
                        data = await asyncio.wait_for(read(stream), seconds)
                        call.receive_data(data, monotonic())
                except (OSError, asyncio.TimeoutError) as exc:
                    call.fail(exc, monotonic())
    finally:
        if stream:
            stream.close()


async def connect(origin: Origin) -> IOStream:
    tls = ssl.create_default_context() if origin.scheme == "https" else None
    return await TCPClient().connect(origin.host, origin.port, ssl_options=tls)


async def read(stream: IOStream) -> bytes:
    """Return the bytes that are there, or b"" at the end of input."""
    try:
        return await stream.read_bytes(65536, partial=True)
    except StreamClosedError as exc:
        if exc.real_error is not None:
            raise
        return b""


# The demonstration.


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.pipe_call())


if __name__ == "__main__":
    asyncio.run(play_async("tornado", responses))
