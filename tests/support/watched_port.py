"""A port in front of the gateway's, which notes the side that hangs up first."""

import socket
import threading

from typing_extensions import Self


class WatchedConnection:
    """One connection: the bytes of both directions so far, and whether the client has left."""

    def __init__(self) -> None:
        self.asked = b""
        self.answered = b""
        self.is_left = False


class WatchedPort:
    """Passes bytes on in both directions until `close`.

    Attributes:
        url: the URL of this port.
        connections: all connections so far, oldest first.
    """

    def __init__(self, gateway_url: str) -> None:
        host, _, port = gateway_url[len("http://") :].partition(":")
        self._gateway = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.connections: list[WatchedConnection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            # So that bytes which the client does not read do not pile up here.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            server = socket.create_connection(self._gateway)
            self._open |= {client, server}
            watched = WatchedConnection()
            self.connections.append(watched)
            for args in ((client, server, watched, True), (server, client, watched, False)):
                threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(
        self, source: socket.socket, drain: socket.socket, watched: WatchedConnection, asks: bool
    ) -> None:
        try:
            while data := source.recv(65536):
                if asks:
                    watched.asked += data
                else:
                    watched.answered += data
                drain.sendall(data)
        except OSError:
            pass
        if asks:
            watched.is_left = True
        for pipe in (source, drain):
            try:
                pipe.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Close everything."""
        for pipe in (self._server, *self._open):
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
