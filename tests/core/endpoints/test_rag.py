"""endpoints.rag: an upload step by step, and what is refused before the first one."""

import io
import json
from pathlib import Path, PurePath
from typing import Any

import pytest

from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints.rag import Rag
from meshapi_core.errors import APIConnectionError, InvalidParamsError, MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.rag import InitUploadRequest, InitUploadResponse, UploadFileParams

FIELDS: dict[str, Any] = {
    "file_name": "a.pdf",
    "mime_type": "application/pdf",
    "content": b"%PDF",
    "embed": False,
    "metadata": {"a": None},
}
OFFICE = "application/vnd.openxmlformats-officedocument"
UPLOAD = InitUploadResponse(
    file_id="f", signed_url="https://storage.example.com/f?signature=secret", expires_at="soon"
)


def started(*args: Any, **kwargs: Any) -> Any:
    """The first call of an upload, after the check of its content, and the upload."""
    flow = Rag.upload_file.build(*args, **kwargs)
    assert isinstance(next(flow), FileSource)
    return next(flow), flow


@pytest.mark.parametrize("form", ["keywords", "object", "object by name"])
def test_an_upload_asks_where_to_and_puts_it_there(form):
    params = UploadFileParams(**FIELDS)
    args = {"keywords": ((), FIELDS), "object": ((params,), {})}.get(form, ((), {"params": params}))
    init, flow = started(*args[0], **args[1])
    assert isinstance(init, Call)
    assert (init.method, init.path) == ("POST", "/v1/files")
    assert json.loads(init.body) == {key: FIELDS[key] for key in FIELDS if key != "content"}
    put = flow.send(UPLOAD)
    assert put == SignedPut(
        url=UPLOAD.signed_url, content_type="application/pdf", source=FileSource(b"%PDF")
    )
    with pytest.raises(StopIteration) as done:
        flow.send(None)
    assert done.value.value is UPLOAD


@pytest.mark.parametrize(
    ("args", "kwargs", "name", "kind"),
    [
        (("docs/Report.PDF",), {}, "Report.PDF", "application/pdf"),
        ((PurePath("docs/a.md"),), {}, "a.md", "text/markdown"),
        ((), {"content": "docs/a.docx"}, "a.docx", f"{OFFICE}.wordprocessingml.document"),
        ((b"",), {"file_name": "a.csv"}, "a.csv", "text/csv"),
        ((("a.html", [b"<p>"]),), {}, "a.html", "text/html"),
        ((("a.html", b"", "text/x-own"),), {}, "a.html", "text/x-own"),
        ((("a.html", b"", "text/x-own"),), {"mime_type": "text/plain"}, "a.html", "text/plain"),
        (("a.unheard-of",), {}, "a.unheard-of", "application/octet-stream"),
        (("a.txt",), {"file_name": "notes"}, "notes", "text/plain"),
        ((UploadFileParams(content="a.json"),), {}, "a.json", "application/json"),
    ],
)
def test_the_name_and_the_type_of_a_document_are_its_own_if_they_are_not_given(
    args, kwargs, name, kind
):
    init, flow = started(*args, **kwargs)
    assert json.loads(init.body) == {"file_name": name, "mime_type": kind}
    assert flow.send(UPLOAD).content_type == kind


def test_a_document_by_position_has_options_beside_it():
    init, _ = started("a.txt", embed=True, metadata={"a": 1})
    assert json.loads(init.body) == {
        "file_name": "a.txt",
        "mime_type": "text/plain",
        "embed": True,
        "metadata": {"a": 1},
    }


def test_nothing_of_the_client_goes_to_the_storage():
    _, flow = started(**FIELDS)
    request = flow.send(UPLOAD).request(MeshAPIConfig(token="rsk_test_canary"))
    assert request.headers == (("content-type", "application/pdf"),)
    assert "rsk_test_canary" not in repr(request)


@pytest.mark.parametrize(
    "content", ["docs/a.pdf", Path("docs/a.pdf"), io.BytesIO(b"x"), [b"a", b"b"], iter([b"a"])]
)
def test_content_that_is_no_bytes_is_left_to_the_one_who_sends_it(content):
    _, flow = started(**{**FIELDS, "content": content})
    assert flow.send(UPLOAD).source.content is content


