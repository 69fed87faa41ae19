import copy
import json
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.envelopes import error_from_response, refused_upload
from meshapi_core.errors import (
    ContentTooLargeError,
    InternalServerError,
    RateLimitError,
    RedirectError,
)
from meshapi_core.headers import Headers
from meshapi_core.statuses import error_class
from support.error_bodies import (
    ENVELOPE,
    JSON,
    KEPT,
    bodies,
    check,
    envelopes,
    header_fields,
    make_response,
)


@given(st.integers(), header_fields, bodies, st.none() | st.floats())
@example(500, {}, b'{"error": {"code": null, "message": null}}', None)
@example(500, {}, b"[" * 100_000, None)
@example(500, {}, b'{"error":' * 100_000, None)
@example(500, {}, b"[" * 400 + b"]" * 400, None)
@example(500, {}, b'{"error": {"retry_after_seconds": 1e999}}', None)
@example(500, {}, b'{"error": {"code": ' + b"9" * 5000 + b"}}", None)
@example(500, {}, b'{"detail": [{"loc": [' + b"9" * 4000 + b'], "msg": "x"}]}', None)
@example(500, {}, b'{"error": {"message": "\\ud83d"}}', None)
def test_any_response_gives_a_typed_error_and_never_another_exception(
    status, headers, body, received_at
):
    error = error_from_response(status, headers, body, received_at=received_at)
    check(error)
    assert type(error) is error_class(status)
    assert error.status == status


@given(
    st.sampled_from((400, 401, 404, 429, 500, 503)),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60),
    st.from_regex("[a-z_]{1,30}", fullmatch=True),
    st.floats(0, 1e6),
    st.lists(st.dictionaries(st.text(), st.text())),
)
def test_a_standard_envelope_loses_nothing(status, message, code, wait, details):
    body = {
        "error": {
            "code": code,
            "message": message,
            "details": details,
            "retry_after_seconds": wait,
        },
        "request_id": "req_1",
    }
    error = make_response(status, body)
    assert (error.message, error.error_code, error.request_id) == (message, code, "req_1")
    assert (error.details, error.retry_after_seconds) == (details, wait)
    assert error.raw == body
    assert make_response(status, error.envelope()).envelope() == error.envelope()


@given(st.sampled_from((400, 401, 429, 502)), envelopes)
def test_the_envelope_of_any_error_is_read_as_the_same_error(status, value):
    error = make_response(status, value)
    again = make_response(status, error.envelope())
    assert (again.error_code, again.request_id) == (error.error_code, error.request_id)
    assert type(again) is type(error)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_of_a_body_that_is_not_json_at_most_64_kib_are_kept(piece, times):
    error = make_response(502, b"<" + (piece or b"x") * (times * 10_000))
    assert len(error.raw) <= KEPT
    assert len(error.message) <= 500


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "APPLICATION/JSON;CHARSET=UTF-8",
        "application/problem+json",
        "application/vnd.api+json",
        "text/plain",
        "text/html",
        "",
    ],
)
def test_an_envelope_is_read_under_any_content_type(content_type):
    error = make_response(429, ENVELOPE, content_type=content_type)
    assert (error.message, error.error_code) == ("slow down", "rate_limit_exceeded")


def test_an_envelope_is_read_without_a_content_type():
    assert make_response(429, ENVELOPE).error_code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (404, "not_found"), (413, "content_too_large")],
)
def test_a_body_that_is_not_json_still_gets_the_code_of_its_status(status, code):
    error = make_response(status, b"<html>\r\n<h1>Oops</h1>\r\n</html>", content_type="text/html")
    assert type(error) is error_class(status)
    assert error.error_code == code
    assert error.message == f"HTTP {status}: Oops"
    assert error.raw == "<html>\r\n<h1>Oops</h1>\r\n</html>"


def test_an_error_from_the_wire_can_be_pickled_and_copied_with_all_it_knows():
    fields = Headers([("Retry-After", "42"), ("X-Request-Id", "req_HEADER")])
    error = error_from_response(429, fields, json.dumps(ENVELOPE).encode())
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is RateLimitError
        assert vars(copied) == vars(error)
        assert copied.message == "slow down"


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_an_error_with_deep_json_can_be_pickled_and_copied(depth):
    deep = b'{"error": {"code": "c", "details": ' + b"[" * depth + b"]" * depth + b"}}"
    check(make_response(400, deep))


# The standard envelope, whole and with parts missing


