"""Checks of the way to the gateway, a layer at a time."""

import os
import socket
import ssl
import time
from typing import Any, NamedTuple, Optional

from meshapi.cli.diagnosis.findings import Finding, well, wrong
from meshapi_core import NetworkGuard, Origin, Route

Address = tuple[str, int]


class Place(NamedTuple):
    """Where a connection is opened to: the gateway, or the proxy on the way to it.

    Fields:
        server: "the gateway", or what the proxy is called.
        advice: what to do if it does not accept connections.
    """

    server: str
    host: str
    port: int
    advice: str


def check_permitted(origin: Origin, route: Route) -> Optional[Finding]:
    """Return what is wrong if the network is blocked; None if it is not."""
    guard = NetworkGuard.of_variable(os.environ.get("MESHAPI_BLOCK_NETWORK", ""))
    proxy = None if route.proxy is None else route.proxy.origin
    if guard is None or guard.refusal(origin, proxy) is None:
        return None
    return wrong("network", f"blocked by {guard.by}", "unset MESHAPI_BLOCK_NETWORK")


def check_name(place: Place) -> tuple[Finding, list[Address]]:
    """Look up the host name; also return the addresses."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        advice = f"check the spelling of {place.host!r}, and whether this machine is online"
        return wrong("name", f"{place.host} has no address: {_why(error)}", advice), []
    if [place.host] == sorted({str(entry[4][0]) for entry in found}):
        return well("name", f"{place.host} needs no look-up"), [(place.host, place.port)]
    addresses = list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))
    shown = ", ".join(address[0] for address in addresses[:3])
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return well("name", f"{place.host} is {shown}{more}"), addresses


def check_connection(
    place: Place, addresses: list[Address], timeout: float
) -> tuple[Finding, Optional[Address]]:
    """Connect to the first address that accepts; also return it."""
    failures: list[str] = []
    for address in addresses:
        started = time.monotonic()
        try:
            socket.create_connection(address, timeout).close()
        except OSError as error:
            failures.append(f"{address[0]}: {_why(error)}")
            continue
        took = (time.monotonic() - started) * 1000
        return well("connection", f"port {place.port} of {place.server} in {took:.0f} ms"), address
    said = f"port {place.port} of {place.server} does not accept: {'; '.join(failures[:3])}"
    return wrong("connection", said, place.advice), None


def check_certificate(place: Place, address: Address, timeout: float) -> Finding:
    """Do a TLS handshake, and say who issued the certificate."""
    context = ssl.create_default_context()
    try:
        plain = socket.create_connection(address, timeout)
        with plain, context.wrap_socket(plain, server_hostname=place.host) as secure:
            certificate, version = secure.getpeercert() or {}, secure.version()
    except ssl.SSLCertVerificationError as error:
        return wrong("certificate", f"not trusted: {error.verify_message}", _advice_for(error))
    except (OSError, ValueError) as error:
        advice = "a firewall or a sign-in page of the network may cut TLS; try a browser"
        return wrong("certificate", f"no TLS: {_why(error)}", advice)
    issuer = _name_of(certificate.get("issuer", ()))
    until = str(certificate.get("notAfter", "")).partition(" GMT")[0]
    return well("certificate", f"{version}, issued by {issuer}, valid until {until}")


# Codes of OpenSSL. Source: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_NOT_YET, _EXPIRED, _OTHER_HOST = 9, 10, 62


def _advice_for(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (_NOT_YET, _EXPIRED):
        return "check the date and time of this machine"
    if error.verify_code == _OTHER_HOST:
        return "another server responds: sign in to the network with a browser, or check the name"
    return (
        "something between here and the gateway may re-encrypt traffic, such as a company's proxy:"
        " set SSL_CERT_FILE to a file with its certificate authority"
    )


def _name_of(issuer: Any) -> str:
    """The name in what `getpeercert` says about an issuer: groups of pairs."""
    parts: dict[str, str] = dict(pair for group in issuer for pair in group)
    return parts.get("organizationName") or parts.get("commonName") or "somebody unnamed"


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
