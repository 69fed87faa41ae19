# Generated from _async/flows.py by `python tools/mirror.py --write`: edit that file.
"""Drives flows: does the steps that a generator yields, and sends back their results.

`meshapi_core.flows` has the steps. `FlowSteps` does them, and `FlowItems` is what a
program iterates over where a flow hands over items on its way.
"""

import os
from collections.abc import Iterator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import Self

from meshapi_backends._sync.networks import Network
from meshapi_backends._failures import TransportError
from meshapi_backends._listening import is_listening
from meshapi_backends._scopes import Calls, Scope, WaitEnded
from meshapi_backends._telling import Telling
from meshapi_core import (
    END_OF_STREAM,
    EndOfStream,
    FileSource,
    MeshAPIConfig,
    MeshAPIError,
    StreamUsageError,
    stream_closed,
)
from meshapi_core.endpoints import Closes, Runner
from meshapi_core.flows import (
    AppendJournal,
    CloseJournal,
    CloseStream,
    CutJournal,
    DiscardFile,
    Emit,
    EmptyFile,
    EndCalls,
    FileSize,
    GetConfig,
    GetLimits,
    GetMostFiles,
    KeepFile,
    NextChunk,
    NextEnds,
    Now,
    OpenBar,
    OpenFile,
    OpenJournal,
    OpenStream,
    OpenTable,
    Pause,
    RandomBytes,
    ReadJournal,
    ReadRecord,
    RunFunctions,
    StartCalls,
    StartPull,
    Tell,
    WritePiece,
    WriteRows,
)

if TYPE_CHECKING:
    from meshapi_backends._sync.concurrent import ConcurrentSteps
    from meshapi_backends._sync.filing import FileSteps

R = TypeVar("R")
T = TypeVar("T")


class FlowSteps(Generic[R]):
    """Does the steps of one flow.

    Args:
        flow: the generator.
        runner: makes its calls.
        network: returns the network of the running program, for its clock and its waits.
        calls: returns the calls that closing the client ends; its waits end with them.
        config: of the client, where the flow asks for it.
    """

    def __init__(
        self,
        flow: Generator[Any, Any, R],
        runner: Runner,
        network: Callable[[], Network],
        calls: Callable[[], Calls] = Calls,
        config: Optional[MeshAPIConfig] = None,
    ) -> None:
        self._flow = flow
        self._runner = runner
        self._network = network
        self._calls = calls
        self._config = config
        self._scope = Scope()
        self._open: list[Any] = []
        self._bars: list[Any] = []
        self._filing: Optional[FileSteps] = None
        self._concurrent: Optional[ConcurrentSteps] = None
        self._sent: Any = None
        self._is_over = False
        self._result: Optional[tuple[R]] = None

    def result(self) -> R:
        """Do all the steps that are left, pass over items, and return the flow's result.

        Raises:
            StreamUsageError: as for `outcome`.
        """
        while not self._is_over:
            self.next()
        return self.outcome()

    def outcome(self) -> R:
        """Return the flow's result, without doing any more steps.

        Raises:
            StreamUsageError: it has none: it has ended with an error, or was closed.
        """
        if self._result is None:
            raise StreamUsageError(
                "this was closed, or ended with an error, and has no result; call the method again"
                " for a new one"
            )
        return self._result[0]

    def next(self) -> Union[Any, EndOfStream]:
        """Do the steps up to the next item, and return it; END_OF_STREAM where there is none."""
        flow, error = self._flow, None
        try:
            while True:
                step = flow.send(self._sent) if error is None else flow.throw(error)
                given: object = step
                error = self._sent = None
                if type(given) is Emit:
                    return step.value
                try:
                    self._sent = self._do(step)
                except Exception as exc:
                    # The flow decides: it may catch the error and go on.
                    error = exc
        except StopIteration as stop:
            # A flow that was closed from elsewhere ends without a result.
            if self._scope.failure is None:
                self._result = (stop.value,)
            self.leave()
            return END_OF_STREAM
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """End the flow, and every stream that it left open. Harmless twice."""
        self._is_over = True
        if self._filing is not None:
            self._filing.leave()
        for bar in self._bars:
            bar.close()
        try:
            if self._concurrent is not None:
                self._concurrent.leave()
            streams, self._open = self._open, []
            for stream in streams:
                stream.close()
        finally:
            try:
                self._flow.close()
            except ValueError:
                # It is running: a function that it called has closed it, and it ends after that.
                pass

    def wake(self) -> None:
        """End the flow's present wait, and those to come, from any task or thread."""
        self._scope.end(stream_closed())

    def _do(self, step: Any) -> Any:
        given: object = step
        act = self._acts.get(type(given))
        if act is None:
            return self._runner.run(step)
        return act(self, step)

    def _do_concurrent(self, step: Any) -> Any:
        if self._concurrent is None:
            # Loaded when it is used: few flows have several calls under way.
            from meshapi_backends._sync.concurrent import ConcurrentSteps

            self._concurrent = ConcurrentSteps(
                self._runner, self._network(), self._calls, self._scope
            )
        return self._concurrent.do(step)

    def _check(self, step: FileSource) -> None:
        from meshapi_backends._sources import check_source

        check_source(step)

    def _pause(self, step: Pause) -> None:
        waiter = self._network().waiter()
        try:
            with self._scope.running(), self._calls().waiting() as scope:
                with scope.waiting(waiter.set):
                    waiter.wait(max(step.seconds, 0.0))
                scope.check()
        except (TransportError, WaitEnded) as exc:
            raise exc.failure.error from None

    def _run_functions(self, step: RunFunctions) -> Any:
        # Loaded when it is used: few flows call functions of the program's.
        from meshapi_backends._networks.functions import Functions

        try:
            with self._scope.running(), self._calls().waiting() as scope:
                scope.check()
                outcomes = Functions.run(step)
        except WaitEnded as exc:
            raise exc.failure.error from None
        if is_listening():
            from meshapi_backends._logging import log_failed_functions

            log_failed_functions(step, outcomes)
        return outcomes

    def _now(self, step: Now) -> float:
        return self._network().now()

    def _get_config(self, step: GetConfig) -> Optional[MeshAPIConfig]:
        return self._config

    def _random(self, step: RandomBytes) -> bytes:
        return os.urandom(step.size)

    def _do_file(self, step: Any) -> Any:
        if self._filing is None:
            # Loaded when it is used: few flows have files.
            from meshapi_backends._sync.filing import FileSteps

            self._filing = FileSteps(self._network)
        return self._filing.do(step)

    def _open_bar(self, step: OpenBar) -> Any:
        from meshapi_backends._progress import Bar

        self._bars.append(Bar(step.unit))
        return self._bars[-1]

    def _tell(self, step: Tell) -> Any:
        return Telling.tell(step.function, step.arguments)

    def _open_stream(self, step: OpenStream) -> Any:
        # A runner opens any call whose response is a stream.
        call: Any = step.call
        stream: Any = self._runner.open(call)
        self._open.append(stream)
        return stream

    def _next_chunk(self, step: NextChunk) -> Any:
        try:
            return step.stream.__next__()
        except StopIteration:
            return END_OF_STREAM

    def _close_stream(self, step: CloseStream) -> None:
        self._open.remove(step.stream)
        step.stream.close()

    _acts: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
        AppendJournal: _do_file,
        CloseJournal: _do_file,
        CloseStream: _close_stream,
        CutJournal: _do_file,
        DiscardFile: _do_file,
        EmptyFile: _do_file,
        EndCalls: _do_concurrent,
        FileSize: _do_file,
        FileSource: _check,
        GetConfig: _get_config,
        GetLimits: _do_concurrent,
        GetMostFiles: _do_concurrent,
        KeepFile: _do_file,
        NextChunk: _next_chunk,
        NextEnds: _do_concurrent,
        Now: _now,
        OpenBar: _open_bar,
        OpenFile: _do_file,
        OpenJournal: _do_file,
        OpenStream: _open_stream,
        OpenTable: _do_file,
        Pause: _pause,
        RandomBytes: _random,
        ReadJournal: _do_file,
        ReadRecord: _do_file,
        RunFunctions: _run_functions,
        StartCalls: _do_concurrent,
        StartPull: _do_concurrent,
        Tell: _tell,
        WritePiece: _do_file,
        WriteRows: _do_file,
    }


