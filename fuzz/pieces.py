"""Ways to cut a stream of bytes, as a network might."""

import random


def cut(stream: bytes, generator: random.Random, longest: int = 9) -> list[bytes]:
    """Return the stream in pieces of one to `longest` bytes."""
    pieces: list[bytes] = []
    while stream:
        size = generator.randint(1, longest)
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


def byte_by_byte(stream: bytes) -> list[bytes]:
    """Return the stream in pieces of one byte."""
    return [stream[i : i + 1] for i in range(len(stream))]
