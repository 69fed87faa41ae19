# Generated from _async/map_run.py by `python tools/mirror.py --write`: edit that file.
"""Calls that are made in bulk, as programs hold them."""

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import Self

from meshapi_core._closing import RunCloses
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.results import Stopped
from meshapi_core.bulk.run import Run
from meshapi_core.bulk.saving import SavedRows, save_jsonl, save_parquet
from meshapi_core.bulk.summary import MapSummary
from meshapi_core.flows.downloads import FilePath
from meshapi_core.protocols import ItemStream, Runner

if TYPE_CHECKING:
    from meshapi_core.bulk.by_batch import RunByBatch

__all__ = ["MapRun"]

T = TypeVar("T")


class MapRun(RunCloses, Generic[T]):
    """A run of many calls: iterate over it for their results, as they come.

    Nothing is sent before the first result is asked for. A loop that ends early leaves calls under
    way: use `with`, or call `close()`, to end them at once. The attributes tell the state of
    the run at any time, also after an error.

    Args:
        runner: makes the calls.
        run: the run as a flow.
    """

    _instead: ClassVar[str] = "map() with the same journal goes on where it was"

    def __init__(self, runner: Runner, run: "Union[Run[T], RunByBatch[T]]") -> None:
        self._runner = runner
        self._run = run
        self._items: ItemStream[MapItem[T], MapSummary] = runner.open_flow(run.flow())

    def __repr__(self) -> str:
        state = "ended" if self.ended else "open"
        return f"<{type(self).__name__} {state}, {self._run.results.done} calls>"

    @property
    def ended(self) -> bool:
        """Whether it has ended: with a result, with an error, or because it was closed."""
        return self._items.ended

    @property
    def stopped(self) -> Optional[Stopped]:
        """Why it has ended; None as long as it goes on.

        "completed": every call has a result. "budget": the budget is used up; see
        `summary().limit`. "cancelled": it was closed, or its task was cancelled. "error": it raised
        an error.
        """
        if not self.ended:
            return None
        return self._run.results.stopped or "cancelled"

    def summary(self) -> MapSummary:
        """Return the numbers of the run so far: calls, errors, model tokens, cost, time."""
        return self._run.results.summary(self.stopped)

    def until_done(self) -> MapSummary:
        """Make the calls that are left, drop their results, and return the numbers.

        The results are in the journal, if there is one. Harmless twice.

        Raises:
            MeshAPIError: as in a loop.
            StreamUsageError: the run was closed before its end, or ended with an error.
        """
        self._items.until_done()
        return self.summary()

    def to_jsonl(self, path: FilePath, *, overwrite: bool = True) -> SavedRows:
        """Write the results that are left to a file, one JSON object a line, and return its size.

        Each has `id`, `output`, `finish_reason`, `error`, `usage`, `cost`, `attempts` and
        `request_id`, in the order of the loop. All of the file appears at the path, or nothing
        does.

        Args:
            path: where to write it.
            overwrite: whether a file that is there is replaced.

        Raises:
            MeshAPIError: as in a loop.
            InvalidParamsError: the path cannot be used, or is that of the journal.
            StreamUsageError: the run has ended, so that nothing is left; or it was closed
                meanwhile.
            OSError: the file cannot be written.
        """
        self._items.__iter__()
        results = self._run.results
        flow = save_jsonl(self._items, path, overwrite=overwrite, results=results)
        return self._runner.run_flow(flow)

    def to_parquet(self, path: FilePath, *, overwrite: bool = True) -> SavedRows:
        """Write the results that are left to a Parquet file, and return its size; needs pyarrow.

        The columns are `id`, `output` (JSON), `text`, `finish_reason`, `error`, `error_code`,
        `input_tokens`, `output_tokens`, `cost`, `attempts` and `request_id`. All of the file
        appears at the path, or nothing does.

        Args and Raises: as for `to_jsonl`.
            ModuleNotFoundError: pyarrow is not installed; the extra `parquet` installs it.
        """
        self._items.__iter__()
        results = self._run.results
        flow = save_parquet(self._items, path, overwrite=overwrite, results=results)
        return self._runner.run_flow(flow)

    def __iter__(self) -> Iterator[MapItem[T]]:
        return self._items.__iter__()

    def __next__(self) -> MapItem[T]:
        return self._items.__next__()

    def __enter__(self) -> Self:
        self._items.__enter__()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self._items.close()

    def close(self) -> None:
        """End the run now, with the calls that are under way. Harmless twice."""
        self._items.close()
