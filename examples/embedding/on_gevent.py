"""Calls on gevent's sockets, with TLS, each in its own greenlet."""

from collections.abc import Generator
from time import monotonic
from typing import Optional, TypeVar

import gevent
from gevent import socket, ssl

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
from table import Case, Result, play

T = TypeVar("T")


def drive(call: PipeCall[T]) -> Generator[T, None, None]:
    """Yield the items of a call. To stop early, close the generator."""
    pipe: Optional[socket.socket] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                gevent.sleep(action.seconds(monotonic()))
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release) and pipe:
                pipe.close()
            elif isinstance(action, (Connect, Write, Read)):
                try:
                    with gevent.Timeout(action.seconds(monotonic())):
                        if isinstance(action, Connect):
                            pipe = connect(action.origin)
                            call.connected(monotonic())
                        elif isinstance(action, Write) and pipe:
                            pipe.sendall(action.data)
                            call.written()
                        elif pipe:
                            call.receive_data(pipe.recv(65536), monotonic())
                except (OSError, gevent.Timeout) as exc:
                    call.fail(exc, monotonic())
    finally:
        if pipe:
            pipe.close()


def connect(origin: Origin) -> socket.socket:
    """Return a connected socket, after the TLS handshake."""
    pipe = socket.create_connection((origin.host, origin.port))
    if origin.scheme == "http":
        return pipe
    context = ssl.create_default_context()
    return context.wrap_socket(pipe, server_hostname=origin.host)


# The demonstration.


def responses(case: Case) -> Generator[Result, None, None]:
    return drive(case.pipe_call())


if __name__ == "__main__":
    gevent.spawn(play, "gevent", responses).get()
