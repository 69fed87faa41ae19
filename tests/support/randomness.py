"""Sources of random bytes that are known beforehand."""

import random
from collections.abc import Callable


def always(number: float) -> Callable[[int], bytes]:
    """What is drawn is this number in [0, 1), written in as many bytes as are asked for."""
    return lambda size: int(number * 2 ** (8 * size)).to_bytes(size, "big")


def seeded(seed: int) -> Callable[[int], bytes]:
    """The same bytes for the same seed."""
    source = random.Random(seed)
    return lambda size: source.getrandbits(8 * size).to_bytes(size, "big") if size else b""
