"""Downloads: the requests, and what is made of the responses, one after the other."""

import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import MeshAPIConfig, Response
from meshapi_core.downloads import FileDownload, PartialDownload, URLDownload, checked_url
from meshapi_core.endpoints import ByteStreamReader
from meshapi_core.envelopes import error_from_response
from meshapi_core.errors import (
    InvalidParamsError,
    MeshAPIError,
    RedirectError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.extras import Extras
from meshapi_core.headers import Headers

TOKEN = "rsk_test_downloads"
SECRET = "Sig-9f8e7d6c5b4a"
URL = f"https://files.example/a/b.mp4?X-Signature={SECRET}&other=1"
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"
SECOND_LATER = "Sun, 06 Nov 1994 08:49:38 GMT"


def config(base_url: str = "https://api.example", **fields: Any) -> MeshAPIConfig:
    return MeshAPIConfig(base_url=base_url, token=TOKEN, **fields)


def file_download(**fields: Any) -> FileDownload:
    return FileDownload(
        method="GET", path="/v1/files/f/content", reader=ByteStreamReader(), **fields
    )


def begun(status: int = 200, *, received: int = 0, **headers: str) -> PartialDownload:
    """A download after a first response that broke off."""
    part = PartialDownload()
    part.begin(status, head(**headers))
    part.receive(received)
    return part


def head(**headers: str) -> Headers:
    return Headers([(name.replace("_", "-"), value) for name, value in headers.items()])


# Requests


def test_a_download_asks_for_no_coding_whatever_the_caller_wants() -> None:
    extras = Extras(headers={"Accept-Encoding": "gzip", "Range": "bytes=1-2"})
    request = file_download().request(config(extras=extras))
    names = [name.lower() for name, _ in request.headers]
    assert request.header("accept-encoding") == "identity"
    assert names.count("accept-encoding") == 1
    assert "range" not in names
    assert request.header("authorization") is not None


def test_the_rest_is_asked_for_from_a_byte_on() -> None:
    request = file_download(start=5, validator='"a"').request(config())
    assert request.header("range") == "bytes=5-"
    assert request.header("if-range") == '"a"'


def test_a_download_from_a_url_carries_neither_token_nor_headers_of_the_client() -> None:
    extras = Extras(headers={"X-Mine": "1"}, query={"q": "1"})
    request = URLDownload(url=URL, start=5, validator='"a"').request(config(extras=extras))
    assert dict(request.plain_headers()) == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": config().service.user_agent,
        "range": "bytes=5-",
        "if-range": '"a"',
    }
    assert request.plain_url == URL
    assert request.named_by == config().location.origin
    assert not URLDownload(url=URL).needs_token


