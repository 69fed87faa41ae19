"""`meshapi` of this checkout."""

from bench.peers.questions import MODEL, TEXTS, TOKEN, messages


def options(run):
    from meshapi import Limits

    # As many are kept as are used at once: opening connections is another measurement.
    limits = Limits(max_connections=run.at_once, max_keepalive=run.at_once, keepalive_expiry=600)
    return {
        "base_url": run.url,
        "token": TOKEN,
        "timeout": 60,
        "limits": limits,
        "tls": run.ssl_context(),
    }


class Calls:
    """What both clients are asked in the same words."""

    def create(self):
        return self.client.chat.completions.create(model=MODEL, messages=messages())

    def stream(self):
        return self.client.chat.completions.stream(model=MODEL, messages=messages())

    def embed(self, encoding):
        return self.client.embeddings.create(model=MODEL, input=TEXTS, encoding_format=encoding)


def asked(calls):
    """So many calls, each made when it is wanted."""
    from meshapi_core.endpoints import Completions

    build = Completions.create.build
    return (build(model=MODEL, messages=messages()) for _ in range(calls))


class Blocking(Calls):
    def __init__(self, run):
        from meshapi import MeshAPI

        self.client = MeshAPI(**options(run))

    def map(self, calls, at_once):
        run = self.client.map(asked(calls), concurrency=at_once)
        return sum(item.error is None for item in run)

    def upload(self, source, size):
        del size
        self.client._runner.run(put(self.client, source))

    def download(self, size):
        with self.client._runner.open(download(size)) as stream:
            for piece in stream:
                size -= len(piece)
        assert size == 0


class Async(Calls):
    def __init__(self, run):
        from meshapi import AsyncMeshAPI

        self.client = AsyncMeshAPI(**options(run))

    async def map(self, calls, at_once):
        done = 0
        async for item in self.client.map(asked(calls), concurrency=at_once):
            done += item.error is None
        return done

    async def upload(self, source, size):
        del size
        await self.client._runner.run(put(self.client, source))

    async def download(self, size):
        async with self.client._runner.open(download(size)) as stream:
            async for piece in stream:
                size -= len(piece)
        assert size == 0


def put(client, path):
    from meshapi_core.endpoints import Call, EmptyReader, FilePart, Multipart, file_source

    form = Multipart((), (FilePart("file", file_source("file", path), "a"),))
    return Call(method="POST", path="/v1/x", body=form, reader=EmptyReader())


def download(size):
    from meshapi_core.endpoints import ByteStreamReader, StreamCall

    return StreamCall(method="GET", path=f"/v1/x/{size}", reader=ByteStreamReader())
