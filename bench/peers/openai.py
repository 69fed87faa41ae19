"""OpenAI's package, on httpx2."""

from bench.peers.questions import MODEL, TEXTS, TOKEN, messages


def options(run, kind):
    import httpx2
    import openai

    limits = httpx2.Limits(
        max_connections=run.at_once,
        max_keepalive_connections=run.at_once,
        keepalive_expiry=600,
    )
    context = run.ssl_context()
    verify = {} if context is None else {"verify": context}
    http = getattr(openai, f"Default{kind}HttpxClient")(limits=limits, **verify)
    return {"api_key": TOKEN, "base_url": f"{run.url}/v1", "timeout": 60, "http_client": http}


class Blocking:
    def __init__(self, run):
        import openai

        self.client = openai.OpenAI(**options(run, ""))

    def create(self):
        return self.client.chat.completions.create(model=MODEL, messages=messages())

    def stream(self):
        return self.client.chat.completions.create(model=MODEL, messages=messages(), stream=True)

    def embed(self, encoding):
        return self.client.embeddings.create(model=MODEL, input=TEXTS, encoding_format=encoding)


class Async:
    def __init__(self, run):
        import openai

        self.client = openai.AsyncOpenAI(**options(run, "Async"))

    def create(self):
        return self.client.chat.completions.create(model=MODEL, messages=messages())

    async def stream(self):
        completions = self.client.chat.completions
        async for chunk in await completions.create(model=MODEL, messages=messages(), stream=True):
            yield chunk
