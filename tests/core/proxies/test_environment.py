"""Which proxies environment variables name, for which servers."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError, Origin, ParamsWarning, Proxies
from support.reporters import seen

PASSWORD = "pr0xy-passw0rd-canary"
A, B, C = "http://a:1", "http://b:1", "http://c:1"


quietly = pytest.mark.filterwarnings("ignore::meshapi_core.ParamsWarning")


def proxy_for(url_of: str, **environment: str) -> "str | None":
    scheme, _, rest = url_of.partition("://")
    host, _, port = rest.rpartition(":")
    origin = Origin(scheme, host.strip("[]"), int(port))
    proxy = Proxies.of_environment(environment).route(origin).proxy
    return None if proxy is None else str(proxy)


@pytest.mark.parametrize(
    ("environment", "https", "http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": A}, A, None),
        ({"HTTP_PROXY": A}, None, A),
        ({"ALL_PROXY": A}, A, A),
        ({"ALL_PROXY": A, "HTTPS_PROXY": B}, B, A),
        ({"all_proxy": A, "http_proxy": B}, A, B),
        ({"https_proxy": A, "HTTPS_PROXY": B}, A, None),
        ({"all_proxy": A, "HTTPS_PROXY": B}, B, A),
        ({"https_proxy": "", "HTTPS_PROXY": B}, B, None),
        ({"https_proxy": " "}, None, None),
        ({"HTTPS_PROXY": "a:1"}, A, None),
        ({"Https_Proxy": A}, None, None),
        ({"MESHAPI_PROXY": C, "HTTPS_PROXY": A, "NO_PROXY": "*"}, C, C),
        ({"MESHAPI_PROXY": "none", "HTTPS_PROXY": A}, None, None),
        ({"MESHAPI_PROXY": "Direct", "HTTPS_PROXY": A}, None, None),
        ({"MESHAPI_PROXY": "", "HTTPS_PROXY": A}, A, None),
        ({"meshapi_proxy": C}, None, None),
        # A request header of a CGI program becomes HTTP_PROXY.
        ({"HTTP_PROXY": A, "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": A, "REQUEST_METHOD": "GET"}, None, A),
        ({"HTTPS_PROXY": A, "ALL_PROXY": B, "REQUEST_METHOD": "GET"}, A, B),
        ({"HTTP_PROXY": "ftp://x", "REQUEST_METHOD": "GET"}, None, None),
    ],
)
def test_which_variable_counts(environment, https, http):
    assert proxy_for("https://s:443", **environment) == https
    assert proxy_for("http://s:80", **environment) == http


@quietly
@pytest.mark.parametrize(
    ("no_proxy", "spared", "proxied"),
    [
        ("*", ["s:1", "10.0.0.1:1"], []),
        ("a,*", ["s:1"], []),
        (
            "example.com",
            ["example.com:1", "a.example.com:1"],
            ["notexample.com:1"],
        ),
        (".example.com", ["example.com:1", "a.b.example.com:1"], ["notexample.com:1"]),
        ("*.example.com", ["a.example.com:1"], ["notexample.com:1"]),
        ("Example.COM.", ["EXAMPLE.com:1", "example.com.:1"], []),
        ("example.com:8443", ["example.com:8443", "a.example.com:8443"], ["example.com:443"]),
        ("10.0.0.1", ["10.0.0.1:1"], ["10.0.0.10:1", "a.10.0.0.1:1"]),
        ("10.0.0.1:80", ["10.0.0.1:80"], ["10.0.0.1:81"]),
        ("10.0.0.0/8", ["10.255.0.1:1"], ["11.0.0.1:1", "10.example:1", "[fd00::1]:1"]),
        ("10.1.2.3/8", ["10.255.0.1:1"], ["11.0.0.1:1"]),
        ("fd00::/8", ["[fd12::1]:1"], ["[fe00::1]:1", "10.0.0.1:1"]),
        ("[fd00::]/8", ["[fd12::1]:1"], ["[fe00::1]:1"]),
        ("::2", ["[::2]:1", "[0:0::2]:1"], ["[::3]:1"]),
        ("[::2]", ["[::2]:1"], ["[::3]:1"]),
        ("[::2]:80", ["[::2]:80"], ["[::2]:81"]),
        ("10.0.0.0/8", ["[::ffff:10.0.0.1]:1"], []),
        ("[::ffff:10.0.0.1]", ["[::ffff:10.0.0.1]:1", "10.0.0.1:1"], ["10.0.0.2:1"]),
        ("::ffff:10.0.0.0/104", ["10.255.0.1:1", "[::ffff:10.0.0.1]:1"], ["11.0.0.1:1"]),
        ("::/0", ["[fd00::1]:1"], ["10.0.0.1:1"]),
        (
            "müller.example",
            ["xn--mller-kva.example:1", "a.xn--mller-kva.example:1"],
            ["xn--mller:1"],
        ),
        (".MÜLLER.example:80", ["xn--mller-kva.example:80"], ["xn--mller-kva.example:81"]),
        ("straße.example", [], ["strasse.example:1"]),
        ("a, b\tc  d\n", ["a:1", "b:1", "c:1", "d:1"], ["e:1"]),
        ("", [], ["s:1"]),
        (",, ,", [], ["s:1"]),
        ("10.0.0.0/33", [], ["10.0.0.1:1"]),
        ("10.*", [], ["10.0.0.1:1"]),
        ("<local>", [], ["s:1"]),
        (".", [], ["s:1"]),
        ("http://example.com", [], ["example.com:1"]),
    ],
)
def test_which_servers_are_reached_without_a_proxy(no_proxy, spared, proxied):
    for scheme in ("http", "https"):
        for name in ("no_proxy", "NO_PROXY"):
            environment = {"ALL_PROXY": A, name: no_proxy}
            for server in spared:
                assert proxy_for(f"{scheme}://{server}", **environment) is None, server
            for server in proxied:
                assert proxy_for(f"{scheme}://{server}", **environment) == A, server


@pytest.mark.parametrize(
    ("no_proxy", "shown"),
    [
        ("http://host", "'http://host'"),
        ("good.example,Host:1:2 10.0.0.0/8", "'Host:1:2'"),
        ("a/b, 10.0.0.0/33, 10.*, :80, x", "'a/b', '10.0.0.0/33', '10.*', ..."),
        ("[::1", "'[::1'"),
        ("a;b", "'a;b'"),
        ("a:0 a:65536", "'a:0', 'a:65536'"),
        ("straße.example", "'straße.example'"),
        ("*,http://host", "'http://host'"),
        (f"http://u:{PASSWORD}@host", "'host'"),
        ("x/" * 50, f"'{'x/' * 30}...'"),
    ],
)
def test_an_exception_that_means_no_server_is_named_in_a_warning(no_proxy, shown):
    for name in ("no_proxy", "NO_PROXY"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Proxies.of_environment({"ALL_PROXY": A, name: no_proxy})
        (warning,) = caught
        assert warning.category is ParamsWarning
        assert str(warning.message) == (
            f"{name}: no server matches {shown}; write names, addresses or networks:"
            " example.com, 10.0.0.1:8080, 10.0.0.0/8"
        )
        assert warning.filename == __file__


def test_exceptions_that_nobody_needs_cause_no_warning():
    for environment in ({}, {"MESHAPI_PROXY": A}, {"MESHAPI_PROXY": "none", "ALL_PROXY": A}):
        proxies = Proxies.of_environment({"NO_PROXY": "http://host", **environment})
        assert proxies.bypass is None
    for usual in (" ", "localhost,127.0.0.1,::1", ".svc,.cluster.local,169.254.169.254", "a_b,*"):
        Proxies.of_environment({"ALL_PROXY": A, "NO_PROXY": usual})


def test_the_lower_case_exceptions_come_first():
    environment = {"ALL_PROXY": A, "no_proxy": "x", "NO_PROXY": "y"}
    assert proxy_for("https://x:1", **environment) is None
    assert proxy_for("https://y:1", **environment) == A


@pytest.mark.parametrize(
    "server", ["localhost:1", "LOCALHOST.:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"]
)
def test_this_machine_is_reached_without_the_environments_proxy(server):
    for scheme in ("http", "https"):
        assert proxy_for(f"{scheme}://{server}", ALL_PROXY=A) is None
        assert proxy_for(f"{scheme}://{server}", MESHAPI_PROXY=A) == A


@pytest.mark.parametrize(
    "name", ["MESHAPI_PROXY", "HTTPS_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
)
def test_a_wrong_value_is_refused_with_the_name_of_the_variable(name):
    for value in (f"ftp://u:{PASSWORD}@p", f"http://u:{PASSWORD}@p:x", f"u:{PASSWORD}/@p"):
        with pytest.raises(InvalidParamsError) as caught:
            Proxies.of_environment({name: value, "SECRET": PASSWORD})
        assert str(caught.value).startswith(f"{name}: ")
        assert PASSWORD not in seen(caught.value)


def test_a_variable_that_does_not_count_is_not_read():
    environment = {"HTTPS_PROXY": A, "HTTP_PROXY": B, "ALL_PROXY": "socks://x"}
    assert proxy_for("https://s:1", **environment) == A


names = st.sampled_from("http_proxy HTTPS_PROXY ALL_PROXY no_proxy MESHAPI_PROXY".split())


@quietly
@given(st.dictionaries(names, st.text() | st.sampled_from([A, "none", "*", "a/b", "[::1"])))
def test_any_environment_has_a_meaning_or_is_refused(environment):
    try:
        proxies = Proxies.of_environment(environment)
    except InvalidParamsError as error:
        assert error.field in environment
        return
    route = proxies.route(Origin("https", "s.example", 443))
    assert route.tunnels == (route.proxy is not None)
    assert bool(proxies) or route.proxy is None


@quietly
@given(st.text(st.sampled_from("a.:*/[]1f ,%\x00ü"), max_size=12))
def test_no_exception_comes_of_odd_exceptions(text):
    proxy_for("https://s.example:1", ALL_PROXY=A, NO_PROXY=text)
    proxy_for("https://[fe80::1%lo]:1", ALL_PROXY=A, NO_PROXY=text)
