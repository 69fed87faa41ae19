"""Warnings that name the line of the program, not one of ours."""

import warnings
from inspect import currentframe

__all__ = ["warn"]

_OURS = frozenset({"meshapi_core", "meshapi_backends", "meshapi"})


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the program that called us, not at ours."""
    level, frame = 1, currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
