"""Which way leads to a server: straight, or through a proxy that forwards, or through a tunnel.

    server, request                     HTTP proxy            SOCKS proxy
    ----------------------------------  --------------------  -----------
    https                               tunnel (CONNECT)      tunnel
    http, an upgrade to a WebSocket     tunnel (CONNECT)      tunnel
    http, anything else                 the proxy forwards    tunnel

A proxy that forwards can read the request, and so the token. Through a tunnel to an https server it
sees the server's name and port only.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6,
    https://www.rfc-editor.org/rfc/rfc6455#section-4.1 (a WebSocket goes through CONNECT)
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from msgspec import Struct

from meshapi_core.messages import Origin

if TYPE_CHECKING:
    from meshapi_core.http11.connection import HTTP11Connection
    from meshapi_core.proxies.bypass import Bypass
    from meshapi_core.proxies.proxy import Proxy
    from meshapi_core.proxies.tunnels import Tunnel
else:
    # Loaded only if there is a proxy.
    Bypass = Proxy = Any

__all__ = ["Proxies", "Route"]


class Route(Struct, frozen=True):
    """The way to a server. The pool keeps connections by it.

    Fields:
        origin: the server.
        proxy: the proxy on the way; None if there is none.
        tunnels: whether the proxy connects us to the server, and passes bytes on; otherwise it
            forwards requests.
        variable: the environment variable that names the proxy; "" if the program does.
    """

    origin: Origin
    proxy: Optional[Proxy] = None
    tunnels: bool = False
    variable: str = ""

    @property
    def forwards(self) -> bool:
        """Whether the proxy reads requests and forwards them."""
        return self.proxy is not None and not self.tunnels

    @property
    def resolves_here(self) -> bool:
        """Whether the server's name is to be resolved before the tunnel is asked for."""
        return self.tunnels and self.proxy is not None and not self.proxy.looks_names_up

    @property
    def where(self) -> str:
        """What the proxy is called in errors; "" if there is none."""
        if self.proxy is None:
            return ""
        named = f" (named by {self.variable})" if self.variable else ""
        return f"the proxy {self.proxy}{named}"

    def tunnel(self, host: Optional[str] = None) -> "Tunnel":
        """A machine that asks the proxy for the tunnel.

        Args:
            host: the server's address, if `resolves_here`; None is its name.
        """
        proxy = self.proxy
        assert proxy is not None
        if proxy.is_socks:
            from meshapi_core.proxies.socks5 import SOCKS5Tunnel

            return SOCKS5Tunnel(self, host)
        from meshapi_core.proxies.connect import ConnectTunnel

        return ConnectTunnel(self)

    def forwarding(self) -> "Optional[HTTP11Connection]":
        """The machine of a new connection to the proxy; None unless it `forwards`."""
        if not self.forwards:
            return None
        from meshapi_core.proxies.forwarding import ForwardingConnection

        return ForwardingConnection(self)


class Proxies(Struct, frozen=True):
    """Which proxy leads to which servers; `Proxies()` is none at all.

    Fields:
        http: the proxy for http servers; None for none.
        https: the proxy for https servers; None for none.
        bypass: servers that are reached without them; None for none.
        spares_loopback: whether this machine itself is reached without them.
        http_variable: the environment variable that names the first; "" if the program does.
        https_variable: the same for the second.
    """

    http: Optional[Proxy] = None
    https: Optional[Proxy] = None
    bypass: Optional[Bypass] = None
    spares_loopback: bool = False
    http_variable: str = ""
    https_variable: str = ""

    @classmethod
    def through(cls, proxy: "Union[str, Proxy]", *, variable: str = "") -> "Proxies":
        """One proxy for all servers.

        Args:
            proxy: the proxy, or its URL.
            variable: the environment variable that names it; "" if the program does.

        Raises:
            InvalidParamsError: it is neither, or the URL cannot be used.
        """
        from meshapi_core.proxies.proxy import Proxy

        if not isinstance(proxy, Proxy):
            proxy = Proxy.of(proxy, field=variable or "proxy")
        return cls(proxy, proxy, http_variable=variable, https_variable=variable)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Proxies":
        """The proxies that environment variables name; see `meshapi_core.proxies.environment`.

        Raises:
            InvalidParamsError: the value of one cannot be used. The message names the variable, and
                does not show the value.
        """
        # Few programs have such variables.
        if not any(name[-6:] in ("_PROXY", "_proxy") for name in environment):
            return cls()
        from meshapi_core.proxies.environment import proxies_of, variables_in

        found = variables_in(environment)
        # Where a later line raises, error trackers show the locals: no whole environment.
        del environment
        return proxies_of(found)

    def __bool__(self) -> bool:
        """Whether there is any proxy."""
        return self.http is not None or self.https is not None

    def route(self, origin: Origin, *, upgrades: bool = False) -> Route:
        """The way to a server.

        Args:
            origin: the server.
            upgrades: whether the request asks for another protocol, such as a WebSocket.
        """
        if origin.scheme == "https":
            proxy, variable = self.https, self.https_variable
        else:
            proxy, variable = self.http, self.http_variable
        if proxy is None or self._is_spared(origin):
            return Route(origin)
        tunnels = origin.scheme == "https" or upgrades or proxy.is_socks
        return Route(origin, proxy, tunnels, variable)

    def _is_spared(self, origin: Origin) -> bool:
        if self.spares_loopback:
            from meshapi_core.proxies.bypass import is_loopback

            if is_loopback(origin.host):
                return True
        return self.bypass is not None and self.bypass.covers(origin)
