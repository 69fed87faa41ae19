"""Batches: many requests that the gateway processes within a day.

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
from meshapi_core.types._pages import AfterPage
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
    # Bodies of other endpoints are allowed, too. Most are chat completions, and the names in the
    # others do not look like misspelt names of these.
    Body = like(ChatCompletionParams)


class BatchRequestItem(Record, kw_only=True):
    """One request of a batch; `method` and `url` are always sent.

    Fields:
        custom_id: your name for the request, unique within the batch; its result has it, too.
        url: the path of the endpoint.
        body: the request body for that endpoint, as a dict.
    """

    custom_id: str
    method: str = always(_METHOD)
    url: str = always(_URL)
    body: Body


def complete_items(requests: Any) -> Any:
    """Return a new list in which items that are plain dicts also have a method and a URL.

    Anything but a list is returned as given, to be refused when it is sent.
    """
    if not is_sequence(requests):
        return requests
    return [
        {"method": _METHOD, "url": _URL, **item} if is_mapping(item) else item for item in requests
    ]


class CreateBatchParams(Params, kw_only=True):
    """The parameters of `batches.create`: `requests`, or `input_file_id` with `endpoint`.

    Fields:
        requests: the requests, all for the same model. Items may be plain dicts.
        input_file_id, endpoint: a file from `files.upload`, and the path that its requests are
            for; for gateways that keep files.
        completion_window: the longest that the batch may take; "24h".
        metadata: your own notes, returned with the batch.
    """

    requests: Optional[list[BatchRequestItem]] = None
    input_file_id: Optional[str] = None
    endpoint: Optional[str] = None
    completion_window: Optional[str] = None
    metadata: Optional[dict[str, Any]] = None

    def __post_init__(self) -> None:
        # A new list, so that the caller's is not changed.
        self.requests = complete_items(self.requests)


class CreateBatchFields(TypedDict, total=False):
    """The fields of `CreateBatchParams` as keyword arguments."""

    requests: Optional[Sequence[Union[BatchRequestItem, Mapping[str, Any]]]]
    input_file_id: Optional[str]
    endpoint: Optional[str]
    completion_window: Optional[str]
    metadata: Optional[Mapping[str, Any]]


class BatchObject(OpenResponseModel, kw_only=True, dict=True):
    """A batch and its progress.

    Fields:
        status: "validating", "in_progress", "finalizing", then "completed", "failed" or
            "expired"; "cancelling", then "cancelled".
        created_at, completed_at: Unix time in seconds.
        request_counts: `total`, `completed` and `failed`; see `total_requests` and so on.
        results: once the batch is completed, a dict for each request: `custom_id`, `response` with
            `status_code` and `body`, and `error`.
        output_file_id, error_file_id: for `files.content`, from gateways that keep files.
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

    def _repr_html_(self) -> str:
        from meshapi_core.types._html import batches_html

        return batches_html([self])

    @property
    def ended(self) -> bool:
        """Whether the batch has ended, successfully or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether the batch as a whole has ended without being completed.

        Single requests of a completed batch may still have failed: see `failed_requests`.
        """
        return is_bad_end(self.status)

    @property
    def total_requests(self) -> int:
        """The number of requests, from `request_counts`, or else from `results`."""
        return self._counted("total", len(self.results or ()))

    @property
    def completed_requests(self) -> int:
        """The number of requests that succeeded, from `request_counts`, or else from `results`."""
        results = self.results or ()
        return self._counted("completed", len(results) - sum(map(_has_failed, results)))

    @property
    def failed_requests(self) -> int:
        """The number of requests that failed, from `request_counts`, or else from `results`."""
        return self._counted("failed", sum(map(_has_failed, self.results or ())))

    def _counted(self, name: str, otherwise: int) -> int:
        # Some gateways say it in a field of its own, which this property would hide.
        for counted in (
            self.model_extra.get(f"{name}_requests"),
            (self.request_counts or {}).get(name),
        ):
            if type(counted) is int:
                return counted
        return otherwise


def _has_failed(result: dict[str, Any]) -> bool:
    response = result.get("response")
    status = response.get("status_code") if is_mapping(response) else None
    return bool(result.get("error")) or (isinstance(status, int) and status >= 400)


class BatchListResponse(OpenResponseModel, AfterPage[BatchObject], kw_only=True, dict=True):
    """One page of batches, newest first.

    Fields:
        has_more: whether there is a next page: `batches.list(after=page.last_id)`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="data")

    object: str = ""
    data: list[BatchObject] = msgspec.field(default_factory=list)
    has_more: bool = False
    first_id: Optional[str] = None
    last_id: Optional[str] = None

    def _rows(self) -> list[BatchObject]:
        return self.data

    def _repr_html_(self) -> str:
        from meshapi_core.types._html import batches_html

        return batches_html(self.data)
