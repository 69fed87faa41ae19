"""The local gateway: an emulator of the service. `meshapi.testing` is its face for users' tests.

It shares no code with the client that it is there to judge. Its rooms are inner:

    app, server     the application: every route; and the real socket before it
    websocket       uvicorn's WebSocket connection, with the same manners on every version of it
    http/           what is the same at each path: keys, checks, errors, replies, streams, the log
    endpoints/      a module for each path: /v1/web is `web.py`, /v1/audio/speech `audio/speech.py`
    realtime/       /v1/realtime, and the session behind it
    content/        what it makes up: answers, tones, pictures, documents, vectors
    models          which models there are, and in `failing_models` those that fail on purpose
    state, store    what one gateway keeps
"""

try:
    from meshapi.gateway.app import create_app
    from meshapi.gateway.http.request_log import RecordedRequest
    from meshapi.gateway.server import LocalGateway
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("python_multipart", "starlette", "uvicorn"):
        raise
    raise ModuleNotFoundError(
        f"the local gateway needs {error.name}: pip install 'meshapi[gateway]'", name=error.name
    ) from error

__all__ = ["LocalGateway", "RecordedRequest", "create_app"]
