"""Leaks: open descriptors, warnings, and exceptions in finalisers."""

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FOLDER = "/proc/self/fd"


def descriptors() -> int:
    """The number of open descriptors of the process; 0 if the system does not tell."""
    return len(os.listdir(_FOLDER)) if os.path.isdir(_FOLDER) else 0


@contextmanager
def complaints_to(complaints: list[str]) -> Iterator[None]:
    """Collect the warnings, and the exceptions in finalisers, of the block in a list."""

    def note(unraisable: Any) -> None:
        complaints.append(f"unraisable: {unraisable.exc_value!r} in {unraisable.object!r}")

    def show(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
        complaints.append(f"{category.__name__}: {message}")

    gc.collect()
    # Exclude what exists already, in this test and all later ones, and a collection takes 0.1 ms.
    # It is never unfrozen, as that would bring back what `conftest` has frozen.
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
