"""What is refused before anything else is looked at: requests of foreign web pages, large bodies.

A web page can let its reader's browser send requests to this machine. Where the page names the
gateway by its address, the browser tells by `Origin` whose page it is; where the page's own name
was made to lead to this machine (DNS rebinding), that name is the `Host`. So both are looked at;
programs send no `Origin`, and call the gateway by its address.

Source: https://fetch.spec.whatwg.org/#origin-header
"""

import ipaddress
import math
import re
from collections.abc import Collection
from typing import Optional

from starlette.datastructures import Headers
from starlette.types import Scope

from meshapi.gateway.http.auth import bearer_token
from meshapi.gateway.http.errors import GatewayError

# Bytes of a body that is read whole, as at the edge of the service; and of a form, whose files go
# to the disk as they come.
_LARGEST_BODY = 32 * 1024 * 1024
_LARGEST_FORM = 128 * 1024 * 1024

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# Uploads to signed URLs: they are read piece by piece, and nothing of them is kept.
_UNLIMITED = "/storage/"

_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:/@\[\]]+))(?::[0-9]*)?")


class AccessRules:
    """The rules of one gateway.

    Args:
        token: the one that it accepts.
        hosts: names by which it may be called, beside `localhost` and IP addresses; None allows
            any.
    """

    def __init__(self, token: str, hosts: Optional[Collection[str]]) -> None:
        self._token = token
        self._hosts = None if hosts is None else frozenset(map(_plain, hosts))

    def refusal(self, scope: Scope, headers: Headers) -> Optional[GatewayError]:
        """Why a request is not to be answered; None where it is."""
        return (
            self._wrong_host(headers) or self._wrong_origin(headers) or self._size(scope, headers)
        )

    def has_token(self, headers: Headers) -> bool:
        """Whether the request has the token; the body of another is not kept."""
        return bearer_token(headers) == self._token

    def _wrong_host(self, headers: Headers) -> Optional[GatewayError]:
        host = headers.get("host")
        if host is None or self._hosts is None:
            return None
        name = _name_in(host)
        if name is not None and (self._is_ours(name) or _is_address(name)):
            return None
        return _forbidden(
            f"This gateway is not called {host!r}: use localhost or its IP address, or start it "
            "with `--allow-host NAME` (`LocalGateway(allowed_hosts=[NAME])`)."
        )

    def _wrong_origin(self, headers: Headers) -> Optional[GatewayError]:
        origin = headers.get("origin")
        if origin is None:
            return None
        place = origin.partition("://")[2]
        name = _name_in(place)
        if name is not None and (place == headers.get("host") or self._is_ours(name)):
            return None
        return _forbidden(
            f"A web page of {origin!r} may not use this gateway: only those of this machine may, "
            "and of hosts that are named with `--allow-host NAME`."
        )

    def _size(self, scope: Scope, headers: Headers) -> Optional[GatewayError]:
        # By key first: who has none is told so, and learns nothing else.
        if not self.has_token(headers) or declared_size(headers) <= largest_body(scope, headers):
            return None
        return too_large(scope, headers)

    def _is_ours(self, name: str) -> bool:
        return name in _LOOPBACK or (self._hosts is not None and name in self._hosts)


def largest_body(scope: Scope, headers: Headers) -> float:
    """Bytes that the body of a request may have."""
    path: str = scope["path"]
    if path.startswith(_UNLIMITED):
        return math.inf
    kind = headers.get("content-type", "").strip().lower()
    return _LARGEST_FORM if kind.startswith("multipart/form-data") else _LARGEST_BODY


def declared_size(headers: Headers) -> int:
    """What the request says of its body's size; 0 where it says nothing."""
    declared = headers.get("content-length", "")
    # A server refuses what is no number. One of a thousand digits is a number, too.
    return int(declared[:20]) if declared.isdecimal() else 0


def too_large(scope: Scope, headers: Headers) -> GatewayError:
    """The error for a body that is larger than the gateway takes."""
    message = f"The body is larger than {largest_body(scope, headers)} bytes."
    return GatewayError(413, "content_too_large", message)


def _forbidden(message: str) -> GatewayError:
    return GatewayError(403, "forbidden", message)


def _name_in(authority: str) -> Optional[str]:
    """The host of `host:port`, as `_plain` writes it; None where it is none."""
    found = _AUTHORITY.fullmatch(authority)
    return None if found is None else _plain(found[1] or found[2])


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
