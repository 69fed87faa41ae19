"""Requests that middleware changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from meshapi_core import (
    GatheredBody,
    Headers,
    InvalidParamsError,
    Origin,
    PassedAttempt,
    Request,
    ResponseDecodeError,
    Secret,
    Timeout,
    request_changes,
)

TOKEN = "rsk_test_0123456789abcdef"
GATEWAY = Origin("https", "api.example.com", 443)
REQUEST = Request(
    "POST",
    GATEWAY,
    "/v1/chat?free=true",
    (("authorization", Secret(f"Bearer {TOKEN}")), ("accept", "application/json")),
    b"{}",
)

ATTEMPT = PassedAttempt(REQUEST, 2, Timeout(read=2.0), 10.0, 5.0)

NAMES = st.from_regex(r"x-[a-z]{1,8}", fullmatch=True)
VALUES = st.from_regex(r"[!-~]([ -~]{0,12}[!-~])?", fullmatch=True)


@given(st.dictionaries(NAMES, st.none() | VALUES), st.dictionaries(NAMES, VALUES))
def test_headers_replace_those_of_the_same_name_in_any_case(changes, before):
    request = REQUEST.with_headers(before)
    changed = request.with_headers({name.upper(): value for name, value in changes.items()})
    wanted = {**dict(REQUEST.plain_headers()), **before, **changes}
    expected = {name: value for name, value in wanted.items() if value is not None}
    assert dict(changed.plain_headers()) == expected
    assert len(changed.headers) == len(expected)
    assert structs.replace(changed, headers=(), secrets=()) == structs.replace(REQUEST, headers=())
    for name, value in expected.items():
        assert str.__str__(changed.header(name.upper()) or "") == value


def test_a_header_that_is_not_there_is_none():
    assert REQUEST.header("x-none") is None
    assert REQUEST.with_headers({"Authorization": None}).header("authorization") is None


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection"])
def test_a_header_that_frames_the_message_is_refused(name):
    with pytest.raises(InvalidParamsError, match="set by the client"):
        REQUEST.with_headers({name: "x"})


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"x": "a\nb"}, {"x": 1}, "x", [("x", "y")]])
def test_headers_that_cannot_be_sent_are_refused(headers):
    with pytest.raises(InvalidParamsError) as caught:
        REQUEST.with_headers(headers)
    assert caught.value.field.startswith("headers")


def test_another_url_changes_the_server_and_the_target():
    changed = REQUEST.with_url("http://127.0.0.1:8080/other?key=0123456789")
    assert changed.origin == Origin("http", "127.0.0.1", 8080)
    assert changed.plain_target == "/other?key=0123456789"
    assert "0123456789" in "".join(map(str.__str__, changed.secrets))
    assert "0123456789" not in f"{changed} {changed!r} {changed.target} {changed.url}"
    assert (changed.method, changed.headers, changed.body) == (
        REQUEST.method,
        REQUEST.headers,
        REQUEST.body,
    )


def test_another_server_keeps_the_target():
    for url in ("https://eu.example.com", "https://eu.example.com/"):
        changed = REQUEST.with_origin(url)
        assert changed.plain_url == "https://eu.example.com/v1/chat?free=true"


@pytest.mark.parametrize(
    "url", ["", "api.example.com", "ftp://x/", "https://", "https://u:p@x/", "http://x:99999/", 7]
)
@pytest.mark.parametrize("method", ["with_url", "with_origin"])
def test_what_is_no_url_is_refused_and_not_shown(method, url):
    with pytest.raises(InvalidParamsError) as caught:
        getattr(REQUEST, method)(url)
    assert caught.value.field == "url"
    assert "u:p" not in str(caught.value)


def test_the_url_of_a_server_has_no_path():
    with pytest.raises(InvalidParamsError, match=r"use with_url\(\)"):
        REQUEST.with_origin("https://eu.example.com/v1")


def test_an_upload_stays_one_wherever_it_goes():
    upload = structs.replace(REQUEST, named_by=GATEWAY)
    assert REQUEST.is_to_gateway
    assert not upload.is_to_gateway
    for moved in (upload.with_url("http://10.0.0.1/x"), upload.with_origin("http://10.0.0.1")):
        assert not moved.is_to_gateway
        # The program chose that address: it is compared with itself, and so allowed.
        assert moved.named_by == moved.origin


def test_a_body_is_bytes():
    assert REQUEST.with_body(b"[]").body == b"[]"
    with pytest.raises(InvalidParamsError, match=r"write x\.encode\(\)"):
        REQUEST.with_body("[]")  # type: ignore[arg-type]


# What errors must not show


def test_an_unchanged_request_adds_no_secret():
    assert ATTEMPT.secrets_of(REQUEST) == ()


@pytest.mark.parametrize("by_hand", [False, True])
def test_new_values_are_secrets_unless_their_names_say_otherwise(by_hand):
    added = {"x-key": "0123456789", "accept": "text/plain", "x-request-id": "abcdefghij"}
    if by_hand:
        headers = (*REQUEST.headers, *added.items())
        changed = structs.replace(REQUEST, headers=headers)
    else:
        changed = REQUEST.with_headers(added)
    assert {str.__str__(each) for each in ATTEMPT.secrets_of(changed)} == {"0123456789"}
    assert all(isinstance(each, Secret) for each in ATTEMPT.secrets_of(changed))


def test_a_query_that_was_added_is_a_secret():
    changed = structs.replace(REQUEST, target="/v1/chat?sig=0123456789")
    assert "0123456789" in ATTEMPT.secrets_of(changed)


# Limits and bodies


def test_each_request_of_an_attempt_has_the_time_of_one():
    assert (ATTEMPT.head_until(1.0), ATTEMPT.head_until(7.0)) == (6.0, 10.0)
    assert (ATTEMPT.read_until(1.0), ATTEMPT.read_until(9.5)) == (3.0, 10.0)
    none = PassedAttempt(REQUEST, 0, Timeout(read=None))
    assert (none.head_until(1.0), none.read_until(1.0)) == (None, None)


def test_a_request_knows_its_attempt():
    assert ATTEMPT.request == structs.replace(REQUEST, attempt=2)
    assert PassedAttempt(REQUEST, 0, Timeout()).request is REQUEST


@given(st.lists(st.binary(min_size=1)))
def test_a_gathered_body_is_all_of_its_pieces(pieces):
    body = GatheredBody(200, Headers())
    for piece in pieces:
        body.add(piece)
    assert body.joined() == b"".join(pieces)


def test_a_body_without_end_is_not_gathered(monkeypatch):
    monkeypatch.setattr(request_changes, "MAX_BODY_SIZE", 10)
    body = GatheredBody(200, Headers([("x-request-id", "r")]))
    body.add(b"12345678")
    with pytest.raises(ResponseDecodeError) as caught:
        body.add(b"abc")
    assert (caught.value.error_code, caught.value.request_id) == ("response_too_large", "r")
