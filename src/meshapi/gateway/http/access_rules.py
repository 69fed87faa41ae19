"""Requests that are refused before anything else is checked: from foreign web pages, or too large.

A web page can make its visitor's browser send requests to this computer. If the page names the
gateway by its address, the browser states the page's origin in `Origin`; if the page's own host
name resolves to this computer (DNS rebinding), that name stands in `Host`. So both headers are
checked. Programs send no `Origin`, and name the gateway by its address.

Source: https://fetch.spec.whatwg.org/#origin-header
"""

import ipaddress
import math
import re
from collections.abc import Collection
from typing import Optional

from starlette.datastructures import Headers
from starlette.types import Scope

from meshapi.gateway.http.auth import bearer_token, is_token
from meshapi.gateway.http.errors import GatewayError

# The most bytes of a body that is read whole, the same limit as the service's, and of a form,
# whose files go to disk as they arrive.
_LARGEST_BODY = 32 * 1024 * 1024
_LARGEST_FORM = 128 * 1024 * 1024

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# Uploads to signed URLs are read piece by piece, and only their beginning is kept.
_UNLIMITED = "/storage/"

_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:/@\[\]]+))(?::[0-9]*)?")


class AccessRules:
    """The rules of one gateway.

    Args:
        token: the only token that it accepts.
        hosts: host names that it serves in addition to `localhost` and IP addresses; None serves
            any.
    """

    def __init__(self, token: str, hosts: Optional[Collection[str]]) -> None:
        self._token = token
        self._hosts = None if hosts is None else frozenset(map(_plain, hosts))

    def refusal(self, scope: Scope, headers: Headers) -> Optional[GatewayError]:
        """The error that refuses the request; None if the request may pass."""
        return (
            self._wrong_host(headers) or self._wrong_origin(headers) or self._size(scope, headers)
        )

    def has_token(self, headers: Headers) -> bool:
        """Whether the request has the token; without it, its body is not kept."""
        return is_token(self._token, bearer_token(headers))

    def _wrong_host(self, headers: Headers) -> Optional[GatewayError]:
        host = headers.get("host")
        if host is None or self._hosts is None:
            return None
        name = host_name(host)
        if name is not None and (self._is_ours(name) or _is_address(name)):
            return None
        return _forbidden(
            f"This gateway does not serve the host {host!r}: use localhost or its IP address, or "
            "start it with `--allow-host NAME` (`LocalGateway(allowed_hosts=[NAME])`)."
        )

    def _wrong_origin(self, headers: Headers) -> Optional[GatewayError]:
        origin = headers.get("origin")
        if origin is None:
            return None
        place = origin.partition("://")[2]
        name = host_name(place)
        if name is not None and (place == headers.get("host") or self._is_ours(name)):
            return None
        return _forbidden(
            f"Web pages of {origin!r} may not use this gateway. Only pages of this computer may, "
            "and of hosts that are allowed with `--allow-host NAME`."
        )

    def _size(self, scope: Scope, headers: Headers) -> Optional[GatewayError]:
        # Only with the token: a request without it gets a 401, and learns nothing else.
        if not self.has_token(headers) or declared_size(headers) <= largest_body(scope, headers):
            return None
        return too_large(scope, headers)

    def _is_ours(self, name: str) -> bool:
        return name in _LOOPBACK or (self._hosts is not None and name in self._hosts)


def largest_body(scope: Scope, headers: Headers) -> float:
    """The most bytes that the body of a request may have."""
    path: str = scope["path"]
    if path.startswith(_UNLIMITED):
        return math.inf
    kind = headers.get("content-type", "").strip().lower()
    return _LARGEST_FORM if kind.startswith("multipart/form-data") else _LARGEST_BODY


def declared_size(headers: Headers) -> int:
    """The size of the body as the request declares it; 0 if it does not."""
    declared = headers.get("content-length", "")
    # Servers refuse a value that is not a number, but not always one that is too long for int().
    return int(declared[:20]) if declared.isdecimal() else 0


def too_large(scope: Scope, headers: Headers) -> GatewayError:
    """The error for a body that is larger than the gateway accepts."""
    message = f"The body is larger than {largest_body(scope, headers)} bytes."
    return GatewayError(413, "content_too_large", message)


def _forbidden(message: str) -> GatewayError:
    return GatewayError(403, "forbidden", message)


def host_name(authority: str) -> Optional[str]:
    """The host name in `host:port`, normalised by `_plain`; None if there is none."""
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
