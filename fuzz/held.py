"""How many bytes an object keeps, whatever it keeps them in."""

import gc
from enum import Enum
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType

# What is there once for all objects; names that are keys are not looked at either. The frames of a
# traceback lead to the whole program, on Pythons before 3.11 at least.
_SHARED = (type, FunctionType, BuiltinFunctionType, ModuleType, FrameType, Enum)


def held(thing: object, *but: type) -> int:
    """Bytes, and characters of texts, that can be reached from an object; exact, and no estimate.

    Args:
        but: classes whose objects are left out, with all that hangs on them.
    """
    seen: dict[int, object] = {}
    todo = [thing]
    size = 0
    while todo:
        found = todo.pop()
        if id(found) in seen or isinstance(found, (*_SHARED, *but)):
            continue
        seen[id(found)] = found
        if isinstance(found, (bytes, bytearray, str)):
            size += len(found)
        else:
            todo += found.values() if isinstance(found, dict) else gc.get_referents(found)
    return size
