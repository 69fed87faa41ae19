"""Model tokens, which are words here."""


def count_words(text: str) -> int:
    """The number of words in the text, each of which counts as one model token."""
    return len(text.split())


def usage(read: int, written: int) -> dict[str, int]:
    """The `usage` object of a response."""
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
