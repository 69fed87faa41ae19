"""How jobs end that fail on purpose: batches, videos, documents, embeddings, background responses.

The model says how; a RAG file, which has no model, says it by the beginning of its name, such as
`mesh-job-failed.txt`.
"""

import re
from typing import Any, Optional

from starlette.responses import Response

from meshapi.gateway.failing_models import FAILED_JOBS, Failure
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    FAILING_MODELS,
    JOB_CANCELLED,
    JOB_EXPIRED,
    JOB_FAILED,
    JOB_RETRY_AFTER,
    JOB_UNKNOWN_STATUS,
    STALL,
)

_UNKNOWN_STATUS = "paused"
_ENDS = {JOB_EXPIRED: "expired", JOB_CANCELLED: "cancelled", JOB_UNKNOWN_STATUS: _UNKNOWN_STATUS}
_UNFINISHED = ("queued", "running", "processing", "pending", "validating", "in_progress")

_RETRY_AFTER = {"Retry-After": "1"}

_FAIL = re.compile(r"fail:\s*(.*)", re.IGNORECASE | re.DOTALL)
_FAILED = "The provider could not do it."


def end_of(model: str, usual: str) -> Optional[str]:
    """The status in which the jobs of the model end; None if they never end.

    Args:
        usual: the status of jobs that succeed.
    """
    if model == STALL:
        return None
    return "failed" if model in FAILED_JOBS else _ENDS.get(model, usual)


def is_known(status: str) -> bool:
    """Whether the service has this status at all."""
    return status != _UNKNOWN_STATUS


def asked_to_fail(text: str) -> Optional[Failure]:
    """The failure of a job whose text begins with "Fail:"; None for other texts."""
    found = _FAIL.match(text)
    return Failure(500, "provider_job_failed", found[1] or _FAILED) if found else None


def job_response(model: str, job: Any, status: str) -> Response:
    """The response to a look at a job; with `mesh/job-retry-after`, it says when to look again."""
    if model == JOB_RETRY_AFTER and status in (*_UNFINISHED, "cancelling"):
        return Response(dump(job), 200, _RETRY_AFTER, "application/json")
    return json_response(job)


def model_of_name(file_name: str) -> str:
    """The model that a file is named after; empty if there is none."""
    found = re.match(r"mesh-([a-z-]+)", file_name)
    model = f"mesh/{found[1]}" if found else ""
    return model if model in FAILING_MODELS else ""


def error_of_embedding(model: str) -> Optional[str]:
    """The error code of an embedding that fails, whose status can only be "failed"."""
    if model in (JOB_EXPIRED, JOB_CANCELLED):
        return f"job_{_ENDS[model]}"
    return FAILED_JOBS[JOB_FAILED].code if model == JOB_FAILED else None
