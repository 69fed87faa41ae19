"""endpoints.files: refusals, and responses to a deletion."""

import io
from pathlib import PurePath

import pytest

from meshapi_core.endpoints.files import Files
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.multipart import Multipart
from meshapi_core.types.files import UploadBatchFileParams

BY_ID = [Files.get.build, Files.delete.build, Files.content.build, Files.stream.build]


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize("bad", ["", ".", "..", None, b"f"])
def test_an_id_that_leads_elsewhere_is_refused(build, bad):
    """Other clients sent an empty ID to the collection, and `..` to another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^file_id: "):
        build(bad)


@pytest.mark.parametrize(
    "response",
    [
        Response(204, Headers([]), b""),
        Response(200, Headers([]), b""),
        Response(200, Headers([("content-type", "application/json")]), b'{"deleted":true}'),
        Response(202, Headers([("content-type", "text/html")]), b"<p>soon</p>"),
    ],
)
def test_whatever_a_success_says_a_file_is_deleted(response):
    """Other clients raised an error for a 2xx without a body."""
    assert Files.delete.build("f").read(response) is None


def test_the_content_is_given_as_it_is():
    response = Response(200, Headers([("content-type", "application/json")]), b"\x00\r\n{")
    assert Files.content.build("f").read(response) == b"\x00\r\n{"


LINES = b'{"custom_id": "1", "body": {}}\n'


@pytest.mark.parametrize("how", ["by position", "by name"])
@pytest.mark.parametrize(
    ("file", "name", "kind"),
    [
        ("jobs/all.jsonl", "all.jsonl", "application/jsonl"),
        (PurePath("jobs/notes.txt"), "notes.txt", "text/plain"),
        (LINES, "batch.jsonl", "application/jsonl"),
        (bytearray(LINES), "batch.jsonl", "application/jsonl"),
        (io.BytesIO(LINES), "batch.jsonl", "application/jsonl"),
        ([LINES], "batch.jsonl", "application/jsonl"),
        (("a.pdf", LINES), "a.pdf", "application/pdf"),
        ((None, LINES, "text/x-lines"), "batch.jsonl", "text/x-lines"),
        ("unknown.ending", "unknown.ending", "application/octet-stream"),
    ],
)
def test_a_file_is_sent_as_a_form(how, file, name, kind):
    """Other clients sent JSON, which servers like OpenAI's refuse."""
    call = Files.upload.build(file) if how == "by position" else Files.upload.build(file=file)
    assert (call.method, call.path) == ("POST", "/v1/files")
    assert isinstance(call.body, Multipart)
    assert call.body.fields == (("purpose", "batch"),)
    (part,) = call.body.files
    assert (part.name, part.filename, part.content_type) == ("file", name, kind)


def test_what_is_said_of_a_file_comes_before_what_its_name_says():
    call = Files.upload.build(
        file=("a.pdf", b"", "application/pdf"),
        purpose="vision",
        filename="b.png",
        content_type="image/x-own",
    )
    assert isinstance(call.body, Multipart)
    assert call.body.fields == (("purpose", "vision"),)
    (part,) = call.body.files
    assert (part.filename, part.content_type) == ("b.png", "image/x-own")


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((b"",), {"file": b""}, "file: expected one file, got two"),
        ((), {"file": b"", "requests": []}, "file: expected either requests or a file, got both"),
        (
            (UploadBatchFileParams(requests=[]),),
            {"file": b""},
            "file: expected either requests or a file, got both",
        ),
        ((), {"file": b"", "purpose": 5}, "purpose: expected str, got int"),
        (
            (),
            {"file": b"", "name": "x"},
            (
                "name: no such parameter; the parameters are content_type, file, filename, purpose"
                " and requests"
            ),
        ),
        ((), {"file": 5}, "file: expected bytes, a path, an open file, or an iterable of bytes"),
        ((), {"file": b"", "content_type": "a\r\nb: c"}, "content_type: expected a media type"),
        ((), {"file": b"", "filename": 5}, "filename: expected str, got int"),
        ((), {"requests": [], "filename": "a"}, "filename: given without a file; write file=..."),
        (
            ([{"custom_id": "1", "body": {}}],),
            {},
            "file: expected a file, got a list of requests; write requests=[...]",
        ),
        ((io.StringIO(),), {}, 'open it with "rb"'),
        (
            (),
            {},
            "file: expected a file or requests, got nothing; write file=... or requests=[...]",
        ),
        ((), {"requests": 5}, "requests: expected list, got int"),
        ((), {"requests": [{}]}, "requests[0].custom_id: expected str, got nothing"),
        (
            (),
            {"requests": [], "name": "x"},
            (
                "name: no such parameter; the parameters are content_type, file, filename, purpose"
                " and requests"
            ),
        ),
        (
            ({"requests": []},),
            {},
            "params: expected UploadBatchFileParams, got dict; pass it as keywords: **params",
        ),
        (
            (UploadBatchFileParams(requests=[]),),
            {"purpose": "x"},
            "purpose: given together with params",
        ),
    ],
)
def test_wrong_parameters_are_named(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        Files.upload.build(*args, **kwargs)
    assert message in str(caught.value)
