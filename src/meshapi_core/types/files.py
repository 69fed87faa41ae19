"""Files of requests for batches, which the first gateways stored.

Newer gateways use the same paths for documents: see `rag`.

Source: MeshAPI files and batches (0.1.0 to 0.1.3), https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from typing_extensions import TypedDict

from meshapi_core.types._base import OpenResponseModel, Params, always
from meshapi_core.types.batches import BatchRequestItem, complete_items

__all__ = ["FileObject", "UploadBatchFileFields", "UploadBatchFileParams"]


class UploadBatchFileParams(Params, kw_only=True):
    """The parameters of `files.upload`: the requests of a batch; `purpose` is always sent.

    Fields:
        requests: the requests. Items may be plain dicts.
    """

    purpose: str = always("batch")
    requests: list[BatchRequestItem]

    def __post_init__(self) -> None:
        self.requests = complete_items(self.requests)


class UploadBatchFileFields(TypedDict, total=False):
    """The fields of `UploadBatchFileParams` as keyword arguments."""

    purpose: str
    requests: Sequence[Union[BatchRequestItem, Mapping[str, Any]]]


class FileObject(OpenResponseModel, kw_only=True, dict=True):
    """A file that the gateway stores.

    Fields:
        bytes: its size in bytes.
        created_at: Unix time in seconds.
    """

    id: str = ""
    object: Optional[str] = None
    bytes: Optional[int] = None
    created_at: Optional[int] = None
    filename: Optional[str] = None
    purpose: Optional[str] = None
    status: Optional[str] = None
    status_details: Optional[Any] = None
