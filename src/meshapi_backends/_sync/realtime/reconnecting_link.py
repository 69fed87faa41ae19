# Generated from _async/realtime/reconnecting_link.py by `python tools/mirror.py --write`: edit that file.
"""The present link of a session, which is replaced when it is lost.

The core's `RealtimeExchange` decides whether and when to connect again. The first task that needs
the new link connects, and the others wait for it.
"""

from functools import partial
from typing import Optional, Union

from typing_extensions import Self

from meshapi_backends._sync.realtime.link import Link, Outgoing
from meshapi_backends._sync.realtime.link_opener import LinkOpener
from meshapi_backends._sync.realtime.turns import Turns
from meshapi_backends._failures import is_time_limit
from meshapi_core import (
    Closed,
    MeshAPIError,
    RealtimeConnected,
    RealtimeExchange,
    RealtimeMessage,
    StreamUsageError,
)

# Seconds between two checks, while waiting to connect again, whether the client was closed.
_LOOK_AGAIN = 0.25


class _Interrupted(Exception):
    """The session, or its client, was closed during the wait."""


class ReconnectingLink:
    """The link of a session; a new one takes its place after each loss.

    Args:
        opener: opens the links.
        first: the first link, open.
        write_timeout: seconds that sending an event may take.

    Attributes:
        current: the present link; after the end, the last one.
        is_ending: whether this side has closed the session.
        is_read: whether somebody is receiving.
    """

    def __init__(
        self, opener: LinkOpener, first: Link, write_timeout: Optional[float]
    ) -> None:
        self.current = first
        self.is_ending = False
        self.is_read = False
        self._write_timeout = write_timeout
        self._opener = opener
        self._pool = opener.pool
        self._network = opener.network
        self._exchange = opener.exchange
        # Guards the exchange and `current`, which belong together.
        self._lock = opener.lock
        self._turns = Turns(opener.network, opener.lock)
        self._woken = opener.network.waiter()

    @classmethod
    def opened(cls, opener: LinkOpener, write_timeout: Optional[float]) -> Self:
        """The link of a new session, connected.

        Raises:
            MeshAPIError: the gateway refused the session, or could not be reached.
        """
        first, _ = opener.open()
        try:
            first.begin()
        except BaseException:
            first.abort()
            raise
        return cls(opener, first, write_timeout)

    @property
    def ended(self) -> Optional[Closed]:
        """How the last link ended; None while there may be another."""
        # Without the lock: a signal handler may ask, while the code that it interrupts holds it.
        closed = self.current.machine.closed
        return closed if closed is not None and self._exchange.is_last(closed) else None

    @property
    def closed(self) -> bool:
        """Whether the session is over, or closed by this side; False while it may connect again."""
        return self.is_ending or self._pool.closed or self.ended is not None

    def end(self) -> Link:
        """End the session, and return its last link, which the caller closes.

        Wakes whoever waits for another link: for the time of an attempt, or for its response.
        """
        with self._lock:
            self.is_ending = True
            self._exchange.close()
            link = self.current
        self._woken.set()
        self._opener.give_up()
        return link

    def send(self, outgoing: Union[str, Outgoing]) -> bool:
        """Send text messages on the present link; return False if they are for an earlier one.

        Raises:
            RealtimeConnectionClosed: the session is over.
            APITimeoutError: the message could not be sent within the write timeout.
        """
        while True:
            link = self.current
            if not isinstance(outgoing, str) and not outgoing.is_for(link):
                return False
            try:
                link.send(outgoing, self._write_timeout)
                return True
            except MeshAPIError:
                if not link.machine.closed:
                    raise
            except OSError as exc:
                if is_time_limit(exc):
                    raise RealtimeExchange.not_sent(self._write_timeout) from None
                link.broke(exc)
            self._follow(link, None)

    def receive(self, end: Optional[float]) -> RealtimeMessage:
        """The next message, for one receiver at a time.

        Raises:
            RealtimeConnectionClosed: the session is over.
            StreamUsageError: another task or thread is already receiving.
            TimeoutError: the time is over.
        """
        mine = False
        try:
            with self._lock:
                if self.is_read:
                    raise StreamUsageError(
                        "another task or thread is already receiving from this session; receive in"
                        " one of them only"
                    )
                self.is_read = mine = True
            while True:
                link = self.current
                event = link.receive(end)
                if isinstance(event, RealtimeMessage):
                    return event
                self._follow(link, end)
        finally:
            if mine:
                self.is_read = False

    def _follow(self, link: Link, end: Optional[float]) -> None:
        """Get from a link that has ended to the next one: connect, or wait for a task that does.

        Args:
            link: the link that has ended.
            end: the time at which to give up waiting.

        Raises:
            TimeoutError: the time is over.
            RealtimeConnectionClosed: the session is over, and there is no further link.
        """
        with self._lock:
            if self.current is not link:
                return
            over = self._told(link.machine.closed)
            waiter = self._turns.take() if over is None else None
            has_turn = over is None and waiter is None
        if self._opener.watch is not None:
            self._tell(has_turn=has_turn)
        if waiter is not None:
            self._turns.wait(waiter, None if end is None else end - self._network.now())
        elif over is not None:
            if link.machine.closed is not None:
                link.abort()
            # Otherwise `close` still waits on this link for the gateway's Close.
            raise over from over.__cause__ or link.reader.broken_by
        else:
            try:
                self._connect_again(link, end)
            finally:
                self._turns.give_back()

    def _tell(self, *, has_turn: bool) -> None:
        try:
            self._opener.tell()
        except BaseException:
            # The turn is for connecting, which another task has to do now.
            if has_turn:
                self._turns.give_back()
            raise

    def _told(self, closed: Optional[Closed]) -> Optional[MeshAPIError]:
        """Tell the exchange of an end; why the session is over, or None. The lock must be held."""
        if closed is not None:
            self._exchange.lost(closed, self._network.now())
        if self._pool.closed:
            self._exchange.close(by_client=True)
        return self._exchange.error

    def _connect_again(self, link: Link, end: Optional[float]) -> None:
        """Connect again, or go on with an attempt that another task was interrupted in."""
        link.abort()
        try:
            new, connected = self._opener.open(partial(self._sleep_until, end))
            self._replace(new, connected)
        except _Interrupted:
            return
        except MeshAPIError:
            if self.is_ending or self._pool.closed:
                return
            raise
        except BaseException:
            with self._lock:
                if self.current is link:
                    self._exchange.interrupted(self._network.now())
            raise
        if self.current is new:
            new.begin()

    def _replace(self, new: Link, connected: RealtimeConnected) -> None:
        """Make a new link the present one, unless this side is closing."""
        with self._lock:
            ending = self.is_ending
            if not ending:
                if connected.event is not None:
                    self._opener.inbox.put(connected.event)
                if connected.first is not None:
                    new.put_first(connected.first)
                new.number = self.current.number + 1
                self.current = new
        if ending:
            new.abort()

    def _sleep_until(self, end: Optional[float], time: float) -> None:
        """Wait for the time of the next attempt.

        Raises:
            TimeoutError: the caller's time limit comes before that.
            _Interrupted: the session or its client was closed.
        """
        until = time if end is None else min(time, end)
        while True:
            left = until - self._network.now()
            if self._pool.closed or self._woken.wait(max(0.0, min(left, _LOOK_AGAIN))):
                raise _Interrupted
            if left <= _LOOK_AGAIN:
                break
        if until < time:
            raise TimeoutError
