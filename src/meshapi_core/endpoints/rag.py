"""Retrieval: upload documents, embed them and search them, under `/v1/files`.

Source: https://developers.meshapi.ai/docs (RAG)
"""

from collections.abc import Mapping
from typing import Any, Final, Optional, Union

import msgspec
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_mapping
from meshapi_core.bodies import FileSource, file_source
from meshapi_core.calls import Call, SignedPut
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
)
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.errors import InvalidParamsError, JobFailedError
from meshapi_core.flows.polling import WAIT_NAMES, JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.headers import find_request_id
from meshapi_core.media_types import checked_media_type, media_type
from meshapi_core.messages import Response
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader, Reader
from meshapi_core.types._base import Params
from meshapi_core.types._file_content import FileContent
from meshapi_core.types._outcomes import is_done
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
    """Documents to search: upload, embed, search."""

    @endpoint
    def init_upload(
        self, params: Optional[InitUploadRequest] = None, **fields: Unpack[InitUploadFields]
    ) -> Call[InitUploadResponse]:
        """Return the URL to upload a document to; `upload_file` does the upload as well.

        For example, `rag.init_upload(file_name="a.pdf", mime_type="application/pdf")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `InitUploadRequest`.

        Returns:
            The response. PUT the content to `.signed_url` within a few minutes, with the same
            Content-Type. `.file_id` names the document in other calls.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
        """
        return _init_upload(encode_params(InitUploadRequest, params, fields))

    @flow_endpoint
    def upload_file(
        self,
        params: Union[UploadFileParams, FileContent, None] = None,
        **fields: Unpack[UploadFileFields],
    ) -> Flow[InitUploadResponse]:
        """Upload a document, and return its `.file_id`; the gateway processes it afterwards.

        For example, `rag.upload_file("docs/a.pdf", embed=True)`, or
        `rag.upload_file(content=b"...", file_name="a.pdf")`.

        The content is sent to the storage behind the gateway, with its media type; the token and
        the other headers of the client are not.

        Args:
            params: the content; or the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `UploadFileParams`. By default the name and the
                media type are those of the content.

        Returns:
            The response of `init_upload`. `wait` for it, or ask `get` with its `.file_id`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            APIStatusError, APIConnectionError, APITimeoutError: the gateway or the storage failed.
                The signed URL is not in the error.
        """
        return (yield from _uploading(*_upload(params, fields)))

    @flow_endpoint
    def upload_and_embed(
        self,
        params: Union[UploadFileParams, FileContent, None] = None,
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
        **fields: Unpack[UploadFileFields],
    ) -> Flow[RagFileStatus]:
        """Upload a document, and return it once it is embedded: it can be searched then.

        For example, `rag.upload_and_embed("docs/a.pdf", timeout=600)`.

        Args:
            params: the content; or the parameters as one object, instead of keywords.
            fields: the parameters as keywords, as for `upload_file`; `embed` is True.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.
                `on_progress` is first called when the document is uploaded, with its ID in
                `.job_id`: if this call is cancelled, `wait` with that ID takes it up again.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            APIStatusError, APIConnectionError, APITimeoutError: as for `upload_file`.
            JobFailedError, JobTimeoutError, JobStatusError, MeshAPIError: as for `wait`. `.partial`
                is the document as it was last seen, and `.partial.file_id` its ID.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        source, start = _upload(params, fields, WAIT_NAMES)
        if start.get("embed") is False:
            raise InvalidParamsError("embed", "True", "False", "use upload_file()")
        functions = yield from waiting.begin()
        upload = yield from _uploading(source, {**start, "embed": True})
        file_id = _JOB.id_of("file", upload, "file_id")
        return (yield from wait_for(_JOB, file_id, waiting, functions, begun=upload))

    @flow_endpoint
    def wait(
        self,
        file: Union[str, InitUploadResponse, RagFileStatus],
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[RagFileStatus]:
        """Return a document once it is embedded, so that it can be searched.

        For example, `rag.wait(rag.upload_file("docs/a.pdf", embed=True))`. Something must have
        asked for the embedding: `embed=True` with the upload, or `embed`.

        Args:
            file: its ID, or what `upload_file`, `get` or `list` returned.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent.
            JobFailedError: the document could not be uploaded or embedded.
            JobStatusError: the status is unknown to this version; or the embedding has not been
                asked for, or the content has not been uploaded (`not_begun`).
            JobTimeoutError, NotFoundError, MeshAPIError: as for `batches.wait`.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        functions = yield from waiting.begin()
        file_id = _JOB.id_of("file", file, "file_id")
        return (yield from wait_for(_JOB, file_id, waiting, functions))

    @list_endpoint
    def list(
        self, limit: Optional[int] = None, offset: Optional[int] = None
    ) -> Call[RagFileListResponse]:
        """Return one page of documents.

        Args:
            limit: the size of the page.
            offset: the number of documents before it.

        Returns:
            The page; it is in `.files`, and `.total` counts the documents on all pages.
            Iterate over it for all of them.

        Raises:
            InvalidParamsError: a parameter is invalid; nothing was sent.
        """
        query = encode_query(_ListParams, None, {"limit": limit, "offset": offset})
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(RagFileListResponse))

    @endpoint
    def get(self, file_id: str) -> Call[RagFileStatus]:
        """Return a document: its progress in `.upload_status` and `.embedding_status`.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no document with this ID.
        """
        path = f"{_PATH}/{path_segment('file_id', file_id)}"
        return Call(method="GET", path=path, reader=JSONReader(RagFileStatus))

    @endpoint
    def embed(
        self, params: Optional[BulkEmbedRequest] = None, **fields: Unpack[BulkEmbedFields]
    ) -> Call[BulkEmbedResponse]:
        """Start to embed documents; with `wait=True`, return when they are embedded.

        For example, `rag.embed(file_ids=[upload.file_id])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `BulkEmbedRequest`.

        Returns:
            The response, with an entry in `.results` for each document. Without `wait`, look at
            `.failed` of each: the gateway may refuse some at once.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid, or there are more than
                100 IDs; nothing was sent.
            JobFailedError: with `wait=True`, at least one document has failed. The error says which
                ones and why, and `.partial` is the whole response.
            MeshAPIError: as for `chat.completions.create`.
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
        """Return the parts of documents that match a query best.

        For example, `rag.search(query="...", top_k=3)`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `SearchRequest`.

        Returns:
            The response; `.results[0].text` is the best match, and the others follow.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
        """
        body = encode_params(SearchRequest, params, fields)
        reader = JSONReader(SearchResponse)
        return Call(method="POST", path=f"{_PATH}/search", body=body, reader=reader)


class _EmbeddedReader(msgspec.Struct, frozen=True):
    """Reads the response of a call that waited until all documents were embedded."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSONReader(BulkEmbedResponse).accept

    def read(self, response: Response) -> BulkEmbedResponse:
        """Return the typed response. See `Reader.read`.

        Raises:
            JobFailedError: a document has failed.
        """
        embedded = JSONReader(BulkEmbedResponse).read(response)
        failed = [result for result in embedded.results if result.failed]
        if not failed:
            return embedded
        reasons = ", ".join(
            f"{row.file_id} ({row.error or row.embedding_status})" for row in failed
        )
        raise JobFailedError(
            f"{len(failed)} of {len(embedded.results)} documents could not be embedded: {reasons}",
            status=response.status,
            request_id=find_request_id(response.headers),
            details=[row.model_dump(exclude_none=True) for row in failed],
            partial=embedded,
        )


