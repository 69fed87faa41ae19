"""The servers that are not ours do what their scripts say, and leave nothing behind."""

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from support.foreign_websockets import SERVERS, ForeignPeer, ForeignServer
from support.leaks import descriptors


def connected(server: ForeignServer) -> ClientConnection:
    url = server.url.replace("http", "ws", 1) + "/v1/realtime?model=m"
    return connect(url, subprotocols=["openai-realtime"], open_timeout=10, close_timeout=10)


async def conversation(peer: ForeignPeer) -> None:
    assert (peer.number, peer.target) == (0, "/v1/realtime?model=m")
    assert peer.headers["sec-websocket-protocol"] == "openai-realtime"
    assert await peer.receive() == "hello"
    await peer.send_text("text \u00e9")
    await peer.send_binary(b"\x00\xff")
    await peer.send_pieces(["in ", "three", " pieces"], pings=True)
    await peer.ping(b"still there?")
    await peer.send_pieces([b"\x01", b"\x02" * 70_000])
    assert await peer.receive() == b"after the pong"
    assert await peer.receive() is None
    assert (peer.close_code, peer.close_reason) == (4000, "enough")


async def breaking_off(peer: ForeignPeer) -> None:
    assert await peer.receive() == "I am here"
    if peer.number == 0:
        await peer.close(1011, "busy")
    elif peer.number == 1:
        peer.abort()
    else:
        peer.drop()


@pytest.mark.parametrize("name", SERVERS)
def test_both_servers_play_a_conversation_and_leave_no_descriptor(name: str) -> None:
    before = descriptors()
    with SERVERS[name](conversation) as server, connected(server) as client:
        assert client.subprotocol == "openai-realtime"
        client.send("hello")
        received = [client.recv(10) for _ in range(4)]
        client.send(b"after the pong")
        client.close(4000, "enough")
    assert received == ["text \u00e9", b"\x00\xff", "in three pieces", b"\x01" + b"\x02" * 70_000]
    assert descriptors() == before


@pytest.mark.parametrize("name", SERVERS)
def test_both_servers_break_off_as_they_are_told_and_write_byte_by_byte(name: str) -> None:
    codes: list[object] = []
    with SERVERS[name](breaking_off, bytewise=True) as server:
        for _ in range(3):
            with pytest.raises(ConnectionClosedError) as caught, connected(server) as client:
                client.send("I am here")
                client.recv(10)
            codes.append(caught.value.rcvd and (caught.value.rcvd.code, caught.value.rcvd.reason))
    assert codes == [(1011, "busy"), None, None]
    assert server.connections == 3


@pytest.mark.parametrize("name", SERVERS)
def test_what_a_script_asserts_in_vain_is_raised_at_the_end(name: str) -> None:
    async def wrong(peer: ForeignPeer) -> None:
        assert await peer.receive() == "something else"

    with pytest.raises(AssertionError), SERVERS[name](wrong) as server, connected(server) as client:
        client.send("hello")
