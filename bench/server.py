"""A server that costs as little as possible, in a process of its own, for measuring clients.

Answers any POST to a path that ends in `/chat/completions` with a canned completion, or with a
stream of N chunks where the path says so (`/stream/N/...`), each in an HTTP chunk and a write of
its own. With a file of a key and its certificates as argument it speaks TLS. Stops when its
standard input closes, or after ten minutes.
"""

import asyncio
import re
import ssl
import sys

ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help you '
    b'today?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,'
    b'"total_tokens":18}}'
)
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Protocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            stream = re.match(rb"POST /stream/(\d+)/", head)
            if stream is None:
                self.transport.write(WHOLE)
            else:
                self.write_stream(int(stream[1]))

    def write_stream(self, chunks):
        self.transport.write(STREAM_HEAD)
        piece = framed(CHUNK)
        for _ in range(chunks):
            self.transport.write(piece)
        self.transport.write(framed(LAST) + b"0\r\n\r\n")


async def main():
    loop = asyncio.get_running_loop()
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    server = await loop.create_server(Protocol, "127.0.0.1", 0, backlog=2048, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = loop.run_in_executor(None, sys.stdin.read)
    await asyncio.wait([closed], timeout=600)


if __name__ == "__main__":
    asyncio.run(main())
