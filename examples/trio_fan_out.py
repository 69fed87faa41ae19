"""Ask many questions on trio, a few at the same time.

    python trio_fan_out.py        # needs trio

A call that fails does not affect the others.
"""

import trio

from meshapi import AsyncMeshAPI, MeshAPIError

MODEL = "openai/gpt-4o-mini"
COUNTRIES = ["France", "Japan", "Kenya", "Brazil", "Egypt", "Spain", "Canada", "India"]
AT_ONCE = 3


async def ask(client: AsyncMeshAPI, question: str) -> str:
    try:
        response = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": question}]
        )
    except MeshAPIError as error:
        return f"failed: {error}"
    return response.text


async def main() -> None:
    limit = trio.CapacityLimiter(AT_ONCE)
    found: dict[str, str] = {}

    async def work(country: str) -> None:
        async with limit:
            found[country] = await ask(client, f"What is the capital of {country}?")

    async with AsyncMeshAPI() as client, trio.open_nursery() as nursery:
        for country in COUNTRIES:
            nursery.start_soon(work, country)
    for country in COUNTRIES:
        print(f"{country}: {found[country]}")


if __name__ == "__main__":
    trio.run(main)
