"""The lowest floor: bytes that are ready go out, and as many as must come are waited for.

What the system and the wait cost, and nothing else.
"""

import re

from bench.peers.questions import HEADERS, body

LENGTH = re.compile(rb"content-length: (\d+)")


def connected(run):
    import socket

    sock = socket.create_connection(("127.0.0.1", run.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = run.ssl_context()
    return sock if context is None else context.wrap_socket(sock, server_hostname="127.0.0.1")


class Blocking:
    def __init__(self, run):
        self.sock = connected(run)
        fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        path = run.options.get("prefix", "") + "/v1/chat/completions"
        self.request = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}"
            f"content-length: {len(body())}\r\n\r\n"
        ).encode() + body()
        head, _, rest = self.exchange(lambda data: b"\r\n\r\n" in data).partition(b"\r\n\r\n")
        self.size = len(head) + 4 + int(LENGTH.search(head)[1])
        left = self.size - len(head) - 4 - len(rest)
        while left:
            left -= len(self.sock.recv(left))

    def exchange(self, whole):
        self.sock.sendall(self.request)
        data = b""
        while not whole(data):
            data += self.sock.recv(65536)
        return data

    def create(self):
        self.sock.sendall(self.request)
        data = self.sock.recv(65536)
        while len(data) < self.size:
            data += self.sock.recv(65536)
        return data
