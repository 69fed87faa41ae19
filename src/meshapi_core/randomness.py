"""Randomness as an argument: bytes that can neither be foreseen nor come twice.

Of one source are the keys of idempotency, the boundaries of forms, the keys of WebSockets, and the
jitter of waits. A generator that a program seeds, or that a fork copies, would give two calls the
same key, and a gateway would answer the second with the answer to the first. So the source is a
function of a number of bytes, `os.urandom`, in whose place `random.random` cannot be passed.
"""

from collections.abc import Callable

__all__ = ["drawn", "number"]

_NUMBER_SIZE = 7


def drawn(random_bytes: Callable[[int], bytes], size: int) -> bytes:
    """So many random bytes.

    Raises:
        TypeError: the source gives something else, or takes no number of bytes.
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
    """A random number in [0, 1), of the 53 bits that a float holds. Raises as `drawn`."""
    return (int.from_bytes(drawn(random_bytes, _NUMBER_SIZE), "big") >> 3) * 2.0**-53
