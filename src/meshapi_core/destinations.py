"""Where a response may send this client: the rules for signed URLs. No I/O.

An upload goes to a URL that the gateway names, and so does a download. A gateway that was taken
over, or a wrong base URL, must not become a way into the caller's own network. So the URL must meet
these rules:

1. It is https if the base URL is https.
2. Its host is not an address that is not public (private, loopback, link-local, shared, multicast,
   reserved, or invalid), in any spelling that some system accepts, unless the base URL's own host
   is such an address.
3. The same holds for every address that its host name resolves to. The code that opens the
   connection checks each with `is_public`. An injected HTTP client resolves names by itself, and
   so does a proxy (but with `socks5://` we do, and check them): what a proxy lets its clients reach
   is for its own rules.

Source: https://www.iana.org/assignments/iana-ipv4-special-registry,
    https://www.iana.org/assignments/iana-ipv6-special-registry,
    https://url.spec.whatwg.org/#concept-ipv4-parser (spellings),
    https://www.rfc-editor.org/rfc/rfc6761#section-6.3 (localhost)
"""

import re
from typing import Optional

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Failure, Origin

__all__ = ["check_destination", "is_loopback", "is_public", "not_public"]

# Base and number of bits. A range for a special purpose, or an unassigned one, is not public.
_NOT_PUBLIC = (
    (0x00000000, 8),  # this network
    (0x0A000000, 8),  # private
    (0x64400000, 10),  # shared: carriers' NAT
    (0x7F000000, 8),  # loopback
    (0xA9FE0000, 16),  # link-local: the metadata of clouds
    (0xAC100000, 12),  # private
    (0xC0000000, 24),  # protocol assignments
    (0xC0000200, 24),  # documentation
    (0xC0586300, 24),  # 6to4 relays
    (0xC0A80000, 16),  # private
    (0xC6120000, 15),  # benchmarks
    (0xC6336400, 24),  # documentation
    (0xCB007100, 24),  # documentation
    (0xE0000000, 4),  # multicast
    (0xF0000000, 4),  # reserved, and broadcast
)

_LOCAL_NAME = re.compile(r"(?:.*\.)?localhost(?:\.localdomain|[46])?|ip6-(?:localhost|loopback)")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def check_destination(origin: Origin, gateway: Origin) -> None:
    """Raise unless a response of the gateway may send this client to a server.

    Raises:
        ResponseDecodeError: it may not (`unsafe_url`); the message shows the host name only.
    """
    if origin == gateway:
        return
    if gateway.scheme == "https" and origin.scheme != "https":
        raise _unsafe(origin, "its URL is http, but the base URL is https")
    if _is_public_name(origin.host) is False and _is_public_name(gateway.host) is not False:
        raise not_public(origin).error


def not_public(origin: Origin) -> Failure:
    """The failure where a public gateway names a server in the caller's own network."""
    # At the stage "verify", nothing was sent, and a retry would fail in the same way.
    return Failure(_unsafe(origin, "its address is not public"), "verify")


def _unsafe(origin: Origin, why: str) -> ResponseDecodeError:
    return ResponseDecodeError(
        f"no request is sent to {origin.host}, which the response names: {why}",
        error_code="unsafe_url",
    )


def is_public(address: str) -> bool:
    """Whether a numeric address, as a resolver returns it, belongs to the public Internet."""
    address = address.partition("%")[0]
    number = _ipv4(address) if ":" not in address else None
    return _is_public_ipv4(number) if number is not None else _is_public_ipv6(address)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone: `localhost`, or a loopback address."""
    host = host.lower().strip("[]").rstrip(".")
    if ":" in host:
        return _is_loopback_ipv6(host.partition("%")[0])
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        number = _ipv4(host)
        return number is not None and number >> 24 == 0x7F
    return _LOCAL_NAME.fullmatch(host) is not None


def _is_loopback_ipv6(text: str) -> bool:
    from ipaddress import IPv6Address

    try:
        address = int(IPv6Address(text))
    except ValueError:
        return False
    # ::1, or an IPv4 address in the form of IPv6.
    return address == 1 or (address >> 32 == 0xFFFF and address >> 24 & 0xFF == 0x7F)


def _is_public_name(host: str) -> Optional[bool]:
    """Whether a host is a public address; None for a name, which only a resolver can tell."""
    host = host.lower().strip("[]").rstrip(".")
    if ":" in host:
        return _is_public_ipv6(host.partition("%")[0])
    if _LOCAL_NAME.fullmatch(host):
        return False
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        # No domain name ends in a number: this is an address, or some system may take it for one.
        number = _ipv4(host)
        return number is not None and _is_public_ipv4(number)
    return None


def _ipv4(text: str) -> Optional[int]:
    """An IPv4 address in any spelling: 1 to 4 parts, each decimal, octal or hexadecimal."""
    parts = text.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *high, low = numbers
    if any(part > 0xFF for part in high) or low >= 256 ** (5 - len(numbers)):
        return None
    for position, part in enumerate(high):
        low += part << (24 - 8 * position)
    return low


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _is_public_ipv4(address: int) -> bool:
    return not any(address >> (32 - bits) == base >> (32 - bits) for base, bits in _NOT_PUBLIC)


def _is_public_ipv6(text: str) -> bool:
    from ipaddress import IPv6Address

    try:
        address = int(IPv6Address(text))
    except ValueError:
        return False
    # An address that stands for an IPv4 address (mapped, translated, NAT64, 6to4) is as public as
    # that one.
    if address >> 32 in (0xFFFF, 0xFFFF0000, 0x64FF9B << 64):
        return _is_public_ipv4(address & 0xFFFFFFFF)
    if address >> 112 == 0x2002:
        return _is_public_ipv4(address >> 80 & 0xFFFFFFFF)
    # Only 2000::/3 has been allocated. Within it these are special: Teredo and other protocols
    # (2001::/23), documentation (2001:db8::/32, 3fff::/20), and the former 6bone (3ffe::/16).
    special = (
        address >> 105 == 0x20010000 >> 9
        or address >> 96 == 0x20010DB8
        or address >> 108 == 0x3FFF0
        or address >> 112 == 0x3FFE
    )
    return address >> 125 == 1 and not special
