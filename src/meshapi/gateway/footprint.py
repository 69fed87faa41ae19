"""How much memory a value takes, for the bounds of what the gateway keeps."""

import sys
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, cast

_SEQUENCES: Final = (list, tuple, set, frozenset, deque)


def footprint(value: object, enough: int = sys.maxsize) -> int:
    """Return about how many bytes of memory a value takes, with all that is in it.

    An object that occurs several times counts each time. The size of a JSON body says little: once
    parsed, it may take thirty times as much.

    Args:
        enough: counting stops beyond this.
    """
    found = 0
    left: list[Iterable[Any]] = [(value,)]
    one: Any
    while left and found <= enough:
        for one in left.pop():
            found += sys.getsizeof(one)
            if isinstance(one, dict):
                entries: dict[Any, Any] = cast(Any, one)
                left += (entries.keys(), entries.values())
            elif isinstance(one, _SEQUENCES):
                left.append(cast(Any, one))
            elif hasattr(one, "__dataclass_fields__"):
                fields: dict[str, Any] = one.__dict__
                left.append(fields.values())
            if found > enough:
                break
    return found
