"""A server that costs as little as possible, in a process of its own, for measuring clients.

    python bench/server.py [--uvloop] [CERTIFICATES]

Answers a POST by the end of its path, with bytes that are ready: `/chat/completions`, `/messages`
(Anthropic's), `/embeddings`; what was asked once is answered again without a look at it. Another
method gets a 404. What stands before the path makes a stream of it:

- `/stream/N/...`: N chunks, each in an HTTP chunk and a write of its own;
- `/stream/N/SIZE/...`: their text has SIZE characters;
- `/later/N/...`: no stream, but a whole response N milliseconds later;
- `/paced/STREAMS/N/RATE/...`: as soon as there are so many streams, N chunks on each, RATE in a
  second; the streams take turns, so that the server writes evenly.

With a file of a key and its certificates as argument it speaks TLS. With `--uvloop` it runs on
that where it is installed: what is written at once then leaves at once, which is not what a stream
should look like. Stops when its standard input closes, or after ten minutes.
"""

import asyncio
import re
import ssl
import sys
from collections import defaultdict
from functools import cache

import bodies

try:
    import resource
except ImportError:
    resource = None

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: req_bench\r\n"
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)
STREAM_HEAD = HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
TARGET = re.compile(rb"POST (?:/(later|paced|stream)/([\d/]*\d))?(/\S*)")
KNOWN = {}
KNOWN_AT_MOST = 64


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body: bytes) -> bytes:
    return HEAD % b"application/json" + b"content-length: %d\r\n\r\n%s" % (len(body), body)


@cache
def answer(path: bytes, as_base64: bool) -> bytes:
    if path.endswith(b"/messages"):
        return whole(bodies.ANTHROPIC_RESPONSE)
    if path.endswith(b"/embeddings"):
        return whole(bodies.embeddings(as_base64))
    return whole(bodies.RESPONSE)


@cache
def pieces(path: bytes, size: int, count: int):
    """What comes before the chunks, each chunk, and what comes after them."""
    if path.endswith(b"/messages"):
        first, delta, last = bodies.anthropic_stream(count)
        return framed(first), framed(delta), framed(last)
    return b"", framed(bodies.content_frame(size)), framed(bodies.LAST)


WAITING = defaultdict(list)


class Paced:
    """Streams that wait until all are there, and then get their chunks in turns."""

    def __init__(self, transports, count, rate):
        self.loop = asyncio.get_running_loop()
        self.piece, self.last = framed(bodies.content_frame()), framed(bodies.LAST) + framed(b"")
        self.left = count
        self.period = 1 / rate
        self.transports = transports
        # As many at a time as keep two milliseconds between the times.
        turns = max(1, min(len(transports), int(self.period / 0.002)))
        self.turns = [transports[at::turns] for at in range(turns)]
        self.began = self.loop.time() + 0.1
        self.turn = 0
        self.loop.call_at(self.began, self.tick)

    def tick(self):
        final = self.turn >= len(self.turns) * self.left
        piece = self.last if final else self.piece
        for transport in self.turns[self.turn % len(self.turns)]:
            transport.write(piece)
        self.turn += 1
        if self.turn < len(self.turns) * (self.left + 1):
            due = self.began + self.turn * self.period / len(self.turns)
            self.loop.call_at(due, self.tick)

    @classmethod
    def join(cls, transport, streams, count, rate):
        group = WAITING[streams, count, rate]
        group.append(transport)
        if len(group) == streams:
            cls(WAITING.pop((streams, count, rate)), count, rate)


class Protocol(asyncio.Protocol):
    buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if not self.buffer:
            ready = KNOWN.get(data)
            if ready is not None:
                self.send(*ready)
                return
        self.buffer += data
        while self.buffer:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = LENGTH.search(head)
            length = 0 if length is None else int(length[1])
            if len(rest) < length:
                return
            request = self.buffer[: len(head) + 4 + length]
            self.buffer = rest[length:]
            self.respond(request, head)

    def respond(self, request, head):
        target = TARGET.match(head)
        if target is None:
            self.transport.write(NOT_FOUND)
            return
        kind, numbers, path = target.groups()
        if kind is None or kind == b"later":
            ready = answer(path, b"base64" in request), int(numbers or 0) / 1000
            if len(KNOWN) < KNOWN_AT_MOST:
                KNOWN[request] = ready
            self.send(*ready)
        elif kind == b"paced":
            self.transport.write(STREAM_HEAD)
            Paced.join(self.transport, *map(int, numbers.split(b"/")))
        else:
            count, _, size = numbers.partition(b"/")
            self.write_stream(*pieces(path, int(size or 5), int(count)), int(count))

    def send(self, response, seconds):
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.transport.write, response)
        else:
            self.transport.write(response)

    def write_stream(self, first, piece, last, count):
        self.transport.write(STREAM_HEAD)
        if first:
            self.transport.write(first)
        for _ in range(count):
            self.transport.write(piece)
        self.transport.write(last + framed(b""))


def allow_many_files():
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def main(certificates):
    loop = asyncio.get_running_loop()
    tls = None
    if certificates:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates[0])
    server = await loop.create_server(Protocol, "127.0.0.1", 0, backlog=8192, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = loop.run_in_executor(None, sys.stdin.read)
    await asyncio.wait([closed], timeout=600)


def new_loop(arguments):
    if "--uvloop" in arguments:
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()


if __name__ == "__main__":
    allow_many_files()
    loop = new_loop(sys.argv)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main([each for each in sys.argv[1:] if each != "--uvloop"]))
