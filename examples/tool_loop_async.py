"""A tool loop on asyncio, whose functions run at the same time.

    python tool_loop_async.py "Compare get_weather and get_time in Tokyo."

Nothing is streamed here, so a message with its tool calls arrives whole and goes back unchanged.
`tool_loop.py` shows how to put it together from a stream.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any, Callable

from meshapi import AsyncMeshAPI, ChatMessage, ToolCall

MODEL = "openai/gpt-4o-mini"
MOST_ROUNDS = 5


async def get_weather(city: str) -> str:
    await asyncio.sleep(0.1)  # stands for a request to a weather service
    return f"18 degrees and sunny in {city}"


async def get_time(city: str) -> str:
    await asyncio.sleep(0.1)
    return f"half past nine in {city}"


FUNCTIONS: dict[str, Callable[..., Awaitable[str]]] = {
    "get_weather": get_weather,
    "get_time": get_time,
}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "parameters": CITY}} for name in FUNCTIONS
]


async def run(call: ToolCall) -> ChatMessage:
    """Call the function. An error is a result, too: the model can correct its arguments."""
    try:
        result = await FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(f"[{call.function.name}({call.function.arguments}) -> {result}]")
    return ChatMessage(role="tool", tool_call_id=call.id, content=result)


async def main(question: str) -> None:
    messages = [ChatMessage(role="user", content=question)]
    async with AsyncMeshAPI() as client:
        for _ in range(MOST_ROUNDS):
            response = await client.chat.completions.create(
                model=MODEL, messages=messages, tools=TOOLS
            )
            message = response.choices[0].message
            messages.append(message)
            if not message.tool_calls:
                print(message.text)
                return
            messages += await asyncio.gather(*map(run, message.tool_calls))
    sys.exit(f"no end after {MOST_ROUNDS} rounds")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
