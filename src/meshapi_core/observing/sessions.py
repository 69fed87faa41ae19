"""A realtime session that notes what it does. See `notices`."""

from collections import deque
from collections.abc import Callable
from typing import Any, Optional, Union

from msgspec import structs

from meshapi_core.config import MeshAPIConfig
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import Exchange, Send, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.observing.exchange import ObservedExchange
from meshapi_core.observing.notices import (
    CallClosed,
    CallFailed,
    CallInfo,
    ConnectionLost,
    ItemReceived,
    Notice,
    SessionConnected,
    SessionEnded,
)
from meshapi_core.realtime import (
    Attempts,
    RealtimeCall,
    RealtimeConnected,
    RealtimeExchange,
    Reconnect,
    SessionState,
)
from meshapi_core.websocket.closing import Closed

__all__ = ["ObservedRealtimeExchange"]


class _ObservedAttempts(Attempts):
    """The attempts of a session, each series of which notes what it does in the same queue."""

    _exchange_class = ObservedExchange
    latest: "ObservedExchange[Response]"

    def __init__(
        self,
        call: RealtimeCall,
        config: MeshAPIConfig,
        reconnect: Optional[Reconnect],
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.notices: deque[Notice] = deque()
        self._about: Optional[CallInfo] = None
        self._asked = call
        super().__init__(call, config, reconnect, now=now, random_bytes=random_bytes)

    def _new_exchange(self, now: float) -> Exchange[Response]:
        exchange = super()._new_exchange(now)
        assert isinstance(exchange, ObservedExchange)
        if self._about is None:
            self._about = structs.replace(exchange.about, call=self._asked)
        exchange.about, exchange.notices = self._about, self.notices
        self.latest = exchange
        return exchange


class ObservedRealtimeExchange(RealtimeExchange):
    """A session that notes what it does, for `take_notices`. It decides exactly as any other.

    Args:
        call, config, reconnect, now, random_bytes: as for `RealtimeExchange`.
    """

    _attempts_class = _ObservedAttempts
    _attempts: _ObservedAttempts
    _now = 0.0
    _items = 0
    _was_connected = False
    _has_ended = False

    def __init__(
        self,
        call: RealtimeCall,
        config: MeshAPIConfig,
        reconnect: Optional[Reconnect] = None,
        *,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        super().__init__(call, config, reconnect, now=now, random_bytes=random_bytes)
        # What no upgrade tells: it happens between them.
        self._untold: deque[Notice] = deque()

    @property
    def notices(self) -> deque[Notice]:
        """What the upgrade that is under way has to tell."""
        return self._attempts.notices

    @property
    def facts(self) -> dict[str, Any]:
        """The fields that all notices have in common, but for the time."""
        return self._attempts.latest.facts

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected, GetToken]:
        """Return what to do next; see `RealtimeExchange`."""
        self._now = now
        return super().next_action(now)

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        """Take the result of the last `Send`; see `RealtimeExchange`."""
        self._now = now
        super().receive(event, now)

    def connected(self, now: float) -> None:
        """Record that the last `Send` brought a connection; see `RealtimeExchange`."""
        self._now = now
        super().connected(now)

    def _begin(self) -> None:
        super()._begin()
        again, self._was_connected = self._was_connected, True
        self.notices.append(SessionConnected(**self.facts, at=self._now, again=again))

    def lost(self, closed: Closed, now: float) -> None:
        """Record how the connection ended; see `RealtimeExchange`."""
        was_open = self.state is SessionState.OPEN
        super().lost(closed, now)
        # By an attribute, as a type checker would take the state to be OPEN still.
        if was_open and self._connected is None:
            follows = self.error is None
            wait = max(0.0, self._attempts.due - now) if follows else None
            self._untold.append(ConnectionLost(**self.facts, at=now, closed=closed, wait=wait))

    def message_received(self, message: object, now: float) -> ItemReceived:
        """Return the notice of a message that has arrived."""
        index, self._items = self._items, self._items + 1
        return ItemReceived(**self.facts, at=now, index=index, value=message)

    def note_end(self, now: float) -> None:
        """Note for `take_notices` that the session is over, if it is. Harmless twice."""
        error = self.error
        if error is None or self._has_ended:
            return
        self._has_ended = True
        closed = self._closed
        wanted = self._closed_by_program or self._client_closed
        if self._refused is not None or not (wanted or (closed is not None and closed.is_normal)):
            self._untold.append(CallFailed(**self.facts, at=now, error=error, items=self._items))
        elif not self._was_connected:
            self._untold.append(CallClosed(**self.facts, at=now, headers=Headers()))
        if self._was_connected:
            self._untold.append(
                SessionEnded(**self.facts, at=now, closed=closed, items=self._items)
            )

    def take_notices(self, now: float) -> list[Notice]:
        """Return what happened between the upgrades and has not been told yet.

        The host tells it after `lost`, and at the end of the session.
        """
        self.note_end(now)
        taken, self._untold = [*self._untold], deque()
        return taken
