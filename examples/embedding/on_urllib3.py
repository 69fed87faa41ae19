"""Calls through urllib3, whose pool keeps the connections."""

from collections.abc import Generator
from time import monotonic, sleep
from typing import Optional, TypeVar

import urllib3
from urllib3.connection import HTTPConnection

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
from table import play

T = TypeVar("T")


def drive(call: ClientCall[T], pool: urllib3.PoolManager) -> Generator[T, None, None]:
    """Yield the items of a call. To stop early, close the generator."""
    response: Optional[urllib3.BaseHTTPResponse] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort) and response:
                response.close()
            elif isinstance(action, (SendRequest, ReadBody)):
                try:
                    if isinstance(action, SendRequest):
                        response = send(pool, action)
                        call.receive_head(response.status, response.headers.items(), monotonic())
                    elif response:
                        call.receive_body(read(response, action), monotonic())
                except (OSError, urllib3.exceptions.HTTPError) as exc:
                    call.fail(exc, monotonic())
    finally:
        if response and not response.closed:
            response.close()


def send(pool: urllib3.PoolManager, action: SendRequest) -> urllib3.BaseHTTPResponse:
    """Wait for the head of the response; the call decides everything else."""
    request = action.request
    seconds = action.seconds(monotonic())
    return pool.request(
        request.method,
        request.plain_url,
        body=action.content,
        headers=dict(request.plain_headers()),
        timeout=urllib3.Timeout(connect=action.timeout.connect, read=seconds),
        redirect=False,
        retries=False,
        preload_content=False,
        decode_content=False,
    )


def read(response: urllib3.BaseHTTPResponse, action: ReadBody) -> bytes:
    """Return some bytes of the body. At its end, the connection goes back to the pool."""
    connection = response.connection
    if isinstance(connection, HTTPConnection) and connection.sock:
        connection.sock.settimeout(action.seconds(monotonic()))
    return response.read1(65536)


# The demonstration.


if __name__ == "__main__":
    with urllib3.PoolManager() as pool:
        play("urllib3", lambda case: drive(case.client_call(), pool))
