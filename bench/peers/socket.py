"""A floor: a socket, and nothing but it: head by hand, JSON by the standard library.

The least that does what a call does, where nothing goes wrong and every response looks like this
one.
"""

import json

from bench.peers.questions import HEADERS, MODEL, messages
from bench.peers.ready import LENGTH, connected


class Blocking:
    def __init__(self, run):
        self.sock = connected(run)
        fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        self.head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}"

    def create(self):
        body = json.dumps({"model": MODEL, "messages": messages()}).encode()
        head = f"{self.head}content-length: {len(body)}\r\n\r\n".encode()
        self.sock.sendall(head + body)
        data = self.sock.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(LENGTH.search(head)[1])
        while len(body) < length:
            body += self.sock.recv(65536)
        return json.loads(body)
