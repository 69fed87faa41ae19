"""Sources of random bytes that are known in advance."""

import random
from collections.abc import Callable


def always(number: float) -> Callable[[int], bytes]:
    """A source that always draws the same number in [0, 1), in as many bytes as asked for."""
    return lambda size: int(number * 2 ** (8 * size)).to_bytes(size, "big")


def seeded(seed: int) -> Callable[[int], bytes]:
    """A source with the same bytes for the same seed."""
    source = random.Random(seed)
    return lambda size: source.getrandbits(8 * size).to_bytes(size, "big") if size else b""
