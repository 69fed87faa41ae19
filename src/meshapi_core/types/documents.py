"""Documents: files (PDF, DOCX, ...) that a model writes; only in version 0.1.7 of the API.

`None` in a field of a request means "not sent". In responses, every field has a default, so that a
missing or null field never raises, and `status` may be any word.

Source: MeshAPI documents, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Optional

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, ResponseModel
from meshapi_core.types._open import Open
from meshapi_core.types._outcomes import is_bad_end, is_end
from meshapi_core.types._pages import OffsetPage

__all__ = [
    "DocumentListResponse",
    "DocumentResponse",
    "GenerateDocumentFields",
    "GenerateDocumentRequest",
    "ListDocumentsFields",
    "ListDocumentsParams",
]

DocumentFormat = Literal["pdf", "docx", "pptx", "csv", "xlsx"]


class GenerateDocumentRequest(Params, kw_only=True):
    """The parameters of `documents.generate`; `format` and `prompt` are required.

    Fields:
        prompt: tells the model what to write.
        metadata: your own notes.
    """

    format: Open[DocumentFormat]
    prompt: str
    model: Optional[str] = None
    metadata: Optional[dict[str, Any]] = None


class GenerateDocumentFields(TypedDict, total=False):
    """The fields of `GenerateDocumentRequest` as keyword arguments."""

    format: Open[DocumentFormat]
    prompt: str
    model: Optional[str]
    metadata: Optional[Mapping[str, Any]]


class ListDocumentsParams(Params, kw_only=True):
    """The parameters of `documents.list`; none is required.

    Fields:
        limit: size of the page, 1 to 200.
        offset: number of documents before the page.
    """

    limit: Optional[Annotated[int, msgspec.Meta(ge=1, le=200)]] = None
    offset: Optional[Annotated[int, msgspec.Meta(ge=0)]] = None


class ListDocumentsFields(TypedDict, total=False):
    """The fields of `ListDocumentsParams` as keyword arguments."""

    limit: Optional[int]
    offset: Optional[int]


class DocumentResponse(ResponseModel, kw_only=True):
    """A document and its progress.

    Fields:
        download_url, expires_at: where the finished document is, and until when.
        size_bytes: size of the file.
        failure_reason: why there is no document.
        created_at, updated_at: times as text.
    """

    document_id: str = ""
    status: str = ""
    format: str = ""
    model: str = ""
    title: Optional[str] = None
    download_url: Optional[str] = None
    expires_at: Optional[str] = None
    size_bytes: Optional[int] = None
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    total_tokens: Optional[int] = None
    failure_reason: Optional[str] = None
    created_at: Optional[str] = None
    updated_at: Optional[str] = None

    @property
    def ended(self) -> bool:
        """Whether the job has ended, successfully or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether the job has ended without a document; `failure_reason` says why."""
        return is_bad_end(self.status)


class DocumentListResponse(ResponseModel, OffsetPage[DocumentResponse], kw_only=True):
    """One page of documents.

    Fields:
        total: number of documents on all pages.
        limit, offset: size of this page, and number of documents before it.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="documents")

    documents: list[DocumentResponse] = msgspec.field(default_factory=list)
    total: int = 0
    limit: int = 0
    offset: int = 0

    def _rows(self) -> list[DocumentResponse]:
        return self.documents
