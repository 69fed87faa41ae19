"""litellm: its `batch_completion`, which has threads."""

from bench.peers.questions import MODEL, TOKEN, messages


class Blocking:
    def __init__(self, run):
        self.options = {
            "model": f"openai/{MODEL}",
            "api_base": f"{run.url}/v1",
            "api_key": TOKEN,
            "timeout": 60,
        }

    def create(self):
        import litellm

        return litellm.completion(messages=messages(), **self.options)

    def map(self, calls, at_once):
        import litellm

        asked = [messages() for _ in range(calls)]
        results = litellm.batch_completion(messages=asked, max_workers=at_once, **self.options)
        return sum(not isinstance(result, Exception) for result in results)
