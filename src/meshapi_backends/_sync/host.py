# Generated from _async/host.py by `python tools/mirror.py --write`: edit that file.
"""What drives the core's call machines: does what an action says, and tells what came of it.

`PipeHost` drives a `PipeCall` over the connections of a pool, `ClientHost` a `ClientCall`
over a transport that has an HTTP client; here is what they have in common. Whoever drives one may
be interrupted anywhere, by cancellation or by an exception of a signal handler, and `abort` ends it
from any task or thread.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import TypeAlias

from meshapi_backends._sync.networks import Network
from meshapi_backends._scopes import Calls, Scope, WaitEnded
from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    EndOfStream,
    Failure,
    Finished,
    Item,
    MeshAPIError,
    NeedData,
    OpenBody,
    OpenFiles,
    Release,
    Sleep,
    client_closed,
)

T = TypeVar("T")

Acts: TypeAlias = dict[type, Callable[[Any, Any, float], float]]
"""What does each action, and returns the time after it."""


class Host(Generic[T]):
    """Drives one call; most actions are done by the two classes that are made of this one.

    Args:
        call: the machine.
        network: keeps the time.
    """

    call: Any  # the machine: one of the two
    _body: Optional[OpenBody] = None
    # What came while the stream was opened, without being asked for.
    _held: Optional[Item[T]] = None
    _is_driven = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self._scope = Scope()

    def result(self) -> T:
        """The one item of a call that is no stream.

        Raises:
            MeshAPIError: the call has failed.
        """
        try:
            item = self._drive(open_only=False)
        except BaseException:
            self.leave()
            raise
        # The connection has been given back before.
        if self._body is not None:
            self._close_files()
        assert item is not None
        return item.value

    def next(self) -> Union[T, EndOfStream]:
        """The next item; END_OF_STREAM after the last one.

        One that was interrupted is called again, and goes on where it was.

        Raises:
            MeshAPIError: the call has failed.
        """
        held, self._held = self._held, None
        if held is None:
            item: Union[T, NeedData] = self.call.next_item()
            if item is not NEED_DATA:
                return item
            held = self._drive(open_only=False)
        return END_OF_STREAM if held is None else held.value

    def open(self) -> None:
        """Send the request of a stream, and read the head of its response."""
        self._held = self._drive(open_only=True)

    def _drive(self, *, open_only: bool) -> Optional[Item[T]]:
        """The next item; None where there is none any more, or an opened stream has none yet."""
        call, scope, acts = self.call, self._scope, self._acts
        self._is_driven = is_over = True
        try:
            now = self._network.now()
            while True:
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
                if open_only and call.decoder is not None and not isinstance(action, Release):
                    is_over = False
                    return None
                now = act(self, action, now)
        except MeshAPIError:
            raise
        except BaseException:
            is_over = False
            raise
        finally:
            self._is_driven = False
            if self._body is not None and (is_over or scope.failure is not None):
                self._close_files()

    def _wait(self, action: Sleep, now: float, calls: Calls) -> float:
        """Wait for the next attempt, or until the call or all of them are ended."""
        waiter = self._network.waiter()
        try:
            with self._scope.running(), calls.waiting() as scope, scope.waiting(waiter.set):
                waiter.wait(action.seconds(now))
        except WaitEnded:
            pass  # as the scope knows
        return self._network.now()

    def _open_files(self, action: OpenFiles, now: float) -> float:
        # Loaded when it is used: few calls upload files.
        from meshapi_backends._sources import open_source

        self._body = action.body.open(open_source)
        self.call.opened(self._body, now)
        return now

    _acts: ClassVar[Acts] = {OpenFiles: _open_files}

    def abort(self, failure: Optional[Failure] = None) -> None:
        """End it now, from any task or thread; `failure` is what whoever drives it raises."""
        self._scope.end(failure or client_closed())
        self.leave()

    def leave(self) -> None:
        """Give up what it holds: nobody goes on with it. Harmless after the end, and twice."""
        self._give_up()
        if self._body is not None and not self._is_driven:
            self._close_files()

    def _give_up(self) -> None:
        """Give up the connection, or the response."""
        raise NotImplementedError

    def _close_files(self) -> None:
        if self._body is not None:
            self._body.close()
