"""Makes forked children forget the connections that they share with their parent."""

import os
from typing import Any
from weakref import WeakSet

_pools: "WeakSet[Any]" = WeakSet()


def forget_after_fork(pool: Any) -> None:
    """Call `pool.forget()` in every child that is forked while the pool lives."""
    _pools.add(pool)


def _in_child() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
