"""Which way leads to a server."""

import pytest

from meshapi_core import InvalidParamsError, Origin, Proxies, Proxy, Route

HTTP, HTTPS = Origin("http", "s.example", 80), Origin("https", "s.example", 443)


@pytest.mark.parametrize(
    ("scheme", "origin", "upgrades", "way"),
    [
        ("http", HTTP, False, "forwards"),
        ("https", HTTP, False, "forwards"),
        ("http", HTTP, True, "tunnels"),
        ("http", HTTPS, False, "tunnels"),
        ("https", HTTPS, True, "tunnels"),
        ("socks5", HTTP, False, "tunnels"),
        ("socks5h", HTTP, True, "tunnels"),
        ("socks5h", HTTPS, False, "tunnels"),
    ],
)
def test_a_proxy_forwards_plain_http_and_tunnels_everything_else(scheme, origin, upgrades, way):
    route = Proxies.through(f"{scheme}://p:1").route(origin, upgrades=upgrades)
    assert (route.forwards, route.tunnels) == (way == "forwards", way == "tunnels")
    assert route.origin == origin
    assert (route.forwarding() is None) == (way == "tunnels")


def test_without_a_proxy_the_way_is_straight():
    assert not Proxies()
    for upgrades in (False, True):
        assert Proxies().route(HTTPS, upgrades=upgrades) == Route(HTTPS)
    route = Route(HTTPS)
    assert (route.forwards, route.tunnels, route.resolves_here, route.where) == (
        *(False, False, False),
        "",
    )


def test_one_proxy_for_everything_takes_a_url_or_a_proxy():
    assert Proxies.through("http://p:1") == Proxies.through(Proxy.of("http://p:1"))
    with pytest.raises(InvalidParamsError, match="proxy: "):
        Proxies.through("ftp://p")


def test_only_with_socks5_are_names_resolved_here():
    for scheme, here in (("http", False), ("https", False), ("socks5", True), ("socks5h", False)):
        assert Proxies.through(f"{scheme}://p").route(HTTPS).resolves_here is here


def test_connections_are_kept_by_route():
    proxies = Proxies.through("http://user:w0rd@p:1")
    plain, upgrade = proxies.route(HTTP), proxies.route(HTTP, upgrades=True)
    assert len({plain, upgrade, proxies.route(HTTP), Route(HTTP)}) == 3
    assert "w0rd" not in repr([plain, proxies])
