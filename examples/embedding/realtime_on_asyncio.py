"""A realtime session on an `asyncio.Protocol`."""

import asyncio
import math
from typing import Optional, cast

from meshapi_core import NEED_DATA, Closed, MeshAPIError
from realtime_table import MODELS, Talk


class Pipe(asyncio.Protocol):
    """The connection of a session; `ended` becomes how it ended."""

    transport: asyncio.Transport

    def __init__(self, talk: Talk) -> None:
        self.talk, self.session = talk, talk.session
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Closed] = self.loop.create_future()
        self.timer: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.session.connect(self.talk.request, self.loop.time()))
        self.proceed()

    def data_received(self, data: bytes) -> None:
        if not self.ended.done():
            self.session.receive_data(data)
            self.proceed()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self.data_received(b"")

    def proceed(self) -> None:
        """Handle the events that have come, and set the timer for the next check."""
        if self.timer is not None:
            self.timer.cancel()
        try:
            self.session.handle_timer(self.loop.time())
            while (event := self.session.next_event()) is not NEED_DATA:
                if isinstance(event, Closed):
                    break
                self.transport.write(self.talk.respond(event))
        except MeshAPIError as exc:
            self.ended.set_exception(exc)
        else:
            self.transport.write(self.session.data_to_send())
            if isinstance(event, Closed):
                self.ended.set_result(event)
            elif self.session.timer < math.inf:
                when = max(self.session.timer, self.loop.time())
                self.timer = self.loop.call_at(when, self.proceed)


async def drive(talk: Talk) -> Closed:
    """Run a session until it ends, and return how it ended."""
    origin, connect = talk.request.origin, asyncio.get_running_loop().create_connection
    transport, pipe = await connect(lambda: Pipe(talk), origin.host, origin.port)
    try:
        return await pipe.ended
    finally:
        transport.abort()


# The demonstration.


async def main() -> None:
    for name in MODELS:
        talk = Talk(name)
        try:
            talk.end(await drive(talk))
        except MeshAPIError as exc:
            talk.end(exc)


if __name__ == "__main__":
    asyncio.run(main())
