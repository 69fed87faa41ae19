"""Both call machines under hosts that do right and wrong. See `call_driver`."""

from call_driver import PIECES, Driver

# The driver judges the documented errors itself, so nothing may come out of it.
ACCEPTED: tuple[type[Exception], ...] = ()

DICTIONARY = PIECES


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: A call did what must not be.
    """
    Driver(data).run()
