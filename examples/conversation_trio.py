"""A conversation on trio, with a call that a person approves.

    python conversation_trio.py        # needs trio

`conversation_async.py` is the same on asyncio.
"""

import trio

from meshapi import AsyncMeshAPI, ContentDelta, Deferred, ToolCallEnded, ToolCallsPendingError


async def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    await trio.sleep(0.1)  # stands for a request to a weather service
    return f"18 degrees and sunny in {city}"


def order_umbrella(city: str) -> str:
    """Order an umbrella."""
    raise Deferred


async def main() -> None:
    async with AsyncMeshAPI() as client:
        chat = client.chat.conversation(
            model="openai/gpt-4o-mini", tools=[get_weather, order_umbrella]
        )
        async with chat.stream("get_weather in Tokyo") as stream:
            async for step in stream:
                if isinstance(step, ContentDelta):
                    print(step.text, end="", flush=True)
                elif isinstance(step, ToolCallEnded):
                    print(f"[{step.call.name}: {step.content}]")
        print()
        try:
            await chat.send("order_umbrella in Tokyo")
        except ToolCallsPendingError as pending:
            # Here a person decides. What was done is not done again.
            results = {call.id: f"{call.name}: approved" for call in pending.pending}
            print((await chat.resume(results)).text)


if __name__ == "__main__":
    trio.run(main)
