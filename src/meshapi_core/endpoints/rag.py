"""Retrieval: documents are uploaded, embedded and searched, under `/v1/files`.

Source: https://developers.meshapi.ai/docs (RAG)
"""

from collections.abc import Mapping
from typing import Any, Optional, Union

import msgspec
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_mapping
from meshapi_core.bodies import FileSource, file_source
from meshapi_core.calls import Call, SignedPut
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, flow_endpoint
from meshapi_core.errors import InvalidParamsError, JobFailedError
from meshapi_core.headers import find_request_id
from meshapi_core.media_types import checked_media_type, media_type
from meshapi_core.messages import Response
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.paths import path_segment
from meshapi_core.protocols import Flow
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader, Reader
from meshapi_core.types._base import Params
from meshapi_core.types._file_content import FileContent
from meshapi_core.types.rag import (
    BulkEmbedFields,
    BulkEmbedRequest,
    BulkEmbedResponse,
    InitUploadFields,
    InitUploadRequest,
    InitUploadResponse,
    RagFileListResponse,
    RagFileStatus,
    SearchFields,
    SearchRequest,
    SearchResponse,
    UploadFileFields,
    UploadFileParams,
)

__all__ = ["Rag"]

_PATH = "/v1/files"


class Rag(Resource[R_co]):
    """Documents to search in."""

    @endpoint
    def init_upload(
        self, params: Optional[InitUploadRequest] = None, **fields: Unpack[InitUploadFields]
    ) -> Call[InitUploadResponse]:
        """Return where to put the content of a document; `upload_file` does both.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `init_upload(file_name="a.pdf", mime_type="...")`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
        """
        return _init_upload(encode_params(InitUploadRequest, params, fields))

    @flow_endpoint
    def upload_file(
        self,
        params: Union[UploadFileParams, FileContent, None] = None,
        **fields: Unpack[UploadFileFields],
    ) -> Flow[InitUploadResponse]:
        """Return a document that has been uploaded; the gateway then takes it in.

        `get` says how far that is. The content goes to the storage, not to the gateway, and
        nothing of this client's but its type goes with it.

        Args:
            params: the content, `upload_file("docs/a.pdf", embed=True)`; or the parameters as
                one object; or
            fields: the same by keyword: `upload_file(content=b"...", file_name="a.pdf")`. Name
                and type are those of the content, where they are not given.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            APIStatusError, APIConnectionError, APITimeoutError: of the gateway or of the storage;
                the signed URL is not in them.
        """
        source, start = _upload(params, fields)
        kind = checked_media_type("mime_type", start["mime_type"])
        init = _init_upload(encode_params(InitUploadRequest, None, start))
        yield source
        upload: InitUploadResponse = yield init
        # The storage wants the type that the URL was signed for.
        yield SignedPut(url=upload.signed_url, content_type=kind, source=source)
        return upload

    @endpoint
    def list(
        self, limit: Optional[int] = None, offset: Optional[int] = None
    ) -> Call[RagFileListResponse]:
        """Return one page of the documents.

        Args:
            limit, offset: size and start of the page.
        """
        query = encode_query(_ListParams, None, {"limit": limit, "offset": offset})
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(RagFileListResponse))

    @endpoint
    def get(self, file_id: str) -> Call[RagFileStatus]:
        """Return a document and how far it is.

        Raises:
            InvalidParamsError: the id is empty, `.` or `..`.
            NotFoundError: there is none with this id.
        """
        path = f"{_PATH}/{path_segment('file_id', file_id)}"
        return Call(method="GET", path=path, reader=JSONReader(RagFileStatus))

    @endpoint
    def embed(
        self, params: Optional[BulkEmbedRequest] = None, **fields: Unpack[BulkEmbedFields]
    ) -> Call[BulkEmbedResponse]:
        """Return which documents are being embedded from now on; with `wait=True`, which are.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `embed(file_ids=[upload.file_id])`.

        Returns:
            One of `.results` for each document. Without `wait`, look at `.failed` of each: some
            may be refused at once.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, or there are
                more than 100 ids; nothing was sent.
            JobFailedError: with `wait=True`, some or all of them have failed. It says which and
                why; `.partial` is the response, with those that have not.
        """
        body = encode_params(BulkEmbedRequest, params, fields)
        waits = fields.get("wait") if params is None else params.wait
        reader: Reader[BulkEmbedResponse] = (
            _EmbeddedReader() if waits else JSONReader(BulkEmbedResponse)
        )
        path = f"{_PATH}/embed"
        return Call(method="POST", path=path, body=body, reader=reader, starts_job=True)

    @endpoint
    def search(
        self, params: Optional[SearchRequest] = None, **fields: Unpack[SearchFields]
    ) -> Call[SearchResponse]:
        """Return the pieces of documents that fit best.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `search(query="...", top_k=3)`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
        """
        body = encode_params(SearchRequest, params, fields)
        reader = JSONReader(SearchResponse)
        return Call(method="POST", path=f"{_PATH}/search", body=body, reader=reader)


class _EmbeddedReader(msgspec.Struct, frozen=True):
    """Reads what became of documents, all of which should be embedded by now."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSONReader(BulkEmbedResponse).accept

    def read(self, response: Response) -> BulkEmbedResponse:
        """The typed response. See `Reader.read`.

        Raises:
            JobFailedError: a document has failed.
        """
        answer = JSONReader(BulkEmbedResponse).read(response)
        failed = [result for result in answer.results if result.failed]
        if not failed:
            return answer
        reasons = ", ".join(
            f"{row.file_id} ({row.error or row.embedding_status})" for row in failed
        )
        raise JobFailedError(
            f"{len(failed)} of {len(answer.results)} documents could not be embedded: {reasons}",
            status=response.status,
            request_id=find_request_id(response.headers),
            details=[row.model_dump(exclude_none=True) for row in failed],
            partial=answer,
        )


class _ListParams(Params, kw_only=True):
    limit: Optional[int] = None
    offset: Optional[int] = None


def _upload(params: object, fields: Mapping[str, Any]) -> tuple[FileSource, dict[str, Any]]:
    """Return the content of an upload, and what the gateway is told about it."""
    given: dict[str, Any] = {**fields}
    if isinstance(params, UploadFileParams) and not given:
        given, params = msgspec.structs.asdict(params), None
    elif not (params is None or isinstance(params, msgspec.Struct) or is_mapping(params)):
        if "content" in given:
            raise InvalidParamsError("content", "one content", "two")
        given, params = {"content": params, **given}, None
    content = given.get("content")
    if params is None or content is not None:
        # No JSON, and checked by itself: the others are, with something in its place.
        given["content"] = ""
    start = build_params(UploadFileParams, params, given, {})
    source = file_source("content", content)
    del start["content"]
    name = start.get("file_name") or source.name
    if not name:
        hint = "the content has none of its own"
        raise InvalidParamsError("file_name", "a name", "nothing", hint)
    kind = source.content_type or media_type(name, source.name)
    return source, {**start, "file_name": name, "mime_type": start.get("mime_type", kind)}


def _init_upload(body: bytes) -> Call[InitUploadResponse]:
    return Call(method="POST", path=_PATH, body=body, reader=JSONReader(InitUploadResponse))