def test_every_fact_of_the_standard_envelope_has_its_attribute():
    error = make_response(429, ENVELOPE, **JSON)
    assert type(error) is RateLimitError
    assert error.message == "slow down"
    assert str(error) == "slow down (429 rate_limit_exceeded, request req_01BODY)"
    assert error.status == 429
    assert error.error_code == "rate_limit_exceeded"
    assert error.request_id == "req_01BODY"
    assert error.details == [{"limit": "rpm"}]
    assert error.provider_error == {"type": "throttled"}
    assert error.provider_code == "provider_overloaded"
    assert error.retry_after_seconds == 5
    assert error.partial is None
    assert error.raw == ENVELOPE
    assert error.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"0", b'""', b"  ", b'{"error": null}', b'{"error": {}}'],
)
def test_an_error_without_a_message_says_its_status_and_code(body):
    """In the official SDK up to 0.1.9, a body like these became `parse_error`."""
    error = make_response(503, body, **JSON)
    assert (error.message, error.error_code) == ("HTTP 503", "upstream_error")


def test_an_error_with_only_a_code_says_it():
    error = make_response(404, {"error": {"code": "model_not_found"}})
    assert error.message == "HTTP 404"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, "redirect"),
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "spend_limit_exceeded"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (409, "conflict"),
        (413, "content_too_large"),
        (415, "unsupported_media_type"),
        (418, "http_error"),
        (422, "validation_error"),
        (429, "rate_limit_exceeded"),
        (431, "headers_too_large"),
        (500, "upstream_error"),
        (501, "not_implemented"),
        (502, "upstream_error"),
        (503, "upstream_error"),
        (504, "upstream_error"),
        (520, "http_error"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error": {"code": null}}'])
def test_an_error_without_a_code_gets_that_of_its_status(status, code, body):
    assert make_response(status, body).error_code == code


# Bodies that are not JSON


def test_the_edges_413_is_a_content_too_large_error():
    """The limit of 32 MiB is enforced in front of the gateway, in HTML, without a request ID."""
    page = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n</html>\r\n"
    error = make_response(413, page, content_type="text/html")
    assert type(error) is ContentTooLargeError
    assert (error.error_code, error.request_id) == ("content_too_large", "")
    assert error.message == "HTTP 413: Request Entity Too Large"


@pytest.mark.parametrize(
    ("title", "hint"),
    [
        ("The plain HTTP request was sent to HTTPS port", ": use https:// in base_url"),
        (
            "No required SSL certificate was sent",
            ": pass a client certificate, tls=(certificate, key)",
        ),
        ("The SSL certificate error", ": it does not accept the client certificate"),
        ("Request Header Or Cookie Too Large", ""),
    ],
)
def test_a_page_of_nginx_about_tls_says_what_to_do(title, hint):
    page = f"<html>\r\n<head><title>400 {title}</title></head>\r\n</html>\r\n"
    error = make_response(400, page.encode(), content_type="text/html")
    assert error.message == f"HTTP 400: {title}{hint}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("502 Bad Gateway", "Bad Gateway"),
        ("502 - Bad Gateway", "Bad Gateway"),
        ("502: Bad Gateway", "Bad Gateway"),
        ("HTTP Status 502 \u2013 Bad Gateway", "Bad Gateway"),
        ("HTTP/1.1 502 Bad Gateway", "Bad Gateway"),
        ("Error 502: Bad Gateway", "Bad Gateway"),
        ("HTTP Error 502. The service is unavailable.", "The service is unavailable."),
        ("502 502 Bad Gateway", "502 Bad Gateway"),
        ("503 Service Unavailable", "503 Service Unavailable"),
        ("502.3 ms", "502.3 ms"),
        ("5023 requests", "5023 requests"),
        ("Bad Gateway 502", "Bad Gateway 502"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "<html><title>{}</title></html>"])
def test_the_status_is_not_said_twice(text, said, form):
    error = make_response(502, form.format(text).encode(), content_type="text/html")
    assert error.message == f"HTTP 502: {said}"


@pytest.mark.parametrize("text", ["502", " 502\n", "HTTP 502", "HTTP/1.1 502", "Error 502"])
def test_a_text_that_is_the_status_alone_says_nothing_more(text):
    assert make_response(502, text.encode(), content_type="text/plain").message == "HTTP 502"


def test_the_status_in_an_envelope_is_the_servers_own_text():
    body = {"error": {"message": "502 Bad Gateway"}}
    assert make_response(502, body).message == "502 Bad Gateway"


# Bodies that a proxy made

