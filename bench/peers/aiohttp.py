"""aiohttp, whose parser is written in C."""

import json

from bench.peers.questions import HEADERS, MODEL, messages

PATH = "/v1/chat/completions"


class Async:
    def __init__(self, run):
        import aiohttp

        connector = aiohttp.TCPConnector(limit=run.at_once, keepalive_timeout=600)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=60)
        self.context = run.ssl_context()
        self.origin = run.url
        self.url = run.url + PATH
        self.client = aiohttp.ClientSession(connector=connector, headers=HEADERS, timeout=timeout)

    def tls(self):
        return {} if self.context is None else {"ssl": self.context}

    async def create(self):
        asked = {"model": MODEL, "messages": messages()}
        async with self.client.post(self.url, json=asked, **self.tls()) as response:
            return await response.json()

    async def stream(self):
        """The least that gives chunks of it: lines, and JSON."""
        asked = {"model": MODEL, "messages": messages(), "stream": True}
        async with self.client.post(self.url, json=asked) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    async def upload(self, path, size):
        headers = {"content-length": str(size)}
        with open(path, "rb") as file:  # noqa: ASYNC230 - as its documents do
            async with self.client.post(f"{self.origin}/v1/x", data=file, headers=headers) as done:
                await done.read()

    async def download(self, size):
        async with self.client.get(f"{self.origin}/v1/x/{size}") as response:
            async for piece in response.content.iter_any():
                size -= len(piece)
        assert size == 0
