"""Drives the core's call machines: does what each action asks for, and reports the outcome.

`AsyncPipeHost` drives a `PipeCall` over the connections of a pool, and `AsyncClientHost` a
`ClientCall` over a transport that has an HTTP client. This is what they have in common. A host may
be interrupted anywhere, by cancellation or by an exception of a signal handler, and `abort` ends it
from any task or thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import TypeAlias

from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._scopes import Calls, Scope, WaitEnded
from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    EndOfStream,
    Failure,
    Finished,
    GetToken,
    Item,
    MeshAPIError,
    NeedData,
    Notify,
    OpenBody,
    OpenFiles,
    Release,
    Sleep,
    client_closed,
)

T = TypeVar("T")

Acts: TypeAlias = dict[type, Callable[[Any, Any, float], Awaitable[float]]]
"""Classes of actions -> the methods that do them, each of which returns the time afterwards."""

_ONCE = (Release, Notify)


class AsyncHost(Generic[T]):
    """Drives one call; the two subclasses do most of the actions.

    Args:
        network: the clock, and how to wait.
    """

    call: Any  # the machine, a PipeCall or a ClientCall
    _body: Optional[OpenBody] = None
    # The first item, if it arrived while the stream was being opened.
    _held: Optional[Item[T]] = None
    _is_driven = False

    def __init__(self, network: AsyncNetwork) -> None:
        self._network = network
        self._scope = Scope()

    async def result(self) -> T:
        """The one item of a call that is not a stream.

        Raises:
            MeshAPIError: the call has failed.
        """
        try:
            item = await self._drive(open_only=False)
        except BaseException:
            self.leave()
            raise
        # The connection has been given back already.
        if self._body is not None:
            self._close_files()
        assert item is not None
        return item.value

    async def next(self) -> Union[T, EndOfStream]:
        """The next item; END_OF_STREAM after the last one.

        After an interruption, call it again to go on where it stopped.

        Raises:
            MeshAPIError: the call has failed.
        """
        held, self._held = self._held, None
        if held is None:
            item: Union[T, NeedData] = self.call.next_item()
            if item is not NEED_DATA:
                return item
            held = await self._drive(open_only=False)
        return END_OF_STREAM if held is None else held.value

    @property
    def partial(self) -> Any:
        """What the items that `next` has returned add up to; None before the first."""
        decoder = self.call.decoder
        # Opening a stream may have read its first item, which nobody has seen.
        return None if decoder is None or self._held is not None else decoder.partial()

    async def open(self) -> None:
        """Send the request of a stream, and read the head of its response."""
        self._held = await self._drive(open_only=True)

    async def _drive(self, *, open_only: bool) -> Optional[Item[T]]:
        """The next item; None after the last one, or when a stream has opened without one."""
        call, scope, acts = self.call, self._scope, self._acts
        self._is_driven = is_over = True
        try:
            now = self._network.now()
            while True:
                # `abort` may come at any time, from elsewhere. The machine learns of it here, and
                # gives up what it holds before it raises. Harmless if it knows already.
                if scope.failure is not None:
                    call.close(scope.failure, now)
                action: Any = call.next_action(now)
                act = acts.get(action.__class__)
                if act is None:
                    if isinstance(action, Finished):
                        return None
                    is_over = False
                    item: Item[T] = action
                    return item
                # A decoder means that the head has come. The action stands, and `next` gets it
                # again; but these are given once.
                if open_only and call.decoder is not None and not isinstance(action, _ONCE):
                    is_over = False
                    return None
                now = await act(self, action, now)
        except MeshAPIError:
            raise
        except BaseException:
            # An interrupt: the program may go on with the call, and needs its files for that.
            is_over = False
            raise
        finally:
            # While a call is being driven, `leave` does not close them: one may just be read.
            self._is_driven = False
            if self._body is not None and (is_over or scope.failure is not None):
                self._close_files()

    async def _wait(self, action: Sleep, now: float, calls: Calls) -> float:
        """Wait for the time of the next attempt, or until the call or all calls are ended."""
        waiter = self._network.waiter()
        try:
            with self._scope.running(), calls.waiting() as scope, scope.waiting(waiter.set):
                await waiter.wait(action.seconds(now))
        except WaitEnded:
            pass  # the scope has the failure
        return self._network.now()

    async def _get_token(self, action: GetToken, now: float) -> float:
        # Imported on first use: most clients have a plain token.
        from meshapi_backends._tokens import AsyncAsking

        call, source = self.call, action.source
        try:
            # Hidden from here on: error trackers show the locals of frames that raise.
            token = await AsyncAsking.token(source, action.seconds(now), self._network)
        except Exception as exc:
            # Raised unchanged by `next_action`, again and again: the call asks once.
            now = self._network.now()
            if action.until is None or now < action.until:
                call.fail(exc, now)
            return now
        now = self._network.now()
        # If time is up, the machine says so. A timer may go off a moment early.
        if action.until is not None and (token is None or now >= action.until):
            return max(now, action.until)
        call.token(token)
        return now

    async def _open_files(self, action: OpenFiles, now: float) -> float:
        # Imported on first use: few calls upload files.
        from meshapi_backends._sources import open_source

        self._body = action.body.open(open_source)
        self.call.opened(self._body, now)
        return now

    _acts: ClassVar[Acts] = {GetToken: _get_token, OpenFiles: _open_files}

    def abort(self, failure: Optional[Failure] = None) -> None:
        """End the call now, from any task or thread; whoever drives it raises `failure`."""
        self._scope.end(failure or client_closed())
        self.leave()

    def leave(self) -> None:
        """Give up what the call holds, as nobody will go on with it. Harmless twice."""
        self._give_up()
        if self._body is not None and not self._is_driven:
            self._close_files()

    def _give_up(self) -> None:
        """Give up the connection, or the response."""
        raise NotImplementedError

    def _close_files(self) -> None:
        if self._body is not None:
            self._body.close()
