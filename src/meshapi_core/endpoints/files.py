"""The files of batches, as the first versions of the gateway keep them: `/v1/files`.

Newer gateways use the same paths for documents: see `rag`.

Source: https://developers.meshapi.ai/docs (files and batches, 0.1.0 to 0.1.3)
"""

from collections.abc import Mapping
from typing import Any, Optional, Union, cast

from msgspec import Struct
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_mapping, is_sequence
from meshapi_core.calls import Call, StreamCall
from meshapi_core.downloads import FileDownload
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
    stream_endpoint,
)
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.downloads import FilePath, SavedFile, Target, save_download
from meshapi_core.flows.steps import Flow
from meshapi_core.multipart import Multipart, file_part
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import text_pairs
from meshapi_core.readers import BytesReader, ByteStreamReader, EmptyReader, JSONReader
from meshapi_core.types._file_content import FileContent
from meshapi_core.types.batches import complete_items
from meshapi_core.types.files import FileObject, UploadBatchFileFields, UploadBatchFileParams

__all__ = ["Files"]

_PATH = "/v1/files"

# The file name that is sent when a file has none; servers look at the extension.
_NAMELESS = "batch.jsonl"

# The parameters of `upload` that are not in `UploadBatchFileParams`.
_BESIDE = ("file", "filename", "content_type")


class Files(Resource[R_co]):
    """The input and output files of batches."""

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
        """Upload a file of requests, and return it; its `.id` is the `input_file_id` of a batch.

        For example, `files.upload(requests=[{"custom_id": "1", "body": {...}}])`, which is sent as
        JSON, or `files.upload(file="batch.jsonl")`, which is sent as a multipart form, as servers
        that are compatible with OpenAI's expect it.

        Args:
            params: the parameters as one object, instead of keywords; or a file, as for `file`.
            fields: the parameters as keywords; see `UploadBatchFileParams`.
            file: a file with one request as a JSON object on each line: bytes, a path, a file
                opened for reading bytes, or an iterable of bytes; or a tuple of a name, one of
                these, and its media type. With another `purpose` it may be any file.
            filename: the name that is sent with the file; by default its own, or "batch.jsonl" if
                it has none.
            content_type: the media type of the file; by default derived from its name.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid, or both requests and a
                file are given; nothing was sent.
            UnprocessableEntityError: the gateway does not accept a form, as MeshAPI's own does not:
                pass `requests=[json.loads(line) for line in ...]` instead. Or it is a newer
                gateway, which keeps documents under this path.
            MeshAPIError: as for `chat.completions.create`.
        """
        if not (params is None or isinstance(params, Struct) or is_mapping(params)):
            if file is not None:
                raise InvalidParamsError("file", "one file", "two", "pass it once")
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
        """Return the description of a file: its name, size, purpose and status.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no file with this ID.
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
        """Return the content of a file, whole: in a file of a batch, one JSON object on each line.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        return Call(method="GET", path=f"{_file(file_id)}/content", reader=BytesReader())

    @stream_endpoint
    def stream(self, file_id: str) -> StreamCall[bytes]:
        """Return the content of a file as a stream of bytes, for files too large for memory.

        Returns:
            An iterator of bytes that is also a context manager. A piece may end anywhere. The
            request is sent when the stream is entered or first iterated.

        Raises:
            InvalidParamsError: as for `get`; raised at once.
            NotFoundError: as for `get`; raised when the stream is entered or iterated.
            StreamInterruptedError: the stream broke off.
        """
        path = f"{_file(file_id)}/content"
        return StreamCall(method="GET", path=path, reader=ByteStreamReader())

    @flow_endpoint
    def download(
        self,
        file_id: str,
        path: FilePath,
        *,
        overwrite: bool = True,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[SavedFile]:
        """Save the content of a file, and return its path and size.

        For example, `files.download(batch.output_file_id, "results.jsonl")`. All of the file
        appears at the path, or nothing does. If the connection breaks, the download goes on from
        there, as often as the retry policy allows.

        Args:
            file_id: the ID of the file.
            path: where to save it. Only you can read the file.
            overwrite: whether a file that is there is replaced.
            on_progress: a function that is called with a `Progress` after each piece; its `done`
                and `total` are bytes.
            progress: whether to show a progress bar, which needs tqdm.

        Raises:
            InvalidParamsError: as for `get`; or a parameter is not usable, and nothing was sent.
            OSError: the file cannot be written: before anything is sent if the path is that of a
                folder, a link or a device, if its folder does not exist, or if a file is there and
                `overwrite` is False; later if the disk is full.
            NotFoundError: as for `get`.
            StreamInterruptedError: the connection broke too often.
            ResponseDecodeError: the server sends another part than was asked for (`wrong_range`).
        """
        place = f"{_file(file_id)}/content"

        def make(start: int, validator: str) -> FileDownload:
            return FileDownload(
                method="GET",
                path=place,
                reader=ByteStreamReader(),
                start=start,
                validator=validator,
            )

        return (yield from save_download(make, Target(path, overwrite, on_progress, progress)))


def _upload_form(
    file: FileContent, filename: object, content_type: object, params: object, fields: object
) -> Call[FileObject]:
    given = cast("Mapping[str, Any]", fields)
    if params is not None or given.get("requests") is not None:
        hint = "leave one of them out"
        raise InvalidParamsError("file", "either requests or a file", "both", hint)
    part = file_part("file", file, filename, content_type, _NAMELESS)
    # The type requires requests, so an empty list stands in while the rest is checked.
    fields = {**given, "requests": []}
    plain = build_params(UploadBatchFileParams, None, fields, beside=_BESIDE)
    del plain["requests"]
    body = Multipart(text_pairs(plain), (part,))
    return Call(method="POST", path=_PATH, body=body, reader=JSONReader(FileObject))


def _file(file_id: str) -> str:
    return f"{_PATH}/{path_segment('file_id', file_id)}"
