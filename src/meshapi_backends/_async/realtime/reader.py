"""Reads one connection of a session, for one receiver or sender at a time.

Nothing runs in the background. A task that receives also reads. A task that sends looks at what has
arrived, so that pings get their pongs in a session that only sends. Messages that have been read
wait in the inbox, so a `receive` that is cancelled, or times out, loses nothing.
"""

from math import inf
from typing import Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncWaiter
from meshapi_backends._async.realtime.duplex import AsyncDuplexStream
from meshapi_backends._async.realtime.inbox import AsyncInbox
from meshapi_backends._async.realtime.turns import AsyncTurns
from meshapi_backends._failures import is_time_limit, seconds_until
from meshapi_core import MessageWait, RealtimeConnection, RealtimeExchange, RealtimeMessage

# Unsent bytes beyond which no pongs are added.
_MOST_UNSENT = 64 * 1024

# Seconds after which a reader tries again to send what could not be sent at once.
_LOOK_AGAIN = 0.1

LAST_WORDS = 1.0
"""Seconds for reading what has arrived, once nothing can be sent any more."""

# Frames and messages after which we look at the clock, and let other tasks run. Each takes 15 us if
# a peer sends frames of one byte (CPython 3.11).
_MOST_FRAMES = 500
_MOST_AT_ONCE = 500


class AsyncReader:
    """Reads a connection, and puts the messages into the inbox.

    Args:
        wire: the connection to read, on which pongs are sent.
        machine: makes messages of the bytes.
        inbox: takes the messages.
        network: the clock, and how to sleep.

    Attributes:
        turns: the turns at reading. After `take`, under the wire's lock, call `read`.
        sends: messages sent since the last read; the sender counts them.
        has_more: whether the machine has bytes that it has not parsed yet.
        broken_by: the exception with which the connection broke; None before.
    """

    def __init__(
        self,
        wire: AsyncDuplexStream,
        machine: RealtimeConnection,
        inbox: AsyncInbox,
        network: AsyncNetwork,
    ) -> None:
        self._wire = wire
        self._machine = machine
        self._inbox = inbox
        self._network = network
        self._lock = wire.lock
        self.turns = AsyncTurns(network, wire.lock)
        self.sends = 0
        self.has_more = False
        self.broken_by: Optional[Exception] = None

    async def look_at_input(self) -> None:
        """Read what has arrived, unless somebody else is reading or the inbox is full."""
        with self._lock:
            if self.turns.taken or self._inbox.is_full or self._machine.closed is not None:
                return
            self.turns.take()
        try:
            await self.read(None, self._network.now())
        except TimeoutError:
            pass

    async def wait_until_closed(self, end: float) -> None:
        """Read until the gateway has sent a Close, in response to ours or not.

        Raises:
            TimeoutError: the time is over.
        """
        while True:
            with self._lock:
                # The messages before the Close stay in the inbox, to be received.
                if self._machine.closed is not None:
                    return
                # Checked here, because reading never times out while the peer keeps sending.
                seconds_until(end, self._network.now)
                waiter = self.turns.take()
            await self.read(waiter, end)

    def lost(self, exc: OSError) -> None:
        """Note that the connection broke; messages that had arrived are still received."""
        self.broken_by = exc
        error_code = RealtimeExchange.error_code_of(exc)
        with self._lock:
            self._machine.connection_lost(error_code, str(exc))
            self.collect()
            while self.has_more:
                self.collect()

    async def read(self, waiter: Optional[AsyncWaiter], end: Optional[float]) -> None:
        """Read, or wait until somebody else has. A broken connection is noted, and not raised.

        Args:
            waiter: what `turns.take` returned; None means that the turn is ours.
            end: the time at which to give up.

        Raises:
            TimeoutError: the time is over.
        """
        if waiter is not None:
            await self.turns.wait(waiter, seconds_until(end, self._network.now))
            return
        try:
            await self._read(end)
        except OSError as exc:
            if is_time_limit(exc):
                raise
            await self._read_the_rest()
            self.lost(exc)
        finally:
            self.turns.give_back()

    async def _read_the_rest(self) -> None:
        """Read what arrived before the connection broke: it may say why."""
        end = self._network.now() + LAST_WORDS
        try:
            while self._machine.closed is None and not self._inbox.is_full:
                if self._network.now() > end:
                    return
                data = await self._wire.read_ready()
                if not data:
                    return
                with self._lock:
                    self._machine.websocket.receive_data(data)
                    self.collect()
        except OSError:
            pass  # nothing left to read, or the reset itself

    async def _read(self, end: Optional[float]) -> None:
        """Read once, until the timer or the time limit at most; or parse more of what was read."""
        self.sends = 0
        if self._wire.unsent:
            await self._wire.flush()
        came = True
        if self.has_more:
            self._check_limit(end)
        else:
            came = await self._read_once(end)
        if self.has_more:
            await self._look_on(end)
        if self._wire.unsent:
            # A pong should not wait for the next call.
            await self._wire.flush()
        if not came:
            seconds_until(end, self._network.now)

    async def _read_once(self, end: Optional[float]) -> bool:
        """Read once, or tell the machine that its timer is due; True if anything arrived."""
        machine = self._machine
        until = machine.timer
        if until == -inf:
            machine.websocket.handle_timer(self._network.now())
            until = machine.timer
        if end is not None:
            until = min(until, end)
        if self._wire.unsent:
            # The system had no room, or somebody else is sending: try again soon.
            until = min(until, self._network.now() + _LOOK_AGAIN)
        left = None if until == inf else until - self._network.now()
        data: Optional[bytes] = None
        if left is not None and left <= 0:
            self._check_limit(end)
            data = await self._wire.read_ready()
        else:
            try:
                data = await self._wire.read(left)
            except OSError as exc:
                if not is_time_limit(exc):
                    raise
        with self._lock:
            if data is None:
                machine.websocket.handle_timer(self._network.now())
            else:
                machine.websocket.receive_data(data)
            self.collect()
        return data is not None

    def _check_limit(self, end: Optional[float]) -> None:
        """Raise TimeoutError once a time limit has been over for `MessageWait.LAST_LOOK`."""
        if end is not None:
            seconds_until(end + MessageWait.LAST_LOOK, self._network.now)

    async def _look_on(self, end: Optional[float]) -> None:
        """Parse the rest of what was read, until the time limit; other tasks get their turns."""
        while self.has_more:
            await self._network.sleep(0)
            with self._lock:
                self.collect()
            if end is not None and self._network.now() > end + MessageWait.LAST_LOOK:
                return

    def collect(self) -> None:
        """Move messages from the machine to the inbox: all, or the first of very many.

        The lock must be held.
        """
        machine = self._machine
        for _ in range(_MOST_AT_ONCE):
            event = machine.next_event(_MOST_FRAMES)
            if not isinstance(event, RealtimeMessage):
                self.has_more = machine.has_more
                break
            self._inbox.put(event)
        else:
            self.has_more = True
        # For a peer that sends pings and does not read, no pongs pile up in the queue: the machine
        # keeps the last few. Once the session has closed, everything is queued.
        if self._wire.unsent < _MOST_UNSENT or self._machine.closed is not None:
            self._wire.queue(self._machine.websocket.data_to_send())
