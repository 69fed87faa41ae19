"""The public names of `meshapi.gateway`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi.gateway"

_NAMES: Final = {
    "meshapi.gateway.app": "create_app",
    "meshapi.gateway.http.request_log": "RecordedRequest",
    "meshapi.gateway.scripts.engine": "Script ScriptedResponse",
    "meshapi.gateway.scripts.replies": """
        broken_stream close cut error error_in_stream reply slow stall tool_call
    """,
    "meshapi.gateway.scripts.scripted": "Scripted",
    "meshapi.gateway.scripts.values": "ErrorReply Fault Reply ScriptedCall",
    "meshapi.gateway.server": "LocalGateway",
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)


def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[PACKAGE]), *_HOMES})
