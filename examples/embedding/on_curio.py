# curio has no types.
# mypy: disable-error-code=import-untyped
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportGeneralTypeIssues=false
"""Calls on curio's sockets, with TLS."""

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any, TypeVar

import curio

from meshapi_core import (
    Connect,
    Finished,
    Item,
    OpenFiles,
    PipeCall,
    Release,
    Sleep,
    Write,
)
from table import Case, Result, play_async

T = TypeVar("T")


async def drive(call: PipeCall[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    pipe: Any = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await curio.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release):
                await pipe.close()
            else:
                try:
                    limit = action.seconds(monotonic())
                    async with curio.timeout_after(limit):  # pyrefly: ignore[bad-context-manager]
                        if isinstance(action, Connect):
                            to, tls = action.origin, action.origin.scheme == "https"
                            pipe = await curio.open_connection(
                                to.host, to.port, ssl=tls, server_hostname=to.host if tls else None
                            )
                            call.connected(monotonic())
                        elif isinstance(action, Write):
                            await pipe.sendall(action.data)
                            call.written()
                        else:
                            call.receive_data(await pipe.recv(65536), monotonic())
                except (OSError, curio.TaskTimeout) as exc:
                    call.fail(exc, monotonic())
    finally:
        if pipe:
            await pipe.close()


# The demonstration.


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.pipe_call())


if __name__ == "__main__":
    curio.run(play_async, "curio", responses)
