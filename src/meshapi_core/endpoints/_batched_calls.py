"""The methods of `batches` for calls: `submit`, `results` and `run`."""

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Optional, TypeVar, Union, cast, overload

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    flow_endpoint,
    item_flow_endpoint,
)
from meshapi_core.flows.polling import JobFailure, JobKind, Waiting
from meshapi_core.flows.steps import Flow, ItemFlow
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.protocols import AsyncItemStream, AsyncRunner, ItemStream, Runner
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader
from meshapi_core.types._base import Params
from meshapi_core.types.batches import BatchListResponse, BatchObject, BatchRequestItem
from meshapi_core.types.chat import ChatCompletionResponse

if TYPE_CHECKING:
    from meshapi_core.batching.items import BatchItem
    from meshapi_core.batching.submission import BatchSubmission

T = TypeVar("T")

PATH: Final = "/v1/batches"


class _ListParams(Params, kw_only=True):
    after: Optional[str] = None
    limit: Optional[int] = None


def path_of(batch_id: str) -> str:
    """Return the path of a batch."""
    return f"{PATH}/{path_segment('batch_id', batch_id)}"


def look_at(batch_id: str) -> Call[BatchObject]:
    """Return the call of `batches.get`."""
    return Call(method="GET", path=path_of(batch_id), reader=JSONReader(BatchObject))


def page_of_batches(after: Optional[str], limit: Optional[int]) -> Call[BatchListResponse]:
    """Return the call of `batches.list`."""
    query = encode_query(_ListParams, None, {"after": after, "limit": limit})
    return Call(method="GET", path=PATH, query=query, reader=JSONReader(BatchListResponse))


def _failure(batch: BatchObject) -> JobFailure:
    details = batch.errors_detail or []
    # Rows with an ID say why single requests failed, not why the batch did.
    nothing: dict[str, Any] = {}
    own = next((row for row in details if not row.get("custom_id")), nothing)
    message, code = own.get("message"), own.get("code")
    return JobFailure(
        message if isinstance(message, str) else "", code if isinstance(code, str) else "", details
    )


def _progress(batch: BatchObject) -> tuple[int, Optional[int]]:
    done = batch.completed_requests + batch.failed_requests
    return done, batch.total_requests or None


JOB: JobKind[BatchObject] = JobKind(
    name="batch",
    wait="batches.wait",
    look=look_at,
    status=lambda batch: batch.status,
    failure=_failure,
    progress=_progress,
)


def overloaded_flow(build: Callable[..., Flow[Any]]) -> Callable[..., Any]:
    """Return a `flow_endpoint`, for a method whose types are declared as overloads.

    That is for methods that are generic in a type which the program passes, such as `submit`: the
    overloads of `__get__` cannot bind it. The overloads of the method say what `Resource[Runner]`
    and `Resource[AsyncRunner]` return, by the type of `self`.
    """
    return cast("Callable[..., Any]", flow_endpoint(build))


def overloaded_item_flow(build: Callable[..., ItemFlow[Any, Any]]) -> Callable[..., Any]:
    """Return an `item_flow_endpoint`, for a method whose types are declared as overloads."""
    return cast("Callable[..., Any]", item_flow_endpoint(build))


