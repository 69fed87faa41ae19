"""Realtime sessions: what a program sends and receives, over one connection after another.

`link` is one connection, and `reconnecting_link` replaces it when it is lost.
"""

import os
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from typing_extensions import Self

from meshapi_backends._async.connections import AsyncConnectionPool
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.realtime.link_opener import AsyncLinkOpener
from meshapi_backends._async.realtime.reconnecting_link import AsyncReconnectingLink
from meshapi_backends._async.realtime.talking import AsyncTalkingSession
from meshapi_backends._listening import is_listening
from meshapi_core import (
    MeshAPIConfig,
    MeshAPIError,
    MessageWait,
    RealtimeCall,
    RealtimeConnection,
    RealtimeExchange,
    RealtimeMessage,
    RealtimeOptions,
    StreamUsageError,
    find_request_id,
)
from meshapi_core.endpoints import AsyncClosesWithCode
from meshapi_core.turns import ENDS_OF_ASKING

if TYPE_CHECKING:
    from meshapi_backends._watching import AsyncWatch


class AsyncRealtimeSession(AsyncTalkingSession, AsyncClosesWithCode):
    """One session: a context manager, and an iterator over the gateway's messages.

    One task may receive while others send. Iteration ends when this side has closed the session, or
    when the gateway has closed it with 1000, 1001 or no code; any other end raises
    `RealtimeConnectionClosed`.

    A session belongs to the event loop, and to the client, that opened it.
    """

    # A message during whose hook `receive` was interrupted.
    _told: Optional[RealtimeMessage] = None

    def __init__(
        self, call: RealtimeCall, opener: AsyncLinkOpener, link: AsyncReconnectingLink
    ) -> None:
        self._call = call
        self._link = link
        self._opener = opener
        self._network = opener.network
        self._options, self._inbox = opener.options, opener.inbox
        self._exchange = opener.exchange

    @classmethod
    async def connect(
        cls,
        config: MeshAPIConfig,
        pool: AsyncConnectionPool,
        network: AsyncNetwork,
        call: RealtimeCall,
        options: RealtimeOptions,
        watch: "Optional[AsyncWatch]" = None,
    ) -> Self:
        """Return a connected session, of which a watch is told, or only the log.

        Raises:
            MeshAPIError: the gateway refused the session, or could not be reached.
        """
        now, reconnect = network.now(), options.reconnect
        kind = RealtimeExchange
        if watch is not None or is_listening():
            from meshapi_backends._watching import AsyncWatch
            from meshapi_core.observing import ObservedRealtimeExchange

            kind = ObservedRealtimeExchange
            watch, config = (watch or AsyncWatch()).begin(call, config)
        exchange = kind(call, config, reconnect, now=now, random_bytes=os.urandom)
        opener = AsyncLinkOpener(pool, network, exchange, options, watch)
        link = await AsyncReconnectingLink.opened(opener, config.time_limits.write)
        return cls(call, opener, link)

    @property
    def subprotocol(self) -> Optional[str]:
        """The WebSocket subprotocol that the gateway chose; None if it chose none."""
        return self._link.current.machine.subprotocol

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's ID of the upgrade, which support asks for; None without one."""
        return find_request_id(self._link.current.machine.headers) or None

    @property
    def closed(self) -> bool:
        """Whether the session is over, or closed by this side; False while it may connect again."""
        return self._link.closed

    @property
    def close_code(self) -> Optional[int]:
        """The code with which the session closed, 1006 if it broke; None before that."""
        ended = self._link.ended
        return None if ended is None else ended.code

    @property
    def close_reason(self) -> Optional[str]:
        """The reason that was given for the close, "" without one; None before that."""
        ended = self._link.ended
        return None if ended is None else ended.reason

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} {self._call.model} {state}>"

    async def receive(self, timeout: Optional[float] = None) -> RealtimeMessage:
        """Return the next message.

        Args:
            timeout: seconds to wait; 0 only looks at what has arrived, None waits for ever (pings
                detect a gateway that has gone). No message is lost by a timeout. It does not cut
                short an attempt to connect again, which has the client's timeouts.

        Raises:
            RealtimeError: the message is an error event; the session goes on.
            APITimeoutError: no message arrived in time; the session goes on.
            RealtimeConnectionClosed: the session is over.
            StreamUsageError: another task or thread is already receiving.
        """
        if timeout is not None:
            self._options.check_timeout(timeout)
        end = None if timeout is None else self._network.now() + timeout
        try:
            return await self._next(end)
        except TimeoutError:
            raise RealtimeExchange.no_message(timeout) from None

    async def wait_for(self, type: str, timeout: Optional[float] = None) -> RealtimeMessage:  # noqa: A002 - as the field is called
        """Return the next message of one type; the messages before it are dropped.

        Args:
            type: the event's type, such as "session.updated".
            timeout: seconds for all of it; None waits for ever.

        Raises:
            As for `receive`.
        """
        self._options.check_type(type)
        self._options.check_timeout(timeout)
        wait = MessageWait(type, timeout, self._network.now())
        try:
            while True:
                message = await self._next(wait.end)
                if wait.takes(message, self._network.now()):
                    return message
        except TimeoutError:
            raise wait.error from None

    async def _next(self, end: Optional[float]) -> RealtimeMessage:
        """Return the next message. Raises as `receive` does, but TimeoutError if it is late."""
        message, self._told = self._told, None
        if message is None:
            message = None if self._link.is_read else self._inbox.take()
            if message is None:
                message = await self._link.receive(end)
            if self._opener.watch is not None:
                try:
                    await self._opener.tell_message(message)
                except BaseException:
                    self._told = message
                    raise
        kind = message.type
        if kind in ENDS_OF_ASKING:
            self._note(message)
        error = None
        if self._options.raise_errors and kind == "error":
            error = message.error(self._opener.secrets, self.request_id or "")
        if error is not None:
            # It may quote the token, and error trackers show the locals of frames that raise.
            del message
            raise error
        return message

    def __aiter__(self) -> AsyncIterator[RealtimeMessage]:
        return self

    async def __anext__(self) -> RealtimeMessage:
        try:
            return await self.receive()
        except MeshAPIError as exc:
            if self._is_normal_end(exc):
                raise StopAsyncIteration from None
            raise

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close the session, and end every wait on it. Harmless twice.

        Waits up to the session's `close_timeout` for the gateway's Close, and then closes the
        connection in any case.

        Args:
            code: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
            reason: up to 123 bytes of UTF-8.

        Raises:
            TypeError, ValueError: the code or the reason cannot be sent.
        """
        RealtimeConnection.check_close(code, reason)
        try:
            await self._link.end().close(code, reason, self._options.close_timeout)
        finally:
            self._end_functions()
        if self._opener.watch is not None:
            await self._opener.tell()

    async def __aenter__(self) -> Self:
        if self._link.is_ending:
            raise StreamUsageError("this session was closed; call connect() for a new one")
        return self

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        if exc is not None and not isinstance(exc, Exception):
            # Cancelled, or Ctrl-C: do not wait for the gateway.
            self._link.end().abort()
            if self._opener.watch is not None:
                self._opener.tell_end()
        else:
            await self.aclose()
