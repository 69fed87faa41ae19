"""Calls through fetch, in Pyodide: `on_pyodide.mjs` runs it under Node.

fetch decodes bodies without saying so, so the headers about codings are left out.
"""

# JavaScript and Pyodide have no types here.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any, TypeVar

from js import AbortController, Object, fetch
from pyodide.ffi import JsException, to_js

from meshapi_core import (
    Abort,
    ClientCall,
    Finished,
    Item,
    OpenFiles,
    SendRequest,
    Sleep,
)
from table import Case, Result, play_async

T = TypeVar("T")

DECODED = ("content-encoding", "content-length")


async def drive(call: ClientCall[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    controller: Any = None
    reader: Any = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await asyncio.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort):
                controller.abort()
            else:
                seconds = action.seconds(monotonic())
                try:
                    if isinstance(action, SendRequest):
                        controller = AbortController.new()
                        response = await asyncio.wait_for(send(action, controller.signal), seconds)
                        fields = Object.fromEntries(response.headers).to_py()
                        kept = [field for field in fields.items() if field[0] not in DECODED]
                        call.receive_head(response.status, kept, monotonic())
                        reader = response.body.getReader()
                    else:
                        piece = await asyncio.wait_for(reader.read(), seconds)
                        data = b"" if piece.done else piece.value.to_bytes()
                        call.receive_body(data, monotonic())
                except (asyncio.TimeoutError, JsException) as exc:
                    call.fail(exc, monotonic())
    finally:
        if controller:
            controller.abort()


async def send(action: SendRequest, signal: Any) -> Any:
    request = action.request
    options = {
        "method": request.method,
        "headers": request.plain_headers(),
        "body": action.content,
        "redirect": "manual",
        "signal": signal,
    }
    return await fetch(request.plain_url, to_js(options, dict_converter=Object.fromEntries))


# The demonstration.


def responses(case: Case) -> AsyncGenerator[Result, None]:
    return drive(case.client_call())


async def main() -> None:
    await play_async("pyodide", responses)
