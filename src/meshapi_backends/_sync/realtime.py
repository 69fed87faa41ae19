# Generated from _async/realtime.py by `python tools/mirror.py --write`: edit that file.
"""Realtime sessions: what a program sends and receives, over one connection after another.

What happens on a connection is in `realtime_link`, and whether there is another one is decided by
the core's `RealtimeExchange`; here is who asks it, one at a time, and who waits for that.
"""

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional, Union

from typing_extensions import Buffer, Self

from meshapi_backends._sync.duplex import Turns
from meshapi_backends._sync.pool import ConnectionPool
from meshapi_backends._sync.realtime_link import LAST_LOOK, Link, Opening
from meshapi_backends._sync.transports import Network, Waiter
from meshapi_backends._closing import ClosesWithCode
from meshapi_backends._failures import is_time_limit
from meshapi_core import (
    APITimeoutError,
    Closed,
    MeshAPIConfig,
    MeshAPIError,
    RealtimeCall,
    RealtimeConnected,
    RealtimeConnection,
    RealtimeConnectionClosed,
    RealtimeExchange,
    RealtimeMessage,
    RealtimeOptions,
    find_request_id,
)
from meshapi_core.types import RealtimeClientEvent, RealtimeSessionConfig

_COMMIT_AUDIO = '{"type":"input_audio_buffer.commit"}'


# Seconds after which who waits to connect again sees that the client was closed.
_LOOK_AGAIN = 0.25


class _Woken(Exception):
    """Somebody closes the session, or its client."""


class _AlarmClock:
    """A clock by which nobody sleeps on when the session is being closed, or a limit is over."""

    def __init__(
        self,
        network: Network,
        closing: Waiter,
        pool: ConnectionPool,
        end: Optional[float],
    ) -> None:
        self._network = network
        self._closing = closing
        self._pool = pool
        self._end = end

    def sleep_until(self, time: float) -> None:
        """Wait until then.

        Raises:
            TimeoutError: the limit is over before that.
            _Woken: there is nothing to wait for any more.
        """
        end = time if self._end is None else min(time, self._end)
        while True:
            left = end - self._network.now()
            if self._pool.closed or self._closing.wait(max(0.0, min(left, _LOOK_AGAIN))):
                raise _Woken
            if left <= _LOOK_AGAIN:
                break
        if end < time:
            raise TimeoutError


