"""async-batch-llm: on OpenAI's client, as its own models are; or, with `over`, on ours."""

from bench.peers.questions import MODEL, TEXT


class Async:
    def __init__(self, run):
        strategy = on_ours if run.options.get("over") == "ours" else on_openai
        self.create, self.strategy = strategy(run)

    async def map(self, calls, at_once):
        from async_batch_llm import process_stream

        done = 0
        prompts = (TEXT for _ in range(calls))
        async for result in process_stream(self.strategy, prompts, concurrency=at_once):
            done += result.success
        return done


def on_openai(run):
    from async_batch_llm import OpenAICompatibleModel, OpenAIStrategy

    from bench.peers import openai

    peer = openai.Async(run)
    return peer.create, OpenAIStrategy(OpenAICompatibleModel(MODEL, peer.client))


def on_ours(run):
    from async_batch_llm import CallableStrategy, CallOutcome

    from bench.peers import ours

    peer = ours.Async(run)

    async def invoke(prompt, *, attempt, timeout, state):
        del prompt, attempt, timeout, state
        response = await peer.create()
        usage = response.usage
        counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
        return CallOutcome(response, counts)

    return peer.create, CallableStrategy(invoke)