class TestH18ErrorsOfAnUpload:
    """Other clients let an error of another library through, with the signed URL in it."""

    def test_the_storages_refusal_is_ours_and_shows_no_signature(self):
        _, flow = started(**FIELDS)
        put = flow.send(UPLOAD)
        body = b"<Error><Code>SignatureDoesNotMatch</Code><Url>?signature=secret</Url></Error>"
        error = put.refusal(Response(403, Headers([]), body))
        assert isinstance(error, MeshAPIError)
        assert error.status == 403
        assert "secret" not in f"{error!r}{error}{vars(error)}{put!r}"

    @pytest.mark.parametrize("step", [0, 1])
    def test_an_error_of_either_step_ends_it(self, step):
        _, flow = started(**FIELDS)
        if step:
            flow.send(UPLOAD)
        error = APIConnectionError("no")
        with pytest.raises(APIConnectionError) as caught:
            flow.throw(error)
        assert caught.value is error

    def test_a_response_without_a_url_is_an_error(self):
        _, flow = started(**FIELDS)
        put = flow.send(InitUploadResponse(file_id="f"))
        with pytest.raises(MeshAPIError):
            put.request(MeshAPIConfig(token="rsk_test_canary"))


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (
            (),
            {},
            "content: expected bytes, a path, an open file, or an iterable of bytes, got nothing",
        ),
        ((), {**FIELDS, "content": None}, "content: expected bytes, a path, an open file, or an"),
        ((), {**FIELDS, "content": 5}, "content: expected bytes, a path, an open file, or an"),
        ((), {**FIELDS, "content": io.StringIO()}, "content: expected bytes, a path, an open file"),
        ((), {"content": b"x"}, "file_name: expected a name, got nothing; write file_name=..."),
        ((b"x",), {**FIELDS, "content": b"x"}, "content: expected one document, got two"),
        ((5,), {}, "content: expected bytes, a path, an open file, or an iterable of bytes, got"),
        (
            (("a", b"", "\r\n"),),
            {},
            (
                "content[2]: expected a media type, such as image/png, got text that no "
                "header can carry"
            ),
        ),
        ((), {**FIELDS, "filename": "a"}, "filename: no such parameter; did you mean file_name?"),
        ((), {**FIELDS, "metadata": [1]}, "metadata: expected dict, got list"),
        ((UploadFileParams(**{**FIELDS, "embed": "no"}),), {}, "embed: expected bool, got str"),
        (
            (UploadFileParams(**FIELDS),),
            {"embed": True},
            (
                "embed: given together with params; put it into the UploadFileParams, or pass all "
                "parameters as keywords"
            ),
        ),
        (
            (FIELDS,),
            {},
            "params: expected UploadFileParams, got dict; pass it as keywords: **params",
        ),
        (
            (InitUploadRequest(file_name="a", mime_type="b"),),
            {},
            "expected UploadFileParams, got InitUploadRequest",
        ),
    ],
)
def test_a_wrong_upload_is_refused_before_anything_is_sent(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        started(*args, **kwargs)
    assert message in str(caught.value)


@pytest.mark.parametrize("bad", ["", ".", "..", None])
def test_an_id_that_leads_elsewhere_is_refused(bad):
    """Other clients sent an empty ID to the collection, and `..` to another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^file_id: "):
        Rag.get.build(bad)


@pytest.mark.parametrize(
    ("build", "kwargs", "message"),
    [
        (Rag.embed.build, {}, "file_ids: expected list, got nothing; write file_ids=..."),
        (
            Rag.embed.build,
            {"file_ids": []},
            "file_ids: expected list of length at least 1, got length 0",
        ),
        (
            Rag.embed.build,
            {"file_ids": "f"},
            "file_ids: expected list, got str; put it in a list: file_ids=[...]",
        ),
        (Rag.search.build, {}, "query: expected str, got nothing; write query=..."),
        (
            Rag.search.build,
            {"query": "q", "top_k": 2.5},
            "top_k: expected int, got float; write int(x)",
        ),
        (Rag.list.build, {"limit": "5"}, "limit: expected int, got str; write int(x)"),
        (
            Rag.init_upload.build,
            {"file_name": "a"},
            "mime_type: expected str, got nothing; write mime_type=...",
        ),
    ],
)
def test_wrong_parameters_are_named(build, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        build(**kwargs)
    assert str(caught.value) == message
