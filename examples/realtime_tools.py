"""Talk to a realtime model that calls functions, line by line.

    python realtime_tools.py

Each line is a message. The model responds in text, and may call the functions below.
"""

from typing import Annotated

from meshapi import MeshAPI

MODEL = "openai/gpt-realtime-mini"

City = Annotated[str, "such as Paris"]


def get_weather(city: City) -> str:
    """Return the weather in a city."""
    return f"18 degrees and sunny in {city}"


def get_time(city: City) -> str:
    """Return the time in a city."""
    return f"half past nine in {city}"


def main() -> None:
    with MeshAPI() as client, client.realtime.connect(model=MODEL) as session:
        session.update({"output_modalities": ["text"], "instructions": "Be brief."})
        turns = session.turns(tools=[get_weather, get_time])
        while True:
            try:
                line = input("> ")
            except EOFError:
                break
            session.send_text(line)
            for turn in turns:
                for call in turn.tool_calls:
                    print(f"[{call.name}({call.arguments})]")
                if turn.error is not None:
                    raise turn.error
                if not turn.tool_calls:
                    print(turn.text)
                    break
    print()


if __name__ == "__main__":
    main()
