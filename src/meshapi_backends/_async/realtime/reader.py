"""Reads one connection of a session, for whoever asks, one at a time.

Nothing runs in the background. Whoever receives reads; whoever sends looks at what has arrived,
so that pings are answered in a session that only sends. What was read and not yet asked for waits
in the inbox: a `receive` that is cancelled, or gives up after its timeout, loses nothing.
"""

from math import inf
from typing import Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncWaiter
from meshapi_backends._async.realtime.duplex import AsyncDuplexStream
from meshapi_backends._async.realtime.inbox import AsyncInbox
from meshapi_backends._async.realtime.turns import AsyncTurns
from meshapi_backends._failures import is_time_limit, seconds_until
from meshapi_core import MessageWait, RealtimeConnection, RealtimeExchange, RealtimeMessage

# Unsent bytes beyond which no pongs are added to them.
_MOST_ANSWERS = 64 * 1024

# Seconds after which whoever reads tries again to send what could not be sent at once.
_LOOK_AGAIN = 0.1

LAST_WORDS = 1.0
"""Seconds for what has arrived to be read, when nothing can be sent any more."""

# Frames and messages after which the clock is looked at, and others get their turn: 15 us each
# where a peer sends them one byte at a time (CPython 3.11).
_MOST_FRAMES = 500
_MOST_AT_ONCE = 500


class AsyncReader:
    """Reads a connection, and puts the messages into the inbox.

    Args:
        wire: is read, and gets the answers to pings.
        machine: knows what the bytes mean.
        inbox: takes the messages.
        network: keeps the time.

    Attributes:
        turns: at reading; whoever takes one, with the wire's lock, goes on with `read`.
        sends: messages that were sent since the last read; whoever sends counts them.
        has_more: what was read has not all been looked at.
        broken_by: with what the connection broke, if it did.
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
        """Read what has arrived, if nobody else does, and there is room for it."""
        with self._lock:
            if self.turns.taken or self._inbox.is_full or self._machine.closed is not None:
                return
            self.turns.take()
        try:
            await self.read(None, self._network.now())
        except TimeoutError:
            pass

    async def wait_until_closed(self, end: float) -> None:
        """Read until the gateway has answered a Close, or has said one.

        Raises:
            TimeoutError: the time is over.
        """
        while True:
            with self._lock:
                # Messages from before go to whoever receives.
                if self._machine.closed is not None:
                    return
                # Here, as a peer that talks without a pause leaves reading no time to give up.
                seconds_until(end, self._network.now)
                waiter = self.turns.take()
            await self.read(waiter, end)

    def lost(self, exc: OSError) -> None:
        """Take note of a broken connection; what had come before is still received."""
        self.broken_by = exc
        error_code = RealtimeExchange.error_code_of(exc)
        with self._lock:
            self._machine.connection_lost(error_code, str(exc))
            self.collect()
            while self.has_more:
                self.collect()

    async def read(self, waiter: Optional[AsyncWaiter], end: Optional[float]) -> None:
        """Read, or wait until whoever reads has done so.

        Args:
            waiter: what `turns.take` gave; None where the turn is ours.
            end: the time at which to give up.

        Raises:
            TimeoutError: the time is over. That the connection breaks is no error here.
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
        """Read what came before the connection broke: it may say why."""
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
            pass  # nothing more, or the reset itself

    async def _read(self, end: Optional[float]) -> None:
        """Read once, for as long as the timer and the limit allow; or go on with what was read."""
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
            # An answer to a ping should not wait for the next call.
            await self._wire.flush()
        if not came:
            seconds_until(end, self._network.now)

    async def _read_once(self, end: Optional[float]) -> bool:
        """Read, and look at the clock; whether something came."""
        machine = self._machine
        until = machine.timer
        if until == -inf:
            machine.websocket.handle_timer(self._network.now())
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
        """Raise TimeoutError where a limit has been over for long enough."""
        if end is not None:
            seconds_until(end + MessageWait.LAST_LOOK, self._network.now)

    async def _look_on(self, end: Optional[float]) -> None:
        """Go on with what was read, as far as the limit allows; others get their turns."""
        while self.has_more:
            await self._network.sleep(0)
            with self._lock:
                self.collect()
            if end is not None and self._network.now() > end + MessageWait.LAST_LOOK:
                return

    def collect(self) -> None:
        """Take the messages out of what was read; some of them, where there are very many.

        The lock is held.
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
        # A peer that asks and does not read gets no responses that would have to be kept for it:
        # the machine holds the last few, and the end is said in any case.
        if self._wire.unsent < _MOST_ANSWERS or self._machine.closed is not None:
            self._wire.queue(self._machine.websocket.data_to_send())
