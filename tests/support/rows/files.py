"""Files of requests for batches."""

from meshapi_core.types.batches import BatchRequestItem
from meshapi_core.types.files import FileObject, UploadBatchFileParams
from support.endpoint_rows import Row

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": None}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 140,
    "created_at": 1_780_000_000,
    "filename": "batch.jsonl",
    "purpose": "batch",
    "status": "processed",
    "status_details": None,
    "expires_at": 1_790_000_000,
}
VALUE = FileObject(
    id="file-1",
    object="file",
    bytes=140,
    created_at=1_780_000_000,
    filename="batch.jsonl",
    purpose="batch",
    status="processed",
    expires_at=1_790_000_000,
)
LINES = b'{"custom_id": "1"}\n{"custom_id": "2"}\n'

ROWS = [
    Row(
        "files.upload",
        "/v1/files",
        kwargs={"file": LINES, "purpose": "batch", "filename": 'of "today".jsonl'},
        body=(
            b'--BOUNDARY\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            b'--BOUNDARY\r\nContent-Disposition: form-data; name="file"; '
            b'filename="of %22today%22.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'
            + LINES
            + b"\r\n--BOUNDARY--\r\n"
        ),
        response=FILE,
        value=VALUE,
    ),
    Row(
        "files.upload",
        "/v1/files",
        args=(
            UploadBatchFileParams(
                purpose="batch",
                requests=[
                    BatchRequestItem(custom_id="1", body=BODY),
                    BatchRequestItem(custom_id="2", body={}, method="GET", url="/v1/models"),
                ],
            ),
        ),
        json={
            "purpose": "batch",
            "requests": [
                {
                    "custom_id": "1",
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": BODY,
                },
                {"custom_id": "2", "method": "GET", "url": "/v1/models", "body": {}},
            ],
        },
        response=FILE,
        value=VALUE,
    ),
    Row(
        "files.upload",
        "/v1/files",
        kwargs={"requests": [{"custom_id": "1", "body": BODY, "new": 1}]},
        json={
            "purpose": "batch",
            "requests": [
                {
                    "custom_id": "1",
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": BODY,
                    "new": 1,
                }
            ],
        },
        status=201,
        response={"id": "file-1"},
        value=FileObject(id="file-1"),
    ),
    Row(
        "files.get",
        "/v1/files/file-1%2F..%2F2",
        method="GET",
        args=("file-1/../2",),
        response=FILE,
        value=VALUE,
    ),
    Row("files.delete", "/v1/files/file-1", method="DELETE", args=("file-1",), status=204),
    Row("files.delete", "/v1/files/f", method="DELETE", kwargs={"file_id": "f"}, response=b""),
    Row(
        "files.content",
        "/v1/files/file%201/content",
        method="GET",
        args=("file 1",),
        accept="*/*",
        response=LINES,
        response_type="application/jsonl",
        value=LINES,
    ),
    Row(
        "files.stream",
        "/v1/files/f/content",
        method="GET",
        args=("f",),
        accept="*/*",
        response=LINES,
        response_type="application/jsonl",
        value=[LINES],
    ),
]
