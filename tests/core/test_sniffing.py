import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.sniffing import KEPT_BYTES, readable, sniff, unexpected
from support import chat_streams

KINDS = [
    (b"data: {}\n\n", "events"),
    (b"data:1", "events"),
    (b"data\n", "events"),
    (b": ping\n\n", "events"),
    (b"event: a\ndata: 1", "events"),
    (b"id: 1", "events"),
    (b"retry: 1", "events"),
    (b"error: it broke", "events"),
    (b"\xef\xbb\xbfdata: 1", "events"),
    (b"\r\n\r\ndata: 1", "events"),
    (b"{", "json"),
    (b" \n[1]", "json"),
    (b"\xef\xbb\xbf {}", "json"),
    (b"<html>", "page"),
    (b"\n <?xml?>", "page"),
    (b"hello", "text"),
    (b"data center is down", "text"),
    (b"identity: x", "text"),
    (b"errors: 5", "text"),
    (b"5", "text"),
    (b"\xff", "text"),
    (b" " * 1024 + b"{}", "text"),
]


@pytest.mark.parametrize(("body", "kind"), KINDS)
def test_a_body_is_what_its_first_bytes_are(body, kind):
    assert sniff(body) == kind
    assert sniff(body, ended=True) == kind


@pytest.mark.parametrize(
    "start", [b"", b" \n", b"d", b"data", b"erro", b"error", b"\xef\xbb", b"re"]
)
def test_what_is_not_clear_yet_waits_for_more_unless_there_is_none(start):
    assert sniff(start) is None
    assert sniff(start, ended=True) == "text"


@given(chat_streams.bodies, st.data())
@example(b" " * 2000 + b"{}", None)
@example(b"\xef\xbb\xbf\r\ndata: 1", None)
def test_the_kind_does_not_depend_on_how_many_bytes_have_come(body, data):
    whole = sniff(body)
    places = range(len(body)) if data is None else [data.draw(st.integers(0, len(body)))]
    for place in places:
        assert sniff(body[:place]) in (None, whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two\r\n words ", "two words"),
        ("<html><head><TITLE lang='en'>Bad\n gateway</TITLE></head>x</html>", "Bad gateway"),
        ("<html><title></title><h1>Oops</h1> it &lt;broke&gt; &amp;</html>", "Oops it <broke> &"),
        ("<p>a<script>var b = '<c>';</script><!-- d --><style>e</style>f</p>", "a f"),
        ("<p>a<script>var b", "a"),
        ("<?xml version='1.0'?><Error><Code>C</Code><Message>no key</Message></Error>", "no key"),
        ("<s:Fault><s:faultstring>no</s:faultstring></s:Fault>", "no"),
        ("<e><message><![CDATA[no room]]></message></e>", "no room"),
        ("<br/>", "<br/>"),
        ("", ""),
    ],
)
def test_of_a_text_that_is_shown_what_it_says(text, said):
    assert readable(text) == said


@given(st.text(st.sampled_from("<>!-/ abscriptyle\n\u0130")))
def test_any_text_is_readable(text):
    said = readable(text)
    assert "\n" not in said
    assert bool(said) == bool(text.strip())


@pytest.mark.parametrize(
    "page", ["<" * 60_000, "<script>" * 8_000, "<!--" * 15_000, "<title " * 9_000, "<a:" * 20_000]
)
def test_a_hostile_page_is_read_in_linear_time(page):
    assert len(readable(page)) <= len(page)


def test_what_is_not_what_was_promised_is_shown():
    headers = Headers([("Content-Type", "text/html; charset=utf-8"), ("Request-Id", "req_1")])
    page = b"<html><title>Sign in</title></html>"
    error = unexpected("JSON", headers, 200, page)
    assert isinstance(error, ResponseDecodeError)
    assert error.message == (
        "expected JSON, got text/html; charset=utf-8 (35 bytes, HTTP 200): "
        "'<html><title>Sign in</title></html>'"
    )
    assert (error.status, error.request_id, error.error_code) == (200, "req_1", "parse_error")
    assert (error.headers, error.raw_body) == (headers, page)


def test_of_a_long_page_the_title_is_shown_all_the_same():
    page = b"<html>" + b" " * 1000 + b"<title>Sign in</title>" + b"x" * 10_000_000
    error = unexpected("JSON", Headers(), 200, page)
    assert "got a response without a content type (10001028 bytes, HTTP 200): 'Sign in', " in str(
        error
    )
    assert error.raw_body == page[:KEPT_BYTES]


def test_an_empty_body_is_called_so():
    error = unexpected("JSON", Headers([("Content-Type", "a/b")]), 204, b"\n")
    assert error.message == "expected JSON, got a/b with an empty body (HTTP 204)"
