"""Hints for error messages, taken from the environment: certificates and proxies."""

import os

from meshapi_core import Advice


def advice(network: str = "") -> Advice:
    """The hints that this process can give.

    Args:
        network: see `Advice`.
    """
    return Advice(network, _how_to_trust())


_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def _how_to_trust() -> str:
    for name in _TRUST_VARIABLES:
        path = os.environ.get(name)
        if path and not os.access(path, os.R_OK):
            return f"; {name} names {path}, which does not exist or cannot be read"
    return (
        "; to trust a private CA, pass tls=, the path of its certificate, or set SSL_CERT_FILE (for"
        " an HTTP client of your own: its verify=)"
    )


def proxy_hint(scheme: str, host: str) -> str:
    """A hint at a proxy that the environment names and we do not use; "" without one.

    It names the variable only, because the value may hold a password.
    """
    for name in (f"{scheme}_proxy", "all_proxy"):
        # Under CGI, a request header can set HTTP_PROXY. That does no harm here: it is only named.
        for variable in (name.upper(), name):
            if os.environ.get(variable) and not _bypasses_proxy(host):
                return (
                    f"; {variable} is set, but not read: to use that proxy, pass"
                    " httpx_client=httpx.Client() or async_httpx_client=httpx.AsyncClient()"
                )
    return ""


def _bypasses_proxy(host: str) -> bool:
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [name.strip().lstrip(".").lower() for name in text.split(",")]
    host = host.lower()
    return any(name == "*" or host == name or host.endswith(f".{name}") for name in names if name)
