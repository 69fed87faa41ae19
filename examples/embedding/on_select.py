"""Calls on non-blocking sockets, with `select` alone: any number at a time in one thread.

A call is a generator that yields what it waits for. The system looks up names, which blocks. TLS is
left to the other examples.
"""

import os
import select
import socket
from collections.abc import Callable, Generator, Iterable
from math import inf
from time import monotonic
from typing import NamedTuple, Optional, TypeVar

from meshapi_core import (
    Connect,
    Finished,
    Item,
    MeshAPIError,
    Origin,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
)
from table import NAMES, Case

T = TypeVar("T")


class Wait(NamedTuple):
    """What a task waits for: until when, on which socket, and whether to write to it."""

    until: Optional[float]
    pipe: Optional[socket.socket] = None
    writing: bool = False


Task = Generator[Wait, bool, None]


def drive(call: PipeCall[T], take: Callable[[T], bool]) -> Task:
    """Make a call. `take` gets each item, and returns whether to go on."""
    pipe = socket.socket()
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                if not take(action.value):
                    break
            elif isinstance(action, Sleep):
                yield Wait(action.until)
            elif isinstance(action, Release):
                pipe.close()
            try:
                if isinstance(action, Connect):
                    pipe.close()
                    pipe = begin(action.origin)
                    yield from ready(Wait(action.until, pipe, writing=True))
                    if error := pipe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        raise OSError(error, os.strerror(error))
                    call.connected(monotonic())
                elif isinstance(action, Write):
                    unsent = memoryview(action.data)
                    while unsent:
                        yield from ready(Wait(action.until, pipe, writing=True))
                        unsent = unsent[pipe.send(unsent) :]
                    call.written()
                elif isinstance(action, Read):
                    yield from ready(Wait(action.until, pipe))
                    call.receive_data(pipe.recv(65536), monotonic())
            except OSError as exc:
                call.fail(exc, monotonic())
    finally:
        pipe.close()


def begin(origin: Origin) -> socket.socket:
    """Return a socket that has begun to connect."""
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    pipe = socket.socket(*found[0][:3])
    pipe.setblocking(False)
    pipe.connect_ex(found[0][4])
    return pipe


def ready(wait: Wait) -> Task:
    """Wait for a pipe, within the time limit."""
    if not (yield wait):
        raise TimeoutError


# The demonstration: a loop that makes all calls of the table at the same time.


def run(tasks: Iterable[Task]) -> None:
    """Run tasks until all have ended."""
    waits = {task: next(task) for task in tasks}
    while waits:
        turn(waits)


def turn(waits: dict[Task, Wait], until: float = inf) -> None:
    """Wait until a task can go on, or until a time, and let those go on that can."""
    times = [wait.until for wait in waits.values() if wait.until is not None]
    reading = [wait.pipe for wait in waits.values() if wait.pipe and not wait.writing]
    writing = [wait.pipe for wait in waits.values() if wait.pipe and wait.writing]
    until = min([until, *times])
    seconds = None if until == inf else max(0.0, until - monotonic())
    readable, writable, _ = select.select(reading, writing, [], seconds)
    for task, wait in [*waits.items()]:
        is_ready = wait.pipe in readable or wait.pipe in writable
        if is_ready or (wait.until is not None and monotonic() >= wait.until):
            try:
                waits[task] = task.send(is_ready)
            except StopIteration:
                del waits[task]


def play(case: Case) -> Task:
    try:
        yield from drive(case.pipe_call(), case.take)
    except MeshAPIError as exc:
        case.end(exc)
    else:
        case.end()


if __name__ == "__main__":
    run([play(Case(name, "select")) for name in NAMES])
