"""httpx2: a client as programs use it, with the JSON read."""

from bench.peers.questions import HEADERS, MODEL, messages

PATH = "/v1/chat/completions"


def options(run):
    import httpx2

    limits = httpx2.Limits(
        max_connections=run.at_once,
        max_keepalive_connections=run.at_once,
        keepalive_expiry=600,
    )
    context = run.ssl_context()
    verify = {} if context is None else {"verify": context}
    return {"base_url": run.url, "timeout": 60, "limits": limits, "headers": HEADERS, **verify}


def asked():
    return {"model": MODEL, "messages": messages()}


def zeros(path):
    with open(path, "rb") as file:
        while True:
            piece = file.read(1 << 16)
            if not piece:
                return
            yield piece


class Blocking:
    def __init__(self, run):
        import httpx2

        self.client = httpx2.Client(**options(run))

    def create(self):
        return self.client.post(PATH, json=asked()).json()

    def upload(self, path, size):
        headers = {"content-length": str(size)}
        self.client.post("/v1/x", content=zeros(path), headers=headers)

    def download(self, size):
        with self.client.stream("GET", f"/v1/x/{size}") as response:
            for piece in response.iter_bytes():
                size -= len(piece)
        assert size == 0


class Async:
    def __init__(self, run):
        import httpx2

        self.client = httpx2.AsyncClient(**options(run))

    async def create(self):
        return (await self.client.post(PATH, json=asked())).json()
