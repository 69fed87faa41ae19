"""A tool loop: the model calls functions until it can answer in words.

    python tool_loop.py "What is the weather in Paris?"

Each round is streamed. The program puts the tool calls together, runs the functions, and sends
their results back to the model, for at most a few rounds.
"""

import json
import sys
from typing import Callable

from meshapi import ChatMessage, MeshAPI, Tool, ToolCall, ToolCallFunction, ToolFunction

MODEL = "openai/gpt-4o-mini"
MOST_ROUNDS = 5


def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    return f"18 degrees and sunny in {city}"


def get_time(city: str) -> str:
    """Return the current time in a city."""
    return f"half past nine in {city}"


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS: dict[str, Callable[..., str]] = {"get_weather": get_weather, "get_time": get_time}
TOOLS = [
    Tool(function=ToolFunction(name=name, description=function.__doc__, parameters=CITY))
    for name, function in FUNCTIONS.items()
]


def stream_message(client: MeshAPI, messages: list[ChatMessage]) -> ChatMessage:
    """Print text as it arrives, and return the whole message with its tool calls."""
    text, calls = "", dict[int, ToolCall]()
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
        for chunk in stream:
            print(chunk.text, end="", flush=True)
            text += chunk.text
            parts = chunk.choices[0].delta.tool_calls if chunk.choices else None
            for part in parts or []:
                empty = ToolCall(id="", function=ToolCallFunction(name="", arguments=""))
                call = calls.setdefault(part.index, empty)
                call.id = part.id or call.id
                call.thought_signature = part.thought_signature or call.thought_signature
                if part.function:
                    call.function.name += part.function.name or ""
                    call.function.arguments += part.function.arguments or ""
    return ChatMessage(
        role="assistant", content=text or None, tool_calls=list(calls.values()) or None
    )


def run(call: ToolCall) -> ChatMessage:
    """Call the function. An error is a result, too: the model can correct its arguments."""
    try:
        result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(f"[{call.function.name}({call.function.arguments}) -> {result}]")
    return ChatMessage(role="tool", tool_call_id=call.id, content=result)


def main(question: str) -> None:
    messages = [ChatMessage(role="user", content=question)]
    with MeshAPI() as client:
        for _ in range(MOST_ROUNDS):
            message = stream_message(client, messages)
            messages.append(message)
            if not message.tool_calls:
                print()
                return
            messages += [run(call) for call in message.tool_calls]
    sys.exit(f"no end after {MOST_ROUNDS} rounds")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1])
