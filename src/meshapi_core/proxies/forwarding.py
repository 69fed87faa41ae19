"""One connection to a proxy that forwards plain HTTP. No I/O.

It is the machine of any other connection, except that the target is the whole URL, and that each
request has the credentials for the proxy.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 (absolute-form),
    https://www.rfc-editor.org/rfc/rfc9110#section-11.7.2 (Proxy-Authorization)
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional

from msgspec.structs import replace

from meshapi_core.http11.connection import HTTP11Connection, Via
from meshapi_core.messages import Request
from meshapi_core.proxies.refusals import ask_for_credentials

if TYPE_CHECKING:
    from meshapi_core.proxies.routes import Route

__all__ = ["ForwardingConnection"]


class ForwardingConnection(HTTP11Connection):
    """A connection whose requests the proxy of a route forwards.

    Args:
        route: the proxy, and the server that all its requests are for.
    """

    __slots__ = ("_fields", "via")

    def __init__(self, route: "Route") -> None:
        super().__init__()
        proxy = route.proxy
        assert proxy is not None
        given = proxy.username is not None
        hint = ask_for_credentials(given=given, variable=route.variable)
        self.via: Optional[Via] = Via(route.where, hint, proxy.secrets)
        own = proxy.authorization
        self._fields = () if own is None else (own,)

    def send(self, request: Request) -> Iterable[bytes]:
        """See `HTTP11Connection.send`."""
        headers = (*request.headers, *self._fields)
        return super().send(replace(request, target=request.url, headers=headers))
