import re
import traceback
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Origin
from meshapi_core.service import DEFAULT_BASE_URL
from meshapi_core.urls import parse_base_url, parse_url

TOKEN = "rsk_test_0123456789abcdef"


def config(**fields: Any) -> MeshAPIConfig:
    return MeshAPIConfig(**{"token": TOKEN, **fields})


# The base URL

hosts = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.sampled_from(["münchen.example", "例え.example"]),
)
prefixes = st.from_regex(r"(/[a-z0-9._~%-]{1,8}){0,3}", fullmatch=True)


@given(
    st.sampled_from(["http", "https", "HTTP", "Https"]),
    hosts,
    st.none() | st.integers(1, 65535),
    prefixes,
    st.sampled_from(["", "/", "//"]),
)
def test_a_good_base_url_is_taken_apart_and_can_be_put_together(scheme, host, port, prefix, end):
    assume(not prefix.endswith("/v1"))
    url = f"{scheme}://{host}{'' if port is None else f':{port}'}{prefix}{end}"
    location = config(base_url=url).location
    assert location.origin.scheme == scheme.lower()
    assert location.origin.port == (port or (443 if scheme.lower() == "https" else 80))
    assert location.origin.host.isascii()
    assert location.prefix == prefix
    assert parse_base_url(str(location)) == location


@given(
    st.text()
    | st.builds(str.__add__, st.sampled_from(["http://", "https://", "http://h"]), st.text())
    | st.text(st.sampled_from("ht:/[]@?#%.\\1v\u2100\u3002\xa0\xad\ud800 "), max_size=12).map(
        lambda rest: "http://" + rest
    )
)
@example("http://[::1")
@example("http://[::1]]")
@example("http://h:99999")
@example("http://h:1_0")
@example("http://h:٣")
@example("http://a\xa0b")
@example("http://" + "a" * 64 + ".example")
@example("http://" + "é" * 80)
@example("http://user:pass@h\u2100")
@example("http://a..b")
@example("http://.")
@example("http://a..")
def test_any_text_is_a_base_url_that_can_be_sent_or_a_value_error(url):
    try:
        location = config(base_url=url).location
    except ValueError:
        return
    origin = location.origin
    assert origin.scheme in ("http", "https")
    assert 1 <= origin.port <= 65535
    for part in (origin.authority, location.prefix):
        assert all(0x21 <= ord(char) <= 0x7E for char in part)
    assert not set(origin.authority) & set('/?#@\\"<>')
    # The system's resolver encodes every name this way when a call is made.
    origin.host.encode("idna")
    assert not origin.host.startswith(".")
    assert location.prefix == "" or location.prefix.startswith("/")
    assert not set(location.prefix) & set("?#")


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        (DEFAULT_BASE_URL, Origin("https", "api.meshapi.ai", 443), ""),
        ("http://localhost:8000", Origin("http", "localhost", 8000), ""),
        ("http://localhost:8000/", Origin("http", "localhost", 8000), ""),
        ("http://LOCALHOST", Origin("http", "localhost", 80), ""),
        ("https://h:80", Origin("https", "h", 80), ""),
        ("https://h:", Origin("https", "h", 443), ""),
        ("http://[::1]:8000", Origin("http", "::1", 8000), ""),
        ("http://[fe80::1%25eth0]", Origin("http", "fe80::1%25eth0", 80), ""),
        ("https://bücher.example", Origin("https", "xn--bcher-kva.example", 443), ""),
        ("https://h/mesh/", Origin("https", "h", 443), "/mesh"),
        ("https://h/a/v2", Origin("https", "h", 443), "/a/v2"),
        ("https://h/v1/x", Origin("https", "h", 443), "/v1/x"),
        ("https://a_b.example", Origin("https", "a_b.example", 443), ""),
        ("https://h.example.", Origin("https", "h.example.", 443), ""),
        (f"http://{'a' * 63}.example", Origin("http", f"{'a' * 63}.example", 80), ""),
        (f"http://{'a.' * 126}b", Origin("http", f"{'a.' * 126}b", 80), ""),
        ("http://[::]", Origin("http", "::", 80), ""),
        ("http://[1::]", Origin("http", "1::", 80), ""),
        ("http://[::ffff:127.0.0.1]:1", Origin("http", "::ffff:127.0.0.1", 1), ""),
        ("http://[1:2:3:4:5:6:7:8]", Origin("http", "1:2:3:4:5:6:7:8", 80), ""),
    ],
)
def test_base_urls_as_people_write_them(url, origin, prefix):
    location = config(base_url=url).location
    assert (location.origin, location.prefix) == (origin, prefix)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "http"),
        ("api.meshapi.ai", "http"),
        ("localhost:8000", "http"),
        ("ftp://h", "ftp://"),
        ("file:///etc/passwd", "file://"),
        ("//h", "http"),
        ("http://", "host"),
        ("http:///path", "host"),
        ("http://:80", "host"),
        ("http://h/v1", "/v1"),
        ("http://h/v1/", "/v1"),
        ("http://h/mesh/v1//", "/v1"),
        ("http://user@h", "user name"),
        ("http://user:pass@h", "user name"),
        ("http://@h", "user name"),
        ("http://h?", "query"),
        ("http://h/?a=b", "query"),
        ("http://h#", "fragment"),
        ("http://h/a b", "whitespace"),
        ("http://h\n", "whitespace"),
        ("http://h\t.example", "control character"),
        ("http://h\x7f", "control character"),
        ("http://h/é", "percent-encoded"),
        ("http://h:0", "port 0"),
        ("http://h:65536", "(?i)port"),
        ("http://h:x", "(?i)port"),
        ("http://[::1", "not a URL"),
        ("http://a\\b", "host"),
        ("http://<b>", "host"),
        ("http://a\xa0b", "host"),
        ("http://a..b", "host"),
        ("http://.x", "host"),
        ("https://.example.com", "host"),
        ("http://.", "host"),
        ("http://x..", "host"),
        ("http://例え。。x", "host"),
        (f"http://{'a' * 64}.example", "host"),
        (f"http://{'a.' * 126}bc", "host"),
        ("http://[v1.x]:1", "IPv6|not a URL"),
        ("http://[localhost]", "IPv6|not a URL"),
        ("http://[127.0.0.1]", "IPv6|not a URL"),
        ("http://[]", "host|not a URL"),
        ("http://[:::]", "IPv6|not a URL"),
        ("http://[1::2::3]", "IPv6|not a URL"),
        ("http://[1:2:3:4:5:6:7]", "IPv6|not a URL"),
        ("http://[1:2:3:4:5:6:7:8:9]", "IPv6|not a URL"),
        ("http://[12345::]", "IPv6|not a URL"),
        ("http://[::1.2.3.256]", "IPv6|not a URL"),
        ("http://[1.2.3.4::]", "IPv6|not a URL"),
        ("http://[::1]x:80", "IPv6|not a URL"),
        ("http://x[::1]", "IPv6|not a URL"),
    ],
)
def test_a_base_url_that_cannot_be_meant_is_refused(url, says):
    with pytest.raises(ValueError, match=says):
        config(base_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:{0}@h",
        "http://{0}@h",
        "https://u:{0}@h\u2100t",
        # A slash in a password ends the authority, so the text before it is not user information.
        "http://user:{0}/x@h",
        "http://{0}..x/y@h",
        "http://é{0}..x/y@h",
        "http://[{0}]/y@h",
    ],
)
def test_a_refused_base_url_is_not_quoted(url):
    with pytest.raises(ValueError, match="base_url") as caught:
        config(base_url=url.format(TOKEN), token="rsk_test_other")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("url", [None, b"http://h", 8000])