PAGE = b"<html><title>ERROR: The requested URL could not be retrieved</title></html>"
TINY_PAGE = b"<html><head><title>500 Unable to connect</title></head></html>"


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        (
            {"x-squid-error": "ERR_CONNECT_FAIL 111", "via": "1.1 p (squid/5.7)"},
            PAGE,
            "HTTP 500 from {}: it could not connect to the server (ERR_CONNECT_FAIL)",
        ),
        (
            {"x-squid-error": "ERR_UNHEARD_OF 104"},
            PAGE,
            "HTTP 500 from {}: ERROR: The requested URL could not be retrieved (ERR_UNHEARD_OF)",
        ),
        ({"x-squid-error": "ERR_UNHEARD_OF 104"}, b"", "HTTP 500 from {} (ERR_UNHEARD_OF)"),
        ({"server": "tinyproxy/1.11.1"}, TINY_PAGE, "HTTP 500 from {}: Unable to connect"),
        ({"server": "tinyproxy/1.11.1"}, b"", "HTTP 500 from {}"),
    ],
)
def test_a_response_that_a_proxy_made_says_so(headers, body, message):
    name = "the proxy http://p:3128"
    error = error_from_response(500, headers, body)
    assert error.message == message.format("a proxy")
    assert type(error) is InternalServerError
    assert error.error_code == "upstream_error"
    error = error_from_response(500, headers, body, proxy=name)
    assert error.message == message.format(name)


def test_the_page_of_a_squid_further_on_does_not_get_the_name_of_the_next_proxy():
    headers = {"x-squid-error": "ERR_DNS_FAIL 0", "via": "1.1 q (squid/6), 1.1 p (squid/5.7)"}
    error = error_from_response(503, headers, PAGE, proxy="the proxy http://p:3128")
    assert error.message.startswith("HTTP 503 from a proxy: it could not resolve")


@pytest.mark.parametrize("headers", [{"via": "1.1 p"}, {"server": "tinyproxy/1", "via": "1.1 p"}])
def test_a_response_that_was_passed_on_is_the_servers(headers):
    error = error_from_response(503, headers, b"no", proxy="the proxy http://p:3128")
    assert error.message == "HTTP 503: no"


@pytest.mark.parametrize("headers", [{}, {"server": "nginx"}, {"x-squid-error": "?"}])
def test_a_response_that_a_proxy_may_have_made_names_it(headers):
    """Nothing says whose it is, so a user is told that there is a proxy."""
    name = "the proxy http://p:3128"
    for status in (502, 503, 504):
        error = error_from_response(status, headers, b"no.", proxy=name)
        assert error.message == f"HTTP {status}: no; the request went through {name}"
        error = error_from_response(status, headers, b"", proxy=name)
        assert error.message == f"HTTP {status}; the request went through {name}"
    for status in (400, 500):
        assert (
            error_from_response(status, headers, b"no", proxy=name).message == f"HTTP {status}: no"
        )
    assert error_from_response(503, headers, b"no").message == "HTTP 503: no"
    envelope = json.dumps(ENVELOPE).encode()
    assert error_from_response(503, headers, envelope, proxy=name).message == "slow down"


def test_an_envelope_says_what_is_wrong_whoever_sent_it():
    headers = {"x-squid-error": "ERR_DNS_FAIL 0"}
    error = error_from_response(503, headers, json.dumps(ENVELOPE).encode())
    assert error.message == "slow down"


@pytest.mark.parametrize(("protocol", "is_told"), [("WebSocket", True), ("TLS/1.2", False)])
def test_an_upgrade_that_was_lost_on_the_way_says_so(protocol, is_told):
    """Upgrade is a header for the next hop, and a proxy like nginx does not pass it on unasked."""
    body = b'{"error": {"code": "upgrade_required", "message": "Upgrade!"}}'
    error = make_response(426, body, upgrade=protocol)
    assert ("proxy" in error.message) == is_told


def test_json_too_deep_to_read_is_shown_as_text():
    error = make_response(500, b'{"error":' * 100_000)
    assert error.error_code == "upstream_error"
    assert str(error).startswith('HTTP 500: {"error":{"error":')


def test_server_text_cannot_steer_a_terminal_or_forge_a_line():
    forged = "x\r\n2026-11-20 INFO all is well\x1b[2J\x9b\u2028"
    for error in (
        make_response(500, forged.encode()),
        make_response(500, {"error": {"message": forged}}),
    ):
        assert len(str(error).splitlines()) == 1
        assert "\x1b" not in str(error)
        assert "\x9b" not in str(error)


# Bodies that are too large


