"""A tool loop: the model calls functions until it can answer in words.

    python tool_loop.py "What is the weather in Paris?"

The signatures and docstrings of the functions tell the model what they do.
"""

import sys

from meshapi import ContentDelta, MeshAPI, ToolCallEnded


def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    return f"18 degrees and sunny in {city}"


def get_time(city: str) -> str:
    """Return the current time in a city."""
    return f"half past nine in {city}"


def main(question: str) -> None:
    with MeshAPI() as client:
        run = client.chat.completions.run_tools(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": question}],
            tools=[get_weather, get_time],
            stream=True,
        )
        for step in run:
            if isinstance(step, ContentDelta):
                print(step.text, end="", flush=True)
            elif isinstance(step, ToolCallEnded):
                print(f"[{step.call.name}({step.call.arguments_text}) -> {step.content}]")
    print()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1])
