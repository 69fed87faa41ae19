"""Make calls that come one after another, such as from a queue, many of them at the same time.

    python many_calls_async.py asyncio|trio

The calls come from an async generator, which is asked for the next one when it may begin. A call
that fails is an item with an error, and does not affect the others.
"""

import sys
from collections.abc import AsyncIterator

import anyio

from meshapi import AsyncMeshAPI, ChatCompletionResponse, PerMinute
from meshapi_core import Call
from meshapi_core.endpoints import Completions

COUNTRIES = ["France", "Japan", "Kenya", "Brazil", "Egypt", "Spain", "Canada", "India"]


async def calls() -> AsyncIterator[tuple[str, Call[ChatCompletionResponse]]]:
    """Pairs of an ID and a call."""
    for country in COUNTRIES:
        await anyio.sleep(0.001)  # a queue, a database, a socket
        question = f"What is the capital of {country}?"
        yield (
            country,
            Completions.create.build(
                model="openai/gpt-4o-mini", messages=[{"role": "user", "content": question}]
            ),
        )


async def main() -> None:
    limit = PerMinute(requests=30_000)
    async with AsyncMeshAPI() as client:
        async for item in client.map(calls(), concurrency=3, rate_limit=limit, order="input"):
            print(f"{item.id}: {item.value.text if item.value else item.error}")


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1])
