# Generated from _async/realtime_link.py by `python tools/mirror.py --write`: edit that file.
"""One connection of a realtime session: moves bytes between it and the core's machine.

Nothing runs in the background. Whoever receives reads; whoever sends looks at what has arrived,
so that pings are answered in a session that only sends. Both do it in turns (`Turns`), and
what was read and not yet asked for waits in the inbox: a `receive` that is cancelled, or gives up
after its timeout, loses nothing.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, Optional, Union

from meshapi_backends._sync.duplex import DuplexStream, Turns
from meshapi_backends._sync.hosts import PipeHost
from meshapi_backends._sync.pool import Connection, ConnectionPool
from meshapi_backends._sync.transports import Network, Waiter
from meshapi_backends._failures import broken, is_time_limit, seconds_until
from meshapi_core import (
    Closed,
    Failure,
    PipeCall,
    RealtimeConnected,
    RealtimeConnection,
    RealtimeExchange,
    RealtimeMemory,
    RealtimeMessage,
    RealtimeOptions,
    Reply,
    Send,
    Wait,
)

# What may wait in the inbox before a session that only sends stops to read.
_MOST_MESSAGES = 1_000
_MOST_BYTES = 1024 * 1024

# Unsent bytes beyond which no pongs are added to them.
_MOST_ANSWERS = 64 * 1024

# Seconds after which what could not be sent at once is tried again by who reads.
_LOOK_AGAIN = 0.1

# Sends after which others get a turn on the event loop, also where none of them had to wait.
_SENDS_IN_A_ROW = 16

# Seconds for what has arrived to be read, when nothing can be sent any more.
_LAST_WORDS = 1.0

LAST_LOOK = 0.25
"""Seconds for which what has arrived is still gone through when a limit is over.

