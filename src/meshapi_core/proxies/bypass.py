"""Which servers `NO_PROXY` exempts from proxies. No I/O: names are compared, never looked up.

There is no standard. These are the rules, where other programs differ:

    entry               matches                             otherwise in
    ------------------  ----------------------------------  ----------------------------------------
    *                   every server                        curl: only if it is the whole value
    example.com         the name, and all names below it    the same
    .example.com        the same                            Go: only the names below it
    *.example.com       the same                            curl, Python: nothing
    example.com:8443    the same, at this port only         the same
    10.0.0.1, [::1]     this address, as written in a URL   the same
    10.0.0.0/8, fd00::/8  the addresses of this network     Python's urllib: nothing
    anything else       nothing, with a warning             nothing, without one

Entries are separated by commas or blanks. Upper and lower case are the same, and so are names with
and without a dot at the end, and international names in Unicode and in ASCII ("xn--...").

Source: https://curl.se/docs/manpage.html#--noproxy,
    https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config,
    https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Optional, Union

from msgspec import Struct

from meshapi_core.messages import Origin
from meshapi_core.urls import server_of

__all__ = ["Bypass", "is_loopback"]

_Network = Union[IPv4Network, IPv6Network]
_Address = Union[IPv4Address, IPv6Address]

_SEPARATORS = re.compile(r"[\s,]+")
_MAPPED_BITS = 96
_LAST_PORT = 65535
# Without what no host name has: parts of URLs, patterns, and other programs' separators.
_NAME = re.compile(r"[^/:@*?#%;|<>\[\]]+")
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*):([0-9]{1,5})")


class _Entry(Struct, frozen=True):
    """One entry: a name or a network, perhaps with a port."""

    name: str
    network: Optional[_Network]
    port: Optional[int]

    def matches(self, host: str, address: Optional[_Address], port: int) -> bool:
        if self.port is not None and port != self.port:
            return False
        if self.network is not None:
            # `in` is False for addresses of the other version.
            return address is not None and address in self.network
        if address is not None:
            return False
        return host == self.name or host.endswith(f".{self.name}")


class Bypass(Struct, frozen=True):
    """The servers that are reached without a proxy.

    Fields:
        everything: all of them.
        entries: which ones.
        odd: entries that match no server, as they were written.
    """

    everything: bool = False
    entries: tuple[_Entry, ...] = ()
    odd: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Bypass":
        """What a value of `NO_PROXY` exempts."""
        words = [word for word in _SEPARATORS.split(text) if word]
        entries = [(word, _entry(word.lower())) for word in words if word != "*"]
        return cls(
            "*" in words,
            tuple(entry for _, entry in entries if entry is not None),
            tuple(word for word, entry in entries if entry is None),
        )

    def covers(self, origin: Origin) -> bool:
        """Whether a server is reached without a proxy."""
        if self.everything:
            return True
        if not self.entries:
            return False
        host = _without_dot(origin.host.lower())
        address = _address(host)
        return any(entry.matches(host, address, origin.port) for entry in self.entries)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = _without_dot(host.lower())
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _entry(word: str) -> Optional[_Entry]:
    found = _WITH_PORT.fullmatch(word)
    name, port = (word, None) if found is None else (found[1], int(found[2]))
    if port is not None and not 0 < port <= _LAST_PORT:
        return None
    network = _network(name)
    if network is not None:
        return _Entry("", network, port)
    name = _ascii(_without_dot(name[1:] if name.startswith("*.") else name).lstrip("."))
    return _Entry(name, None, port) if _NAME.fullmatch(name) else None


def _without_dot(name: str) -> str:
    return name[:-1] if name.endswith(".") else name


def _ascii(name: str) -> str:
    """A name as requests have it; "" if it cannot be encoded."""
    if name.isascii():
        return name
    found = server_of(f"http://{name}/")
    return "" if isinstance(found, str) else found[1].host


def _network(text: str) -> Optional[_Network]:
    address, slash, size = text.partition("/")
    bracketed = address.startswith("[") and address.endswith("]")
    try:
        # Bits beyond the prefix are ignored, as in Go and curl.
        found = ip_network(f"{address[1:-1] if bracketed else address}{slash}{size}", strict=False)
    except ValueError:
        return None
    # IPv4 addresses that are written as IPv6 are compared as IPv4: see `_address`.
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is None or found.prefixlen < _MAPPED_BITS:
        return found
    return IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))


def _address(host: str) -> Optional[_Address]:
    # Most hosts are names: no exception is raised and caught for these.
    if ":" not in host and not host[-1:].isdigit():
        return None
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
