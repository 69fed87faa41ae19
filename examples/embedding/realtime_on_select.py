"""A realtime session on a socket, with `select`."""

import math
import select
import socket
from time import monotonic

from meshapi_core import NEED_DATA, Closed, MeshAPIError
from realtime_table import MODELS, Talk


def drive(talk: Talk) -> Closed:
    """Run a session until it ends, and return how it ended."""
    session, origin = talk.session, talk.request.origin
    with socket.create_connection((origin.host, origin.port), timeout=10) as pipe:
        pipe.sendall(session.connect(talk.request, monotonic()))
        while not isinstance(event := session.next_event(), Closed):
            pipe.sendall(session.data_to_send())
            if event is not NEED_DATA:
                pipe.sendall(talk.respond(event))
                continue
            left = session.timer - monotonic()
            if select.select([pipe], [], [], None if left == math.inf else max(left, 0.0))[0]:
                try:
                    session.receive_data(pipe.recv(65536))
                except OSError:
                    session.receive_data(b"")
            else:
                session.handle_timer(monotonic())
        return event


# The demonstration.


if __name__ == "__main__":
    for name in MODELS:
        talk = Talk(name)
        try:
            talk.end(drive(talk))
        except MeshAPIError as exc:
            talk.end(exc)
