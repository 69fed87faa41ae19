"""Ask many questions in batches on asyncio, then list the batches of this account.

    python batch_async.py [SECONDS]      # the time between two looks at a batch

There is one batch for each model; the results come in the order of the calls.
"""

import asyncio
import sys
from typing import Optional

from meshapi import AsyncMeshAPI
from meshapi_core.endpoints import Completions

MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4")
QUESTION = "What is 2+2?"


async def main(seconds: Optional[float] = None) -> None:
    calls = [
        Completions.create.build(model=model, messages=[{"role": "user", "content": QUESTION}])
        for model in MODELS
    ]
    async with AsyncMeshAPI() as client:
        submission = await client.batches.submit(calls)
        async with client.batches.results(submission, poll_interval=seconds) as items:
            async for item in items:
                print(item.id, item.error or item.result().text)
        async for batch in client.batches.list():
            if batch.id in submission.batch_ids:
                print(batch.model, batch.status)


if __name__ == "__main__":
    asyncio.run(main(*map(float, sys.argv[1:])))
