"""TLS over any byte stream, the same for all flavours: the standard library's memory BIOs.

The SSL object reads from and writes to memory; what it wants sent goes to the stream below, what
the stream brings is fed to it. So a handshake that is cancelled or times out leaves nothing but
the stream below to be closed, and closing never waits for the peer.
"""

import ssl
from typing import Optional

from meshapi_backends._async.transports import AsyncByteStream, AsyncNetwork
from meshapi_backends._tls_context import default_context

# One TLS record holds 16 KiB at most (RFC 8446 section 5.1); several are read at once.
_READ_SIZE = 64 * 1024


async def start_tls(
    stream: AsyncByteStream,
    host: str,
    context: Optional[ssl.SSLContext],
    network: AsyncNetwork,
    timeout: Optional[float],
) -> "AsyncTLSStream":
    """A TLS connection on top of a stream, the server's certificate and name checked.

    Raises:
        ssl.SSLError, OSError, TimeoutError: the handshake failed; the stream is closed then.
    """
    try:
        tls = AsyncTLSStream(stream, host, context or default_context())
        await tls.handshake(network, timeout)
    except BaseException:
        stream.abort()
        raise
    return tls


class AsyncTLSStream:
    """A byte stream that is encrypted on its way."""

    def __init__(self, stream: AsyncByteStream, host: str, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self, network: AsyncNetwork, timeout: Optional[float]) -> None:
        """Agree on keys and check who the server is."""
        end = None if timeout is None else network.now() + timeout
        while True:
            left = None if end is None else end - network.now()
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(left)
                await self._feed(left)
            except ssl.SSLError:
                # The peer should learn why: the alert is on its way out.
                await self._try_flush(left)
                raise
            else:
                await self._flush(left)
                return

    async def read(self, timeout: Optional[float]) -> bytes:
        """Some decrypted bytes; `b""` at the end, which a cut connection is not."""
        while True:
            try:
                return self._ssl.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                # Reading may have produced an answer, such as a key update.
                await self._flush(timeout)
                await self._feed(timeout)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                # Most servers close without a goodbye. HTTP's own framing tells a complete body
                # from a cut one, so that this is no worse than the end of a TCP stream.
                return b""

    async def read_ready(self) -> Optional[bytes]:
        """Decrypted bytes that can be had without waiting; None where there are none."""
        while True:
            try:
                return self._ssl.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                data = await self._stream.read_ready()
                if data is None:
                    return None
                self._take(data)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        """Encrypt and send."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._ssl.write(view) :]
            except ssl.SSLWantReadError:
                await self._flush(timeout)
                await self._feed(timeout)
        await self._flush(timeout)

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read."""
        return bool(self._ssl.pending() or self._incoming.pending or self._stream.readable)

    def abort(self) -> None:
        """Close at once; the peer gets no close_notify, as waiting for room could block."""
        self._stream.abort()

    def hang_up(self) -> None:
        """Tell the peer that it is over."""
        self._stream.hang_up()

    def forget(self) -> None:
        """Close our descriptor and nothing else."""
        self._stream.forget()

    async def _feed(self, timeout: Optional[float]) -> None:
        self._take(await self._stream.read(timeout))

    def _take(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self, timeout: Optional[float]) -> None:
        if self._outgoing.pending:
            await self._stream.write(self._outgoing.read(), timeout)

    async def _try_flush(self, timeout: Optional[float]) -> None:
        try:
            await self._flush(timeout)
        except (OSError, TimeoutError):
            pass
