"""Calls on `asyncio.Protocol`, with TLS: the loop pushes bytes, and nothing is read ahead."""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any, Optional, TypeVar, cast

from meshapi_core import (
    Connect,
    Finished,
    Item,
    OpenFiles,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
)
from table import Case, Result, play_async

T = TypeVar("T")


class Pipe(asyncio.Protocol):
    """A connection, which passes what arrives to its call at once."""

    def __init__(self, call: PipeCall[Any]) -> None:
        self.call, self.told = call, asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()  # until the call asks for bytes

    def data_received(self, data: bytes) -> None:
        self.transport.pause_reading()
        self.call.receive_data(data, monotonic())
        self.told.set()

    def eof_received(self) -> None:
        self.data_received(b"")

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if exc:  # otherwise the call knows already, or we closed it
            self.call.fail(exc, monotonic())
            self.told.set()


async def drive(call: PipeCall[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    to, dial = call.origin, asyncio.get_running_loop().create_connection
    pipe: Optional[Pipe] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await asyncio.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release) and pipe:
                pipe.transport.abort()
            elif isinstance(action, Write) and pipe:
                pipe.transport.write(action.data)
                call.written()
            elif isinstance(action, (Connect, Read)):
                try:
                    if isinstance(action, Connect):
                        made = dial(lambda: Pipe(call), to.host, to.port, ssl=to.scheme == "https")
                        _, pipe = await asyncio.wait_for(made, action.seconds(monotonic()))
                        call.connected(monotonic())
                    elif pipe:
                        pipe.told.clear()
                        pipe.transport.resume_reading()
                        await asyncio.wait_for(pipe.told.wait(), action.seconds(monotonic()))
                except asyncio.TimeoutError:
                    call.handle_timer(monotonic())
                except OSError as exc:
                    call.fail(exc, monotonic())
    finally:
        if pipe:
            pipe.transport.abort()


# The demonstration.


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.pipe_call())


if __name__ == "__main__":
    asyncio.run(play_async("asyncio", responses))
