"""Randomness as an argument: bytes that cannot be predicted and do not repeat.

Idempotency keys, the boundaries of forms, the keys of WebSockets and the jitter of waits all come
from one source. A generator that a program seeds, or that a fork copies, would give two calls the
same key, and a gateway would return the first call's response for the second. So the source is a
function that takes a number of bytes, as `os.urandom` does: `random.random` cannot be passed by
mistake.
"""

from collections.abc import Callable

__all__ = ["drawn", "number"]

_NUMBER_SIZE = 7


def drawn(random_bytes: Callable[[int], bytes], size: int) -> bytes:
    """`size` random bytes.

    Raises:
        TypeError: the source returns something else, or does not accept a number of bytes.
    """
    cause = None
    try:
        # For callers without a type checker.
        given: object = random_bytes(size)
        if type(given) is bytes and len(given) == size:
            return given
        got = f"{len(given)} bytes for {size}" if type(given) is bytes else type(given).__name__
    except TypeError as exc:
        got, cause = str(exc), exc
    name = getattr(random_bytes, "__qualname__", type(random_bytes).__name__)
    raise TypeError(
        f"random_bytes: expected a function that returns as many random bytes as it is asked for,"
        f" got {name} ({got}); pass os.urandom"
    ) from cause


def number(random_bytes: Callable[[int], bytes]) -> float:
    """A random number in [0, 1), with the 53 bits that a float holds. Raises as `drawn`."""
    return (int.from_bytes(drawn(random_bytes, _NUMBER_SIZE), "big") >> 3) * 2.0**-53