A limit of 0 is meant to find what is there, and of a peer that sends without a pause there is
always more.
"""

# Frames and messages after which the clock is looked at, and others get their turn: 15 us each
# where a peer sends them one byte at a time (CPython 3.11).
_MOST_FRAMES = 500
_MOST_AT_ONCE = 500

_NOT_ANSWERED = "the close was not answered"


class Inbox:
    """Messages that have come and wait to be received, over one connection or its successor."""

    def __init__(self, network: Network, memory: RealtimeMemory) -> None:
        self._memory = memory
        self._lock = network.lock()
        self._messages: deque[RealtimeMessage] = deque()
        self._size = 0

    def put(self, message: RealtimeMessage) -> None:
        with self._lock:
            # Before it is received: who sends may have to connect again.
            self._memory.note_received(message)
            self._messages.append(message)
            self._size += _size(message)

    def take(self) -> Optional[RealtimeMessage]:
        """The oldest one, None where there is none."""
        with self._lock:
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._size -= _size(message)
            return message

    @property
    def is_full(self) -> bool:
        """Whether no more should be read for which nobody has asked."""
        return len(self._messages) >= _MOST_MESSAGES or self._size >= _MOST_BYTES


def _size(message: RealtimeMessage) -> int:
    return len(message.text or message.audio or "")


class Link:
    """One connection of a session, from its upgrade to its end.

    Raises OSError for what the system reports, TimeoutError for a limit that is over.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        network: Network,
        connection: Connection,
        machine: RealtimeConnection,
        inbox: Inbox,
    ) -> None:
        self._pool = pool
        self._network = network
        self._connection: Optional[Connection] = connection
        self._machine = machine
        self._inbox = inbox
        self._wire = DuplexStream(connection.stream, network)
        self._lock = self._wire.lock
        self._reading = Turns(network, self._lock)
        self.broken_by: Optional[Exception] = None
        # Messages sent since the last read.
        self._sends = 0
        # Whether what was read has not all been looked at.
        self._has_more = False

    @property
    def machine(self) -> RealtimeConnection:
        """What is known of the connection."""
        return self._machine

    def receive(self, end: Optional[float]) -> Union[RealtimeMessage, Closed]:
        """The next message; or how the connection ended, now and for ever."""
        while True:
            with self._lock:
                event = self._inbox.take() or self._machine.closed
                if event is not None:
                    return event
                waiter = self._reading.take()
            self._read_in_turn(waiter, end)

    def send(self, text: str, timeout: Optional[float]) -> None:
        """Send a text message; then see to what has arrived, unless somebody else does.

        Raises:
            RealtimeConnectionClosed: the connection is over.
        """
        self._wire.write(lambda: self._machine.send_text(text), timeout)
        self._sends += 1
        if self._sends % _SENDS_IN_A_ROW == 0:
            self._network.sleep(0)
        # Not after each: who sends and receives in turn looks often enough.
        if self._sends > 1 and not self._reading.taken and (self._has_more or self._wire.readable):
            self.look_at_input()

    def look_at_input(self) -> None:
        """Read what has arrived, if nobody else does, and there is room for it."""
        with self._lock:
            if self._reading.taken or self._inbox.is_full or self._machine.closed is not None:
                return
            self._reading.take()
        try:
            self._read_in_turn(None, self._network.now())
        except TimeoutError:
            pass

    def close(self, code: int, reason: str, timeout: float) -> None:
        """Say Close, wait for the answer, and close the connection, whatever comes of it."""
        end = self._network.now() + timeout
        try:
            self._wire.write(lambda: self._machine.close(code, reason), timeout)
            self._wait_until_closed(end)
        except OSError:
            pass
        finally:
            with self._lock:
                self._machine.connection_lost("disconnected", _NOT_ANSWERED)
                self._collect()
                # What is left is a flood, in which nobody looks for an answer any more.
                self._machine.abandon("disconnected", _NOT_ANSWERED)
            self.abort()

    def _wait_until_closed(self, end: float) -> None:
        while True:
            with self._lock:
                # Messages from before go to whoever receives.
                if self._machine.closed is not None:
                    return
                # Here, as a peer that talks without a pause leaves reading no time to give up.
                seconds_until(end, self._network.now)
                waiter = self._reading.take()
            self._read_in_turn(waiter, end)

    def put_first(self, text: str) -> None:
        """Put a text message before all others; `begin` sends it."""
        with self._lock:
            self._wire.queue(self._machine.send_text(text))

    def begin(self) -> None:
        """Take what came together with the upgrade, which may need an answer."""
        with self._lock:
            self._collect()
        try:
            self._wire.flush()
        except OSError:
            pass  # whoever receives or sends next will find out

    def broke(self, exc: OSError) -> None:
        """Take note that nothing can be sent any more, and of why, if the gateway has said it."""
        try:
            self._wait_until_closed(self._network.now() + _LAST_WORDS)
        except TimeoutError:
            self.lost(exc)

    def lost(self, exc: OSError) -> None:
        """Take note of a broken connection; what had come before is still received."""
        self.broken_by = exc
        error = broken(exc)
        with self._lock:
            self._machine.connection_lost(error.error_code, str(exc))
            self._collect()
            while self._has_more:
                self._collect()

    def abort(self) -> None:
        """Close at once. Harmless twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection)

    def __del__(self) -> None:
        connection = vars(self).get("_connection")
        if connection is not None:
            self._pool.drop(connection)

    def _read_in_turn(self, waiter: Optional[Waiter], end: Optional[float]) -> None:
        """Read, where it is our turn; else wait until who reads has done so."""
        if waiter is not None:
            self._reading.wait(waiter, seconds_until(end, self._network.now))
            return
        try:
            self._read(end)
        except OSError as exc:
            if is_time_limit(exc):
                raise
            self._read_the_rest()
            self.lost(exc)
        finally:
            self._reading.give_back()

    def _read_the_rest(self) -> None:
        """Read what came before the connection broke: it may say why."""
        end = self._network.now() + _LAST_WORDS
        try:
            while self._machine.closed is None and not self._inbox.is_full:
                if self._network.now() > end:
                    return
                data = self._wire.read_ready()
                if not data:
                    return
                with self._lock:
                    self._machine.receive_data(data)
                    self._collect()
        except OSError:
            pass  # nothing more, or the reset itself

    def _read(self, end: Optional[float]) -> None:
        """Read once, for as long as the timer and the limit allow; or go on with what was read."""
        self._sends = 0
        if self._wire.unsent:
            self._wire.flush()
        came = True
        if self._has_more:
            self._check_limit(end)
        else:
            came = self._read_once(end)
        if self._has_more:
            self._look_on(end)
        if self._wire.unsent:
            # An answer to a ping should not wait for the next call.
            self._wire.flush()
        if not came:
            seconds_until(end, self._network.now)

    def _read_once(self, end: Optional[float]) -> bool:
        """Read, and look at the clock; whether something came."""
        machine = self._machine
        until = machine.timer
        if until == -inf:
            machine.handle_timer(self._network.now())
            until = machine.timer
        if end is not None:
            until = min(until, end)
        if self._wire.unsent:
            # There was no room for it, or somebody else is sending: try again soon.
            until = min(until, self._network.now() + _LOOK_AGAIN)
        left = None if until == inf else until - self._network.now()
        data: Optional[bytes] = None
        if left is not None and left <= 0:
            self._check_limit(end)
            data = self._wire.read_ready()
        else:
            try:
                data = self._wire.read(left)
            except OSError as exc:
                if not is_time_limit(exc):
                    raise
        with self._lock:
            if data is None:
                machine.handle_timer(self._network.now())
            else:
                machine.receive_data(data)
            self._collect()
        return data is not None

    def _check_limit(self, end: Optional[float]) -> None:
        """Raise TimeoutError where a limit has been over for long enough."""
        if end is not None:
            seconds_until(end + LAST_LOOK, self._network.now)

    def _look_on(self, end: Optional[float]) -> None:
        """Go on with what was read, as far as the limit allows; others get their turns."""
        while self._has_more:
            self._network.sleep(0)
            with self._lock:
                self._collect()
            if end is not None and self._network.now() > end + LAST_LOOK:
                return

    def _collect(self) -> None:
        """Take the messages out of what was read; some of them, where there are very many."""
        machine = self._machine
        for _ in range(_MOST_AT_ONCE):
            event = machine.next_event(_MOST_FRAMES)
            if not isinstance(event, RealtimeMessage):
                self._has_more = machine.has_more
                break
            self._inbox.put(event)
        else:
            self._has_more = True
        # A peer that asks and does not read gets no answers that would have to be kept for it: the
        # machine holds the last few, and the end is said in any case.
        if self._wire.unsent < _MOST_ANSWERS or self._machine.closed is not None:
            self._wire.queue(self._machine.data_to_send())


class _Upgrade:
    """The part of a session's life that leads to a connection.

    Others may close the session meanwhile, so each step is made under the lock.
    """

    def __init__(self, life: RealtimeExchange, lock: AbstractContextManager[Any]) -> None:
        self._life = life
        self._lock = lock

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected]:
        with self._lock:
            return self._life.next_action(now)

    def receive(self, event: Union[Reply, Failure], now: float) -> None:
        with self._lock:
            self._life.receive(event, now)


class Opening:
    """Opens the links of a session.

    Attributes:
        pool, network, options: what they are made with.
        life: decides whether and when there is one.
        lock: guards it.
        inbox: takes the messages of all of them.
        secrets: what no error of theirs shows.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        network: Network,
        life: RealtimeExchange,
        options: RealtimeOptions,
    ) -> None:
        self.pool = pool
        self.network = network
        self.life = life
        self.lock = network.lock()
        self.options = options
        self.inbox = Inbox(network, life.memory)
        self.secrets: tuple[str, ...] = ()
        self._host: Optional[PipeHost[RealtimeConnected]] = None

    def open(
        self, sleep: Optional[Callable[[float], None]] = None
    ) -> tuple[Link, RealtimeConnected]:
        """A link whose connection has been upgraded. Raises what `sleep` does, too."""
        network, pool = self.network, self.pool
        upgrade = PipeCall.upgrade(_Upgrade(self.life, self.lock))
        host = self._host = PipeHost(upgrade, pool, network, sleep)
        try:
            connected = host.next()
        except BaseException:
            host.leave()
            raise
        finally:
            self._host = None
        assert isinstance(connected, RealtimeConnected)
        assert upgrade.switched is not None
        connection = host.detach()
        request = upgrade.request
        self.secrets = request.secrets
        try:
            machine = self.options.connection(os.urandom)
            machine.start(request, upgrade.switched, connection.http.trailing_data)
            return Link(pool, network, connection, machine, self.inbox), connected
        except BaseException:
            pool.discard(connection)
            raise

    def give_up(self) -> None:
        """End the wait for a connection, or for an answer, from any task or thread."""
        host = self._host
        if host is not None:
            host.abort()
