"""Iterate over lists on asyncio or trio.

    python lists_async.py asyncio claude
    python lists_async.py trio claude

A call of a list is awaited for its first page, or iterated over for all rows.
"""

import sys

import anyio

from meshapi import AsyncMeshAPI


async def main(words: str) -> None:
    async with AsyncMeshAPI() as client:
        async for model in client.models.search(q=words, limit=2):
            print(model.id)

        page = await client.models.search(limit=10)
        print(f"{len(page.items)} of {len(page)} models are on the first page")

        number = 0
        async for page in client.models.search(limit=10).pages():
            number += 1
            print(f"page {number} begins with {page.items[0].id}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    anyio.run(main, sys.argv[2], backend=sys.argv[1])
