"""Ask many questions on asyncio, a few at the same time.

    python asyncio_fan_out.py

A call that fails does not affect the others. From Python 3.11 on, `asyncio.TaskGroup` can replace
`gather`; it cancels the other tasks if one raises.
"""

import asyncio

from meshapi import AsyncMeshAPI, MeshAPIError

MODEL = "openai/gpt-4o-mini"
COUNTRIES = ["France", "Japan", "Kenya", "Brazil", "Egypt", "Spain", "Canada", "India"]
AT_ONCE = 3


async def ask(client: AsyncMeshAPI, limit: asyncio.Semaphore, question: str) -> str:
    async with limit:
        try:
            response = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": question}]
            )
        except MeshAPIError as error:
            return f"failed: {error}"
        return response.text


async def main() -> None:
    limit = asyncio.Semaphore(AT_ONCE)
    async with AsyncMeshAPI() as client:
        found = await asyncio.gather(
            *(ask(client, limit, f"What is the capital of {country}?") for country in COUNTRIES)
        )
    for country, text in zip(COUNTRIES, found):
        print(f"{country}: {text}")


if __name__ == "__main__":
    asyncio.run(main())
