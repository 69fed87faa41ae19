"""The wait for the head of a response, and how it is ended from elsewhere."""

import socket
from typing import Any, Optional

from meshapi_backends._http_clients.sockets import shut_down


class AsyncHeadWait:
    """A task's wait for the head of a response.

    On a new connection, the socket is shut down to end it: when a TLS handshake is cancelled, httpx
    leaves the socket to the garbage collector. Otherwise the scope around the wait is cancelled.
    """

    def __init__(self) -> None:
        self._sock: Any = None
        self._ended = False

    def note(self, step: str, info: Any, request: Any) -> None:
        """Look at a step that httpx reports, for the connection's socket."""
        if step.endswith("connect_tcp.complete"):
            self._sock = info["return_value"].get_extra_info("socket")

    def end(self, scope: Any) -> None:
        """End the wait. Harmless twice: a socket cannot be shut down again."""
        ended, self._ended = self._ended, True
        if not ended and not shut_down(self._sock):
            scope.cancel()

    def close(self) -> None:
        """Forget the connection."""


class HeadWait:
    """A thread's wait for the head of a response, ended by shutting its socket down.

    httpx shows the socket only with the response. The socket of a new connection is reported when
    it is opened; that of a kept one is looked up in httpx's pool, through private names. Should
    these change, the socket is not found, and the thread waits until its time limit.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sock: Any = None
        self._copy: Optional[socket.socket] = None
        self._ended = False
        self._shared = False

    def note(self, step: str, info: Any, request: Any) -> None:
        """Look at a step that httpx reports, for the connection's socket."""
        if step.startswith("http2."):
            self._shared = True
        if step.endswith("connect_tcp.complete"):
            sock = info["return_value"].get_extra_info("socket")
            if isinstance(sock, socket.socket):
                # A copy, because starting TLS takes the descriptor away from this socket object.
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
        """End the wait at its time limit; not on HTTP/2, where others share the connection."""
        return not self._shared and shut_down(self._sock)

    def close(self) -> None:
        """Forget the connection, which stays open."""
        copy, self._copy, self._sock = self._copy, None, None
        if copy is not None:
            copy.close()


def _used_socket(client: Any, request: Any, sent: Any) -> Any:
    """The socket of the connection on which httpx's pool sends a request; None if not found."""
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
