"""Two layers of TLS as one state: whatever the sizes of messages and pieces, nothing is lost."""

import ssl
from functools import lru_cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_backends._networks.tls import TLSState
from meshapi_backends._networks.tls_in_tls import TLSInTLS
from support.certificates import serving, trusting


@lru_cache(maxsize=1)
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    return trusting(), serving("proxy.example"), serving("gateway.example")


class Layer:
    """The server's end of one layer."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.agreed = False

    def receive(self, data: bytes) -> bytes:
        self.incoming.write(data)
        received = b""
        try:
            if not self.agreed:
                self.ssl.do_handshake()
                self.agreed = True
            while True:
                data = self.ssl.read(1 << 16)
                if not data:
                    return received
                received += data
        except ssl.SSLWantReadError:
            return received

    def close(self) -> None:
        try:
            self.ssl.unwrap()
        except ssl.SSLWantReadError:
            pass  # it is sent; the other one is not waited for


class Peer:
    """The proxy and the server behind it."""

    def __init__(self) -> None:
        _, proxy, server = contexts()
        self.outer, self.inner = Layer(proxy), Layer(server)
        self.received = bytearray()

    def receive(self, data: bytes) -> bytes:
        """Take what the client sent; returns what is sent to it."""
        self.received += self.inner.receive(self.outer.receive(data))
        return self.send(b"")

    def send(self, data: bytes) -> bytes:
        if data:
            self.inner.ssl.write(data)
        inner = self.inner.outgoing.read()
        if inner:
            self.outer.ssl.write(inner)
        return self.outer.outgoing.read()


def connected(at: int = 1 << 20) -> tuple[TLSInTLS, Peer]:
    """Both ends, after the handshakes, in pieces of so many bytes."""
    context, peer = contexts()[0], Peer()
    outer = TLSState(context, "proxy.example")
    layer = peer.outer
    while not outer.shake_hands() or not layer.agreed:
        layer.receive(outer.data_to_send())
        outer.receive_data(layer.outgoing.read() or b"")
    state = TLSInTLS(outer, TLSState(context, "gateway.example"))
    while not state.shake_hands() or not peer.inner.agreed:
        give(state, peer.receive(state.data_to_send()), at)
    return state, peer


def give(state: TLSState, data: bytes, at: int) -> None:
    for start in range(0, len(data), at):
        state.receive_data(data[start : start + at])


def read_all(state: TLSState) -> bytes:
    received = b""
    while (data := state.read()) is not None and data:
        received += data
    return received


SIZES = st.integers(1, 200) | st.sampled_from([16383, 16384, 16385, 70_000])


@pytest.mark.slow
@given(st.lists(SIZES, max_size=6), st.integers(1, 5000) | st.just(1 << 20))
@example([16384, 1, 70_000], 1)
def test_any_messages_arrive_in_any_pieces(sizes: list[int], at: int) -> None:
    state, peer = connected(max(at, 100))
    for number, size in enumerate(sizes):
        message = bytes((number + 1,)) * size
        assert not state.write(memoryview(message))
        give(state, peer.receive(state.data_to_send()), at)
        assert peer.received == message
        peer.received.clear()
        give(state, peer.send(message), at)
        assert state.readable
        assert read_all(state) == message
        assert not state.readable
        assert state.read() is None


def test_an_end_with_a_close_notify_of_the_server_is_not_cut() -> None:
    state, peer = connected()
    peer.inner.close()
    state.receive_data(peer.send(b""))
    assert state.read() == b""
    assert not state.cut


@pytest.mark.parametrize("outer_says_goodbye", [False, True])
def test_an_end_without_one_is_cut_whatever_the_proxy_says(outer_says_goodbye: bool) -> None:
    state, peer = connected()
    data = peer.send(b"last words")
    if outer_says_goodbye:
        peer.outer.close()
        data += peer.outer.outgoing.read()
    state.receive_data(data)
    state.receive_data(b"")
    assert state.read() == b"last words"
    assert state.read() == b""
    assert state.cut


def test_what_has_come_with_the_last_bytes_of_the_first_handshake_is_not_lost() -> None:
    context, peer = contexts()[0], Peer()
    outer, layer = TLSState(context, "proxy.example"), peer.outer
    while not outer.shake_hands() or not layer.agreed:
        layer.receive(outer.data_to_send())
        outer.receive_data(layer.outgoing.read() or b"")
    layer.ssl.write(b"no TLS")
    outer.receive_data(layer.outgoing.read())
    state = TLSInTLS(outer, TLSState(context, "gateway.example"))
    with pytest.raises(ssl.SSLError):
        state.shake_hands()
