"""The local gateway: an emulator of the service. Users' tests import it from `meshapi.testing`.

It shares no code with the client that it tests. Its modules are private:

    app, server     the application with all its routes, and the real socket in front of it
    websocket       uvicorn's WebSocket connection, with the same behaviour on all its versions
    waiting         which connections have made the server wait for too long
    http/           common to all paths: tokens, checks, errors, responses, streams, the log
    endpoints/      a module for each path: /v1/web is `web.py`, /v1/audio/speech `audio/speech.py`
    realtime/       /v1/realtime, and the session behind it
    page/           the page at /, which shows the requests as they come
    scripts/        what users say that it has to respond, and to which requests
    content/        what it makes up: answers, tones, pictures, documents, vectors
    models          the known models; those in `failing_models` fail on purpose, those in `mistakes`
                    say something wrong, and `jobs` says how theirs end
    rate_limits     how much one gateway admits in a minute
    state, store    what one gateway keeps; `footprint` says how much memory that takes
    clock           the computer's clock and waits, or those of a host without an event loop
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi.gateway.app import create_app
    from meshapi.gateway.http.request_log import RecordedRequest
    from meshapi.gateway.scripts.engine import Script, ScriptedResponse
    from meshapi.gateway.scripts.replies import (
        broken_stream,
        close,
        cut,
        error,
        error_in_stream,
        reply,
        slow,
        stall,
        tool_call,
    )
    from meshapi.gateway.scripts.scripted import Scripted
    from meshapi.gateway.scripts.values import ErrorReply, Fault, Reply, ScriptedCall
    from meshapi.gateway.server import LocalGateway
else:
    # On first use: what a script says needs none of the libraries that a gateway needs.
    _HOMES = {
        **dict.fromkeys(
            (
                *("broken_stream", "close", "cut", "error", "error_in_stream"),
                *("reply", "slow", "stall", "tool_call"),
            ),
            "scripts.replies",
        ),
        **dict.fromkeys(("ErrorReply", "Fault", "Reply", "ScriptedCall"), "scripts.values"),
        **dict.fromkeys(("Script", "ScriptedResponse"), "scripts.engine"),
        "LocalGateway": "server",
        "RecordedRequest": "http.request_log",
        "Scripted": "scripts.scripted",
        "create_app": "app",
    }

    def __getattr__(name: str) -> object:
        """Import the module that has a name, when the name is used for the first time."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            if package not in ("anyio", "python_multipart", "starlette", "uvicorn", "wsproto"):
                raise
            message = f"the local gateway needs {package}: in a checkout, pip install '.[gateway]'"
            raise ModuleNotFoundError(message, name=missing.name) from missing
        globals()[name] = found
        return found


__all__ = [
    "ErrorReply",
    "Fault",
    "LocalGateway",
    "RecordedRequest",
    "Reply",
    "Script",
    "Scripted",
    "ScriptedCall",
    "ScriptedResponse",
    "broken_stream",
    "close",
    "create_app",
    "cut",
    "error",
    "error_in_stream",
    "reply",
    "slow",
    "stall",
    "tool_call",
]
