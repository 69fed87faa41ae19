"""Count what the tasks of a program use and cost, on asyncio.

    python cost_async.py

Tasks that are started in the block are counted. On trio, the same works with a nursery.
"""

import asyncio

from meshapi import AsyncMeshAPI, Budget

MODEL = "openai/gpt-4o-mini"
COUNTRIES = ["France", "Japan", "Kenya", "Brazil"]


async def ask(client: AsyncMeshAPI, country: str) -> str:
    text = ""
    messages = [{"role": "user", "content": f"What is the capital of {country}?"}]
    async with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        async for chunk in stream:
            text += chunk.text
    return text


async def main() -> None:
    async with AsyncMeshAPI() as client:
        with client.track_usage(budget=Budget(cost_usd="0.50")) as usage:
            for text in await asyncio.gather(*(ask(client, country) for country in COUNTRIES)):
                print(text)
    print(usage.table())


if __name__ == "__main__":
    asyncio.run(main())
