"""Many calls at once: `client.map`, on both clients."""

from collections.abc import AsyncIterable, Callable, Iterable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union, overload

from typing_extensions import TypeAlias, Unpack

from meshapi_core import Call
from meshapi_core.endpoints import AsyncRunner, R_co, Runner

if TYPE_CHECKING:
    from meshapi_core.bulk import AsyncMapRun, MapOptions, MapRun

T = TypeVar("T")
Row = TypeVar("Row")

Many: TypeAlias = Union[Iterable[T], AsyncIterable[T]]
Named: TypeAlias = Union[Call[T], tuple[str, Call[T]]]
Template: TypeAlias = Union[Call[T], Callable[[Row], Call[T]]]


class Bulk(Generic[R_co]):
    """Gives a client `map`."""

    _runner: R_co

    @overload
    def map(
        self: "Bulk[Runner]", calls: Iterable[Named[T]], **options: "Unpack[MapOptions]"
    ) -> "MapRun[T]": ...
    @overload
    def map(
        self: "Bulk[Runner]",
        calls: Iterable[Row],
        *,
        template: Template[T, Row],
        **options: "Unpack[MapOptions]",
    ) -> "MapRun[T]": ...
    @overload
    def map(
        self: "Bulk[AsyncRunner]", calls: Many[Named[T]], **options: "Unpack[MapOptions]"
    ) -> "AsyncMapRun[T]": ...
    @overload
    def map(
        self: "Bulk[AsyncRunner]",
        calls: Many[Row],
        *,
        template: Template[T, Row],
        **options: "Unpack[MapOptions]",
    ) -> "AsyncMapRun[T]": ...
    def map(self, calls: Any, *, template: Optional[Any] = None, **options: Any) -> Any:
        """Make many calls, several at a time, and return their results as they come.

            ask = Completions.create.build
            calls = [ask(model="...", messages=[...]) for text in texts]
            for item in client.map(calls, journal="run.jsonl"):
                print(item.id, item.value or item.error)

        With a journal, the same program takes up its work where it was, also after it was killed:
        results that are recorded are not asked for again.

        Args:
            calls: what `Completions.create.build(...)` returns, or pairs of an ID and such a call.
                Any iterable, also an endless one; with `AsyncMeshAPI`, also an async one. With a
                `template`, rows.
            template: a function that makes a call of a row, or a call in whose texts `{name}`
                stands for a field of the row, which is a dict. The row's "id" is that of the call.
            concurrency: how many calls run at once; "auto", the default, begins with few, and takes
                more as long as the gateway does not say that it has too many.
            rate_limit: `PerMinute(requests=500, tokens=200_000)` for limits to keep; "auto", the
                default, for those that the gateway names; None for none. In each case, all calls
                wait when the gateway says so.
            journal: the path of a file in which each result is recorded before it is returned.
            resume: whether a journal that exists is taken up; with False, that is an error.
            retry_failed: whether calls are made again whose error is in the journal.
            on_error: "return", the default, for items that have an `.error`; "raise" to raise the
                first one, and "skip" to leave such items out.
            order: "completion", the default, or "input": in that order, one slow call holds back
                those after it.
            budget: `Budget(cost_usd=5, tokens=..., requests=..., seconds=..., failures=...)`. When
                it is used up, no further call begins, and the loop ends: see `.stopped`.
            on_progress: is called with a `Progress` when calls have ended.
            progress: True shows a progress bar; needs tqdm.
            via: "live", or "batch" for batch jobs, which take up to a day and cost half as much.

        Returns:
            A `MapRun`, or an `AsyncMapRun`: an iterator of `MapItem`s, and a context manager. It
            has `.summary()`, `.stopped`, `.to_jsonl(path)` and `.to_parquet(path)`.

        Raises:
            InvalidParamsError: an option is wrong; nothing was sent. While the loop runs: one of
                the calls is none, after the results of those before it.
            JournalError: the journal cannot be used, or not written.
            AuthenticationError, PaymentRequiredError: every further call would fail, too.
        """
        from meshapi_core.bulk import AsyncMapRun, Inputs, MapRun, Plan, Run

        given: Any = options
        plan = Plan.of(given)
        is_async = iscoroutinefunction(self._runner.run)
        inputs = Inputs(calls, template, takes_async=is_async)
        made: Any = AsyncMapRun if is_async else MapRun
        return made(self._runner, Run(inputs, plan))