class RealtimeSession(ClosesWithCode):
    """One session: a context manager, and an iterator over what the gateway sends.

    One task may receive while others send. Iterating ends when this side has closed the session,
    or the gateway has with 1000, 1001 or no code; any other end raises `RealtimeConnectionClosed`.
    A session belongs to the event loop, and to the client, that opened it.
    """

    def __init__(
        self, config: MeshAPIConfig, call: RealtimeCall, opening: Opening, link: Link
    ) -> None:
        network = opening.network
        self._opening = opening
        self._link = link
        self._pool = opening.pool
        self._network = network
        self._call = call
        self._options = opening.options
        self._inbox = opening.inbox
        self._life = opening.life
        self._memory = self._life.memory
        self._write_timeout = config.time_limits.write
        # Guards the life, and which link it is about.
        self._lock = opening.lock
        self._reviving = Turns(network, self._lock)
        self._woken = network.waiter()
        self._receiving = False
        self._closing = False

    @classmethod
    def connect(
        cls,
        config: MeshAPIConfig,
        pool: ConnectionPool,
        network: Network,
        call: RealtimeCall,
        options: RealtimeOptions,
    ) -> Self:
        """A session, connected.

        Raises:
            MeshAPIError: the gateway refused it, or could not be reached.
        """
        now, reconnect = network.now(), options.reconnect
        life = RealtimeExchange(call, config, reconnect, now=now, random_bytes=os.urandom)
        opening = Opening(pool, network, life, options)
        link, _ = opening.open()
        try:
            link.begin()
        except BaseException:
            link.abort()
            raise
        return cls(config, call, opening, link)

    @property
    def subprotocol(self) -> Optional[str]:
        """The WebSocket subprotocol that the gateway chose, None where it chose none."""
        return self._link.machine.subprotocol

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's id of the upgrade, to quote to support; None without one."""
        return find_request_id(self._link.machine.headers) or None

    @property
    def closed(self) -> bool:
        """Whether the session is over, or closed by this side; False while it may connect again."""
        return self._closing or self._pool.closed or self._ended is not None

    @property
    def close_code(self) -> Optional[int]:
        """The code with which the session was closed, 1006 where it broke; None before that."""
        closed = self._ended
        return None if closed is None else closed.code

    @property
    def close_reason(self) -> Optional[str]:
        """What was said about the end, "" where nothing was; None before it."""
        closed = self._ended
        return None if closed is None else closed.reason

    @property
    def _ended(self) -> Optional[Closed]:
        # Without the lock, which who is interrupted by a signal's handler may hold.
        closed = self._link.machine.closed
        return closed if closed is not None and self._life.is_last(closed) else None

    def __reduce__(self) -> Any:
        raise TypeError("a session cannot be pickled or copied: it is a connection")

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} {self._call.model} {state}>"

    def send(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> None:
        """Send an event.

        Waits while the gateway takes nothing more in. Where that is cancelled or takes too long,
        the event may still go out afterwards, but never a part of it.

        Args:
            event: a dict with a `type`, or a typed event; what it holds is not checked.

        Raises:
            InvalidParamsError: it is no JSON object with a `type`; nothing is sent.
            RealtimeConnectionClosed: the session is over.
            APITimeoutError: the gateway took nothing in for as long as the write timeout.
        """
        text = RealtimeConnection.encode(event)
        self._memory.note_sent(event)
        self._send(text)

    def send_audio(self, audio: Buffer) -> None:
        """Add sound to the input, as `input_audio_buffer.append`.

        Args:
            audio: in the session's input format: PCM16, one channel, 24,000 samples a second
                unless it was configured otherwise. The gateway takes about 15 MiB at once.

        Raises:
            As for `send`.
        """
        self._send(RealtimeConnection.encode_audio(audio))

    def commit_audio(self) -> None:
        """Say that the input so far is complete, where the gateway does not listen for silence.

        Raises:
            As for `send`.
        """
        self._send(_COMMIT_AUDIO)

    def update(self, session: Union[Mapping[str, Any], RealtimeSessionConfig]) -> None:
        """Change the session's configuration, which `session.updated` confirms.

        Args:
            session: what is to change; its `type` is "realtime" where it has none.

        Raises:
            As for `send`.
        """
        self.send(RealtimeConnection.update_event(session))

    def receive(self, timeout: Optional[float] = None) -> RealtimeMessage:
        """The next message.

        Args:
            timeout: seconds to wait; 0 looks at what is there, None waits for ever (a gateway
                that has gone is noticed by its silence). Nothing is lost by giving up. An attempt
                to connect again that has begun is not given up: it has the client's timeouts.

        Raises:
            RealtimeError: the message is an error event; the session goes on.
            APITimeoutError: no message came in time; the session goes on.
            RealtimeConnectionClosed: the session is over.
            RuntimeError: somebody else is receiving.
        """
        if timeout is not None:
            self._options.check_timeout(timeout)
        message = None if self._receiving else self._inbox.take()
        if message is None:
            message = self._receive(timeout)
        error = message.error(self._opening.secrets) if self._options.raise_errors else None
        if error is not None:
            # It may quote the token, and error trackers show the locals of a frame that raises.
            del message
            error.request_id = error.request_id or self.request_id or ""
            raise error
        return message

    def _receive(self, timeout: Optional[float]) -> RealtimeMessage:
        """Wait for the next message, alone. Raises as `receive` does."""
        end = None if timeout is None else self._network.now() + timeout
        mine = False
        try:
            with self._lock:
                if self._receiving:
                    raise RuntimeError(
                        "this session is being read already, by another task or thread"
                    )
                self._receiving = mine = True
            while True:
                link = self._link
                event = link.receive(end)
                if isinstance(event, RealtimeMessage):
                    return event
                self._revive(link, end)
        except TimeoutError:
            raise RealtimeExchange.no_message(timeout) from None
        finally:
            if mine:
                self._receiving = False

    def wait_for(self, type: str, timeout: Optional[float] = None) -> RealtimeMessage:  # noqa: A002 - as the field is called
        """The next message of one type; those before it are passed over.

        Args:
            type: of the event, such as "session.updated".
            timeout: seconds for all of it; None waits for ever.

        Raises:
            As for `receive`.
        """
        self._options.check_type(type)
        self._options.check_timeout(timeout)
        end = None if timeout is None else self._network.now() + timeout
        left = timeout
        try:
            while True:
                message = self.receive(left)
                if message.type == type:
                    return message
                if end is not None:
                    left = end - self._network.now()
                    # With nothing left, one more look at what is there would be without an end.
                    if left <= (0 if timeout else -LAST_LOOK):
                        raise TimeoutError
                    left = max(left, 0)
        except (APITimeoutError, TimeoutError):
            raise RealtimeExchange.no_message(timeout, type) from None

    def __iter__(self) -> Iterator[RealtimeMessage]:
        return self

    def __next__(self) -> RealtimeMessage:
        try:
            return self.receive()
        except RealtimeConnectionClosed:
            closed = self._link.machine.closed
            if self._closing or (closed is not None and closed.is_normal):
                raise StopIteration from None
            raise

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session, and wake whoever waits in it. Harmless twice.

        Waits for the gateway's answer for as long as the session's `close_timeout`, and closes
        the connection then, whatever the answer is.

        Args:
            code: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
            reason: up to 123 bytes of UTF-8.

        Raises:
            TypeError, ValueError: code or reason can't be sent.
        """
        RealtimeConnection.check_close(code, reason)
        link = self._end()
        link.close(code, reason, self._options.close_timeout)

    def _end(self) -> Link:
        """Wait for no new connection any more: neither for the time to try, nor for the answer."""
        with self._lock:
            self._closing = True
            self._life.close()
            link = self._link
        self._woken.set()
        self._opening.give_up()
        return link

    def __enter__(self) -> Self:
        if self._closing:
            raise RuntimeError("this session has been closed")
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        if exc is not None and not isinstance(exc, Exception):
            # Cancelled, or Ctrl-C: this is no time to wait for anybody.
            self._end().abort()
        else:
            self.close()

    def _send(self, text: str) -> None:
        while True:
            link = self._link
            try:
                link.send(text, self._write_timeout)
                return
            except RealtimeConnectionClosed:
                self._revive(link, None)
            except OSError as exc:
                if is_time_limit(exc):
                    raise RealtimeExchange.not_sent(self._write_timeout) from None
                link.broke(exc)
                self._revive(link, None)

    def _revive(self, link: Link, end: Optional[float]) -> None:
        """Connect again, or see that somebody else has.

        Raises:
            RealtimeConnectionClosed: the session is over, and is to stay so.
        """
        with self._lock:
            if self._link is not link:
                return
            over = self._told(link.machine.closed)
            waiter = self._reviving.take() if over is None else None
        if waiter is not None:
            self._reviving.wait(waiter, None if end is None else end - self._network.now())
        elif over is not None:
            if link.machine.closed is not None:
                link.abort()
            # Else this side is closing, and waits for the answer.
            raise over from over.__cause__ or link.broken_by
        else:
            try:
                self._connect_again(link, end)
            finally:
                self._reviving.give_back()

    def _told(self, closed: Optional[Closed]) -> Optional[MeshAPIError]:
        """Tell what has happened; why the session is over now, if it is. The lock is held."""
        if closed is not None:
            self._life.lost(closed, self._network.now())
        if self._pool.closed:
            self._life.close(by_client=True)
        return self._life.error

    def _connect_again(self, link: Link, end: Optional[float]) -> None:
        """Connect again; or go on with it, where somebody has given up waiting for that."""
        link.abort()
        clock = _AlarmClock(self._network, self._woken, self._pool, end)
        try:
            new, connected = self._opening.open(clock.sleep_until)
            self._replace(new, connected)
        except _Woken:
            return
        except MeshAPIError:
            if self._closing or self._pool.closed:
                return
            raise
        except BaseException:
            with self._lock:
                if self._link is link:
                    self._life.interrupted(self._network.now())
            raise
        if self._link is new:
            new.begin()

    def _replace(self, new: Link, connected: RealtimeConnected) -> None:
        """Go over to a new connection, unless this side is closing."""
        with self._lock:
            closing = self._closing
            if not closing:
                if connected.event is not None:
                    self._inbox.put(connected.event)
                if connected.first is not None:
                    new.put_first(connected.first)
                self._link = new
        if closing:
            new.abort()
