"""What must be as it was before: open descriptors, and nobody complaining."""

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FOLDER = "/proc/self/fd"


def descriptors() -> int:
    """How many the process has open; 0 where the system does not tell."""
    return len(os.listdir(_FOLDER)) if os.path.isdir(_FOLDER) else 0


@contextmanager
def complaints_to(complaints: list[str]) -> Iterator[None]:
    """Warnings and exceptions in finalisers go there; collecting garbage costs little."""

    def note(unraisable: Any) -> None:
        complaints.append(f"unraisable: {unraisable.exc_value!r} in {unraisable.object!r}")

    def show(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
        complaints.append(f"{category.__name__}: {message}")

    gc.collect()
    # What is there already is not looked at again, in this test and in those that follow: a
    # collection takes 0.1 ms then. To unfreeze would bring back all that `conftest` has frozen.
    gc.freeze()
    hook, sys.unraisablehook = sys.unraisablehook, note
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield
            gc.collect()
    finally:
        sys.unraisablehook = hook
