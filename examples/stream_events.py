"""A stream as typed events: text while it arrives, then whole tool calls, then what it cost.

    python stream_events.py "What is the weather in Paris?"

The arguments of a tool call are parsed when it is whole. If they are not valid, reading them raises
a ToolArgumentsError with what the model wrote.
"""

import sys

from meshapi import ChatMessage, MeshAPI, Tool, ToolFunction

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [Tool(function=ToolFunction(name="get_weather", parameters=CITY))]


def main(question: str) -> None:
    messages = [ChatMessage(role="user", content=question)]
    with MeshAPI() as client:
        stream = client.chat.completions.stream(
            model="openai/gpt-4o-mini", messages=messages, tools=TOOLS
        )
        for event in stream.events():
            if event.type == "content.delta":
                print(event.text, end="", flush=True)
            elif event.type == "content.done":
                print()
            elif event.type == "tool_call.done":
                print(f"{event.name} in {event.parsed_arguments['city']}")
            elif event.type == "usage.done":
                print(f"{event.usage.total_tokens} tokens")
        completion = stream.response
    print(f"{len(completion.tool_calls)} tool call(s), {completion.choices[0].finish_reason}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1])
