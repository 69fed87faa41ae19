"""/v1/batches: requests that are processed later, at the second look at the batch.

A batch is `validating` when it is made, `in_progress` at the first look at it, and `completed` at
the second, with the responses of its endpoint. With `mesh/stall` it never completes; with
other models that fail on purpose, its requests fail, and the jobs of `mesh/` end as their names
say: an expired or cancelled batch has results for the first half of its requests. A cancelled batch
is `cancelling`, then `cancelled` at the next look. A look is a GET of that batch; the list does not
count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock, failing_models
from meshapi.gateway.endpoints.batch_rows import endpoint_of, expired, model_of, result_of
from meshapi.gateway.endpoints.files.batch_files import BatchFiles, requests_check
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.pages import AFTER_QUERY, page_after
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    mapping,
    only_fields,
    read_json,
    string,
)
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.jobs import end_of, is_known, job_response
from meshapi.gateway.models import JOB_EXPIRED, JOB_FAILED, UNORDERED
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

_MOST_OPEN = 10

_OPEN = ("validating", "in_progress", "cancelling")

_INLINE: Check = only_fields(
    {"requests": requests_check}, {"completion_window": string, "metadata": mapping}
)
_FROM_FILE: Check = only_fields(
    {"input_file_id": string, "endpoint": string, "completion_window": string},
    {"metadata": mapping},
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        batches = state.store(_Batches)
        if request.method == "GET":
            query = read_query(request, AFTER_QUERY)
            page = page_after(batches, _Batch.as_object, query, lambda batch: batch.model)
            return json_response(page)
        batch = _make(state, await read_json(request, _create_check))
        batches.put(batch.id, batch)
        return json_response(batch.as_object())

    async def one(request: Request) -> Response:
        batch = state.store(_Batches).get(request.path_params["id"])
        _advance(state, batch)
        return job_response(batch.model, batch.as_object(), batch.status)

    async def cancel(request: Request) -> Response:
        batch = state.store(_Batches).get(request.path_params["id"])
        if batch.status not in _OPEN:
            message = f"The batch is {batch.status} and can't be cancelled."
            raise GatewayError(409, "conflict", message)
        batch.status = "cancelling"
        batch.cancelling_at = int(clock.time())
        return json_response(batch.as_object())

    return [
        protected(state, "/v1/batches", ["GET", "POST"], collection),
        protected(state, "/v1/batches/{id}", ["GET"], one),
        protected(state, "/v1/batches/{id}/cancel", ["POST"], cancel),
    ]


@dataclass
class _Batch:
    requests: Sequence[dict[str, Any]]
    endpoint: str
    model: str
    input_file_id: Optional[str]
    completion_window: str
    metadata: Optional[dict[str, Any]]
    id: str = field(default_factory=lambda: f"batch_{ulid()}")
    created_at: int = field(default_factory=lambda: int(clock.time()))
    status: str = "validating"
    completed_at: Optional[int] = None
    cancelling_at: Optional[int] = None
    output_file_id: Optional[str] = None
    error_file_id: Optional[str] = None
    results: Optional[list[dict[str, Any]]] = None
    errors: Optional[list[dict[str, Any]]] = None

    def as_object(self) -> dict[str, Any]:
        counts = {
            "total": len(self.requests),
            "completed": len(self.results or ()),
            "failed": len(self.requests) if self.status == "failed" else len(self.errors or ()),
        }
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "input_file_id": self.input_file_id,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "status": self.status,
            "model": self.model,
            "provider": self.model.partition("/")[0],
            "completion_window": self.completion_window,
            "created_at": self.created_at,
            "completed_at": self.completed_at,
            "cancelling_at": self.cancelling_at,
            "usage_synced": self.status == "completed",
            "results": self.results,
            "errors_detail": self.errors,
            "request_counts": counts,
            "metadata": self.metadata,
        }


class _Batches(Store[_Batch]):
    what = "Batch"


def _create_check(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a body of the old format, which names a file, or one that contains the requests."""
    from_file = isinstance(value, dict) and "input_file_id" in value
    return (_FROM_FILE if from_file else _INLINE)(value, at)


def _make(state: GatewayState, body: dict[str, Any]) -> _Batch:
    input_file_id: Optional[str] = body.get("input_file_id")
    if input_file_id is None:
        requests: Any = body["requests"]
    else:
        requests = _uploaded(state, input_file_id)
    endpoint = endpoint_of(requests, body.get("endpoint"))
    model = model_of(requests, endpoint)
    open_ones = sum(batch.status in _OPEN for batch in state.store(_Batches))
    if open_ones >= _MOST_OPEN:
        message = f"There are {open_ones} open batches already, and {_MOST_OPEN} is the limit."
        raise GatewayError(429, "batch_limit_exceeded", message)
    window = body.get("completion_window") or "24h"
    return _Batch(requests, endpoint, model, input_file_id, window, body.get("metadata"))


def _uploaded(state: GatewayState, file_id: str) -> Sequence[dict[str, Any]]:
    found = state.store(BatchFiles).get(file_id)
    if found.purpose != "batch":
        message = f"The purpose of file '{file_id}' is {found.purpose}, not batch."
        raise GatewayError(400, "invalid_request", message)
    return found.rows


def _advance(state: GatewayState, batch: _Batch) -> None:
    """Move the batch to its next status; called at each look."""
    if batch.status == "cancelling":
        batch.status = "cancelled"
        batch.completed_at = int(clock.time())
    elif batch.status == "validating":
        batch.status = "in_progress"
    elif batch.status == "in_progress":
        _end(state, batch)


def _end(state: GatewayState, batch: _Batch) -> None:
    end = "failed" if batch.model == JOB_FAILED else _end_of(batch.model)
    if end == "failed":
        failure = failing_models.FAILED_JOBS[batch.model]
        batch.errors = [{"code": failure.code, "message": failure.message}]
    elif end == "completed":
        _complete(state, batch, batch.requests)
    elif end in ("expired", "cancelled"):
        _complete(state, batch, batch.requests[: (len(batch.requests) + 1) // 2])
    if end is not None:
        batch.status = end
        batch.completed_at = int(clock.time()) if is_known(end) else None
    state.store(_Batches).changed(batch.id)


def _end_of(model: str) -> Optional[str]:
    """The status in which batches of the model end; if only their requests fail, they complete."""
    return "completed" if model in failing_models.FAILED_JOBS else end_of(model, "completed")


def _complete(state: GatewayState, batch: _Batch, done: Sequence[dict[str, Any]]) -> None:
    """Process some of the requests; those that are left get no result, or an error if expired."""
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for row in done:
        entry = result_of(state, batch.endpoint, row)
        (errors if entry["error"] else results).append(entry)
    if batch.model == JOB_EXPIRED:
        errors += [expired(row) for row in batch.requests[len(done) :]]
    if batch.model == UNORDERED:
        results.reverse()
    files = state.store(BatchFiles)
    batch.output_file_id = files.add(results, "batch_output", batch.model).id if results else None
    batch.error_file_id = files.add(errors, "batch_output", batch.model).id if errors else None
    batch.results, batch.errors = results, errors
