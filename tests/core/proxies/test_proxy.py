"""The address of a proxy: what URLs mean, which are refused, and that no password is ever shown."""

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError, Proxy
from support.reporters import seen

PASSWORD = "pr0xy-passw0rd-canary"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("https://proxy.example", "https://proxy.example:443"),
        ("socks5://proxy.example", "socks5://proxy.example:1080"),
        ("socks5h://proxy.example/", "socks5h://proxy.example:1080"),
        ("HTTP://Proxy.Example:1", "http://proxy.example:1"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("10.0.0.1", "http://10.0.0.1:80"),
        ("user:pass@10.0.0.1:1", "http://10.0.0.1:1"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        ("[::1]", "http://[::1]:80"),
    ],
)
def test_a_url_becomes_a_proxy(url, shown):
    assert str(Proxy.of(url)) == shown
    assert repr(Proxy.of(url)) == f"<Proxy {shown}>"


def plain(text):
    return text and str.__str__(text)


@pytest.mark.parametrize(
    ("credentials", "username", "password"),
    [
        ("user:pass", "user", "pass"),
        ("us%40er:pa%3Ass%2F", "us@er", "pa:ss/"),
        ("user:p@ss", "user", "p@ss"),
        ("user:a:b", "user", "a:b"),
        ("user:", "user", ""),
        ("user", "user", None),
        (":pass", "", "pass"),
        ("", None, None),
        (":", None, None),
        ("%C3%BC:%E2%82%AC", "ü", "€"),
        ("ü:€", "ü", "€"),
    ],
)
def test_credentials_are_percent_decoded(credentials, username, password):
    proxy = Proxy.of(f"http://{credentials}@p:1")
    assert (plain(proxy.username), plain(proxy.password)) == (username, password)


def test_basic_credentials_are_utf_8_in_base64():
    name, value = Proxy.of("http://us%40er:p%C3%A4ss@p").authorization
    assert name == "proxy-authorization"
    assert value.reveal() == "Basic dXNAZXI6cMOkc3M="
    assert Proxy.of("http://p").authorization is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no host name"),
        ("http://", "no host name"),
        (f"http://u:{PASSWORD}@", "no host name"),
        ("ftp://p", "expected http://, https://, socks5:// or socks5h://"),
        ("socks4://p", "SOCKS5 only"),
        ("socks://p", "write socks5:// or socks5h://"),
        (f"http://u:{PASSWORD}/x@p:1", "percent-encode"),
        (f"http://u:{PASSWORD}#@p:1", "percent-encode"),
        (f"http://u:{PASSWORD}@p:x", "port"),
        ("http://p:0", "port 0"),
        ("http://p:65536", "port"),
        ("http://p/path", "path"),
        ("http://p?query", "query"),
        ("http://a b", "whitespace"),
        ("http://[p]", ""),
        (f"http://u%3Aser:{PASSWORD}@p", "colon"),
        (f"http://u%0A:{PASSWORD}@p", "control character"),
        (f"http://u%FF:{PASSWORD}@p", "UTF-8"),
        (f"socks5://:{PASSWORD}@p", "not empty"),
        (f"socks5://{'u' * 256}:{PASSWORD}@p", "255 bytes"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url, words):
    with pytest.raises(InvalidParamsError) as caught:
        Proxy.of(url, field="HTTPS_PROXY")
    assert str(caught.value).startswith("HTTPS_PROXY: ")
    assert words in str(caught.value)
    assert PASSWORD not in seen(caught.value)


@given(
    st.text() | st.text(st.sampled_from("ht:/[]@?#%.s5u\x00ü"), max_size=20).map("http://".__add__)
)
@example("http://[::1")
@example("http://\ud800:x@p")
@example("\ud800")
def test_any_other_text_is_a_proxy_or_refused(url):
    try:
        proxy = Proxy.of(url)
    except InvalidParamsError:
        return
    assert Proxy.of(str(proxy)).origin == proxy.origin
    assert proxy.host.isascii()


@pytest.mark.parametrize("value", [None, 5, b"http://p", object()])
def test_only_a_str_is_a_url(value):
    with pytest.raises(InvalidParamsError, match="proxy: expected a URL such as"):
        Proxy.of(value)


@pytest.mark.parametrize(
    "fields",
    [
        {"scheme": "ftp"},
        {"scheme": None},
        {"host": "a b"},
        {"host": f"u:{PASSWORD}@p"},
        {"host": ""},
        {"host": 5},
        {"port": 0},
        {"port": "80"},
        {"port": True},
        {"username": PASSWORD.encode()},
        {"username": None},
        {"username": "a:b"},
        {"password": 5},
        {"proxy": "p"},
    ],
)
def test_wrong_fields_are_refused_without_being_shown(fields):
    good = {"scheme": "http", "host": "p", "port": 1, "username": "u", "password": PASSWORD}
    with pytest.raises(InvalidParamsError) as caught:
        Proxy(**{**good, **fields})
    assert PASSWORD not in seen(caught.value)


def test_fields_are_the_same_as_a_url():
    proxy = Proxy(scheme="http", host="P.example", port=80, username="us@er", password="pass")
    assert proxy == Proxy.of("http://us%40er:pass@p.example")
    assert hash(proxy) == hash(Proxy.of("http://us%40er:pass@p.example"))


def test_a_pickle_has_the_address_only_and_a_copy_everything():
    proxy = Proxy.of(f"http://user-canary:{PASSWORD}@p:1")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(proxy, protocol)
        assert PASSWORD.encode() not in data
        assert b"user-canary" not in data
        assert pickle.loads(data) == Proxy.of("http://p:1")
    assert copy.copy(proxy) == copy.deepcopy(proxy) == proxy


def by_rich(proxy):
    return repr(proxy.__rich_repr__())


@pytest.mark.parametrize("show", [repr, str, "{}".format, by_rich])
def test_credentials_are_not_shown(show):
    for url in (f"http://user-canary:{PASSWORD}@p:1", "http://user-canary@p:1"):
        proxy = Proxy.of(url)
        assert "http://p:1" in show(proxy)
        for text in (show(proxy), repr([proxy, proxy.username, proxy.password, proxy.secrets])):
            assert PASSWORD not in text
            assert "user-canary" not in text
