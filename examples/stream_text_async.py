"""Streams on asyncio: the text of one question while it arrives, and all of another's at once.

    python stream_text_async.py "Count to 5." "What is 2+2?"

A program on trio is the same, with `trio.run` and a nursery.
"""

import asyncio
import sys

from meshapi import AsyncChatCompletionStream, AsyncMeshAPI


def ask(client: AsyncMeshAPI, question: str) -> AsyncChatCompletionStream:
    """Return a stream; nothing is sent before it is read."""
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.stream(model="openai/gpt-4o-mini", messages=messages)


async def main(first: str, second: str) -> None:
    async with AsyncMeshAPI() as client:
        rest = asyncio.create_task(ask(client, second).get_final_completion())
        async with ask(client, first) as stream:
            async for text in stream.text_stream:
                print(text, end="", flush=True)
        print(f"\n({len(stream.response.text)} characters)")
        completion = await rest
        print(completion.text, f"({completion.choices[0].finish_reason})")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
