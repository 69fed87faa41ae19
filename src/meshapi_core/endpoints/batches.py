"""Batches: `/v1/batches`.

Source: https://developers.meshapi.ai/docs (batches)
"""

from collections.abc import Mapping
from typing import Any, Optional, Union

import msgspec
from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._batched_calls import (
    JOB,
    PATH,
    BatchedCalls,
    look_at,
    page_of_batches,
    path_of,
)
from meshapi_core.endpoints._descriptor import R_co, endpoint, flow_endpoint
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.polling import Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params
from meshapi_core.progress import OnProgress
from meshapi_core.readers import JSONReader
from meshapi_core.types.batches import (
    BatchListResponse,
    BatchObject,
    CreateBatchFields,
    CreateBatchParams,
    complete_items,
)

__all__ = ["Batches"]


class Batches(BatchedCalls[R_co]):
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
        return Call(method="POST", path=PATH, body=body, reader=reader, starts_job=True)

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
        return page_of_batches(after, limit)

    @endpoint
    def get(self, batch_id: str) -> Call[BatchObject]:
        """Return a batch: its progress in `.status`, and its results once it is completed.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no batch with this ID.
        """
        return look_at(batch_id)

    @endpoint
    def cancel(self, batch_id: str) -> Call[BatchObject]:
        """Cancel a batch, and return it; requests that were already processed stay processed.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        path = f"{path_of(batch_id)}/cancel"
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
        return (yield from wait_for(JOB, JOB.id_of("batch", batch), waiting, functions))
