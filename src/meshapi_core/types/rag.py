"""Documents for retrieval: uploaded, embedded and searched.

Source: MeshAPI RAG, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Optional

import msgspec
from typing_extensions import TypedDict

from meshapi_core._secret import SecretURL
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel
from meshapi_core.types._file_content import FileContent
from meshapi_core.types._outcomes import is_bad_end, is_end

__all__ = [
    "BulkEmbedFields",
    "BulkEmbedRequest",
    "BulkEmbedResponse",
    "BulkEmbedResult",
    "InitUploadFields",
    "InitUploadRequest",
    "InitUploadResponse",
    "RagFileListResponse",
    "RagFileStatus",
    "SearchFields",
    "SearchRequest",
    "SearchResponse",
    "SearchResult",
    "UploadFileFields",
    "UploadFileParams",
]


class InitUploadRequest(Params, kw_only=True):
    """What is going to be uploaded.

    Fields:
        embed: whether to embed it as soon as it is there.
        metadata: for the `filter` of searches.
    """

    file_name: str
    mime_type: str
    embed: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class InitUploadFields(TypedDict, total=False):
    """The fields of `InitUploadRequest` as keywords."""

    file_name: str
    mime_type: str
    embed: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class UploadFileParams(Params, kw_only=True):
    """A document for `rag.upload_file`.

    Fields:
        content: bytes, a path, a file that is open for reading bytes, or an iterable of bytes; or
            a tuple of a name, one of these, and its media type.
        file_name, mime_type: the content's own, where they are not given; bytes have no name.
        others: as in `InitUploadRequest`.
    """

    content: FileContent
    file_name: Optional[str] = None
    mime_type: Optional[str] = None
    embed: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class UploadFileFields(TypedDict, total=False):
    """The fields of `UploadFileParams` as keywords."""

    file_name: str
    mime_type: str
    content: FileContent
    embed: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class _SignedResponse(ResponseModel, kw_only=True):
    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "signed_url" and value:
            # Whoever sees it may use it, and error trackers show what stands around a mistake. Not
            # in the field itself: msgspec encodes no classes derived from str.
            return SecretURL(value)
        return value

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Msgspec's own would show the field itself.
        return [(name, getattr(self, name)) for name in self.__struct_fields__]


class InitUploadResponse(_SignedResponse, kw_only=True):
    """Where to put the content.

    Fields:
        signed_url: to PUT the content to, with the same Content-Type and nothing else; whoever
            has it can do so. It is good for a few minutes. Its repr leaves the query out.
        expires_at: ISO 8601.
    """

    file_id: str = ""
    signed_url: str = ""
    expires_at: str = ""


class RagFileStatus(_SignedResponse, kw_only=True):
    """A document and how far it is.

    Fields:
        upload_status: "pending", then "ready".
        embedding_status: "pending", "queued", "processing", then "ready" or "failed".
        last_error_code: why it failed.
        signed_url, signed_url_expires_at: for reading it. As above, its repr has no query.
        created_at, updated_at: ISO 8601.
        total_tokens, total_cost_usd: what embedding it took.
    """

    file_id: str = ""
    upload_status: str = ""
    file_name: str = ""
    file_type: str = ""
    mime_type: str = ""
    size_bytes: Optional[int] = None
    asset_url: Optional[str] = None
    signed_url: Optional[str] = None
    signed_url_expires_at: Optional[str] = None
    embedding_status: str = ""
    created_at: str = ""
    updated_at: str = ""
    total_tokens: Optional[int] = None
    total_cost_usd: Optional[float] = None
    last_error_code: Optional[str] = None

    @property
    def ended(self) -> bool:
        """Whether its embedding is over, well or not."""
        return self.failed or is_end(self.embedding_status)

    @property
    def failed(self) -> bool:
        """Whether it cannot be searched in; `last_error_code` says why."""
        return is_bad_end(self.embedding_status) or is_bad_end(self.upload_status)


class RagFileListResponse(ResponseModel, kw_only=True):
    """One page of documents.

    Fields:
        total: number of documents on all pages.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="files")

    files: list[RagFileStatus] = msgspec.field(default_factory=list)
    total: int = 0
    limit: int = 0
    offset: int = 0


class BulkEmbedRequest(Params, kw_only=True):
    """Which documents to embed.

    Fields:
        file_ids: 1 to 100 of them, all of them uploaded.
        wait: whether to answer only when it is done; then a document that failed is an error.
    """

    file_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]
    wait: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class BulkEmbedFields(TypedDict, total=False):
    """The fields of `BulkEmbedRequest` as keywords."""

    file_ids: Sequence[str]
    wait: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class BulkEmbedResult(Record, kw_only=True):
    """What became of one document.

    Fields:
        embedding_status: "queued" where it is on its way.
        error: why it is not.
    """

    file_id: str = ""
    embedding_status: str = ""
    chunk_count: Optional[int] = None
    error: Optional[str] = None

    @property
    def failed(self) -> bool:
        """Whether it is not embedded, and will not be; `error` says why."""
        return bool(self.error) or is_bad_end(self.embedding_status)


class BulkEmbedResponse(ResponseModel, kw_only=True):
    """What became of each document."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    results: list[BulkEmbedResult] = msgspec.field(default_factory=list)


class SearchRequest(Params, kw_only=True):
    """What to look for in the documents.

    Fields:
        top_k: number of results, 1 to 50; the gateway's default is 5.
        file_ids: only in these.
        filter: only in documents whose metadata has these values.
        date_from, date_to: only what was made between these, Unix time in seconds.
    """

    query: str
    top_k: Optional[int] = None
    file_ids: Optional[list[str]] = None
    filter: Optional[dict[str, Any]] = None
    date_from: Optional[int] = None
    date_to: Optional[int] = None


class SearchFields(TypedDict, total=False):
    """The fields of `SearchRequest` as keywords."""

    query: str
    top_k: Optional[int]
    file_ids: Optional[Sequence[str]]
    filter: Optional[Mapping[str, Any]]
    date_from: Optional[int]
    date_to: Optional[int]


class SearchResult(Record, kw_only=True):
    """A piece of a document.

    Fields:
        score: the higher, the better it fits.
        text: the piece.
        parent_text: the piece with what stands around it.
        chunk_index: which piece of the document it is.
        created_at: Unix time in seconds.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        prose=frozenset({"text", "parent_text"}), bare="text"
    )

    score: float = 0.0
    text: str = ""
    parent_text: str = ""
    file_id: Optional[str] = None
    file_name: Optional[str] = None
    file_type: Optional[str] = None
    mime_type: Optional[str] = None
    chunk_index: Optional[int] = None
    created_at: Optional[int] = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class SearchResponse(ResponseModel, kw_only=True):
    """What was found, the best first."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    results: list[SearchResult] = msgspec.field(default_factory=list)
