# Generated from _async/tls.py by `python tools/mirror.py --write`: edit that file.
"""TLS over any network stream, the same for all flavours: the standard library's memory BIOs.

The SSL object reads from and writes to memory; what it wants sent goes to the stream below, what
the stream brings is fed to it. So a handshake that is cancelled or times out leaves nothing but
the stream below to be closed, and closing never waits for the peer.
"""

import ssl
from typing import Optional

from meshapi_backends._sync.networks import (
    Network,
    NetworkStream,
    SharedNetworkStream,
)
from meshapi_backends._networks.tls import TLSState, default_context


def start_tls(
    stream: NetworkStream,
    host: str,
    context: Optional[ssl.SSLContext],
    network: Network,
    timeout: Optional[float],
) -> "TLSStream":
    """A TLS connection on top of a stream, the server's certificate and name checked.

    Raises:
        ssl.SSLError, OSError, TimeoutError: the handshake failed; the stream is closed then.
    """
    try:
        tls = TLSStream(stream, host, context or default_context())
        tls.handshake(network, timeout)
    except BaseException:
        stream.abort()
        raise
    return tls


class TLSStream:
    """A network stream that is encrypted on its way."""

    def __init__(self, stream: NetworkStream, host: str, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._tls = TLSState(context, host)

    def handshake(self, network: Network, timeout: Optional[float]) -> None:
        """Agree on keys and check who the server is."""
        end = None if timeout is None else network.now() + timeout
        while True:
            left = None if end is None else end - network.now()
            try:
                done = self._tls.shake_hands()
            except ssl.SSLError:
                # The peer should learn why: the alert is on its way out.
                self._try_flush(left)
                raise
            self._flush(left)
            if done:
                return
            self._feed(left)

    def read(self, timeout: Optional[float]) -> bytes:
        """Some decrypted bytes; `b""` at the end, be it said (`cut` is False) or not."""
        while True:
            data = self._tls.read()
            if data is not None:
                return data
            # Reading may have produced a response, such as a key update.
            self._flush(timeout)
            self._feed(timeout)

    def read_ready(self) -> Optional[bytes]:
        """Decrypted bytes that can be had without waiting; None where there are none."""
        while True:
            data = self._tls.read()
            if data is not None:
                return data
            received = self._stream.read_ready()
            if received is None:
                return None
            self._tls.receive_data(received)

    def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Encrypt and send."""
        rest = self._tls.write(memoryview(data))
        while rest:
            self._flush(timeout)
            self._feed(timeout)
            rest = self._tls.write(rest)
        self._flush(timeout)

    @property
    def cut(self) -> bool:
        """Whether the input has ended without a close_notify."""
        return self._tls.cut

    def shared(self) -> "tuple[SharedNetworkStream, TLSState]":
        """The stream below, for one reader beside one writer, and what encrypts for it."""
        return self._stream.shared()[0], self._tls

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read."""
        return self._tls.readable or self._stream.readable

    def abort(self) -> None:
        """Close at once; the peer gets no close_notify, as waiting for room could block."""
        self._stream.abort()

    def hang_up(self) -> None:
        """Tell the peer that it is over."""
        self._stream.hang_up()

    def forget(self) -> None:
        """Close our descriptor and nothing else."""
        self._stream.forget()

    def abandon(self) -> None:
        """Close, in a finaliser."""
        self._stream.abandon()

    def _feed(self, timeout: Optional[float]) -> None:
        self._tls.receive_data(self._stream.read(timeout))

    def _flush(self, timeout: Optional[float]) -> None:
        data = self._tls.data_to_send()
        if data:
            self._stream.write(data, timeout)

    def _try_flush(self, timeout: Optional[float]) -> None:
        try:
            self._flush(timeout)
        except (OSError, TimeoutError):
            pass
