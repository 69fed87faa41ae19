"""Which trackers of usage are on here: a context variable, which tasks take from their parents."""

from contextvars import ContextVar
from typing import Any

__all__ = ["TRACKED"]

TRACKED: "ContextVar[tuple[Any, ...]]" = ContextVar("meshapi_usage", default=())
"""The trackers whose blocks are open, the innermost last."""
