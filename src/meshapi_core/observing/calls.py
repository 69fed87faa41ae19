"""Call machines that tell what they do: each notice is an action, `Notify`, between the others.

The other actions are those of `PipeCall` and `ClientCall`, in the same order. A host that does
nothing for `Notify` drives a call as if nobody watched:

    call = ObservedPipeCall(completions_call, config, now=clock(), random_bytes=os.urandom)
    while True:
        action = call.next_action(clock())
        if isinstance(action, Notify):
            print(action.notice)
        elif isinstance(action, Connect): ...

- A connection that the call no longer needs is given back before what ended it is told, so that no
  watcher can hold it. Everything else is told before the action that follows from it.
- A host that stops driving a call, and will not go on with it, asks `left` for what it has not been
  told.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union, cast

from meshapi_core.errors import MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import Abort, Finished, Item, Notify, Release
from meshapi_core.machines.call_machine import CallMachine
from meshapi_core.machines.client_call import ClientCall
from meshapi_core.machines.lifecycle import Lifecycle
from meshapi_core.machines.pipe_call import PipeCall, UpgradeCall, Upgrades
from meshapi_core.machines.responses import Source
from meshapi_core.machines.states import CallState
from meshapi_core.observing.exchange import ObservedExchange
from meshapi_core.observing.notices import (
    CallClosed,
    CallFailed,
    CallSucceeded,
    ItemReceived,
    Notice,
)
from meshapi_core.signals import NEED_DATA, NeedData

if TYPE_CHECKING:
    from meshapi_core.observing.sessions import ObservedRealtimeExchange
    from meshapi_core.realtime.session import RealtimeConnected

__all__ = ["ObservedClientCall", "ObservedPipeCall"]

T = TypeVar("T")

_FAILED = CallState.FAILED
_PARTING = (Release, Abort)


class _ObservedLifecycle(Lifecycle):
    """A lifecycle whose exchange notes the head of a response when it comes."""

    def receive_head(
        self,
        status: int,
        headers: Headers,
        source: Source,
        now: float,
        *,
        cut: bool = False,
        proxy: str = "",
    ) -> None:
        cast("ObservedExchange[Any]", self.exchange).receive_head(status, headers, now)
        super().receive_head(status, headers, source, now, cut=cut, proxy=proxy)


class _Observed(CallMachine[T, Any], Generic[T]):
    """What the observed machines add to `PipeCall` and `ClientCall`."""

    tells_items = True
    """Whether each item of a stream is told; set it before the first `next_action`."""

    _exchange_class = ObservedExchange
    _lifecycle_class = _ObservedLifecycle
    # An action that is given once, and waits until what came before it has been told.
    _held: Any = None
    _items = 0
    _has_ended = False
    _now = 0.0

    @property
    def _exchange(self) -> "ObservedExchange[Any]":
        return cast("ObservedExchange[Any]", self._life.exchange)

    @property
    def notices(self) -> deque[Notice]:
        """What has not been told yet."""
        return self._exchange.notices

    def next_action(self, now: float) -> Any:
        """Return what to do next: an action of the unobserved machine, or a `Notify`."""
        notices, self._now = self.notices, now
        if not notices:
            held, self._held = self._held, None
            if held is not None:
                return held
            action = self._ask(now)
            if action is not None and (not notices or isinstance(action, _PARTING)):
                return action
            if isinstance(action, Item):
                self._held = action
            # Any other action stands until it is done, and is returned again when it is asked for.
        return Notify(notices.popleft())

    def _ask(self, now: float) -> Any:
        """The unobserved machine's action; None if the call's failure is to be told before."""
        action = None
        try:
            action = super().next_action(now)
        except Exception as exc:
            self._note(None, now)
            if self._life.state is not _FAILED or not self.notices:
                raise
            # It is raised again once its notices have been taken.
            exc.__traceback__ = None
        else:
            self._note(action, now)
        return action

    def _note(self, action: Any, now: float) -> None:
        item: Any = action
        if isinstance(action, Item):
            if self.decoder is None:
                self._note_success(item.value, now)
                return
            if self.tells_items:
                facts, index = self._exchange.facts, self._items
                self.notices.append(ItemReceived(**facts, at=now, index=index, value=item.value))
            self._items += 1
        elif isinstance(action, Finished):
            self._note_success(None, now)
        elif self._life.state is _FAILED and not self._has_ended:
            self._note_failure(now)

    def _note_success(self, result: Any, now: float) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        exchange = self._exchange
        self.notices.append(
            CallSucceeded(
                **exchange.facts,
                at=now,
                status=self.status,
                headers=self.headers,
                result=result,
                response=None if self.decoder is not None else exchange.response,
                seconds=exchange.seconds(now) or 0.0,
                items=self._items,
            )
        )

    def _note_failure(self, now: float) -> None:
        error = self._life.error
        exchange, is_stream = self._exchange, self.decoder is not None
        is_closed = isinstance(error, MeshAPIError) and error.error_code == "stream_closed"
        if is_closed or not isinstance(error, Exception):
            self.notices.append(self._closed(now))
            return
        self._has_ended = True
        self.notices.append(
            CallFailed(
                **exchange.facts,
                at=now,
                error=error,
                response=None if is_stream else exchange.response,
                seconds=exchange.seconds(now),
                items=self._items,
            )
        )

    def _closed(self, now: float) -> CallClosed:
        self._has_ended = True
        exchange = self._exchange
        return CallClosed(
            **exchange.facts,
            at=now,
            status=self.status,
            headers=self.headers,
            seconds=exchange.seconds(now),
            items=self._items,
        )

    def next_item(self) -> Union[T, NeedData]:
        """Return the next item of a stream, if it has arrived; NEED_DATA: ask `next_action`."""
        # Only `next_action` can tell of an item: this has no time, and returns no `Notify`.
        if self.tells_items or self._held is not None or self.notices:
            return NEED_DATA
        item = super().next_item()
        if item is not NEED_DATA:
            self._items += 1
        return item

    def left(self, now: Optional[float] = None) -> list[Notice]:
        """Return what has not been told; the last one tells of the end. Harmless twice.

        For a host that will not go on with the call.

        Args:
            now: the time; None is that of the last action, for a host whose clock has ended.
        """
        untold = [*self.notices]
        self.notices.clear()
        if not self._has_ended:
            untold.append(self._closed(self._now if now is None else now))
        return untold


class ObservedPipeCall(_Observed[T], PipeCall[T]):
    """A `PipeCall` that tells what it does.

    Args:
        call, config, now, random_bytes, unix_time: as for `PipeCall`.
    """

    @staticmethod
    def upgrade(session: Upgrades) -> "PipeCall[RealtimeConnected]":
        """As `PipeCall.upgrade`, for an `ObservedRealtimeExchange`, whose notices it tells."""
        return _ObservedUpgrade(cast("ObservedRealtimeExchange", session))


class ObservedClientCall(_Observed[T], ClientCall[T]):
    """A `ClientCall` that tells what it does.

    Args:
        call, config, now, random_bytes, unix_time: as for `PipeCall`.
    """


class _ObservedUpgrade(_Observed["RealtimeConnected"], UpgradeCall):
    """An upgrade that tells what its session notes."""

    def __init__(self, session: "ObservedRealtimeExchange") -> None:
        UpgradeCall.__init__(self, session)
        self._session = session

    @property
    def notices(self) -> deque[Notice]:
        """What has not been told yet."""
        return self._session.notices

    def _note(self, action: Any, now: float) -> None:
        if self._life.state is _FAILED:
            self.notices.extend(self._session.take_notices(now))

    def left(self, now: Optional[float] = None) -> list[Notice]:
        """Return what has not been told. The session may go on, with another call."""
        untold = [*self.notices]
        self.notices.clear()
        return untold
