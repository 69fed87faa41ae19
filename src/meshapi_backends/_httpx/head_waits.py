"""The wait for the head of a response, and how it is ended from elsewhere."""

import socket
from typing import Any, Optional

from meshapi_backends._httpx.sockets import shut_down


class AsyncHeadWait:
    """The wait for the head of a response, which the scope that limits it can end.

    A new connection is shut down instead: httpx leaves the socket of a TLS handshake that is
    cancelled to the garbage collector.
    """

    def __init__(self) -> None:
        self._sock: Any = None

    def note(self, step: str, info: Any, request: Any) -> None:
        """Take note of a step of httpx's."""
        if step.endswith("connect_tcp.complete"):
            self._sock = info["return_value"].get_extra_info("socket")

    def end(self, scope: Any) -> None:
        """End the wait."""
        if not shut_down(self._sock):
            scope.cancel()

    def close(self) -> None:
        """Forget the connection."""


class HeadWait:
    """The connection on which a thread waits for the head of a response, to be shut down.

    httpx shows it only with the response. That of a new one is reported when it is opened; an old
    one is looked for in httpx's pool, whose names are private: where they change, it is not found,
    and the thread waits for as long as its limits say.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sock: Any = None
        self._copy: Optional[socket.socket] = None
        self._ended = False
        self._shared = False

    def note(self, step: str, info: Any, request: Any) -> None:
        """Take note of a step of httpx's."""
        if step.startswith("http2."):
            self._shared = True
        if step.endswith("connect_tcp.complete"):
            sock = info["return_value"].get_extra_info("socket")
            if isinstance(sock, socket.socket):
                # A copy, because TLS takes the descriptor away from the socket that there is now.
                self._sock = self._copy = sock.dup()
        elif self._sock is None and step == "http11.send_request_headers.started":
            self._sock = _used_socket(self._client, request, info.get("request"))
        if self._ended:
            shut_down(self._sock)

    def end(self, scope: Any) -> None:
        """End the wait, from another thread."""
        self._ended = True
        shut_down(self._sock)

    def expire(self) -> bool:
        """End the wait because its limit is over; not on HTTP/2, whose connections others share."""
        return not self._shared and shut_down(self._sock)

    def close(self) -> None:
        """Forget the connection, which goes on."""
        copy, self._copy, self._sock = self._copy, None, None
        if copy is not None:
            copy.close()


def _used_socket(client: Any, request: Any, sent: Any) -> Any:
    """The socket of the connection on which httpx's pool sends a request, None if not found."""
    try:
        pool = client._transport_for_url(request.url)._pool
        connection = next(
            each.connection for each in pool._requests if each.request.extensions is sent.extensions
        )
        while not hasattr(connection, "_network_stream"):
            connection = connection._connection
        return connection._network_stream.get_extra_info("socket")
    except (AttributeError, StopIteration):
        return None
