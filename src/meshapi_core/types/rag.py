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
from meshapi_core.types._pages import OffsetPage

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
    """The parameters of `rag.init_upload`; `file_name` and `mime_type` are required.

    Fields:
        embed: whether to embed the document as soon as it is uploaded.
        metadata: values for the `filter` of searches.
    """

    file_name: str
    mime_type: str
    embed: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class InitUploadFields(TypedDict, total=False):
    """The fields of `InitUploadRequest` as keyword arguments."""

    file_name: str
    mime_type: str
    embed: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class UploadFileParams(Params, kw_only=True):
    """The parameters of `rag.upload_file`; only `content` is always required.

    Fields:
        content: bytes, a path, a file that is open in binary mode, or an iterable of bytes; or a
            tuple of a file name, one of these, and optionally a media type.
        file_name: the name of the content if left out; bytes alone have none.
        mime_type: the media type of the content if left out, or else guessed from the name.
        others: as in `InitUploadRequest`.
    """

    content: FileContent
    file_name: Optional[str] = None
    mime_type: Optional[str] = None
    embed: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class UploadFileFields(TypedDict, total=False):
    """The fields of `UploadFileParams` as keyword arguments."""

    file_name: str
    mime_type: str
    content: FileContent
    embed: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class _SignedResponse(ResponseModel, kw_only=True):
    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "signed_url" and value:
            # Anyone who sees the URL may use it, and error trackers record local variables. The
            # field itself stays a str: msgspec encodes no subclasses of it.
            return SecretURL(value)
        return value

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own would show the field itself.
        return [(name, getattr(self, name)) for name in self.__struct_fields__]


class InitUploadResponse(_SignedResponse, kw_only=True):
    """Where to upload the content.

    Fields:
        signed_url: a URL to PUT the content to, with the same Content-Type and no other headers.
            It is a secret: anyone who has it can upload, for a few minutes. Its `repr()` leaves
            the query out.
        expires_at: when `signed_url` expires, in ISO 8601.
    """

    file_id: str = ""
    signed_url: str = ""
    expires_at: str = ""


class RagFileStatus(_SignedResponse, kw_only=True):
    """A document and its progress.

    Fields:
        upload_status: "pending", then "ready".
        embedding_status: "pending", "queued", "processing", then "ready" or "failed".
        last_error_code: why uploading or embedding failed.
        signed_url, signed_url_expires_at: a URL to read the document from, and when it expires.
            The URL is a secret, and its `repr()` leaves the query out.
        created_at, updated_at: times in ISO 8601.
        total_tokens, total_cost_usd: usage of the embedding, in model tokens and US dollars.
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
        """Whether the embedding has ended, successfully or not."""
        return self.failed or is_end(self.embedding_status)

    @property
    def failed(self) -> bool:
        """Whether uploading or embedding failed; `last_error_code` says why."""
        return is_bad_end(self.embedding_status) or is_bad_end(self.upload_status)


class RagFileListResponse(ResponseModel, OffsetPage[RagFileStatus], kw_only=True):
    """One page of documents.

    Fields:
        total: number of documents on all pages.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="files")

    files: list[RagFileStatus] = msgspec.field(default_factory=list)
    total: int = 0
    limit: int = 0
    offset: int = 0

    def _rows(self) -> list[RagFileStatus]:
        return self.files


class BulkEmbedRequest(Params, kw_only=True):
    """The parameters of `rag.embed`; only `file_ids` is required.

    Fields:
        file_ids: the IDs of 1 to 100 uploaded documents.
        wait: whether the gateway responds only when embedding has ended; a document that failed is
            then an error.
    """

    file_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]
    wait: Optional[bool] = None
    metadata: Optional[dict[str, Any]] = None


class BulkEmbedFields(TypedDict, total=False):
    """The fields of `BulkEmbedRequest` as keyword arguments."""

    file_ids: Sequence[str]
    wait: Optional[bool]
    metadata: Optional[Mapping[str, Any]]


class BulkEmbedResult(Record, kw_only=True):
    """The state of one document.

    Fields:
        embedding_status: "queued" if the document will be embedded.
        error: why it will not be.
    """

    file_id: str = ""
    embedding_status: str = ""
    chunk_count: Optional[int] = None
    error: Optional[str] = None

    @property
    def failed(self) -> bool:
        """Whether embedding the document failed; `error` says why."""
        return bool(self.error) or is_bad_end(self.embedding_status)


class BulkEmbedResponse(ResponseModel, kw_only=True):
    """The state of each document."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    results: list[BulkEmbedResult] = msgspec.field(default_factory=list)


class SearchRequest(Params, kw_only=True):
    """The parameters of `rag.search`; only `query` is required.

    Fields:
        query: the text to search for.
        top_k: number of results, 1 to 50; the gateway's default is 5.
        file_ids: search only the documents with these IDs.
        filter: search only documents whose metadata has exactly these values.
        date_from, date_to: search only what was created between these; Unix time in seconds.
    """

    query: str
    top_k: Optional[int] = None
    file_ids: Optional[list[str]] = None
    filter: Optional[dict[str, Any]] = None
    date_from: Optional[int] = None
    date_to: Optional[int] = None


class SearchFields(TypedDict, total=False):
    """The fields of `SearchRequest` as keyword arguments."""

    query: str
    top_k: Optional[int]
    file_ids: Optional[Sequence[str]]
    filter: Optional[Mapping[str, Any]]
    date_from: Optional[int]
    date_to: Optional[int]


class SearchResult(Record, kw_only=True):
    """A passage of a document.

    Fields:
        score: higher is better.
        text: the passage.
        parent_text: the passage with its surroundings.
        chunk_index: position of the passage in the document.
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
    """The passages found, best first."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    results: list[SearchResult] = msgspec.field(default_factory=list)