def test_the_query_of_a_url_is_shown_nowhere() -> None:
    call = URLDownload(url=URL)
    request = call.request(config())
    assert SECRET not in f"{call!r} {call.__rich_repr__()} {request!r} {request.target!r}"
    assert any(SECRET in str.__str__(secret) for secret in request.secrets)
    assert pickle.loads(pickle.dumps(call)) == call


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://files.example/a", "https://api.example"),
        ("https://127.0.0.1/a", "https://api.example"),
        ("https://169.254.169.254/latest", "https://api.example"),
        ("https://[::1]/a", "https://api.example"),
        ("https://localhost/a", "https://api.example"),
    ],
)
def test_a_url_that_leads_where_no_response_may_send_us(url: str, base_url: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        URLDownload(url=url).request(config(base_url))
    assert caught.value.error_code == "unsafe_url"


def test_the_origin_of_the_gateway_is_always_permitted() -> None:
    request = URLDownload(url="http://127.0.0.1:8000/a").request(config("http://127.0.0.1:8000"))
    assert request.named_by is None


@pytest.mark.parametrize(
    "url",
    [
        None,
        b"https://x.example",
        "",
        "/v1/a",
        "x.example/a",
        "ftp://x.example/a",
        "data:image/png;base64,aGk=",
        f"https://user:{SECRET}@x.example/a",
        f"https://x.example/a b?{SECRET}",
        f"https://{SECRET}",
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(url: Any) -> None:
    if url == f"https://{SECRET}":
        assert checked_url(url) == url  # a host name
        return
    with pytest.raises(InvalidParamsError) as caught:
        checked_url(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_refusal_does_not_quote_the_server() -> None:
    body = f"<Error><Code>AccessDenied</Code>{SECRET}</Error>".encode()
    error = URLDownload(url=URL).refusal(Response(403, Headers(), body))
    assert "storage refused the download" in error.message
    assert error.provider_code == "AccessDenied"
    assert SECRET not in f"{error} {vars(error)}"


def test_a_redirect_is_not_followed_and_its_place_is_not_shown() -> None:
    headers = Headers([("location", f"https://elsewhere.example/?{SECRET}")])
    error = URLDownload(url=URL).refusal(Response(302, headers))
    assert isinstance(error, RedirectError)
    assert SECRET not in f"{error} {error.headers}"


# Responses


def test_a_download_without_a_break() -> None:
    part = begun(content_length="4")
    part.receive(1)
    part.receive(3)
    part.end()
    assert (part.received, part.total) == (4, 4)


def test_a_length_that_is_not_reached_is_a_break() -> None:
    part = begun(content_length="4", received=3)
    with pytest.raises(StreamInterruptedError, match="3 of 4"):
        part.end()


def test_more_than_was_announced_is_an_error() -> None:
    part = begun(content_length="4", received=4)
    with pytest.raises(ResponseDecodeError) as caught:
        part.receive(1)
    assert caught.value.error_code == "wrong_length"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"etag": 'W/"a"'}, ""),
        ({"etag": "a"}, ""),
        ({"etag": '"a\xe9"'}, ""),
        ({"etag": '"a"', "accept_ranges": "none"}, ""),
        ({"etag": '"a"', "accept_ranges": "bytes"}, '"a"'),
        ({"etag": '"a"', "content_encoding": "gzip"}, ""),
        ({"etag": '"a"', "content_encoding": "identity"}, '"a"'),
        ({"last_modified": MODIFIED, "date": SECOND_LATER}, MODIFIED),
        ({"last_modified": MODIFIED, "date": MODIFIED}, ""),
        ({"last_modified": MODIFIED}, ""),
        ({"last_modified": "yesterday", "date": SECOND_LATER}, ""),
        ({"etag": 'W/"a"', "last_modified": MODIFIED, "date": SECOND_LATER}, ""),
        ({}, ""),
    ],
)
def test_only_a_strong_validator_lets_a_download_go_on(
    headers: dict[str, str], validator: str
) -> None:
    part = begun(received=3, **headers)
    assert part.validator == validator
    assert part.start == (3 if validator else 0)


def test_the_rest_is_added() -> None:
    part = begun(content_length="10", etag='"a"', received=4)
    assert part.begin(206, head(content_range="bytes 4-9/10", etag='"a"')) is False
    part.receive(6)
    part.end()
    assert part.received == 10


def test_a_whole_response_replaces_what_had_arrived() -> None:
    part = begun(content_length="10", etag='"a"', received=4)
    assert part.begin(200, head(content_length="3", etag='"b"')) is True
    assert (part.received, part.total, part.validator) == (0, 3, '"b"')


def test_a_part_that_nobody_asked_for_is_never_added() -> None:
    part = begun(content_length="10", received=4)
    assert part.start == 0
    with pytest.raises(ResponseDecodeError, match="begins at byte 4, expected byte 0"):
        part.begin(206, head(content_range="bytes 4-9/10"))
    part = begun(content_length="10", received=4)
    assert part.begin(206, head(content_range="bytes 0-9/10"))
    part.receive(10)
    part.end()
    assert part.received == 10


