"""A realtime session: its events, its connection, and its life over all its connections.

- `events`: what a message of a session is, and what is sent in one.
- `call`: the upgrade that opens a session, as a call.
- `options`: what a caller may choose about one.
- `connection`: a session on one WebSocket connection.
- `memory`: what a session has to remember for the case that it must be connected again.
- `session`: whether there is another connection, when, and what is said on it first.
- `attempts`: by what the attempts at a connection are made, and how many.
- `waits`: how long a program waits for one message.
"""

from meshapi_core.realtime.call import RealtimeAuth, RealtimeCall, WebSocketTarget
from meshapi_core.realtime.connection import RealtimeConnection
from meshapi_core.realtime.events import RealtimeMessage, Reconnected
from meshapi_core.realtime.memory import RealtimeMemory
from meshapi_core.realtime.options import RealtimeOptions, Reconnect
from meshapi_core.realtime.session import RealtimeConnected, RealtimeExchange
from meshapi_core.realtime.waits import MessageWait

__all__ = [
    "MessageWait",
    "RealtimeAuth",
    "RealtimeCall",
    "RealtimeConnected",
    "RealtimeConnection",
    "RealtimeExchange",
    "RealtimeMemory",
    "RealtimeMessage",
    "RealtimeOptions",
    "Reconnect",
    "Reconnected",
    "WebSocketTarget",
]
