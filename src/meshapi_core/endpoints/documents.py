"""Documents: `/v1/documents`, of version 0.1.7 of the API.

Source: https://developers.meshapi.ai/docs (documents)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
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
    """Documents (PDF, DOCX, ...) from a description."""

    @endpoint
    def generate(
        self,
        params: Optional[GenerateDocumentRequest] = None,
        **fields: Unpack[GenerateDocumentFields],
    ) -> Call[DocumentResponse]:
        """Start a document, and return how far it is; `retrieve` tells when it is written.

        Like a video, it is not repeated where it is unknown whether the gateway has begun.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `generate(format="pdf", prompt="A poem about rain")`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            NotFoundError: the gateway has no documents (any more).
        """
        return Call(
            method="POST",
            starts_job=True,
            path=f"{_PATH}/generate",
            body=encode_params(GenerateDocumentRequest, params, fields),
            reader=JSONReader(DocumentResponse),
        )

    @endpoint
    def list(
        self, params: Optional[ListDocumentsParams] = None, **fields: Unpack[ListDocumentsFields]
    ) -> Call[DocumentListResponse]:
        """Return one page of documents.

        Args:
            params: which of them as one object, or
            fields: the same by keyword: `list(limit=20, offset=0)`.

        Raises:
            InvalidParamsError: a parameter is unknown or of the wrong kind; nothing was sent.
        """
        query = encode_query(ListDocumentsParams, params, fields)
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(DocumentListResponse))

    @endpoint
    def retrieve(self, document_id: str) -> Call[DocumentResponse]:
        """Return a document and how far it is; `.download_url` has it in the end.

        Raises:
            InvalidParamsError: the id is empty, `.` or `..`.
            NotFoundError: there is none with this id.
        """
        path = f"{_PATH}/{path_segment('document_id', document_id)}"
        return Call(method="GET", path=path, reader=JSONReader(DocumentResponse))
