"""The sockets below an HTTP client's answers, which are shut down to wake whoever reads there."""

import socket
from typing import Any


def hang_up(response: Any) -> None:
    """Shut a response's connection down: from any thread, also in a finaliser."""
    shut_down(socket_of(response))


def shut_down(sock: Any) -> bool:
    """Shut a connection down, from any thread; False where there is none."""
    try:
        if isinstance(sock, socket.socket):
            # Not the method of ssl's sockets, which also forgets the encryption.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        elif sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
    except Exception:
        return False  # gone already
    return sock is not None


def socket_of(response: Any) -> Any:
    """The socket that a response comes from; None where others share it, or there is none."""
    # An HTTP/2 connection carries the responses of others; a mocked response has none.
    if response is None or not is_http1(response):
        return None
    stream = response.extensions.get("network_stream")
    return None if stream is None else stream.get_extra_info("socket")


def is_http1(response: Any) -> bool:
    """Whether the response has a connection to itself, of httpx's own making."""
    extensions = response.extensions
    version = extensions.get("http_version", b"")
    return version.startswith(b"HTTP/1") and "network_stream" in extensions
