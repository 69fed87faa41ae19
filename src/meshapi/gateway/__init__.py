"""The local gateway: an emulator of the service. Users' tests import it from `meshapi.testing`.

It shares no code with the client that it tests. Its modules are private:

    app, server     the application with all its routes, and the real socket in front of it
    websocket       uvicorn's WebSocket connection, with the same behaviour on all its versions
    waiting         which connections have kept the server waiting for too long
    http/           common to all paths: tokens, checks, errors, responses, streams, the log
    endpoints/      a module for each path: /v1/web is `web.py`, /v1/audio/speech `audio/speech.py`
    realtime/       /v1/realtime, and the session behind it
    page/           the page at /, which shows the requests as they come
    scripts/        what users tell it to respond with, and to which requests
    content/        what it makes up: answers, tones, pictures, documents, vectors
    models          the known models; those in `failing_models` fail on purpose, those in `mistakes`
                    say something wrong, and `jobs` says how theirs end
    rate_limits     how much one gateway admits in a minute
    state, store    what one gateway keeps; `footprint` says how much memory that takes
    clock           the computer's clock and waits, or those of a host without an event loop
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi.gateway.app import create_app as create_app
    from meshapi.gateway.http.request_log import RecordedRequest as RecordedRequest
    from meshapi.gateway.scripts.engine import Script as Script
    from meshapi.gateway.scripts.engine import ScriptedResponse as ScriptedResponse
    from meshapi.gateway.scripts.replies import broken_stream as broken_stream
    from meshapi.gateway.scripts.replies import close as close
    from meshapi.gateway.scripts.replies import cut as cut
    from meshapi.gateway.scripts.replies import error as error
    from meshapi.gateway.scripts.replies import error_in_stream as error_in_stream
    from meshapi.gateway.scripts.replies import reply as reply
    from meshapi.gateway.scripts.replies import slow as slow
    from meshapi.gateway.scripts.replies import stall as stall
    from meshapi.gateway.scripts.replies import tool_call as tool_call
    from meshapi.gateway.scripts.scripted import Scripted as Scripted
    from meshapi.gateway.scripts.values import ErrorReply as ErrorReply
    from meshapi.gateway.scripts.values import Fault as Fault
    from meshapi.gateway.scripts.values import Reply as Reply
    from meshapi.gateway.scripts.values import ScriptedCall as ScriptedCall
    from meshapi.gateway.server import LocalGateway as LocalGateway
else:
    from meshapi.gateway import _face
    from meshapi.gateway._face import EXPORTED as __all__
    from meshapi.gateway._face import __dir__

    # What a script says needs none of the libraries that a gateway needs.
    _NEEDED = ("anyio", "python_multipart", "starlette", "uvicorn", "wsproto")

    def __getattr__(name: str) -> object:
        """Import the module that has a name, when the name is used for the first time."""
        try:
            return _face.__getattr__(name)
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            if package not in _NEEDED:
                raise
            message = f"the local gateway needs {package}: in a checkout, pip install '.[gateway]'"
            raise ModuleNotFoundError(message, name=missing.name) from missing