def test_a_base_url_is_text(url):
    with pytest.raises(TypeError, match="base_url: expected str"):
        config(base_url=url)


@pytest.mark.parametrize("host", ["stra\u00dfe.example", "\u03c2.example", "a\u200db.example"])
def test_a_name_that_two_standards_encode_differently_is_refused_by_that(host):
    with pytest.raises(ValueError, match=r"U\+[0-9A-F]{4} .* xn--"):
        config(base_url=f"https://{host}")


@pytest.mark.parametrize("host", ["b\u00fccher.example.", "B\u00dcCHER.example."])
def test_an_international_name_keeps_its_last_dot(host):
    origin = config(base_url=f"https://{host}").location.origin
    assert origin.host == "xn--bcher-kva.example."


# URLs that a response gives

SIGNED = "https://storage.example/bucket/a%20b?sig=secret&x=%2F"


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        (SIGNED, Origin("https", "storage.example", 443), "/bucket/a%20b?sig=secret&x=%2F"),
        ("http://127.0.0.1:9000/f", Origin("http", "127.0.0.1", 9000), "/f"),
        ("https://storage.example", Origin("https", "storage.example", 443), "/"),
        ("https://storage.example?sig=1", Origin("https", "storage.example", 443), "/?sig=1"),
        ("HTTPS://Storage.Example/F?S=1", Origin("https", "storage.example", 443), "/F?S=1"),
        ("https://storage.example/f#part", Origin("https", "storage.example", 443), "/f"),
        (
            "https://storage.example/a;b=1//c?d?e",
            Origin("https", "storage.example", 443),
            "/a;b=1//c?d?e",
        ),
        ("https://[::1]:8443/f", Origin("https", "::1", 8443), "/f"),
        ("https://b\xfccher.example/f", Origin("https", "xn--bcher-kva.example", 443), "/f"),
    ],
)
def test_a_signed_url_is_taken_apart(url, origin, target):
    assert parse_url(url) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "/bucket?sig=secret",
        "ftp://storage.example/f?sig=secret",
        "file:///secret",
        "https://?sig=secret",
        "https:///f?sig=secret",
        "https://user:secret@storage.example/f",
        "https://storage.example:0/f?sig=secret",
        "https://storage.example:port/f?sig=secret",
        "https://storage.example:99999/f?sig=secret",
        "https://sto rage.example/f?sig=secret",
        "https://storage.example/f?sig=secret\r\nX-Key: 1",
        "https://storage.example/f?sig=s\xe9cret",
        "https://storage.example/s\xe9cret",
        "https://[storage.example]/f?sig=secret",
        "https://[::1/f?sig=secret",
        "https://-._.example_" + "x" * 64 + "/f?sig=secret",
        "https://\u2100.example/f?sig=secret",
    ],
)
def test_an_invalid_url_is_refused_without_being_shown(url):
    with pytest.raises(ResponseDecodeError) as caught:
        parse_url(url)
    assert caught.value.error_code == "parse_error"
    shown = "".join(traceback.format_exception(None, caught.value, None))
    assert "secret" not in shown
    assert "cret" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_url_that_can_be_asked_or_an_error(text):
    for url in (text, f"https://{text}", f"https://a.example/{text}", f"https://a.example?{text}"):
        try:
            origin, target = parse_url(url)
        except ResponseDecodeError:
            continue
        assert target.startswith("/")
        assert target.isascii()
        assert not re.search("[\0-\x20\x7f]", target)
        assert origin.authority.isascii()
