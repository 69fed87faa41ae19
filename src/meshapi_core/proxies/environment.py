"""The proxies that environment variables name. The mapping is an argument: nothing is read here.

    variable                   what it is
    -------------------------  ---------------------------------------------------------------------
    MESHAPI_PROXY              like `proxy=`: the one proxy for all servers, this machine included;
                               "none" or "direct" for no proxy. The others are ignored then.
    https_proxy, HTTPS_PROXY   the proxy for https servers, WebSockets (wss) included
    http_proxy, HTTP_PROXY     the proxy for http servers, WebSockets (ws) included
    all_proxy, ALL_PROXY       the proxy for servers whose scheme has none
    no_proxy, NO_PROXY         servers that are reached without these: see `bypass`

The lower-case name comes first, as in curl. An empty value is the same as none. Servers on this
machine (localhost, 127.0.0.0/8, ::1) are never reached through these, as in Go: a local gateway
stays within reach of a program whose environment names the company's proxy.

Under CGI, a request header `Proxy:` becomes the variable `HTTP_PROXY`. So if `REQUEST_METHOD` is
set, that name is ignored in upper case (on Windows, in either case).

Source: https://curl.se/docs/manpage.html#ENVIRONMENT, https://httpoxy.org,
    https://pkg.go.dev/golang.org/x/net/http/httpproxy#FromEnvironment
"""

from collections.abc import Mapping
from typing import Optional

from meshapi_core._secret import Secret
from meshapi_core._warnings import warn
from meshapi_core.errors import ParamsWarning
from meshapi_core.proxies.bypass import Bypass
from meshapi_core.proxies.proxy import NONE, Proxy
from meshapi_core.proxies.routes import Proxies

__all__ = ["proxies_of", "variables_in"]

_OURS = "MESHAPI_PROXY"

# What a warning shows: enough to find the entries.
_MOST_NAMED, _LONGEST_NAMED = 3, 60


def proxies_of(found: Mapping[str, Secret]) -> Proxies:
    """The proxies that variables name: see `Proxies.of_environment`.

    Args:
        found: what `variables_in` returns.
    """
    ours = found.get(_OURS)
    if ours is not None:
        if ours.reveal().lower() in NONE:
            return Proxies()
        return Proxies.through(ours, variable=_OURS)
    https, https_variable = _proxy(found, "https")
    http, http_variable = _proxy(found, "http")
    if http is None and https is None:
        return Proxies()
    exempt_by = "no_proxy" if "no_proxy" in found else "NO_PROXY"
    return Proxies(
        http,
        https,
        bypass=_bypass(found[exempt_by], exempt_by) if exempt_by in found else None,
        spares_loopback=True,
        http_variable=http_variable,
        https_variable=https_variable,
    )


def variables_in(environment: Mapping[str, str]) -> dict[str, Secret]:
    """The variables of an environment that count, without those that are empty."""
    # By its items, not by `get`: on Windows, that finds HTTP_PROXY under http_proxy, too.
    values = {name: value.strip() for name, value in environment.items() if _counts(name)}
    if "REQUEST_METHOD" in environment:
        values.pop("HTTP_PROXY", None)
    return {name: Secret(value) for name, value in values.items() if value}


def _counts(name: str) -> bool:
    return name == _OURS or (
        name in (name.lower(), name.upper())
        and name.lower() in ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
    )


def _bypass(value: Secret, variable: str) -> Bypass:
    bypass = Bypass.of(value.reveal())
    if bypass.odd:
        shown = ", ".join(repr(_without_password(word)) for word in bypass.odd[:_MOST_NAMED])
        more = ", ..." if len(bypass.odd) > _MOST_NAMED else ""
        warn(
            f"{variable}: no server matches {shown}{more}; write names, addresses or networks:"
            " example.com, 10.0.0.1:8080, 10.0.0.0/8",
            ParamsWarning,
        )
    return bypass


def _without_password(word: str) -> str:
    word = word.rpartition("@")[2]
    return word if len(word) <= _LONGEST_NAMED else f"{word[:_LONGEST_NAMED]}..."


def _proxy(found: Mapping[str, Secret], scheme: str) -> tuple[Optional[Proxy], str]:
    for kind in (scheme, "all"):
        for name in (f"{kind}_proxy", f"{kind}_proxy".upper()):
            if name in found:
                return Proxy.of(found[name], field=name), name
    return None, ""
