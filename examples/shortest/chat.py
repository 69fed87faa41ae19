"""A chat in the terminal, with history; an empty line ends it.

python chat.py
"""

from meshapi import MeshAPI

with MeshAPI() as client:
    chat = client.chat.conversation(model="openai/gpt-4o-mini")
    while question := input("> "):
        for text in chat.stream(question).text_stream:
            print(text, end="", flush=True)
        print()
