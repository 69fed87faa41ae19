"""What the programs of this folder ask, in our words."""

from meshapi import BatchRequestItem, ChatCompletionParams, ChatMessage

TOKEN = "rsk_test_interop"


def ask(question: str) -> ChatCompletionParams:
    return ChatCompletionParams(
        model="openai/gpt-4o-mini", messages=[ChatMessage(role="user", content=question)]
    )


def batch_items() -> list[BatchRequestItem]:
    return [
        BatchRequestItem(
            custom_id=f"req-{number}",
            body={
                "model": "openai/gpt-4o-mini",
                "messages": [{"role": "user", "content": f"Repeat: {text}"}],
            },
        )
        for number, text in enumerate(("hi", "bye"), 1)
    ]
