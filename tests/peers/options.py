"""What clients are made with: a proxy, certificates, a transport."""

import inspect
import ssl
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, Optional

import pytest

from meshapi import MeshAPI
from support.certificates import trusting
from support.flavours import World

_PARAMETERS = inspect.signature(MeshAPI.__init__).parameters


def takes(name: str) -> bool:
    """Whether clients have this parameter."""
    return name in _PARAMETERS


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where clients do not have this parameter."""
    return pytest.mark.skipif(not takes(name), reason=f"clients do not take {name} yet")


needs_proxy = needs("proxy")

HAS_TRANSPORTS = find_spec("meshapi.transports") is not None


def trusting_authority() -> "dict[str, Any]":
    """The option for a client that trusts the authority of `support.certificates`."""
    return with_context(trusting())


def with_context(context: ssl.SSLContext) -> "dict[str, Any]":
    return {"tls" if takes("tls") else "ssl_context": context}


@asynccontextmanager
async def transport_of(world: World, name: str, proxy: Optional[str] = None) -> Any:
    """The option for a client that sends over an HTTP client, which is closed afterwards."""
    if name in {"httpx", "httpx2"}:
        library = pytest.importorskip(name)
        blocking = world.name == "sync"
        kind = library.Client if blocking else library.AsyncClient
        # For the proxy, the context of the client does not count.
        context = trusting() if proxy and proxy.startswith("https:") else None
        over = library.Proxy(proxy, ssl_context=context) if proxy else None
        http = kind(verify=trusting(), trust_env=False, proxy=over)
        try:
            yield {"httpx_client" if blocking else "async_httpx_client": http}
        finally:
            http.close() if blocking else await http.aclose()
        return
    if not HAS_TRANSPORTS:
        pytest.skip(f"there is no transport for {name} yet")
    from meshapi import transports

    if name == "aiohttp":
        assert proxy is None
        import aiohttp

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting())) as session:
            yield {"transport": transports.AiohttpTransport(session)}
        return
    options: dict[str, Any] = {"tls": trusting(), "http2": name == "httpcore-http2"}
    if proxy is not None:
        options["socks" if proxy.startswith("socks") else "proxy"] = proxy
    if world.name == "sync":
        blocking_transport = transports.HTTPCoreTransport(**options)
        try:
            yield {"transport": blocking_transport}
        finally:
            blocking_transport.close()
    else:
        transport = transports.AsyncHTTPCoreTransport(**options)
        try:
            yield {"transport": transport}
        finally:
            await transport.aclose()
