"""endpoints.files: refusals, and answers to a deletion."""

import pytest

from meshapi_core.endpoints.files import Files
from meshapi_core.headers import Headers
from meshapi_core.messages import Reply
from meshapi_core.params import InvalidParamsError
from meshapi_core.types.files import UploadBatchFileParams

BY_ID = [Files.get.build, Files.delete.build, Files.content.build, Files.stream.build]


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize("bad", ["", ".", "..", None, b"f"])
def test_h1_an_id_that_leads_elsewhere_is_refused(build, bad):
    """H1: an empty id was the collection, and `..` another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^file_id: "):
        build(bad)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(204, Headers([]), b""),
        Reply(200, Headers([]), b""),
        Reply(200, Headers([("content-type", "application/json")]), b'{"deleted":true}'),
        Reply(202, Headers([("content-type", "text/html")]), b"<p>soon</p>"),
    ],
)
def test_h20_whatever_a_success_says_a_file_is_deleted(reply):
    """H20: a 2xx without a body was an error."""
    assert Files.delete.build("f").read(reply) is None


def test_the_content_is_given_as_it_is():
    reply = Reply(200, Headers([("content-type", "application/json")]), b"\x00\r\n{")
    assert Files.content.build("f").read(reply) == b"\x00\r\n{"


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "requests: expected list, got nothing"),
        ((), {"requests": 5}, "requests: expected list, got int"),
        ((), {"requests": [{}]}, "requests[0].custom_id: expected str, got nothing"),
        ((), {"requests": [], "name": "x"}, "name: expected a field of UploadBatchFileParams"),
        (({"requests": []},), {}, "give a dict as keywords"),
        ((UploadBatchFileParams(requests=[]),), {"purpose": "x"}, "got both"),
    ],
)
def test_wrong_parameters_are_named(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        Files.upload.build(*args, **kwargs)
    assert message in str(caught.value)
