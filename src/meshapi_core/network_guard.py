"""Where a client may connect to while the network is blocked. No I/O.

These rules hold:

1. Without a list, only this machine is allowed: loopback addresses, in any spelling, `localhost`
   and the names below it. Any other name counts as foreign, as only a resolver could tell, and to
   ask one is to use the network.
2. A list replaces that: only its names and addresses are allowed.
3. The server must be allowed, and so must the proxy on the way to it. A Unix socket is on this
   machine.

A refused connection has failed at the stage "verify": nothing was sent, and a retry would fail in
the same way.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Optional, cast

from msgspec import Struct

from meshapi_core._json_kinds import type_name, value_name
from meshapi_core._testing_errors import NetworkBlockedError
from meshapi_core.destinations import is_loopback
from meshapi_core.errors import InvalidParamsError
from meshapi_core.messages import Failure, Origin

__all__ = ["NetworkGuard"]

_VARIABLE = "MESHAPI_BLOCK_NETWORK"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"", "0", "false", "no", "off"})


class NetworkGuard(Struct, frozen=True):
    """The hosts that clients may connect to.

    Fields:
        allow: their names and addresses; None allows this machine only.
        by: what blocks the network, for messages.
    """

    allow: Optional[tuple[str, ...]] = None
    by: str = "block_network()"

    @staticmethod
    def of(allow: object) -> "NetworkGuard":
        """Return the guard with a list that a program gave.

        Raises:
            InvalidParamsError: it is not a list of host names and addresses.
        """
        if allow is None:
            return NetworkGuard()
        if isinstance(allow, (str, bytes)) or not isinstance(allow, Iterable):
            hint = f"write allow=[{allow!r}]" if isinstance(allow, str) else ""
            raise InvalidParamsError("allow", "a list of host names", type_name(allow), hint)
        given = enumerate(cast("Iterable[object]", allow))
        return NetworkGuard(tuple(_checked(each, index) for index, each in given))

    @staticmethod
    def of_variable(text: str) -> "Optional[NetworkGuard]":
        """Return the guard that `MESHAPI_BLOCK_NETWORK` asks for; None if it asks for none.

        Raises:
            InvalidParamsError: it is neither 1 nor 0.
        """
        word = text.strip().lower()
        if word in _OFF:
            return None
        if word in _ON:
            return NetworkGuard(None, f"{_VARIABLE}={text.strip()}")
        # A long text may be something else, in the wrong variable.
        got = repr(text) if len(text) <= 20 else "other text"
        hint = "to allow some hosts, use meshapi.testing.block_network(allow=[...])"
        raise InvalidParamsError(f"{_VARIABLE} (environment)", "1 or 0", got, hint)

    def refusal(
        self, origin: Origin, proxy: Optional[Origin] = None, test: str = ""
    ) -> Optional[Failure]:
        """Return the failure of a connection; None if it is allowed.

        Args:
            origin: the server.
            proxy: the proxy on the way to it.
            test: the value of `PYTEST_CURRENT_TEST`.
        """
        for each in (origin, proxy):
            if each is not None and not self._allows(each.host):
                return Failure(self._error(each, test.rpartition(" (")[0] or test), "verify")
        return None

    def _allows(self, host: str) -> bool:
        if self.allow is None:
            return is_loopback(host)
        return _plain(host) in self.allow

    def _error(self, origin: Origin, test: str) -> NetworkBlockedError:
        host = _plain(origin.host)
        during = f" in {test}" if test else ""
        allowed = "only this machine" if self.allow is None else ", ".join(self.allow) or "no host"
        return NetworkBlockedError(
            f"no connection to {host}{during}: {self.by} allows {allowed}; use FakeGateway,"
            f" LocalGateway or cassette() from meshapi.testing, or block_network(allow=[{host!r}])",
            host=host,
            test=test,
        )


def _checked(given: object, index: int) -> str:
    field, expected = f"allow[{index}]", "a host name or an address"
    if not isinstance(given, str):
        raise InvalidParamsError(field, expected, value_name(given))
    host = _plain(given)
    if "://" in given:
        raise InvalidParamsError(field, expected, "a URL", "leave out https:// and the path")
    if "*" in host or "/" in host:
        raise InvalidParamsError(field, expected, repr(given), "write each host in full")
    if not host or any(each.isspace() for each in host):
        raise InvalidParamsError(field, expected, repr(given))
    if ":" in host and not _is_address(host):
        raise InvalidParamsError(field, expected, repr(given), "leave out the port")
    return host


def _plain(host: str) -> str:
    host = host.lower().strip("[]").rstrip(".")
    return str(ip_address(host)) if _is_address(host) else host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
