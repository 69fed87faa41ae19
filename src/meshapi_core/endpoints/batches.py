"""Batches: `/v1/batches`.

Source: https://developers.meshapi.ai/docs (batches)
"""

from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, overload

import msgspec
from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
    overloaded_flow,
    overloaded_item_flow,
)
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.polling import JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow, ItemFlow
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.protocols import AsyncItemStream, AsyncRunner, ItemStream, Runner
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader
from meshapi_core.types._base import Params
from meshapi_core.types.batches import (
    BatchListResponse,
    BatchObject,
    BatchRequestItem,
    CreateBatchFields,
    CreateBatchParams,
    complete_items,
)
from meshapi_core.types.chat import ChatCompletionResponse

if TYPE_CHECKING:
    from meshapi_core.batching.items import BatchItem
    from meshapi_core.batching.submission import BatchSubmission

__all__ = ["Batches"]

T = TypeVar("T")
list_ = list
"""The class, which a method hides."""

_PATH = "/v1/batches"


class Batches(Resource[R_co]):
    """Many requests at once, processed within a day at a lower price."""

    @endpoint
    def create(
        self, params: Optional[CreateBatchParams] = None, **fields: Unpack[CreateBatchFields]
    ) -> Call[BatchObject]:
        """Return a new batch, which the gateway processes later; `results` waits for it.

        For example, `batches.create(requests=[{"custom_id": "1", "body": {...}}])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `CreateBatchParams`.

        Raises:
            InvalidParamsError: neither `requests` nor `input_file_id` is given, or a parameter is
                unknown or invalid; nothing was sent.
            BadRequestError: the requests name several models (`mixed_models`).
            RateLimitError: too many batches are under way (`batch_limit_exceeded`).
            MeshAPIError: as for `chat.completions.create`.
        """
        given: Mapping[str, Any] = fields
        if params is None and fields.get("requests") is not None:
            given = {**fields, "requests": complete_items(fields.get("requests"))}
        body = encode_params(CreateBatchParams, params, given)
        if params is not None:
            given = msgspec.structs.asdict(params)
        if given.get("requests") is None and given.get("input_file_id") is None:
            hint = "or give input_file_id and endpoint"
            raise InvalidParamsError("requests", "list", "nothing", hint)
        reader = JSONReader(BatchObject)
        return Call(method="POST", path=_PATH, body=body, reader=reader, starts_job=True)

    @list_endpoint
    def list(
        self, *, after: Optional[str] = None, limit: Optional[int] = None
    ) -> Call[BatchListResponse]:
        """Return one page of batches, the newest first.

        Args:
            after: the ID after which the page begins: `.last_id` of the page before.
            limit: the size of the page, 1 to 100; the gateway's default is 20.

        Returns:
            The page; the batches are in `.data`, and `.has_more` is True if another page follows.
            Iterate over it for the batches of all pages.

        Raises:
            InvalidParamsError: a parameter is invalid; nothing was sent.
        """
        query = encode_query(_ListParams, None, {"after": after, "limit": limit})
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(BatchListResponse))

    @endpoint
    def get(self, batch_id: str) -> Call[BatchObject]:
        """Return a batch: its progress in `.status`, and its results once it is completed.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no batch with this ID.
        """
        return Call(method="GET", path=_batch(batch_id), reader=JSONReader(BatchObject))

    @endpoint
    def cancel(self, batch_id: str) -> Call[BatchObject]:
        """Cancel a batch, and return it; requests that were already processed stay processed.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        path = f"{_batch(batch_id)}/cancel"
        return Call(method="POST", path=path, body=b"{}", reader=JSONReader(BatchObject))

    @flow_endpoint
    def wait(
        self,
        batch: Union[str, BatchObject],
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[BatchObject]:
        """Return a batch once it is completed.

        For example, `batches.wait(batch, timeout=3600, progress=True)`.

        Args:
            batch: its ID, or the batch itself.
            timeout: seconds to wait at most; None, the default, for no limit. The job goes on after
                that: another `wait`, also of another program, takes it up again.
            poll_interval: seconds between two looks, if the gateway does not ask for more; by
                default they grow from 1 to 30.
            on_progress: is called with a `Progress` after each look. With `AsyncMeshAPI`, it may be
                a coroutine function. What it raises ends the wait.
            progress: True shows a progress bar; needs tqdm.

        Returns:
            The batch. Single requests may have failed: see `.failed_requests`.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent.
            JobFailedError: the batch has failed, expired, or was cancelled.
            JobTimeoutError: it had not ended when the time limit ran out.
            JobStatusError: its status is unknown to this version.
            NotFoundError: there is no batch with this ID.
            MeshAPIError: the batch could not be looked at, for five minutes if that may pass. In
                this and the other errors, `.partial` is the batch as it was last seen.
        """
        waiting = Waiting(
            timeout=timeout, poll_interval=poll_interval, on_progress=on_progress, progress=progress
        )
        functions = yield from waiting.begin("requests")
        return (yield from wait_for(_JOB, _JOB.id_of("batch", batch), waiting, functions))

    @overload
    def submit(
        self: "Batches[Runner]",
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
        self: "Batches[AsyncRunner]",
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
        self: "Batches[Runner]",
        batch: "BatchSubmission[T]",
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "ItemStream[BatchItem[T], list_[BatchObject]]": ...
    @overload
    def results(
        self: "Batches[Runner]",
        batch: Union[str, BatchObject],
        *,
        requests: Optional[Iterable[Union[str, BatchRequestItem, Mapping[str, Any]]]] = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "ItemStream[BatchItem[ChatCompletionResponse], list_[BatchObject]]": ...
    @overload
    def results(
        self: "Batches[AsyncRunner]",
        batch: "BatchSubmission[T]",
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "AsyncItemStream[BatchItem[T], list_[BatchObject]]": ...
    @overload
    def results(
        self: "Batches[AsyncRunner]",
        batch: Union[str, BatchObject],
        *,
        requests: Optional[Iterable[Union[str, BatchRequestItem, Mapping[str, Any]]]] = None,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> "AsyncItemStream[BatchItem[ChatCompletionResponse], list_[BatchObject]]": ...
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
    ) -> ItemFlow["BatchItem[Any]", list_[BatchObject]]:
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
        return batch_items(batch, requests, waiting, _JOB)


class _ListParams(Params, kw_only=True):
    after: Optional[str] = None
    limit: Optional[int] = None


def _batch(batch_id: str) -> str:
    return f"{_PATH}/{path_segment('batch_id', batch_id)}"


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


_JOB: JobKind[BatchObject] = JobKind(
    name="batch",
    wait="batches.wait",
    look=Batches.get.build,
    status=lambda batch: batch.status,
    failure=_failure,
    progress=_progress,
)