def test_a_part_of_the_rest_is_a_break() -> None:
    part = begun(content_length="10", etag='"a"', received=4)
    part.begin(206, head(content_range="bytes 4-6/10"))
    part.receive(3)
    with pytest.raises(StreamInterruptedError):
        part.end()
    assert part.start == 7


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_range": "bytes */10"},
        {"content_range": "bytes 4-9/*"},
        {"content_range": "bytes 5-9/10"},
        {"content_range": "bytes 0-9/10"},
        {"content_range": "bytes 4-10/10"},
        {"content_range": "bytes 4-3/10"},
        {"content_range": "bytes 4-9/11"},
        {"content_range": "items 4-9/10"},
        {"content_range": "bytes 4-9/10, bytes 4-9/10"},
        {"content_range": f"bytes 4-{'9' * 30}/{'9' * 31}"},
        {"content_range": "bytes 4-9/10", "etag": '"b"'},
        {"content_range": "bytes 4-9/10", "last_modified": MODIFIED},
        {"content_range": "bytes 4-9/10", "content_encoding": "gzip"},
        {"content_type": "multipart/byteranges; boundary=x"},
    ],
)
def test_a_wrong_range_is_an_error(headers: dict[str, str]) -> None:
    part = begun(content_length="10", etag='"a"', received=4)
    with pytest.raises(ResponseDecodeError) as caught:
        part.begin(206, head(**headers))
    assert caught.value.error_code == "wrong_range"
    assert caught.value.status == 206


@pytest.mark.parametrize("status", [204, 205])
def test_a_response_without_content_is_no_file(status: int) -> None:
    with pytest.raises(ResponseDecodeError):
        PartialDownload().begin(status, Headers())


@pytest.mark.parametrize(
    ("received", "status", "content_range", "is_all"),
    [
        (5, 416, "bytes */5", True),
        (5, 416, "bytes */6", False),
        (5, 416, "", False),
        (5, 404, "bytes */5", False),
        (0, 416, "bytes */0", False),
    ],
)
def test_there_may_be_nothing_after_the_last_byte(
    received: int, status: int, content_range: str, is_all: bool
) -> None:
    part = begun(etag='"a"', transfer_encoding="chunked", received=received)
    headers = Headers([("content-range", content_range)])
    assert part.is_all(error_from_response(status, headers, b"")) is is_all


@pytest.mark.parametrize(("length", "tag"), [("9", ""), ("9", '"a"'), ("", '"b"')])
def test_a_file_that_was_cut_to_what_had_arrived_is_not_all(length: str, tag: str) -> None:
    part = begun(etag='"a"', content_length=length, received=5)
    headers = Headers([("content-range", "bytes */5"), ("etag", tag)])
    assert not part.is_all(error_from_response(416, headers, b""))


NAMES = ("content-range", "content-length", "etag", "last-modified", "content-encoding", "date")
VALUES = st.one_of(
    st.sampled_from(
        ['"a"', '"b"', 'W/"a"', "bytes 0-9/10", "bytes 4-9/10", "bytes 4-9/*", "10", "6", "gzip"]
    ),
    st.sampled_from([MODIFIED, SECOND_LATER, "", "-1", "1e3", "\u0661"]),
    st.text(max_size=12),
)
HEADS = st.dictionaries(st.sampled_from(NAMES), VALUES)
RESPONSES = st.lists(
    st.tuples(st.sampled_from([200, 203, 206, 204]), HEADS, st.integers(0, 12), st.booleans()),
    max_size=5,
)


@given(RESPONSES)
@example([(200, {"content-length": "10", "etag": '"a"'}, 4, False)])
@example([(206, {"content-range": "bytes 0-9/10"}, 10, True)])
def test_no_response_makes_a_download_longer_than_its_file(
    responses: list[tuple[int, dict[str, str], int, bool]],
) -> None:
    part = PartialDownload()
    for status, headers, size, ends in responses:
        before = part.start
        try:
            stale = part.begin(status, Headers([*headers.items()]))
            assert stale or part.received == before or status == 206
            part.receive(size)
            if ends:
                part.end()
                assert part.total in (None, part.received)
                return
        except MeshAPIError:
            return
        assert part.start in (0, part.received)
        assert part.total is None or part.received <= part.total
