"""The public names of `meshapi.transports`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi.transports"

_NAMES: Final = {
    "meshapi_backends": """
        AiohttpTransport AsyncBytesResponse AsyncCallNext AsyncHTTPCoreTransport AsyncHTTPXTransport
        AsyncMiddleware AsyncMiddlewareResponse AsyncNetworkTransport AsyncTransport
        AsyncTransportResponse BytesResponse CallNext HTTPCoreTransport HTTPXTransport Middleware
        MiddlewareResponse NetworkTransport Transport TransportError TransportResponse
    """,
    "meshapi_core": "Failure Request",
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
