from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.calls import Call, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints import Completions
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import Multipart
from meshapi_core.readers import ByteStreamReader, EmptyReader

CONFIG = MeshAPIConfig(base_url="https://api.example.com", token="rsk_test_1")


def call(**fields: Any) -> "Call[None]":
    return Call(**{"method": "GET", "path": "/v1/x", "reader": EmptyReader(), **fields})


def refusal(**fields: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        call(**fields)
    return caught.value


@given(
    st.text(st.characters(max_codepoint=0x17F), max_size=12)
    | st.text("/\\.%2eE?#:@[]a", max_size=9)
)
@example("/..")
@example("/v1/%2e%2E/x")
@example("/\\evil.example")
def test_whatever_path_is_taken_leads_to_the_server_of_the_base_url(path):
    try:
        request = call(path=path).request(CONFIG)
    except InvalidParamsError as error:
        assert error.field == "path"
        return
    url = urlsplit(request.plain_url)
    assert (url.scheme, url.netloc) == ("https", "api.example.com")
    assert request.target == path
    # Resolving it against the base URL has the same result.
    assert urlsplit(urljoin("https://api.example.com/", path)).netloc == "api.example.com"
    assert urljoin("https://api.example.com/", path).rstrip("?") == request.url.rstrip("?")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("rerank", "begin it with /"),
        ("", "begin it with /"),
        (".evil.example/x", "begin it with /"),
        ("@evil.example/x", "begin it with /"),
        (":8443/x", "begin it with /"),
        ("https://evil.example/x", "base_url names the server"),
        ("//evil.example/x", "base_url names the server"),
        ("/\\evil.example/x", "path_segment"),
        ("/v1/x\\y", "path_segment"),
        ("/v1/x y", "path_segment"),
        ("/v1/x\ty", "path_segment"),
        ("/v1/x HTTP/1.1\r\nX-Key: 1\r\n\r\n", "path_segment"),
        ("/v1/x\n", "path_segment"),
        ("/v1/\0", "path_segment"),
        ("/v1/\x7f", "path_segment"),
        ("/v1/\xe9", "path_segment"),
        ("/v1/x#y", "path_segment"),
        ("/v1/../x", "path_segment"),
        ("/v1/.", "path_segment"),
        ("/v1/..?a=b", "path_segment"),
        ("/v1/%2E%2e/x", "path_segment"),
        ("/v1/.%2e", "path_segment"),
    ],
)
def test_an_invalid_path_is_refused_with_what_to_do(path, hint):
    """`path="rerank"` made the URL https://api.example.comrerank."""
    for error in (refusal(path=path), refusal(path=path, method="POST", body=b"{}")):
        assert error.field == "path"
        assert "begins with one /" in error.expected
        assert error.got == ascii(path.partition("?")[0])
        assert hint in str(error)
        assert str(error).isascii()
    with pytest.raises(InvalidParamsError, match="path"):
        StreamCall(method="GET", path=path, reader=ByteStreamReader())


@pytest.mark.parametrize(("path", "got"), [(None, "None"), (b"/v1/x", "bytes"), (7, "int")])
def test_a_path_is_text(path, got):
    assert str(refusal(path=path)) == f"path: expected str, got {got}"


def test_a_refused_path_is_shown_without_its_query_and_cut():
    shown = refusal(path="/v1/" + "x" * 90 + " ?key=rsk_test_secret").got
    assert "rsk_test" not in shown
    assert len(shown) < 60


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/x", "/v1/x?a=b&c=../d", "/v1/a:b@c", "/v1/...", "/v1/.hidden", "/v1/x/", "/%2F"],
)
def test_a_valid_path_is_sent_as_it_is(path):
    assert call(path=path).request(CONFIG).target == path


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("get", "write 'GET'"),
        ("GET /x", ""),
        ("", ""),
        ("PO\r\nST", ""),
        ("CONNECT", ""),
        ("connect", ""),
        ("G\xc9T", ""),
    ],
)
def test_a_method_is_a_word_in_capitals(method, hint):
    error = refusal(method=method)
    assert (error.field, error.expected) == ("method", "a method in capitals, such as 'POST'")
    assert error.hint == hint
    assert str(refusal(method=None)) == "method: expected str, got None"
    for good in ("GET", "POST", "PATCH", "DELETE", "QUERY", "VERSION-CONTROL"):
        call(method=good)


@pytest.mark.parametrize(
    ("query", "field", "got"),
    [
        ({"a": "b"}, "query", "dict"),
        ("a=b", "query", "str"),
        ([("a", "b")], "query", "list"),
        (("ab",), "query[0]", "str"),
        ((("a", "b"), ("c",)), "query[1]", "tuple"),
        ((("a", 1),), "query[0]", "int in it"),
        (((None, "a"),), "query[0]", "None in it"),
        ((("a", "\ud800"),), "query[0]", "a lone surrogate at index 0"),
    ],
)
def test_a_query_is_pairs_of_text(query, field, got):
    error = refusal(query=query)
    assert (error.field, error.got) == (field, got)


@pytest.mark.parametrize(("body", "got"), [("{}", "str"), ({}, "dict"), (None, "None")])
def test_a_body_is_bytes_or_a_form(body, got):
    error = refusal(method="POST", body=body)
    assert (error.field, error.got) == ("body", got)
    assert "encode_params" in error.hint
    call(method="POST", body=Multipart())


@given(st.text(min_size=1))
def test_an_id_that_an_endpoint_takes_makes_a_path_that_a_call_takes(text):
    from meshapi_core.paths import path_segment

    try:
        segment = path_segment("id", text)
    except InvalidParamsError:
        return
    assert call(path=f"/v1/x/{segment}").request(CONFIG).target == f"/v1/x/{segment}"


def test_the_endpoints_of_this_package_are_taken():
    made = Completions.create.build(model="m", messages=[{"role": "user", "content": "hi"}])
    assert made.path == "/v1/chat/completions"
