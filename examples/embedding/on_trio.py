"""Calls on trio's streams, with TLS."""

import math
import ssl
from collections.abc import AsyncGenerator
from typing import Optional, TypeVar

import trio

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
    now = trio.current_time
    pipe: Optional[trio.abc.Stream] = None
    try:
        while not isinstance(action := call.next_action(now()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await trio.sleep(action.seconds(now()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release) and pipe:
                await trio.aclose_forcefully(pipe)
            elif isinstance(action, (Connect, Write, Read)):
                try:
                    with trio.fail_after(action.seconds(now(), never=math.inf)):
                        if isinstance(action, Connect):
                            pipe = await connect(action.origin)
                            call.connected(now())
                        elif isinstance(action, Write) and pipe:
                            await pipe.send_all(action.data)
                            call.written()
                        elif pipe:
                            call.receive_data(await pipe.receive_some(65536), now())
                except (OSError, trio.TooSlowError, trio.BrokenResourceError) as exc:
                    call.fail(exc, now())
    finally:
        if pipe:
            await trio.aclose_forcefully(pipe)


async def connect(origin: Origin) -> trio.abc.Stream:
    """Return a stream to a server, after the TLS handshake."""
    if origin.scheme == "http":
        return await trio.open_tcp_stream(origin.host, origin.port)
    context = ssl.create_default_context()
    stream = await trio.open_ssl_over_tcp_stream(origin.host, origin.port, ssl_context=context)
    await stream.do_handshake()
    return stream


# The demonstration.


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.pipe_call(trio.current_time))


if __name__ == "__main__":
    trio.run(play_async, "trio", responses)
