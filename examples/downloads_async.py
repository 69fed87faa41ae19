"""Download several files at once, on asyncio or on trio, and tell how far each has come.

    python downloads_async.py asyncio "a fox in the snow" "a red bicycle"
    python downloads_async.py trio "a fox in the snow" "a red bicycle"

A file appears when all of it has arrived. A download that breaks off goes on from there.
"""

import sys

import anyio

from meshapi import AsyncMeshAPI, Progress


def tell(progress: Progress) -> None:
    if progress.done == progress.total:
        print(f"{progress.what}: {progress.done} bytes")


async def draw(client: AsyncMeshAPI, prompt: str, path: str) -> None:
    response = await client.images.generate(model="openai/gpt-image-1", prompt=prompt)
    await client.images.save(response.data[0], path, on_progress=tell)


async def main(*prompts: str) -> None:
    async with AsyncMeshAPI() as client, anyio.create_task_group() as tasks:
        for number, prompt in enumerate(prompts, 1):
            tasks.start_soon(draw, client, prompt, f"{number}.png")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    anyio.run(main, *sys.argv[2:], backend=sys.argv[1])
