"""Chat in the terminal, with history; text appears as it arrives.

    python repl.py [MODEL]

Ctrl-C stops the model mid-sentence, Ctrl-D ends the conversation.
"""

import sys

from meshapi import ChatMessage, MeshAPI, MeshAPIError


def speak(client: MeshAPI, model: str, history: list[ChatMessage]) -> str:
    """Print the model's next message while it arrives, and return as much as arrived."""
    stream = client.chat.completions.stream(model=model, messages=history)
    try:
        with stream:
            for text in stream.text_stream:
                print(text, end="", flush=True)
    except KeyboardInterrupt:
        pass
    print()
    return stream.text


def main(model: str = "openai/gpt-4o-mini") -> None:
    history = [ChatMessage(role="system", content="You are brief and kind.")]
    with MeshAPI() as client:
        while True:
            try:
                question = input("> ")
            except (EOFError, KeyboardInterrupt):
                return
            history.append(ChatMessage(role="user", content=question))
            try:
                text = speak(client, model, history)
            except MeshAPIError as error:
                print(f"\n{error}", file=sys.stderr)
                history.pop()  # The model has not answered it, so the user can ask again.
            else:
                history.append(ChatMessage(role="assistant", content=text))


if __name__ == "__main__":
    main(*sys.argv[1:])
