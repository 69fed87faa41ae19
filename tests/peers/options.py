"""What clients are made with: a proxy, certificates, a transport."""

from contextlib import asynccontextmanager
from typing import Any, Optional

import aiohttp
import httpx
import httpx2

from meshapi import transports
from support.certificates import trusting
from support.flavours import World

_LIBRARIES = {"httpx": httpx, "httpx2": httpx2}


def trusting_authority() -> "dict[str, Any]":
    """The option for a client that trusts the authority of `support.certificates`."""
    return {"tls": trusting()}


@asynccontextmanager
async def transport_of(world: World, name: str, proxy: Optional[str] = None) -> Any:
    """The option for a client that sends over an HTTP client, which is closed afterwards."""
    if name in _LIBRARIES:
        library: Any = _LIBRARIES[name]
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
    if name == "aiohttp":
        assert proxy is None
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
