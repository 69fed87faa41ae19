"""`LocalGateway` as a server: start, stop, connections, and the log."""

import contextlib
import http.client
import json
import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from meshapi.gateway import waiting
from meshapi.testing import LocalGateway, create_app
from support.chat_calls import ask, complete, raw_request
from support.gateway_calls import TOKEN, call


class TestLocalGateway:
    def test_is_ready_at_once_and_gone_after_its_block(self) -> None:
        with LocalGateway(token=TOKEN) as gateway:
            assert call(gateway, "GET", "/health").json() == {"status": "ok"}
        with pytest.raises(ConnectionRefusedError):
            call(gateway, "GET", "/health")
        assert not [thread for thread in threading.enumerate() if gateway.url in thread.name]

    def test_closes_again_without_complaint(self) -> None:
        gateway = LocalGateway(token=TOKEN)
        gateway.close()
        gateway.close()
        with pytest.raises(ConnectionRefusedError):
            call(gateway, "GET", "/health")

    def test_closes_at_once_with_responses_under_way(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        gateway = LocalGateway(token=TOKEN, words_per_second=0)
        peers = [
            raw_request(gateway, ask("Hi", model="mesh/stall", stream=True)),
            raw_request(gateway, ask("Hi", model="mesh/stall")),
            raw_request(gateway, ask("Hi", model="mesh/slow")),
        ]
        assert peers[0].recv(1)
        started = time.monotonic()
        gateway.close()
        assert time.monotonic() - started < 8
        for peer in peers:
            assert_closed(peer)
        assert not caplog.records

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("sent", "later"),
        [
            (b"", b""),
            (b"GET /health HTTP/1.1\r\nHost:", b""),
            (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET"),
            (b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n12", b"3"),
        ],
        ids=["nothing", "half a head", "half of the next head", "half of a body"],
    )
    def test_waits_for_no_request_for_ever(
        self, sent: bytes, later: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "PATIENCE", 0.0)
        with LocalGateway(token=TOKEN) as gateway:
            host, port = gateway.url[len("http://") :].split(":")
            with socket.create_connection((host, int(port)), 10) as peer:
                peer.sendall(sent)
                if later:
                    assert peer.recv(4096)
                    peer.sendall(later)
                assert_closed(peer)

    def test_waits_for_each_request_anew(self) -> None:
        sweep = waiting.Waiting()
        connection = H11Protocol.__new__(H11Protocol)
        connection.timeout_keep_alive_task = None
        connection.flow = SimpleNamespace(write_paused=False)  # type: ignore[assignment]
        late = waiting.PATIENCE
        for number, (is_over, is_late) in enumerate(
            [(True, False), (False, False), (True, False), (True, True)]
        ):
            # It has had a request since the last look, but for the last time.
            if number < 3:
                connection.cycle = SimpleNamespace(response_complete=is_over)  # type: ignore[assignment]
            found = sweep.overdue([connection, object()], late * number)
            assert found == ([connection] if is_late else [])

    def test_waits_longer_for_a_response_to_be_read(self) -> None:
        sweep = waiting.Waiting()
        connection = H11Protocol.__new__(H11Protocol)
        connection.timeout_keep_alive_task = None
        connection.flow = SimpleNamespace(write_paused=True)  # type: ignore[assignment]
        connection.cycle = SimpleNamespace(response_complete=False)  # type: ignore[assignment]
        unread = 100_000
        connection.transport = SimpleNamespace(get_write_buffer_size=lambda: unread)  # type: ignore[assignment]
        late = waiting.WRITING_PATIENCE
        assert sweep.overdue([connection], 0.0) == []
        assert sweep.overdue([connection], late - 1) == []
        assert sweep.overdue([connection], late) == [connection]
        # It has read something.
        unread -= 1
        assert sweep.overdue([connection], late) == []
        assert sweep.overdue([connection], 2 * late) == [connection]

    def test_lets_new_connections_take_the_place_of_idle_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever opens thousands and says nothing does not keep others out."""
        monkeypatch.setattr(waiting, "MOST_CONNECTIONS", 3)
        with LocalGateway(token=TOKEN) as gateway, contextlib.ExitStack() as stack:

            def connect(*, health: bool) -> socket.socket:
                place = gateway.url[len("http://") :].split(":")
                peer = stack.enter_context(socket.create_connection((place[0], int(place[1])), 10))
                if health:
                    peer.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert peer.recv(100).startswith(b"HTTP/1.1 200")
                return peer

            used, *silent = [connect(health=number == 0) for number in range(3)]
            # First those that never had a request, the oldest one first; then one that has.
            for gone in (*silent, used):
                connect(health=True)
                assert_closed(gone)

    def test_has_room_for_so_many_responses_under_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "MOST_CONNECTIONS", 2)
        with LocalGateway(token=TOKEN) as gateway, contextlib.ExitStack() as stack:
            for _ in range(2):
                body = ask("Hi", model="mesh/stall", stream=True)
                peer = stack.enter_context(raw_request(gateway, body))
                assert peer.recv(1)
            place = gateway.url[len("http://") :].split(":")
            assert_closed(stack.enter_context(socket.create_connection((place[0], int(place[1])))))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
    def test_leaves_the_program_files_to_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import resource

        for limit, most in (
            (256, 192),
            (100_000, waiting.MOST_CONNECTIONS),
            (resource.RLIM_INFINITY, waiting.MOST_CONNECTIONS),
        ):
            monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
            assert waiting.most_connections() == most

    def test_runs_beside_another(self) -> None:
        with LocalGateway(token=TOKEN) as one, LocalGateway(token="rsk_test_other") as other:
            assert one.url != other.url
            assert complete(one, ask("Hi")).status == 200
            assert complete(other, ask("Hi")).status == 401
            assert (len(one.requests), len(other.requests)) == (1, 1)

    def test_takes_the_port_that_it_is_given_and_says_if_it_is_taken(self) -> None:
        with LocalGateway(token=TOKEN) as gateway:
            port = int(gateway.url.rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                LocalGateway(token=TOKEN, port=port)
        with LocalGateway(token=TOKEN, port=port) as again:
            assert again.url == gateway.url

    @pytest.mark.parametrize("pace", [-1.0, float("nan")])
    def test_refuses_a_pace_that_is_none(self, pace: float) -> None:
        with pytest.raises(ValueError, match="words_per_second"):
            LocalGateway(words_per_second=pace)
        with pytest.raises(ValueError, match="words_per_second"):
            create_app(words_per_second=pace)

    def test_keeps_connections_open_for_more_requests(self, gateway: LocalGateway) -> None:
        connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
        connection.connect()
        peer = connection.sock
        for path in ("/health", "/v1/nothing", "/v1/models", "/health"):
            connection.request("GET", path)
            connection.getresponse().read()
            assert connection.sock is peer
        connection.close()

    def test_does_not_wait_for_delayed_acknowledgements(self, gateway: LocalGateway) -> None:
        connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
        took = []
        for _ in range(50):
            started = time.monotonic()
            connection.request("GET", "/health")
            connection.getresponse().read()
            took.append(time.monotonic() - started)
        connection.close()
        # Nagle's algorithm costs 40 ms for all but the first few, a busy computer only for some.
        assert sorted(took)[len(took) // 3] < 0.035

    def test_keeps_requests_as_they_came(self, gateway: LocalGateway) -> None:
        call(gateway, "GET", "/v1/batches/a%2Fb?after=x%20y", X_Test="1")
        complete(gateway, ask("Hi"))
        first, second = gateway.requests
        assert (first.method, first.path, first.query) == (
            "GET",
            "/v1/batches/a%2Fb",
            "after=x%20y",
        )
        assert first.headers["x-test"] == "1"
        assert second.json() == ask("Hi")
        assert json.loads(second.body) == ask("Hi")
        gateway.reset()
        assert gateway.requests == []

    def test_serves_many_at_once(self, gateway: LocalGateway) -> None:
        peers = [raw_request(gateway, ask("What is 2+2?")) for _ in range(100)]
        for peer in peers:
            assert peer.recv(65536).startswith(b"HTTP/1.1 200")
            peer.close()


def assert_closed(peer: socket.socket) -> None:
    """Check that the peer is gone: read the rest of what it sent, then an end or a reset."""
    with peer:
        try:
            while peer.recv(65536):
                pass
        except ConnectionResetError:
            pass
