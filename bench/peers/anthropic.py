"""Anthropic's package: messages, which are its chat completions."""

from bench.peers.questions import MODEL, TOKEN, messages


class Blocking:
    def __init__(self, run):
        import anthropic

        context = run.ssl_context()
        verify = {} if context is None else {"verify": context}
        http = anthropic.DefaultHttpxClient(**verify)
        self.client = anthropic.Anthropic(
            api_key=TOKEN, base_url=run.url, timeout=60, http_client=http
        )

    def create(self):
        return self.client.messages.create(model=MODEL, max_tokens=100, messages=messages())

    def stream(self):
        return self.client.messages.create(
            model=MODEL, max_tokens=100, messages=messages(), stream=True
        )
