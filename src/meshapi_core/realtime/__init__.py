"""A realtime session: its events, one connection of it, and its life over several connections.

- `events`: reads the messages of a session, and encodes the events to send.
- `call`: the upgrade that opens a session, as a call.
- `options`: what a caller may choose about a session.
- `connection`: a session on one WebSocket connection.
- `memory`: what a session must remember to be able to reconnect.
- `session`: decides whether and when to reconnect, and what to send first.
- `attempts`: makes the attempts to connect, and counts them.
- `waits`: how long a program waits for one message.
"""

from meshapi_core.realtime.attempts import Attempts
from meshapi_core.realtime.call import RealtimeAuth, RealtimeCall, WebSocketTarget
from meshapi_core.realtime.connection import RealtimeConnection
from meshapi_core.realtime.events import RealtimeMessage, Reconnected
from meshapi_core.realtime.memory import RealtimeMemory
from meshapi_core.realtime.options import RealtimeOptions, Reconnect
from meshapi_core.realtime.session import RealtimeConnected, RealtimeExchange, SessionState
from meshapi_core.realtime.waits import MessageWait

__all__ = [
    "Attempts",
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
    "SessionState",
    "WebSocketTarget",
]
