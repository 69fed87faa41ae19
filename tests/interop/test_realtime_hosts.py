"""A host of its own makes a session of the core's machines: sockets, select, and connecting again.

As `meshapi_core.realtime.session` says, with nothing of `meshapi_backends`.
"""

import math
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any, Optional, Union

import pytest

from meshapi_core import (
    NEED_DATA,
    APIConnectionError,
    APITimeoutError,
    Closed,
    Failure,
    MeshAPIConfig,
    MeshAPIError,
    NeedData,
    RealtimeCall,
    RealtimeConnected,
    RealtimeConnection,
    RealtimeConnectionClosed,
    RealtimeExchange,
    RealtimeMessage,
    Reconnect,
    Reconnected,
    RetryPolicy,
    Send,
    Stage,
    Wait,
)
from support.realtime_server import RealtimePeer, upgraded
from support.scripted_server import Peer, ScriptedServer
from support.wire import failed

QUICK = RetryPolicy(max_retries=2, initial_delay=0.002)
CONFIGURED = {"type": "session.update", "session": {"instructions": "short"}}


class Host:
    """One session over sockets, in about fifty lines."""

    def __init__(self, url: str, **limits: Any) -> None:
        config = MeshAPIConfig(base_url=url, token="rsk_test_host", retry=QUICK)
        self.limits = limits
        self.life = RealtimeExchange(
            RealtimeCall(model="m"),
            config,
            Reconnect(attempts=2, retry=QUICK),
            now=time.monotonic(),
            random_bytes=os.urandom,
        )
        self.connection = RealtimeConnection(**self.limits)
        self.event: Union[RealtimeMessage, Closed, NeedData] = NEED_DATA
        self.pipe: Optional[socket.socket] = None

    def messages(self) -> Iterator[RealtimeMessage]:
        """All messages, until the session is over; raises why."""
        while True:
            action = self.life.next_action(time.monotonic())
            if isinstance(action, Wait):
                time.sleep(action.seconds)
            elif isinstance(action, Send):
                self.connect(action)
            else:
                yield from self.talk(action)

    def connect(self, send: Send) -> None:
        self.connection = RealtimeConnection(**self.limits)
        origin = send.request.origin
        stage: Stage = "connect"
        try:
            self.pipe = socket.create_connection((origin.host, origin.port), send.timeout.connect)
            stage = "response"
            self.pipe.sendall(self.connection.connect(send.request, time.monotonic()))
            # The first message may have come together with the response.
            while (event := self.connection.next_event()) is NEED_DATA:
                if self.connection.is_open:
                    break
                self.pump(self.pipe)
        except (OSError, MeshAPIError) as exc:
            self.close()
            error = exc if isinstance(exc, MeshAPIError) else APIConnectionError(str(exc))
            self.life.receive(Failure(error, stage), time.monotonic())
        else:
            self.event = event
            self.life.connected(time.monotonic())

    def talk(self, connected: RealtimeConnected) -> Iterator[RealtimeMessage]:
        assert self.pipe is not None
        if connected.event is not None:
            yield connected.event
        if connected.first is not None:
            self.pipe.sendall(self.connection.send_text(connected.first))
        while not isinstance(event := self.event, Closed):
            if event is NEED_DATA:
                self.pump(self.pipe)
            else:
                self.life.memory.note_received(event)
                yield event
            self.event = self.connection.next_event()
            self.pipe.sendall(self.connection.data_to_send())
        self.close()
        self.life.lost(event, time.monotonic())

    def close(self) -> None:
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None

    def pump(self, pipe: socket.socket) -> None:
        left = self.connection.timer - time.monotonic()
        if select.select([pipe], [], [], None if left == math.inf else max(left, 0))[0]:
            self.connection.receive_data(pipe.recv(65536))
        else:
            self.connection.handle_timer(time.monotonic())

    def send(self, event: dict[str, Any]) -> None:
        assert self.pipe is not None
        self.life.memory.note_sent(event)
        self.pipe.sendall(self.connection.send(event))


def busy(peer: Peer) -> None:
    peer.receive()
    peer.send(failed(503, "upstream_error", "Soon.", "Connection: close"))


def test_a_session_is_carried_over_a_lost_connection_and_a_busy_gateway():
    updates = []

    def first(peer: RealtimePeer) -> None:
        peer.event("session.created")
        updates.append(peer.receive_event())
        peer.event("response.done")
        peer.close(1012, "restarting")

    def second(peer: RealtimePeer) -> None:
        updates.append(peer.receive_event())
        peer.event("session.updated")
        peer.close(1000)

    with ScriptedServer(busy, upgraded(first), busy, upgraded(second)) as server:
        host = Host(server.url)
        received: list[RealtimeMessage] = []
        with pytest.raises(RealtimeConnectionClosed) as caught:
            for message in host.messages():
                received.append(message)
                if message.type == "session.created":
                    host.send(CONFIGURED)
        assert server.connections == 4
    assert [message.type for message in received] == [
        "session.created",
        "response.done",
        "meshapi.reconnected",
        "session.updated",
    ]
    again = received[2]
    assert isinstance(again, Reconnected)
    assert (again.code, again.reason, again.attempts) == (1012, "restarting", 2)
    session = {"type": "realtime", "instructions": "short"}
    assert updates == [CONFIGURED, {"type": "session.update", "session": session}]
    # A normal end is no error to a host that looks at it.
    assert (caught.value.code, caught.value.clean) == (1000, True)


def test_an_upgrade_that_nobody_answers_is_made_again_and_given_up():
    def silent(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(silent) as server:
        host = Host(server.url, handshake_timeout=0.05)
        with pytest.raises(APITimeoutError, match=r"upgrade within 0\.05 s"):
            next(host.messages())
        assert server.connections == 1 + QUICK.max_retries


def test_a_refusal_is_the_error_of_any_other_call_and_not_repeated():
    def refuse(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(401, "invalid_api_key", "No.", "Connection: close"))

    with ScriptedServer(refuse) as server:
        with pytest.raises(
            MeshAPIError, match=r"^No\. \(401 invalid_api_key, request req_"
        ) as caught:
            next(Host(server.url).messages())
        assert (caught.value.error_code, server.connections) == ("invalid_api_key", 1)
