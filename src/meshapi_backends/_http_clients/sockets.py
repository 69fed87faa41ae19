"""The sockets below an HTTP client's responses, which are shut down to wake a reader."""

import socket
from typing import Any


def hang_up(response: Any) -> None:
    """Shut a response's connection down, from any thread or a finaliser."""
    shut_down(socket_of(response))


def shut_down(sock: Any) -> bool:
    """Shut a connection down, from any thread; False if there is none, or it is closed already."""
    try:
        if isinstance(sock, socket.socket):
            # Not the method of SSL sockets, which also drops the TLS state.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        elif sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
    except Exception:
        return False  # closed already
    return sock is not None


def socket_of(response: Any) -> Any:
    """The socket from which a response is read; None where others share it, or there is none."""
    # An HTTP/2 connection carries other responses, too; a mocked response has no connection.
    if response is None or not is_http1(response):
        return None
    stream = response.extensions.get("network_stream")
    return None if stream is None else stream.get_extra_info("socket")


def has_surplus(stream: Any) -> bool:
    """Whether bytes have arrived after a response on its HTTP/1.1 connection.

    They are no response to the next request: "A client MUST NOT process, cache, or forward such
    extra data as a separate response" (RFC 9112, section 6.3). httpcore does, so its connection
    must not be used again. By private names of httpcore's and httpx's: should these change, no
    surplus is found.

    Args:
        stream: the body of the response, which has ended and is not closed yet.
    """
    for _ in range(8):  # more layers than httpx, a pool and a connection have
        h11 = getattr(getattr(stream, "_connection", None), "_h11_state", None)
        if h11 is not None:
            return bool(h11.trailing_data[0])
        stream = getattr(stream, "_httpcore_stream", None) or getattr(stream, "_stream", None)
    return False


def is_http1(response: Any) -> bool:
    """Whether the response has an HTTP/1.1 connection of httpx's to itself."""
    extensions = response.extensions
    version = extensions.get("http_version", b"")
    return version.startswith(b"HTTP/1") and "network_stream" in extensions
