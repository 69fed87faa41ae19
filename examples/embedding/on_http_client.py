"""Calls through `http.client`, in the handler of a function as AWS Lambda runs it.

Connections are kept from one invocation to the next. The server may have closed one meanwhile, so a
failure on a kept connection is reported with `reused=True`. The request then goes out again on a
fresh one.
"""

import socket
from collections.abc import Generator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from time import monotonic, sleep
from typing import Any, Optional, TypeVar, cast

from meshapi_core import (
    Abort,
    ClientCall,
    Finished,
    Item,
    OpenFiles,
    Origin,
    ReadBody,
    SendRequest,
    Sleep,
)
from table import play

T = TypeVar("T")

warm: dict[Origin, HTTPConnection] = {}
"""Kept connections, whose last response has been read, for the next call or invocation."""


def drive(call: ClientCall[T]) -> Generator[T, None, None]:
    """Yield the items of a call. To stop early, close the generator."""
    origin, is_reused = call.origin, False
    connection: Optional[HTTPConnection] = None
    pipe: Optional[socket.socket] = None
    response: Optional[HTTPResponse] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort) and connection:
                connection.close()
            elif isinstance(action, (SendRequest, ReadBody)):
                try:
                    if isinstance(action, SendRequest):
                        kept = warm.pop(origin, None)
                        is_reused = bool(kept) and not action.fresh
                        connection = kept if kept and is_reused else connect(origin, action)
                        send(connection, action)
                        pipe = cast(socket.socket, connection.sock)  # it may be dropped later
                        pipe.settimeout(action.seconds(monotonic()))
                        response = connection.getresponse()
                        call.receive_head(response.status, response.getheaders(), monotonic())
                    elif connection and pipe and response:
                        pipe.settimeout(action.seconds(monotonic()))
                        data = response.read1(65536)
                        if not data and response.length:
                            raise IncompleteRead(data, response.length)  # `read1` does not raise it
                        if not data and not response.will_close:
                            response.close()
                            warm[origin] = connection
                        call.receive_body(data, monotonic())
                except (OSError, HTTPException) as exc:
                    call.fail(exc, monotonic(), reused=is_reused)
    finally:
        if connection and connection is not warm.get(origin):
            connection.close()


def connect(origin: Origin, action: SendRequest) -> HTTPConnection:
    kind = HTTPSConnection if origin.scheme == "https" else HTTPConnection
    return kind(origin.host, origin.port, timeout=action.timeout.connect)


def send(connection: HTTPConnection, action: SendRequest) -> None:
    request = action.request
    fields = dict(request.plain_headers())
    connection.request(request.method, request.plain_target, action.content, fields)


# The demonstration: the handler that the platform calls, with its event.


def handler(event: dict[str, Any], context: object) -> None:
    play("http.client", lambda case: drive(case.client_call()))


if __name__ == "__main__":
    handler({}, None)
    for connection in warm.values():
        connection.close()
