"""The local gateway: an emulator of the service. Users' tests import it from `meshapi.testing`.

It shares no code with the client that it tests. Its modules are private:

    app, server     the application with all its routes, and the real socket in front of it
    websocket       uvicorn's WebSocket connection, with the same behaviour on all its versions
    http/           common to all paths: tokens, checks, errors, responses, streams, the log
    endpoints/      a module for each path: /v1/web is `web.py`, /v1/audio/speech `audio/speech.py`
    realtime/       /v1/realtime, and the session behind it
    page/           the page at /, which shows the requests as they come
    scripts/        what users say that it has to respond, and to which requests
    content/        what it makes up: answers, tones, pictures, documents, vectors
    models          the known models; those in `failing_models` fail on purpose, those in `mistakes`
                    say something wrong, and `jobs` says how theirs end
    rate_limits     how much one gateway admits in a minute
    state, store    what one gateway keeps
"""

try:
    from meshapi.gateway.app import create_app
    from meshapi.gateway.http.request_log import RecordedRequest
    from meshapi.gateway.scripts.engine import Script, ScriptedResponse
    from meshapi.gateway.scripts.replies import (
        broken_stream,
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
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("python_multipart", "starlette", "uvicorn"):
        raise
    raise ModuleNotFoundError(
        f"the local gateway needs {missing.name}: in a checkout, pip install '.[gateway]'",
        name=missing.name,
    ) from missing

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
    "create_app",
    "cut",
    "error",
    "error_in_stream",
    "reply",
    "slow",
    "stall",
    "tool_call",
]
