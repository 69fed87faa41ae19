"""The network streams of httpcore, with what they lack.

- A stream whose TLS handshake is cancelled is closed.
- A cancellation does not stop a write halfway on an HTTP/2 connection: the other calls on it would
  fail with it.
- The exchange that writes knows its connection, and can shut it down.
- A handshake with a SOCKS proxy has the time limit of connecting.
"""

from typing import Any, Optional, cast

from meshapi_backends._http_clients import httpcore
from meshapi_backends._http_clients.errands import CLEANING, AsyncSteps

_UNLIMITED_BY_THEM: Any = object()


class AsyncWatchedBackend:
    """A network of httpcore's.

    Args:
        backend: what opens connections.
        shared: whether every connection speaks HTTP/2.
        streams: the open streams, for whoever closes them all.
    """

    def __init__(self, backend: Any, shared: bool, streams: "set[AsyncWatchedStream]") -> None:
        self._backend = backend
        self._shared = shared
        self._streams = streams

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> "AsyncWatchedStream":
        """Open a TCP connection."""
        return self._watched(await self._backend.connect_tcp(*args, **kwargs))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> "AsyncWatchedStream":
        """Open a connection to a Unix socket."""
        return self._watched(await self._backend.connect_unix_socket(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts to connect."""
        await self._backend.sleep(seconds)

    def _watched(self, stream: Any) -> "AsyncWatchedStream":
        return AsyncWatchedStream(stream, self._shared, self._streams)


class AsyncWatchedStream:
    """A network stream of httpcore's."""

    def __init__(self, stream: Any, shared: bool, streams: "set[AsyncWatchedStream]") -> None:
        self._stream = AsyncSteps.shared(stream) if shared else stream
        self._streams = streams
        self.shared = shared
        streams.add(self)
        use = httpcore.CURRENT_USE.get()
        if use is not None:
            use.take(self)

    async def read(self, max_bytes: int, timeout: Any = _UNLIMITED_BY_THEM) -> bytes:
        """Read some bytes."""
        limit = self._limit(timeout)
        if self.shared and not AsyncSteps.limits_shared_reads:
            limit = None
        try:
            data = await self._stream.read(max_bytes, timeout=limit)
        except Exception as exc:
            use = httpcore.CURRENT_USE.get()
            if use is not None and use.is_negotiating and type(exc).__name__ == "ReadTimeout":
                raise httpcore.sibling(exc, "ConnectTimeout") from exc
            raise
        return cast("bytes", data)

    async def write(self, buffer: bytes, timeout: Any = _UNLIMITED_BY_THEM) -> None:
        """Write all bytes."""
        use = httpcore.CURRENT_USE.get()
        if use is not None:
            use.take(self)
        limit = self._limit(timeout)
        if not self.shared:
            await self._stream.write(buffer, timeout=limit)
            return

        async def write() -> None:
            await self._stream.write(buffer, timeout=limit)

        await AsyncSteps.shielded(write)

    def _limit(self, timeout: Any) -> Optional[float]:
        use = httpcore.CURRENT_USE.get()
        if use is not None and use.is_negotiating:
            # httpcore sets no limit here, and httpcore2 that of reading.
            return use.connect_limit()
        if timeout is _UNLIMITED_BY_THEM:
            return None
        limit: Optional[float] = timeout
        return limit

    async def start_tls(self, *args: Any, **kwargs: Any) -> "AsyncWatchedStream":
        """Start TLS; closes the stream if that fails or is cancelled."""
        try:
            stream = await self._stream.start_tls(*args, **kwargs)
        except BaseException:
            await AsyncSteps.shielded(self.aclose, CLEANING)
            raise
        self._streams.discard(self)
        tls = stream.get_extra_info("ssl_object")
        is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        return AsyncWatchedStream(stream, self.shared or is_http2, self._streams)

    async def aclose(self) -> None:
        """Close the stream."""
        self._streams.discard(self)
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """Return what the library knows of the stream."""
        return self._stream.get_extra_info(info)