class _ListParams(Params, kw_only=True):
    limit: Optional[int] = None
    offset: Optional[int] = None


def _upload(
    params: object, fields: Mapping[str, Any], beside: tuple[str, ...] = ()
) -> tuple[FileSource, dict[str, Any]]:
    """Return the content of an upload, and the parameters of the call that announces it."""
    given: dict[str, Any] = {**fields}
    if isinstance(params, UploadFileParams) and not given:
        given, params = msgspec.structs.asdict(params), None
    elif not (params is None or isinstance(params, msgspec.Struct) or is_mapping(params)):
        if "content" in given:
            raise InvalidParamsError("content", "one document", "two", "pass it once")
        given, params = {"content": params, **given}, None
    content = given.get("content")
    if params is None or content is not None:
        # It is not JSON, and checked below. Something stands in while the rest is checked.
        given["content"] = ""
    start = build_params(UploadFileParams, params, given, {}, beside=beside)
    source = file_source("content", content)
    del start["content"]
    name = start.get("file_name") or source.name
    if not name:
        hint = "write file_name=..., as the content has no name"
        raise InvalidParamsError("file_name", "a name", "nothing", hint)
    kind = source.content_type or media_type(name, source.name)
    return source, {**start, "file_name": name, "mime_type": start.get("mime_type", kind)}


def _init_upload(body: bytes) -> Call[InitUploadResponse]:
    return Call(method="POST", path=_PATH, body=body, reader=JSONReader(InitUploadResponse))


def _uploading(source: FileSource, start: Mapping[str, Any]) -> Flow[InitUploadResponse]:
    kind = checked_media_type("mime_type", start["mime_type"])
    init = _init_upload(encode_params(InitUploadRequest, None, start))
    yield source
    upload: InitUploadResponse = yield init
    # The signature of the URL covers this media type.
    yield SignedPut(url=upload.signed_url, content_type=kind, source=source)
    return upload


_UPLOADED_WITHIN: Final = 15 * 60.0
"""Seconds until nobody will upload the content any more: signed URLs expire within minutes."""

_EMBEDDED_WITHIN: Final = 60.0
"""Seconds in which the gateway notices that an embedding was asked for; usually it is one."""


def _status(file: RagFileStatus) -> str:
    """Return the status of the step that the document is at: its upload, then its embedding."""
    upload = file.upload_status
    return file.embedding_status if not upload or is_done(upload) else upload


def _idle(file: RagFileStatus) -> Optional[tuple[float, str]]:
    if file.upload_status == "pending":
        return _UPLOADED_WITHIN, "has not been uploaded; call rag.upload_file() again"
    if _status(file) == "pending":
        advice = f"call rag.embed(file_ids=[{file.file_id!r}])"
        return _EMBEDDED_WITHIN, f"is uploaded, but nothing has asked to embed it; {advice}"
    return None


_JOB: JobKind[RagFileStatus] = JobKind(
    name="file",
    wait="rag.wait",
    look=Rag.get.build,
    status=_status,
    failure=lambda file: JobFailure(code=file.last_error_code or ""),
    idle=_idle,
)
