"""Files of requests for batches, as gateways of the first versions keep them: `/v1/files`.

Newer gateways use the same paths for documents: see `rag`.

Source: https://developers.meshapi.ai/docs (files and batches, 0.1.0 to 0.1.3)
"""

from collections.abc import Mapping
from typing import Any, Optional, Union, cast

from msgspec import Struct
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_mapping, is_sequence
from meshapi_core.calls import Call, StreamCall
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import Multipart, file_part
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.paths import path_segment
from meshapi_core.queries import text_pairs
from meshapi_core.readers import BytesReader, ByteStreamReader, EmptyReader, JSONReader
from meshapi_core.types._file_content import FileContent
from meshapi_core.types.batches import complete_items
from meshapi_core.types.files import FileObject, UploadBatchFileFields, UploadBatchFileParams

__all__ = ["Files"]

_PATH = "/v1/files"

# What the server is told where a file has no name of its own; it looks at the ending.
_NAMELESS = "batch.jsonl"

# The parameters of `upload` that are not in `UploadBatchFileParams`.
_BESIDE = ("file", "filename", "content_type")


class Files(Resource[R_co]):
    """Files of requests, and of their results."""

    @endpoint
    def upload(
        self,
        params: Union[UploadBatchFileParams, FileContent, None] = None,
        *,
        file: Optional[FileContent] = None,
        filename: Optional[str] = None,
        content_type: Optional[str] = None,
        **fields: Unpack[UploadBatchFileFields],
    ) -> Call[FileObject]:
        """Return a new file of requests, for the `input_file_id` of a batch.

        Requests are sent as JSON, a file as a form, as servers in the shape of OpenAI's want it.

        Args:
            params: the parameters as one object, or a file; or
            fields: the same by keyword: `upload(requests=[{"custom_id": "1", "body": {...}}])`.
            file: the requests as they stand in a file, one JSON object for each line:
                `upload(file="batch.jsonl")`. Bytes, a path, a file that is open for reading
                bytes, or an iterable of bytes; or a tuple of a name, one of these, and its media
                type. With another `purpose` it may be any file.
            filename, content_type: what the server is told of a file; by default its own name,
                or "batch.jsonl", and what that says.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, or there are
                both requests and a file; nothing was sent.
            UnprocessableEntityError: a gateway that takes no form, as MeshAPI's own: give it
                `requests=[json.loads(line) for line in ...]`; or a newer one, which takes
                documents here.
        """
        if not (params is None or isinstance(params, Struct) or is_mapping(params)):
            if file is not None:
                raise InvalidParamsError("file", "one file", "two", "give it once")
            if is_sequence(params) and params and is_mapping(params[0]):
                got = "a list of requests"
                raise InvalidParamsError("file", "a file", got, "write requests=[...]")
            params, file = None, params
        if file is not None:
            return _upload_form(file, filename, content_type, params, fields)
        for name, value in (("filename", filename), ("content_type", content_type)):
            if value is not None:
                raise InvalidParamsError(name, "", "given without a file", "write file=...")
        given: Mapping[str, Any] = fields
        if params is None:
            if not fields.keys() - {"purpose"}:
                hint = "write file=... or requests=[...]"
                raise InvalidParamsError("file", "a file or requests", "nothing", hint)
            given = {"purpose": "batch", **fields}
            if "requests" in given:
                given = {**given, "requests": complete_items(given["requests"])}
        body = encode_params(UploadBatchFileParams, params, given, beside=_BESIDE)
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
        return Call(method="DELETE", path=_file(file_id), reader=EmptyReader())

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


def _upload_form(
    file: FileContent, filename: object, content_type: object, params: object, fields: object
) -> Call[FileObject]:
    given = cast("Mapping[str, Any]", fields)
    if params is not None or given.get("requests") is not None:
        hint = "leave one of them out"
        raise InvalidParamsError("file", "either requests or a file", "both", hint)
    part = file_part("file", file, filename, content_type, _NAMELESS)
    # The others are checked with something in the place of the requests.
    fields = {**given, "requests": []}
    plain = build_params(UploadBatchFileParams, None, fields, beside=_BESIDE)
    del plain["requests"]
    body = Multipart(text_pairs(plain), (part,))
    return Call(method="POST", path=_PATH, body=body, reader=JSONReader(FileObject))


def _file(file_id: str) -> str:
    return f"{_PATH}/{path_segment('file_id', file_id)}"
