"""Files of requests for batches, as gateways of the first versions keep them: `/v1/files`.

Newer gateways use the same paths for documents: see `rag`.

Source: https://developers.meshapi.ai/docs (files and batches, 0.1.0 to 0.1.3)
"""

from collections.abc import Mapping
from typing import Any, Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call, StreamCall
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.params import encode_params
from meshapi_core.paths import segment
from meshapi_core.readers import BytesReader, ByteStreamReader, JSONReader, NothingReader
from meshapi_core.types.batches import complete_items
from meshapi_core.types.files import FileObject, UploadBatchFileFields, UploadBatchFileParams

__all__ = ["Files"]

_PATH = "/v1/files"


class Files(Resource[R_co]):
    """Files of requests, and of their results."""

    @endpoint
    def upload(
        self,
        params: Optional[UploadBatchFileParams] = None,
        **fields: Unpack[UploadBatchFileFields],
    ) -> Call[FileObject]:
        """Return a new file with these requests, for the `input_file_id` of a batch.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `upload(requests=[{"custom_id": "1", "body": {...}}])`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            UnprocessableEntityError: a newer gateway, which takes documents here.
        """
        given: Mapping[str, Any] = fields
        if params is None:
            given = {"purpose": "batch", **fields}
            if "requests" in given:
                given = {**given, "requests": complete_items(given["requests"])}
        body = encode_params(UploadBatchFileParams, params, given)
        return Call(method="POST", path=_PATH, body=body, reader=JSONReader(FileObject))

    @endpoint
    def get(self, file_id: str) -> Call[FileObject]:
        """Return what the gateway knows of a file.

        Raises:
            InvalidParamsError: the id is empty, `.` or `..`.
            NotFoundError: there is none with this id.
        """
        return Call(method="GET", path=_file(file_id), reader=JSONReader(FileObject))

    @endpoint
    def delete(self, file_id: str) -> Call[None]:
        """Delete a file.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        return Call(method="DELETE", path=_file(file_id), reader=NothingReader())

    @endpoint
    def content(self, file_id: str) -> Call[bytes]:
        """Return the content of a file, whole: one JSON object for each line.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        return Call(method="GET", path=f"{_file(file_id)}/content", reader=BytesReader())

    @stream_endpoint
    def stream(self, file_id: str) -> StreamCall[bytes]:
        """Return the content of a file in pieces, for files that are too large for memory.

        Returns:
            An iterator of bytes that is a context manager, too. Pieces may be cut anywhere.

        Raises:
            InvalidParamsError: at once, as for `get`.
            NotFoundError: when it is entered or iterated.
            StreamInterruptedError: it broke off.
        """
        path = f"{_file(file_id)}/content"
        return StreamCall(method="GET", path=path, reader=ByteStreamReader())


def _file(file_id: str) -> str:
    return f"{_PATH}/{segment('file_id', file_id)}"