@pytest.mark.slow
def test_of_a_huge_page_only_its_beginning_is_kept():
    error = make_response(502, b"<html>" + b"x" * 32_000_000)
    assert len(error.raw) == KEPT
    assert str(error).startswith("HTTP 502: xxx")
    assert len(pickle.dumps(error)) < KEPT + 2000


def test_a_422_that_echoes_the_request_is_abridged_and_stays_useful():
    image = "A" * 5_000_000
    items = [
        {"type": "t", "loc": ["body", "messages", n], "msg": f"wrong {n}", "input": image}
        for n in range(3)
    ]
    body = {"detail": items, "request_id": "req_1"}
    error = make_response(422, body)
    assert error.message == "body.messages.0: wrong 0 (and 2 more)"
    assert error.request_id == "req_1"
    assert [item["msg"] for item in error.details] == ["wrong 0", "wrong 1", "wrong 2"]
    assert error.details[2]["loc"] == ["body", "messages", 2]
    assert len(pickle.dumps(error)) < KEPT


@pytest.mark.parametrize(
    "filler",
    [[["x" * 499] * 10] * 100, {"k" * 499 + str(n): "x" * 499 for n in range(500)}, ["y"] * 50_000],
)
def test_of_huge_json_at_most_64_kib_are_kept_and_no_fact_is_lost(filler):
    body = {
        "error": {"details": filler, "provider_error": filler, "code": "c", "message": "m"},
        "request_id": "req_1",
    }
    error = make_response(400, body)
    assert (error.message, error.error_code, error.request_id) == ("m", "c", "req_1")
    assert len(pickle.dumps((error.raw, error.details, error.provider_error))) <= KEPT + 4000


def test_a_body_of_usual_size_is_kept_whole():
    body = {"error": {"message": "m", "details": ["x" * 600] * 100}}
    assert make_response(400, body).raw == body


# Redirects


def test_a_redirect_says_where_to_and_hides_the_signature():
    """A 307 is not a success that fails to decode."""
    location = "https://storage.example.com/file?X-Signature=s3cret#part"
    error = make_response(307, b"<html>Moved</html>", location=location)
    assert type(error) is RedirectError
    assert "https://storage.example.com/file" in str(error)
    assert "s3cret" not in str(error)
    assert (error.status, error.error_code) == (307, "redirect")


def test_a_redirect_to_nowhere_is_an_error_all_the_same():
    assert make_response(304, b"").message == "HTTP 304"


# Storages


class TestRefusedUploads:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (
                b"<Error><Code>SignatureDoesNotMatch</Code><Key>secret</Key></Error>",
                "SignatureDoesNotMatch",
            ),
            (b"<?xml version='1.0'?>\n<Error><Code>Auth.Failed2</Code></Error>", "Auth.Failed2"),
            (b"<Error><Code>sec ret</Code></Error>", None),
            (b"<Error><Code></Code></Error>", None),
            (b"<Code>" + b"x" * 65 + b"</Code>", None),
            (b'{"error": "secret"}', None),
            (b"\xff\0secret", None),
            (b"", None),
        ],
    )
    @pytest.mark.parametrize("status", [301, 400, 403, 404, 413, 500, 503])
    def test_only_status_and_code_are_shown(self, body, code, status):
        headers = Headers([("x-amz-request-id", "amz_1"), ("Location", "https://x/?sig=secret")])
        error = refused_upload(status, headers, body)
        assert type(error) is error_class(status)
        assert (error.status, error.provider_code, error.request_id) == (status, code, "amz_1")
        assert str(status) in error.message
        assert "secret" not in f"{error} {error!r} {vars(error)}"
        assert (code or "refused") in error.message

    def test_a_code_is_looked_for_in_the_first_64_kib_only(self):
        code = b"<Error><Code>SlowDown</Code></Error>"
        near = b" " * (KEPT - len(code)) + code
        assert refused_upload(403, Headers(), near).provider_code == "SlowDown"
        assert refused_upload(403, Headers(), b" " * KEPT + code).provider_code is None

    def test_the_wait_that_it_asks_for_is_kept(self):
        headers = Headers([("Retry-After", "7"), ("x-request-id", "req_1")])
        error = refused_upload(503, headers, b"<Error><Code>SlowDown</Code></Error>")
        assert (error.retry_after_seconds, error.request_id) == (7.0, "req_1")


def test_a_refused_upload_has_the_headers_of_the_response_without_a_signature():
    headers = Headers([("Location", "https://s/?sig=rsk_test_x"), ("x-amz-request-id", "r")])
    error = refused_upload(307, headers, b"")
    assert dict(error.headers) == {"location": "https://s/?***", "x-amz-request-id": "r"}
    assert error.request_id == "r"