class FlowItems(Closes, Generic[T, R]):
    """The items of a flow. See `meshapi_core.endpoints.ItemStream`.

    Args:
        steps: does the steps of the flow.
    """

    def __init__(self, steps: FlowSteps[R]) -> None:
        self._steps = steps
        self._ended = self._busy = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'ended' if self._ended else 'open'}>"

    @property
    def ended(self) -> bool:
        """Whether the flow has ended: with a result, with an error, or because it was closed."""
        return self._ended

    def until_done(self) -> R:
        """Do what is left, pass over its items, and return the result. Harmless twice.

        Raises:
            StreamUsageError: it was closed before its end, or ended with an error.
        """
        while not self._ended:
            self._next()
        # Where another task still does the last step, it is left to that task.
        return self._steps.outcome()

    def __iter__(self) -> Iterator[T]:
        if self._ended:
            # A loop over it would be empty, and look like an empty result.
            raise StreamUsageError(
                "this has ended or was closed, and cannot be iterated again; call the method again"
                " for a new one"
            )
        return self

    def __next__(self) -> T:
        item: Union[T, EndOfStream] = END_OF_STREAM if self._ended else self._next()
        if item is END_OF_STREAM:
            raise StopIteration
        return item

    def _next(self) -> Any:
        if self._busy:
            raise StreamUsageError(
                "this is already being iterated over by another task or thread; do it in one of"
                " them only"
            )
        self._busy = has_ended = True
        try:
            item = self._steps.next()
            has_ended = item is END_OF_STREAM
            # `close` of another task left the flow to this one.
            if self._ended and not has_ended:
                self._steps.leave()
            return END_OF_STREAM if self._ended else item
        except MeshAPIError:
            # Closed by another task while this one was waiting: not an error.
            if not self._ended:
                raise
            return END_OF_STREAM
        finally:
            self._busy = False
            self._ended = self._ended or has_ended

    def __enter__(self) -> Self:
        self.__iter__()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the flow now. Harmless twice.

        A task or thread that iterates over it finishes the call that it is making, and its loop
        ends. A wait ends at once.
        """
        self._ended = True
        self._steps.wake()
        if not self._busy:
            self._steps.leave()
