"""A tool loop on asyncio, whose functions run at the same time.

    python tool_loop_async.py "Compare get_weather and get_time in Tokyo."

On trio, write `trio.run(main, question)` and `trio.sleep`; nothing else is different.
"""

import asyncio
import sys

from meshapi import AsyncMeshAPI, ToolCallEnded


async def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    await asyncio.sleep(0.1)  # stands for a request to a weather service
    return f"18 degrees and sunny in {city}"


def get_time(city: str) -> str:
    """Return the current time in a city."""
    return f"half past nine in {city}"  # a plain function runs in a thread


async def main(question: str) -> None:
    async with AsyncMeshAPI() as client:
        run = client.chat.completions.run_tools(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": question}],
            tools=[get_weather, get_time],
            tool_timeout=10,
        )
        async for step in run:
            if isinstance(step, ToolCallEnded):
                print(f"[{step.call.name}({step.call.arguments_text}) -> {step.content}]")
        print((await run.until_done()).text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
