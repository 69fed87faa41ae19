"""The official package, of the same import name."""

from bench.peers.questions import MODEL, TEXT, TEXTS, TOKEN


def client_of(run, kind):
    """A client of httpx as the package makes it, but for how many connections it keeps."""
    import httpx

    limits = httpx.Limits(
        max_connections=run.at_once,
        max_keepalive_connections=run.at_once,
        keepalive_expiry=600,
    )
    context = run.ssl_context()
    verify = {} if context is None else {"verify": context}
    return getattr(httpx, kind)(base_url=run.url, timeout=60, limits=limits, **verify)


def params():
    from meshapi import ChatCompletionParams, ChatMessage

    return ChatCompletionParams(model=MODEL, messages=[ChatMessage(role="user", content=TEXT)])


class Calls:
    def create(self):
        return self.client.chat.completions.create(params())

    def stream(self):
        return self.client.chat.completions.stream(params())

    def embed(self, encoding):
        from meshapi import EmbeddingsParams

        return self.client.embeddings.create(
            EmbeddingsParams(model=MODEL, input=TEXTS, encoding_format=encoding)
        )


class Blocking(Calls):
    def __init__(self, run):
        from meshapi import MeshAPI

        http = client_of(run, "Client")
        self.client = MeshAPI(base_url=run.url, token=TOKEN, httpx_client=http)


class Async(Calls):
    def __init__(self, run):
        from meshapi import AsyncMeshAPI

        http = client_of(run, "AsyncClient")
        self.client = AsyncMeshAPI(base_url=run.url, token=TOKEN, async_httpx_client=http)
