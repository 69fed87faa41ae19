"""Warnings that point at a line of the user's program, not at one of ours."""

import warnings
from inspect import currentframe

__all__ = ["warn"]

_OURS = frozenset({"meshapi_core", "meshapi_backends", "meshapi"})


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning that points at the line of the program that called us."""
    level, frame = 1, currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
