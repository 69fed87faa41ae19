"""A realtime session on a trio stream."""

from time import monotonic

import trio

from meshapi_core import NEED_DATA, Closed, MeshAPIError
from realtime_table import MODELS, Talk


async def drive(talk: Talk) -> Closed:
    """Run a session until it ends, and return how it ended."""
    session, origin = talk.session, talk.request.origin
    with trio.fail_after(10):
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    async with stream:
        await stream.send_all(session.connect(talk.request, monotonic()))
        while not isinstance(event := session.next_event(), Closed):
            await stream.send_all(session.data_to_send())
            if event is not NEED_DATA:
                await stream.send_all(talk.respond(event))
                continue
            data = None
            with trio.move_on_after(max(session.timer - monotonic(), 0.0)):
                try:
                    data = await stream.receive_some(65536)
                except trio.BrokenResourceError:
                    data = b""
            if data is None:
                session.handle_timer(monotonic())
            else:
                session.receive_data(data)
        return event


# The demonstration.


async def main() -> None:
    for name in MODELS:
        talk = Talk(name)
        try:
            talk.end(await drive(talk))
        except MeshAPIError as exc:
            talk.end(exc)


if __name__ == "__main__":
    trio.run(main)
