"""Documents: `/v1/documents`, from version 0.1.7 of the API.

Source: https://developers.meshapi.ai/docs (documents)
"""

from typing import Optional, Union

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
)
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.flows.polling import JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader
from meshapi_core.types.documents import (
    DocumentListResponse,
    DocumentResponse,
    GenerateDocumentFields,
    GenerateDocumentRequest,
    ListDocumentsFields,
    ListDocumentsParams,
)

__all__ = ["Documents"]

_PATH = "/v1/documents"


class Documents(Resource[R_co]):
    """Documents (PDF, DOCX, ...) that a model writes."""

    @endpoint
    def generate(
        self,
        params: Optional[GenerateDocumentRequest] = None,
        **fields: Unpack[GenerateDocumentFields],
    ) -> Call[DocumentResponse]:
        """Start a document, and return its ID and state; the gateway writes it later.

        For example, `documents.generate(format="pdf", prompt="A poem about rain")`.

        The call is not retried when it is unknown whether the gateway has begun, as each document
        is billed.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `GenerateDocumentRequest`.

        Returns:
            The document. `wait` for it; `.download_url` then leads to the file.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            NotFoundError: the gateway does not offer documents, or no longer does.
            MeshAPIError: as for `chat.completions.create`.
        """
        return Call(
            method="POST",
            starts_job=True,
            path=f"{_PATH}/generate",
            body=encode_params(GenerateDocumentRequest, params, fields),
            reader=JSONReader(DocumentResponse),
        )

    @list_endpoint
    def list(
        self, params: Optional[ListDocumentsParams] = None, **fields: Unpack[ListDocumentsFields]
    ) -> Call[DocumentListResponse]:
        """Return one page of documents.

        For example, `documents.list(limit=20, offset=0)`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ListDocumentsParams`.

        Returns:
            The page; it is in `.documents`, and `.total` counts the documents on all pages.
            Iterate over it for all of them.

        Raises:
            InvalidParamsError: a parameter is unknown or invalid; nothing was sent.
        """
        query = encode_query(ListDocumentsParams, params, fields)
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(DocumentListResponse))

    @endpoint
    def retrieve(self, document_id: str) -> Call[DocumentResponse]:
        """Return a document: its progress in `.status`, and in the end its `.download_url`.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no document with this ID.
        """
        path = f"{_PATH}/{path_segment('document_id', document_id)}"
        return Call(method="GET", path=path, reader=JSONReader(DocumentResponse))

    @flow_endpoint
    def wait(
        self,
        document: Union[str, DocumentResponse],
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[DocumentResponse]:
        """Return a document once it is written; its file is at `.download_url`.

        For example, `documents.wait(document, timeout=600)`.

        Args:
            document: its ID, or the document itself.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent.
            JobFailedError: the document could not be written.
            JobTimeoutError, JobStatusError, NotFoundError, MeshAPIError: as for `batches.wait`.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        functions = yield from waiting.begin()
        document_id = _JOB.id_of("document", document, "document_id")
        return (yield from wait_for(_JOB, document_id, waiting, functions))


_JOB: JobKind[DocumentResponse] = JobKind(
    name="document",
    wait="documents.wait",
    look=Documents.retrieve.build,
    status=lambda document: document.status,
    failure=lambda document: JobFailure(document.failure_reason or ""),
)
