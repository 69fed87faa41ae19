"""Calls on Twisted's endpoints and protocols, with TLS."""

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any, Optional, TypeVar, cast

from twisted.internet.defer import Deferred, DeferredQueue, ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater, react

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


class Pipe(Protocol):
    """A connection that reads only when asked for bytes."""

    transport: Any

    def __init__(self) -> None:
        self.received: DeferredQueue[Any] = DeferredQueue()

    def connectionMade(self) -> None:
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.transport.pauseProducing()
        self.received.put(data)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.received.put(b"" if isinstance(reason.value, ConnectionDone) else reason)

    def read(self) -> "Deferred[bytes]":
        self.transport.resumeProducing()
        return self.received.get()


async def drive(call: PipeCall[T], reactor: Any) -> AsyncGenerator[T, None]:
    """Yield the items of a call. To stop early, call `aclose`."""
    pipe: Optional[Pipe] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, Sleep):
                await deferLater(reactor, action.seconds(monotonic()), lambda: None)
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Release) and pipe:
                pipe.transport.abortConnection()
            elif isinstance(action, Write) and pipe:
                pipe.transport.write(action.data)
                call.written()
            elif isinstance(action, (Connect, Read)):
                seconds = action.seconds(monotonic(), never=1e6)
                try:
                    if isinstance(action, Connect):
                        pipe = await connect(action.origin, reactor).addTimeout(seconds, reactor)
                        call.connected(monotonic())
                    elif pipe:
                        data = await pipe.read().addTimeout(seconds, reactor)
                        call.receive_data(data, monotonic())
                except Exception as exc:  # Twisted's exceptions have no common base
                    call.fail(exc, monotonic())
    finally:
        if pipe:
            pipe.transport.abortConnection()


def connect(to: Origin, reactor: Any) -> "Deferred[Pipe]":
    endpoint: Any = HostnameEndpoint(reactor, to.host, to.port)
    if to.scheme == "https":
        endpoint = wrapClientTLS(optionsForClientTLS(to.host), endpoint)
    # The method of an interface is declared without `self`.
    connecting = endpoint.connect(Factory.forProtocol(Pipe))  # ty: ignore[too-many-positional-arguments]
    return cast("Deferred[Pipe]", connecting)


# The demonstration.


async def main(reactor: Any) -> None:
    def responses(case: Case) -> AsyncGenerator[Result, None]:
        return drive(case.pipe_call(), reactor)

    await play_async("twisted", responses)
    await deferLater(reactor, 0, lambda: None)  # aborted connections close in the next iteration


def start(reactor: Any) -> "Deferred[None]":
    return ensureDeferred(main(reactor))


if __name__ == "__main__":
    react(start)
