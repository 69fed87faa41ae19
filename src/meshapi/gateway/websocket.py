"""uvicorn's WebSocket connection on wsproto, with the same behaviour on all versions of uvicorn.

The versions treat large messages, broken frames and the closing handshake differently. Here the
size of messages is limited; a broken frame ends the connection with the close code of RFC 6455,
section 7.4.1; and after a close frame is sent, the connection waits for the peer's, because TCP
resets a connection that is closed with data unread, and the close frame would be lost.
"""

import asyncio
import logging
from typing import Any, Optional, Union

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto import events
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

# The documentation allows 15 MiB of base64 in one event.
MESSAGE_LIMIT = 16 * 1024 * 1024

# Seconds to wait for the peer's close frame.
_CLOSE_TIMEOUT = 5.0

_Data = Union[events.TextMessage, events.BytesMessage]


class WebSocketProtocol(WSProtocol):
    """One connection, from its upgrade on.

    When the application sends `websocket.close`, that returns once the connection is gone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = logging.getLogger("meshapi.testing")
        # The message that arrives, without the borders of its fragments: each could be empty.
        self._message = bytearray()
        self._gone = asyncio.Event()
        self._deadline: Optional[asyncio.TimerHandle] = None

    def data_received(self, data: bytes) -> None:
        try:
            self.conn.receive_data(data)
            self.handle_events()
        except RemoteProtocolError as error:
            self._reject(error.event_hint)
        except UnicodeError:
            # wsproto decodes the headers of the upgrade before it checks them.
            self._reject(events.RejectConnection())
        except LocalProtocolError:
            # The peer sent data after the closing handshake.
            self.transport.close()

    def handle_events(self) -> None:
        for event in self.conn.events():
            if isinstance(event, events.Request):
                self.handle_connect(event)
            elif isinstance(event, events.CloseConnection):
                self.handle_close(event)
            elif self.close_sent:
                continue
            elif isinstance(event, (events.TextMessage, events.BytesMessage)):
                self._collect(event)
            elif isinstance(event, events.Ping):
                self.handle_ping(event)

    def handle_connect(self, event: events.Request) -> None:
        # wsproto removes this header, but an ASGI application expects it.
        if event.subprotocols:
            offered = ", ".join(event.subprotocols).encode()
            event.extra_headers.append((b"sec-websocket-protocol", offered))
        super().handle_connect(event)

    def handle_close(self, event: events.CloseConnection) -> None:
        if self.conn.state is ConnectionState.REMOTE_CLOSING:
            self.transport.write(self.conn.send(event.response()))
        elif self.conn.state is ConnectionState.OPEN:
            # Not a close frame but a broken one: nothing after it can be parsed, so do not wait for
            # the peer's close frame.
            self.close_sent = True
            self.transport.write(self.conn.send(event))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": event.code})
        self.transport.close()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()
        self._gone.set()
        # Nothing else wakes a task that waits to write.
        self.writable.set()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.transport.close()

    async def send(self, message: Any) -> None:
        if self.response_started or not self.handshake_complete:
            await super().send(message)
        elif self.close_sent or self._gone.is_set():
            raise ClientDisconnected
        elif message["type"] == "websocket.close":
            self._begin_close(message.get("code", 1000), message.get("reason") or "")
            await self._gone.wait()
        else:
            await super().send(message)

    def _collect(self, event: _Data) -> None:
        data = event.data
        self._message += data.encode() if isinstance(data, str) else data
        if len(self._message) > MESSAGE_LIMIT:
            self._begin_close(1009, f"a message may have at most {MESSAGE_LIMIT} bytes")
        elif event.message_finished:
            whole, self._message = self._message, bytearray()
            message: Any = {"type": "websocket.receive"}
            if isinstance(data, str):
                message["text"] = whole.decode()
            else:
                message["bytes"] = bytes(whole)
            self.queue.put_nowait(message)
            if not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()

    def handle_ping(self, event: events.Ping) -> None:
        # A peer that sends pings and reads nothing would have their pongs pile up. RFC 6455,
        # section 5.5.3, allows leaving some out.
        if self.writable.is_set():
            super().handle_ping(event)

    def _reject(self, response: Any) -> None:
        if response is not None:
            self.transport.write(self.conn.send(response))
        self.transport.close()

    def _begin_close(self, code: int, reason: str) -> None:
        """Send a close frame, and give the peer time to send its own."""
        self.close_sent = True
        self._message = bytearray()
        if self.conn.state is ConnectionState.OPEN and not self.transport.is_closing():
            self.transport.write(self.conn.send(events.CloseConnection(code=code, reason=reason)))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._deadline = self.loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)
