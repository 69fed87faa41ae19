"""Batches: many requests that are answered within a day.

Source: MeshAPI batches, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core._json_kinds import is_mapping, is_sequence
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel, Params, Record, always
from meshapi_core.types._outcomes import is_bad_end, is_end
from meshapi_core.types._tagged import like
from meshapi_core.types.chat import ChatCompletionParams

__all__ = [
    "BatchListResponse",
    "BatchObject",
    "BatchRequestItem",
    "CreateBatchFields",
    "CreateBatchParams",
]

_METHOD = "POST"
_URL = "/v1/chat/completions"


if TYPE_CHECKING:
    Body = dict[str, Any]
else:
    # Of other endpoints, too; but most are these, and the names of those look like none of theirs.
    Body = like(ChatCompletionParams)


class BatchRequestItem(Record, kw_only=True):
    """One request of a batch; `method` and `url` are always sent.

    Fields:
        custom_id: comes back with the result; unique within the batch.
        url: the path of the endpoint.
        body: what would be sent there, as a dict.
    """

    custom_id: str
    method: str = always(_METHOD)
    url: str = always(_URL)
    body: Body


def complete_items(requests: Any) -> Any:
    """Return a new list in which items that are plain dicts have a method and a URL, too.

    What is no list is returned as it is, to be refused when it is sent.
    """
    if not is_sequence(requests):
        return requests
    return [
        {"method": _METHOD, "url": _URL, **item} if is_mapping(item) else item for item in requests
    ]


class CreateBatchParams(Params, kw_only=True):
    """The parameters of one batch: `requests`, or `input_file_id` with `endpoint`.

    Fields:
        requests: what to ask; all of them for the same model. Items may be plain dicts.
        input_file_id, endpoint: a file of `files.upload`, and the path that its requests go to.
        completion_window: "24h".
        metadata: comes back with the batch.
    """

    requests: Optional[list[BatchRequestItem]] = None
    input_file_id: Optional[str] = None
    endpoint: Optional[str] = None
    completion_window: Optional[str] = None
    metadata: Optional[dict[str, Any]] = None

    def __post_init__(self) -> None:
        # A new list: the caller's own is not changed.
        self.requests = complete_items(self.requests)


class CreateBatchFields(TypedDict, total=False):
    """The fields of `CreateBatchParams` as keywords."""

    requests: Optional[Sequence[Union[BatchRequestItem, Mapping[str, Any]]]]
    input_file_id: Optional[str]
    endpoint: Optional[str]
    completion_window: Optional[str]
    metadata: Optional[Mapping[str, Any]]


class BatchObject(OpenResponseModel, kw_only=True, dict=True):
    """A batch and how far it is.

    Fields:
        status: "validating", "in_progress", "finalizing", then "completed", "failed" or
            "expired"; "cancelling", then "cancelled".
        created_at, completed_at: Unix time in seconds.
        request_counts: `total`, `completed` and `failed`; see `total_requests` and so on.
        results: once it is completed: `custom_id`, `response` with `status_code` and `body`, and
            `error` of each request.
        output_file_id, error_file_id: for `files.content`, where the gateway keeps files.
    """

    id: str = ""
    object: Optional[str] = None
    endpoint: Optional[str] = None
    input_file_id: Optional[str] = None
    output_file_id: Optional[str] = None
    status: Optional[str] = None
    model: Optional[str] = None
    provider: Optional[str] = None
    created_at: Optional[int] = None
    completed_at: Optional[int] = None
    usage_synced: Optional[bool] = None
    results: Optional[list[dict[str, Any]]] = None
    errors_detail: Optional[list[dict[str, Any]]] = None
    error_file_id: Optional[str] = None
    request_counts: Optional[dict[str, Any]] = None
    metadata: Optional[dict[str, Any]] = None

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether it is over as a whole without being completed.

        Of one that is completed, `failed_requests` may have failed all the same.
        """
        return is_bad_end(self.status)

    @property
    def total_requests(self) -> int:
        """How many requests it has, as `request_counts` says; else how many `results` there are."""
        return self._counted("total", len(self.results or ()))

    @property
    def completed_requests(self) -> int:
        """How many of its requests went well, as `request_counts` says; else by `results`."""
        results = self.results or ()
        return self._counted("completed", len(results) - sum(map(_has_failed, results)))

    @property
    def failed_requests(self) -> int:
        """How many of its requests have failed, as `request_counts` says; else by `results`."""
        return self._counted("failed", sum(map(_has_failed, self.results or ())))

    def _counted(self, name: str, otherwise: int) -> int:
        counted = (self.request_counts or {}).get(name)
        return counted if type(counted) is int else otherwise


def _has_failed(result: dict[str, Any]) -> bool:
    response = result.get("response")
    status = response.get("status_code") if is_mapping(response) else None
    return bool(result.get("error")) or (isinstance(status, int) and status >= 400)


class BatchListResponse(OpenResponseModel, kw_only=True, dict=True):
    """One page of batches, the newest first.

    Fields:
        has_more: whether there is a next page: `batches.list(after=page.last_id)`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="data")

    object: str = ""
    data: list[BatchObject] = msgspec.field(default_factory=list)
    has_more: bool = False
    first_id: Optional[str] = None
    last_id: Optional[str] = None
