"""TLS over any network stream, the same for all flavours: the standard library's memory BIOs.

The SSL object reads from memory and writes to memory. Its output is written to the stream below,
and what is read from the stream is fed to it. So a handshake that is cancelled or times out leaves
nothing to clean up but the stream below, and closing never waits for the peer.
"""

import ssl
from functools import partial
from typing import Optional

from meshapi_backends._async.networks import (
    AsyncNetwork,
    AsyncNetworkStream,
    AsyncSharedNetworkStream,
)
from meshapi_backends._networks.tls import TLSState, blocks
from meshapi_backends._networks.tls_source import TLSSource


async def start_tls(
    stream: AsyncNetworkStream,
    host: str,
    tls: TLSSource,
    network: AsyncNetwork,
    timeout: Optional[float],
    received: bytes = b"",
) -> "AsyncTLSStream":
    """A TLS connection over a stream, with the server's certificate and name checked.

    Args:
        stream: plain; or one with TLS, to an https proxy.
        host: the server's host name.
        tls: has the SSL context, or makes it.
        network: the clock, and threads.
        timeout: seconds for all of it.
        received: what has been read from the stream already.

    Raises:
        ssl.SSLError, OSError, TimeoutError: the handshake failed; the stream is closed then.
        TransportError: the certificates that `tls` names cannot be loaded; likewise.
    """
    end = None if timeout is None else network.now() + timeout
    try:
        context = tls.context
        if context is None:
            # Reading the system's authorities takes 10 to 20 ms.
            context = await network.in_thread(tls.make, timeout)
        new_state = partial(TLSState, context, host)
        if blocks(context):
            left = None if end is None else end - network.now()
            state = await network.in_thread(new_state, left)
        else:
            state = new_state()
        if received:
            state.receive_data(received)
        encrypted = AsyncTLSStream(stream, state)
        await encrypted.handshake(network, end)
    except BaseException:
        stream.abort()
        raise
    return encrypted


class AsyncTLSStream:
    """A network stream that encrypts another one, which may do so, too."""

    def __init__(self, stream: AsyncNetworkStream, state: TLSState) -> None:
        if isinstance(stream, AsyncTLSStream):
            # One stream for both layers, which also works for one reader alongside one writer.
            stream, state = stream.layered(state)
        self._stream = stream
        self._tls = state

    def layered(self, inner: TLSState) -> tuple[AsyncNetworkStream, TLSState]:
        """The stream below, and both layers as one state, if another TLS connection goes inside."""
        from meshapi_backends._networks.tls_in_tls import TLSInTLS

        return self._stream, TLSInTLS(self._tls, inner)

    async def handshake(self, network: AsyncNetwork, end: Optional[float]) -> None:
        """Do the TLS handshake, which checks who the server is.

        Args:
            network: has the clock.
            end: the time by which it must be done; None is never.
        """
        while True:
            left = None if end is None else end - network.now()
            try:
                if self._tls.blocks:
                    done = await network.in_thread(self._tls.shake_hands, left)
                else:
                    done = self._tls.shake_hands()
            except ssl.SSLError:
                # Send the alert, which tells the peer why.
                await self._try_flush(left)
                raise
            await self._flush(left)
            if done:
                return
            await self._feed(left)

    async def read(self, timeout: Optional[float]) -> bytes:
        """Some decrypted bytes; `b""` at the end of input, cut or not."""
        while True:
            data = self._tls.read()
            if data is not None:
                return data
            # Reading may produce output, such as a KeyUpdate (RFC 8446, section 4.6.3).
            await self._flush(timeout)
            await self._feed(timeout)

    async def read_ready(self) -> Optional[bytes]:
        """The decrypted bytes that have arrived, without waiting; None if there are none."""
        while True:
            data = self._tls.read()
            if data is not None:
                return data
            received = await self._stream.read_ready()
            if received is None:
                return None
            self._tls.receive_data(received)

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Encrypt and send."""
        rest = self._tls.write(memoryview(data))
        while rest:
            await self._flush(timeout)
            await self._feed(timeout)
            rest = self._tls.write(rest)
        await self._flush(timeout)

    @property
    def cut(self) -> bool:
        """Whether the input has ended without a close_notify."""
        return self._tls.cut

    def shared(self) -> "tuple[AsyncSharedNetworkStream, TLSState]":
        """The stream below, for one reader alongside one writer, and its TLS state."""
        return self._stream.shared()[0], self._tls

    @property
    def readable(self) -> bool:
        """Whether there is something to read."""
        return self._tls.readable or self._stream.readable

    def abort(self) -> None:
        """Close at once; the peer gets no close_notify, as waiting for room could block."""
        self._stream.abort()

    def hang_up(self) -> None:
        """Shut the connection down."""
        self._stream.hang_up()

    def forget(self) -> None:
        """Close our descriptor only."""
        self._stream.forget()

    def abandon(self) -> None:
        """Close from a finaliser."""
        self._stream.abandon()

    async def _feed(self, timeout: Optional[float]) -> None:
        self._tls.receive_data(await self._stream.read(timeout))

    async def _flush(self, timeout: Optional[float]) -> None:
        data = self._tls.data_to_send()
        if data:
            await self._stream.write(data, timeout)

    async def _try_flush(self, timeout: Optional[float]) -> None:
        try:
            await self._flush(timeout)
        except (OSError, TimeoutError):
            pass
