"""Tokens: the words of a text, here."""


def count_words(text: str) -> int:
    """How many words the text has: what counts as tokens here."""
    return len(text.split())


def usage(read: int, written: int) -> dict[str, int]:
    """The counts as an answer has them."""
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
