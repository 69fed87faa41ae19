"""WebSocket connections of the local gateway: their limits, their end, and their log."""

import contextlib
import socket
import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed

from meshapi.gateway.footprint import footprint
from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN, call
from support.gateway_sessions import MODEL, loud, opened, raw_upgrade, upgrade


class TestLimits:
    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            # A frame without a mask, a text that is not UTF-8, an opcode that does not exist.
            (b"\x81\x02{}", 1002),
            (b"\x81\x81\0\0\0\0\xff", 1007),
            (b"\x83\x80\0\0\0\0", 1002),
        ],
    )
    def test_of_frames_are_told(
        self, gateway: LocalGateway, frame: bytes, code: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        target = f"/v1/realtime?model={MODEL}&api_key={TOKEN}"
        with raw_upgrade(gateway, target) as peer:
            assert peer.recv(1)
            peer.sendall(frame)
            received = b"".join(iter(lambda: peer.recv(65536), b""))
        at = received.rindex(b"\x88")
        assert struct.unpack_from("!H", received, at + 2) == (code,)
        assert not caplog.records

    @pytest.mark.slow
    def test_of_messages_are_sixteen_mebibytes(self, gateway: LocalGateway) -> None:
        head = '{"type":"input_audio_buffer.append","audio":"'
        for extra, fits in ((0, True), (1, False)):
            with opened(gateway) as session:
                session.send(
                    "session.update", session={"audio": {"input": {"turn_detection": None}}}
                )
                session.receive()
                text = "A" * (16 * 1024 * 1024 + extra - len(head) - 2)
                with contextlib.suppress(ConnectionClosed):
                    session.socket.send(f'{head}{text}"}}')
                    session.send("input_audio_buffer.clear")
                if fits:
                    # The message arrived, but this many characters are not valid base64.
                    assert session.error()["param"] == "audio"
                    assert session.receive()["type"] == "input_audio_buffer.cleared"
                else:
                    events, closed = session.rest()
                    assert not events
                    assert closed.rcvd is not None
                    assert closed.rcvd.code == 1009

    def test_of_messages_hold_for_thousands_of_fragments(self) -> None:
        fragment, ping = b"\x82\0\0\0\0xy", b"\x89\x80\0\0\0\0"
        target = f"/v1/realtime?model={MODEL}&api_key={TOKEN}"
        with LocalGateway(token=TOKEN) as gateway, raw_upgrade(gateway, target) as peer:
            assert peer.recv(1)
            peer.sendall(b"\x01" + fragment + (b"\0" + fragment) * 1000 + ping)
            received = b""
            while not received.endswith(b"\x8a\0"):
                piece = peer.recv(65536)
                assert piece, "the gateway has closed the connection"
                received += piece
            (protocol,) = gateway._server.server_state.connections
            kept = [one for one in vars(protocol).values() if isinstance(one, (list, bytearray))]
            assert footprint(kept) < 10_000

    @pytest.mark.slow
    def test_of_pongs_hold_for_a_peer_that_reads_none(self) -> None:
        with LocalGateway(token=TOKEN) as gateway:
            # Accepted sockets have the buffers of the one that listens.
            gateway._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
            target = f"/v1/realtime?model={MODEL}&api_key={TOKEN}"
            with raw_upgrade(gateway, target) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                assert peer.recv(1)
                # The connection stays usable, and is closed in order.
                peer.sendall((b"\x89\xfd\0\0\0\0" + bytes(125)) * 15_000)
                peer.sendall(b"\x88\x80\0\0\0\0")
                received = b"".join(iter(lambda: peer.recv(65536), b""))
        assert 0 < received.count(b"\x8a\x7d") < 15_000
        assert received.endswith(b"\x88\0")


class TestLocalGateway:
    def test_closes_at_once_with_sessions_open(self, caplog: pytest.LogCaptureFixture) -> None:
        with contextlib.ExitStack() as stack:
            gateway = LocalGateway(token=TOKEN, words_per_second=10)
            idle, playing, closing = (stack.enter_context(opened(gateway)) for _ in range(3))
            stalled = stack.enter_context(opened(gateway, "mesh/stall"))
            playing.ask("Count to 1000")
            playing.until("response.output_audio.delta")
            # This one reads nothing, so that the gateway can neither write nor finish closing.
            mute = stack.enter_context(
                raw_upgrade(gateway, f"/v1/realtime?model=mesh/large-frame&api_key={TOKEN}")
            )
            assert mute.recv(1)
            mute.sendall(b"\x81\x9a\0\0\0\0" + b'{"type":"response.create"}')
            closing.append(loud(0.1))
            started = time.monotonic()
            gateway.close()
            assert time.monotonic() - started < 8
            for session in (idle, playing, stalled):
                _, closed = session.rest()
                assert closed.rcvd is None
        assert not caplog.records

    def test_logs_no_token(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(1)
        with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
            with opened(gateway) as session:
                session.ask("Hi")
                session.until("response.done")
            call(gateway, "GET", f"/v1/models?api_key={TOKEN}")
            upgrade(gateway, f"/v1/realtime?model=x&api_key={TOKEN}")
        # The test's client, `websockets`, logs what it sends.
        told = [record for record in caplog.records if not record.name.startswith("websockets")]
        assert told
        assert not [record for record in told if TOKEN in record.getMessage()]

    def test_survives_clients_that_leave(
        self, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        for request in (b"", b'{"type":"response.create"}'):
            peer = raw_upgrade(gateway, f"/v1/realtime?model=mesh/large-frame&api_key={TOKEN}")
            assert peer.recv(1)
            if request:
                peer.sendall(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
            # Without a close frame: a reset.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        with opened(gateway) as session:
            session.ask("Hi")
            session.until("response.done")
        assert not caplog.records
