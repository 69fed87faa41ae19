"""A conversation with a tool, a fork and a typed answer.

    python conversation.py FILE

Its history is stored in the file, and another conversation goes on from there.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from meshapi import MeshAPI

MODEL = "openai/gpt-4o-mini"


@dataclass
class City:
    name: str
    people: int


def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    return f"18 degrees and sunny in {city}"


def main(file: Path) -> None:
    with MeshAPI() as client:
        chat = client.chat.conversation(
            model=MODEL, system="Be brief.", tools=[get_weather], tool_choice="auto", trim=20
        )
        print(chat.send("What is the weather in Paris?").text)

        # A fork has the same history, and leaves this conversation as it is.
        fork = chat.fork()
        fork.send("And in Rome?")
        print(len(chat.messages), "and", len(fork.messages), "messages")

        file.write_text(json.dumps(chat.messages))

        # Whatever the options were, the history can go on with others.
        later = client.chat.conversation(model=MODEL, messages=json.loads(file.read_text()))
        city = later.parse("There are 7 people in Berlin.", City).parsed
        print(f"{city.name}: {city.people}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
