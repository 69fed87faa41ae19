"""Whether anybody listens to the logger `meshapi`."""

import sys
from typing import Any

__all__ = ["INFO", "found_logger", "is_listening"]

INFO = 20
"""`logging.INFO`, for which `logging` need not be loaded."""


def found_logger() -> Any:
    """Return the logger; None if nobody has loaded `logging`, and so nobody can listen."""
    if "logging" not in sys.modules:
        return None
    import logging

    return logging.getLogger("meshapi")


def is_listening() -> bool:
    """Return whether anybody listens now."""
    logger = found_logger()
    return logger is not None and logger.isEnabledFor(INFO)