class BatchedCalls(Resource[R_co]):
    """The base of `Batches`."""

    @overload
    def submit(
        self: "BatchedCalls[Runner]",
        calls: Iterable[Call[T]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "BatchSubmission[T]": ...
    @overload
    def submit(
        self: "BatchedCalls[AsyncRunner]",
        calls: Iterable[Call[T]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "Coroutine[Any, Any, BatchSubmission[T]]": ...
    @overloaded_flow
    def submit(
        self,
        calls: Iterable[Call[Any]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow["BatchSubmission[Any]"]:
        """Submit calls in as many batches as they need, and return these, for `results`.

        A batch is for one endpoint and one model, at most 50,000 requests and 32 MiB.

        Args:
            calls: such as `Completions.create.build(model=..., messages=...)` returns; also of
                `Embeddings.create` and `Responses.create`.
            completion_window, metadata: of every batch, as for `create`.
            timeout: seconds to wait while the gateway has too many open batches; None: no limit.
            on_progress: is called with a `Progress` when a batch is made; `.job_id` is its ID.
            progress: as for `wait`.

        Raises:
            InvalidParamsError: a call cannot be in a batch; nothing was sent.
            JobTimeoutError: the time limit ran out.
            MeshAPIError: as for `create`. In this and the other errors, `.partial` is the
                submission so far: its batches are under way.
        """
        from meshapi_core.batching.submission import submitted

        waiting = Waiting(timeout=timeout, on_progress=on_progress, progress=progress)
        return submitted(calls, waiting, completion_window, metadata)

    @overload
    def results(
        self: "BatchedCalls[Runner]",
        batch: "BatchSubmission[T]",
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "ItemStream[BatchItem[T], list[BatchObject]]": ...
    @overload
    def results(
        self: "BatchedCalls[Runner]",
        batch: Union[str, BatchObject],
        *,
        requests: Optional[Iterable[Union[str, BatchRequestItem, Mapping[str, Any]]]] = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "ItemStream[BatchItem[ChatCompletionResponse], list[BatchObject]]": ...
    @overload
    def results(
        self: "BatchedCalls[AsyncRunner]",
        batch: "BatchSubmission[T]",
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "AsyncItemStream[BatchItem[T], list[BatchObject]]": ...
    @overload
    def results(
        self: "BatchedCalls[AsyncRunner]",
        batch: Union[str, BatchObject],
        *,
        requests: Optional[Iterable[Union[str, BatchRequestItem, Mapping[str, Any]]]] = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "AsyncItemStream[BatchItem[ChatCompletionResponse], list[BatchObject]]": ...
    @overloaded_item_flow
    def results(
        self,
        batch: "Union[str, BatchObject, BatchSubmission[Any]]",
        *,
        requests: Optional[Iterable[Union[str, BatchRequestItem, Mapping[str, Any]]]] = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> ItemFlow["BatchItem[Any]", list[BatchObject]]:
        """Wait for batches, and yield the result of each request: a response, or an error.

        Args:
            batch: a batch, its ID, or what `submit` returned.
            requests: the batch's requests or their IDs, in the order in which their results are to
                come. Otherwise they come in the gateway's order, which may be any. A submission
                knows its order.
            timeout: seconds to wait at most for all batches; None, the default, for no limit.
            poll_interval, on_progress, progress: as for `wait`.

        Returns:
            An iterator of items, also a context manager; nothing is sent before the first. Each
            has `.id`, and `.value` or `.error`. `until_done()` returns the ended batches.

        Raises:
            InvalidParamsError, JobTimeoutError, JobStatusError, MeshAPIError: as for `wait`. If a
                batch or a request has failed, its items have that as their `.error`. Without
                `requests`, a failed batch whose results are missing raises its error at the end.
        """
        from meshapi_core.batching.items import batch_items

        waiting = Waiting(
            timeout=timeout, poll_interval=poll_interval, on_progress=on_progress, progress=progress
        )
        return batch_items(batch, requests, waiting, JOB)

    @overload
    def run(
        self: "BatchedCalls[Runner]",
        calls: Iterable[Call[T]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resubmit: int = 2,
        under_way: "Optional[BatchSubmission[T]]" = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "ItemStream[BatchItem[T], BatchSubmission[T]]": ...
    @overload
    def run(
        self: "BatchedCalls[AsyncRunner]",
        calls: Union[Iterable[Call[T]], AsyncIterable[Call[T]]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resubmit: int = 2,
        under_way: "Optional[BatchSubmission[T]]" = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "AsyncItemStream[BatchItem[T], BatchSubmission[T]]": ...
    @overloaded_item_flow
    def run(
        self,
        calls: Union[Iterable[Call[Any]], AsyncIterable[Call[Any]]],
        *,
        completion_window: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resubmit: int = 2,
        under_way: "Optional[BatchSubmission[Any]]" = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> ItemFlow["BatchItem[Any]", "BatchSubmission[Any]"]:
        """Submit calls in as many batches as they need, and yield their results as batches end.

        For example, `for item in batches.run(calls, progress=True)`.

        At most 10 batches are under way at the same time, and calls are taken from the iterable
        when they are needed: of a million, no more than those batches are held. A call that expired
        or failed with a 429 or a 5xx is submitted again, alone or with others.

        Args:
            calls: as for `submit`. With `AsyncMeshAPI`, also an async iterable.
            completion_window, metadata: of every batch, as for `create`. The metadata also gets a
                `meshapi_batch`, by which a batch is found whose ID was lost on its way.
            resubmit: how often a call may be submitted again. After that, its error is its result.
            under_way: the `.partial` of the error in which an earlier run with the same calls, in
                the same order, ended. What it submitted is waited for, and is not submitted again.
            timeout: seconds for all of it; None, the default, for no limit.
            poll_interval, progress: as for `wait`.
            on_progress: is called with a `Progress` when a batch is made and after each look;
                `.job_id` is its ID.

        Returns:
            An iterator of items, also a context manager; nothing is sent before the first. Each
            has `.id` ("call-0" and so on), and `.value` or `.error`. There is one for each call;
            those of a batch come together, in the order of the calls. `until_done()` returns where
            each call was, as `submit` does.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent. If a call cannot be in a
                batch, and others are under way, it is raised after their results.
            JobTimeoutError: the time limit ran out; the batches go on.
            JobStatusError: a batch has a status that is unknown to this version.
            MeshAPIError: as for `create`; or a batch could not be looked at, for five minutes if
                that may pass. In this and the other errors, `.partial` is the submission so far.
        """
        from meshapi_core.batching.running import BatchOptions, run_calls

        waiting = Waiting(
            timeout=timeout, poll_interval=poll_interval, on_progress=on_progress, progress=progress
        )
        options = BatchOptions(
            waiting=waiting,
            completion_window=completion_window,
            metadata=metadata,
            resubmit=resubmit,
            again="pass .partial as under_way= to go on",
        )
        return run_calls(calls, options, under_way)
