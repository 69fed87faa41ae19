"""Chat in the terminal, with history; text appears as it arrives.

    python repl.py [MODEL]

Ctrl-C stops the model mid-sentence, Ctrl-D ends the conversation.
"""

import sys

from meshapi import Conversation, MeshAPI, MeshAPIError


def ask(chat: Conversation, question: str) -> None:
    """Print the model's answer while it arrives."""
    stream = chat.stream(question)
    try:
        with stream:
            for text in stream.text_stream:
                print(text, end="", flush=True)
    except KeyboardInterrupt:
        # A conversation keeps whole turns only, and here the user has seen half of one.
        said = {"role": "assistant", "content": stream.text}
        chat.append({"role": "user", "content": question}, said)
    print()


def main(model: str = "openai/gpt-4o-mini") -> None:
    with MeshAPI() as client:
        chat = client.chat.conversation(model=model, system="You are brief and kind.")
        while True:
            try:
                question = input("> ")
            except (EOFError, KeyboardInterrupt):
                return
            try:
                ask(chat, question)
            except MeshAPIError as error:
                # The turn is not in the history, so the user can ask again.
                print(f"\n{error}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
