"""What the clients do with many calls. What a method needs is imported when it is used."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Optional, TypeVar, Union, overload
from weakref import WeakKeyDictionary

from typing_extensions import TypeAlias, TypedDict, Unpack

from meshapi._client import Client
from meshapi_core import Call
from meshapi_core.endpoints import AsyncRunner, R_co, Runner, explains_arguments, lists_keywords

if TYPE_CHECKING:
    from meshapi_backends import Budget
    from meshapi_core.bulk import AsyncMapRun, Estimate, MapRun, PerMinute
    from meshapi_core.flows import FilePath, OnProgress
    from meshapi_core.types import ModelInfo

T = TypeVar("T")
Row = TypeVar("Row")

_ADMISSIONS: Final[WeakKeyDictionary[object, dict[object, Any]]] = WeakKeyDictionary()
"""What the runs of a client leave to the next one, by their rate limits: by its connections, which
clients made by `with_options` have, too. Most clients have no runs."""


class MapOptions(TypedDict, total=False):
    """The options of `client.map`; see there."""

    concurrency: Union[int, Literal["auto"]]
    rate_limit: 'Union[PerMinute, Literal["auto"], None]'
    journal: "Optional[FilePath]"
    resume: bool
    retry_failed: bool
    on_error: Literal["return", "raise", "skip"]
    order: Literal["completion", "input"]
    budget: "Optional[Budget]"
    on_progress: "Optional[OnProgress]"
    progress: bool
    via: Literal["live", "batch"]


Many: TypeAlias = Union[Iterable[T], AsyncIterable[T]]
Named: TypeAlias = Union[Call[T], tuple[Union[str, int], Call[T]]]
Fields: TypeAlias = Mapping[str, object]
Template: TypeAlias = Callable[[Row], Named[T]]


class _Planner(Client[R_co]):
    """What both clients for many calls have in common."""

    def _planned(self, calls: Any, template: Any, options: MapOptions, *, takes_async: bool) -> Any:
        """Return the run that a program asks for; nothing of it is done yet."""
        from meshapi_core.bulk import planned_run

        return planned_run(
            calls,
            template,
            options,
            takes_async=takes_async,
            admissions=_ADMISSIONS.setdefault(self._sockets, {}),
            is_counted=self._counts(options.get("budget")),
        )


class BulkClient(_Planner[Runner]):
    """A blocking client for many calls."""

    @overload
    def map(self, calls: Iterable[Named[T]], **options: Unpack[MapOptions]) -> "MapRun[T]": ...
    @overload
    def map(
        self, calls: Iterable[Fields], *, template: Call[T], **options: Unpack[MapOptions]
    ) -> "MapRun[T]": ...
    @overload
    def map(
        self,
        calls: Iterable[Row],
        *,
        template: Template[Row, T],
        **options: Unpack[MapOptions],
    ) -> "MapRun[T]": ...
    @explains_arguments
    @lists_keywords
    def map(
        self, calls: Iterable[Any], *, template: Any = None, **options: Unpack[MapOptions]
    ) -> Any:
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
            on_progress: is called with a `Progress` when calls have ended, at most ten times a
                second.
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
        from meshapi_core.bulk import MapRun

        run = self._planned(calls, template, options, takes_async=False)
        return MapRun(self._runner, run)

    @overload
    def estimate(
        self,
        calls: Iterable[Named[Any]],
        *,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @overload
    def estimate(
        self,
        calls: Iterable[Fields],
        *,
        template: Call[Any],
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @overload
    def estimate(
        self,
        calls: Iterable[Row],
        *,
        template: Template[Row, Any],
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @explains_arguments
    def estimate(
        self,
        calls: Iterable[Any],
        *,
        template: Any = None,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate":
        """Return what calls will use and cost, at the gateway's prices; none of them is made.

            estimate = client.estimate(calls, output_tokens=200)
            print(estimate, estimate.cost_usd, estimate.by_model)

        The input is estimated from the size of the texts: four bytes a model token, 1,000 model
        tokens for a picture. Expect the sum to be wrong by a fifth for English, and by more for
        other languages, for code and for many pictures.

        Args:
            calls, template: as for `map`. An iterator is used up; give a list to keep the calls.
            prices: what `client.models.list()` returns. By default it is called once.
            output_tokens: model tokens that you expect of each answer. By default it is the limit
                in the call (`max_tokens`), and 300 in calls that have none.
            via: "batch" for the prices of batches, where the gateway names them.

        Raises:
            InvalidParamsError: an argument is wrong, or an item is no call, or no row for the
                template.
            MeshAPIError: the prices could not be had.
        """
        from meshapi_core.bulk import estimate_calls

        return self._runner.run_flow(
            estimate_calls(calls, template, prices, output_tokens, via, takes_async=False)
        )


class AsyncBulkClient(_Planner[AsyncRunner]):
    """A client for many calls on an event loop."""

    @overload
    def map(self, calls: Many[Named[T]], **options: Unpack[MapOptions]) -> "AsyncMapRun[T]": ...
    @overload
    def map(
        self, calls: Many[Fields], *, template: Call[T], **options: Unpack[MapOptions]
    ) -> "AsyncMapRun[T]": ...
    @overload
    def map(
        self,
        calls: Many[Row],
        *,
        template: Template[Row, T],
        **options: Unpack[MapOptions],
    ) -> "AsyncMapRun[T]": ...
    @explains_arguments
    @lists_keywords
    def map(self, calls: Many[Any], *, template: Any = None, **options: Unpack[MapOptions]) -> Any:
        """Make many calls, several at a time, and return their results as they come.

            async for item in client.map(calls, journal="run.jsonl"):
                print(item.id, item.value or item.error)

        See `MeshAPI.map`. Here, `calls` may also be an async iterable.
        """
        from meshapi_core.bulk import AsyncMapRun

        run = self._planned(calls, template, options, takes_async=True)
        return AsyncMapRun(self._runner, run)

    @overload
    async def estimate(
        self,
        calls: Many[Named[Any]],
        *,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @overload
    async def estimate(
        self,
        calls: Many[Fields],
        *,
        template: Call[Any],
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @overload
    async def estimate(
        self,
        calls: Many[Row],
        *,
        template: Template[Row, Any],
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate": ...
    @explains_arguments
    async def estimate(
        self,
        calls: Many[Any],
        *,
        template: Any = None,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate":
        """Return what calls will use and cost, at the gateway's prices; none of them is made.

        See `MeshAPI.estimate`. Here, `calls` may also be an async iterable.
        """
        from meshapi_core.bulk import estimate_calls

        return await self._runner.run_flow(
            estimate_calls(calls, template, prices, output_tokens, via, takes_async=True)
        )
