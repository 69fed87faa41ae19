"""How a client opens its own connections: the options of sockets, and errors about them."""

from math import isfinite
from typing import Any, Optional

from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._json_kinds import value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core.causes import text_of, word
from meshapi_core.errors import APIConnectionError, InvalidParamsError
from meshapi_core.messages import Failure

__all__ = ["SocketOptions", "dial_failure"]

_SHORTEST_DELAY = 0.01
_LONGEST_DELAY = 2.0
"""Seconds between two attempts. Source: https://www.rfc-editor.org/rfc/rfc8305#section-5"""

_LONGEST_IDLE = 32767
"""Seconds: what Linux accepts (`MAX_TCP_KEEPIDLE`), less than Windows and macOS do."""


class SocketOptions(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """How a client opens its own connections.

    Fields:
        uds: the path of a Unix socket, to which every connection of the client goes, whatever the
            host in its URL and whatever proxies the environment names; for https, the client speaks
            TLS over it. None is TCP.
        local_address: the IP address of this machine to connect from. The client then connects to
            servers of the same family only, IPv4 or IPv6.
        local_port: the port to connect from; None lets the system choose one. Only one connection
            to each server can be open from it.
        keep_alive: seconds of silence before the first keep-alive probe; None sends no probes. The
            default is less than the five minutes after which many NATs forget a silent connection.
        keep_alive_interval: seconds between two probes.
        keep_alive_count: unanswered probes after which the connection is closed; None is the
            system's default.
        no_delay: whether small pieces are sent at once (TCP_NODELAY).
        happy_eyeballs_delay: seconds after which the next address of a host is tried as well, 0.01
            to 2; less if a host has many addresses and little time. The first to connect is used.
            None tries one address after the other.

    Raises:
        InvalidParamsError: a field cannot be used.
    """

    uds: Optional[str] = None
    local_address: Optional[str] = None
    local_port: Optional[int] = None
    keep_alive: Optional[int] = 60
    keep_alive_interval: int = 15
    keep_alive_count: Optional[int] = None
    no_delay: bool = True
    happy_eyeballs_delay: Optional[float] = 0.25

    def __post_init__(self) -> None:
        if self.uds is not None:
            force_setattr(self, "uds", _path(self.uds))
        if self.local_address is not None:
            _check_address(self.local_address)
        _check_count("local_port", self.local_port, 65535, "None")
        _check_count("keep_alive", self.keep_alive, _LONGEST_IDLE, "None")
        _check_count("keep_alive_interval", self.keep_alive_interval, _LONGEST_IDLE, "")
        _check_count("keep_alive_count", self.keep_alive_count, 127, "None")
        _check_flag("no_delay", self.no_delay)
        _check_delay(self.happy_eyeballs_delay)
        for name in ("local_address", "local_port"):
            if self.uds is not None and getattr(self, name) is not None:
                got = value_name(getattr(self, name), show=True)
                hint = f"leave out uds or {name}"
                raise InvalidParamsError(f"sockets.{name}", "None beside uds", got, hint)

    def delay(self, addresses: int, left: Optional[float]) -> Optional[float]:
        """Return the seconds between two attempts, few enough for each address to have its turn.

        Args:
            addresses: how many there are.
            left: the seconds that all attempts may take; None is no limit.
        """
        delay = self.happy_eyeballs_delay
        if delay is None or left is None:
            return delay
        return min(delay, max(_SHORTEST_DELAY, left / addresses))


def _wrong(name: str, expected: str, got: object, hint: str = "") -> InvalidParamsError:
    return InvalidParamsError(f"sockets.{name}", expected, value_name(got, show=True), hint)


def _path(given: Any) -> str:
    path = given.__fspath__() if hasattr(given, "__fspath__") else given
    if not isinstance(path, str):
        hint = "write os.fsdecode(x)" if isinstance(path, bytes) else ""
        raise _wrong("uds", "the path of a Unix socket", path, hint)
    if not path or "\0" in path or not _is_encodable(path):
        hint = "abstract names are not supported" if path[:1] == "\0" else ""
        raise _wrong("uds", "the path of a Unix socket", path, hint)
    if path.startswith(("unix:", "http://", "https://")):
        raise _wrong("uds", "the path of a Unix socket", path, "write the path alone")
    return path


def _is_encodable(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")  # as `os.fsencode` does
    except UnicodeError:
        return False
    return True


def _check_address(address: object) -> None:
    from ipaddress import ip_address  # few clients need it

    try:
        if isinstance(address, str):
            ip_address(address)
            return
    except ValueError:
        pass
    is_pair = isinstance(address, tuple)
    hint = "write local_address=... and local_port=..." if is_pair else ""
    raise _wrong("local_address", "an IP address of this machine", address, hint)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _wrong(name, "True or False", value)


def _check_count(name: str, value: object, most: int, other: str) -> None:
    if value is None and other:
        return
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if is_int and 1 <= value <= most:  # type: ignore[operator]  # it is an int
        return
    hint = ""
    if other and value in (0, False):
        hint = "write None for no probes" if name == "keep_alive" else "write None"
    alternative = f", or {other}" if other else ""
    raise _wrong(name, f"an int from 1 to {most}{alternative}", value, hint)


def _check_delay(delay: object) -> None:
    if delay is None:
        return
    is_number = isinstance(delay, (int, float)) and not isinstance(delay, bool)
    if is_number and isfinite(delay) and _SHORTEST_DELAY <= delay <= _LONGEST_DELAY:  # type: ignore[arg-type,operator]  # it is a number
        return
    hint = "write seconds, not milliseconds" if is_number and delay > _LONGEST_DELAY else ""  # type: ignore[operator]  # it is a number
    expected = f"{_SHORTEST_DELAY} to {_LONGEST_DELAY:g} seconds, or None"
    raise _wrong("happy_eyeballs_delay", expected, delay, hint)


def dial_failure(
    sockets: SocketOptions,
    host: str,
    exc: Optional[Exception] = None,
    *,
    port_taken: bool = False,
) -> Failure:
    """Return the failure if no connection can be opened as the options say.

    Args:
        sockets: the options: a Unix socket, or a local address or port.
        host: the host to connect to.
        exc: what the system raised for the Unix socket, or for binding to the local address; None
            if it has no Unix sockets, or the host no address of the local address's family.
        port_taken: whether another connection to the host has the local port.
    """
    if sockets.uds is not None:
        message, code = _unix_failure(sockets.uds, exc), "connect_failed"
        if isinstance(exc, ConnectionRefusedError):
            code = "connect_refused"
        # Without Unix sockets, a retry would fail in the same way.
        is_final = exc is None
    else:
        message, code = _local_failure(sockets, host, exc, port_taken), "connect_failed"
        # A port that another connection has taken may be free for the next attempt.
        is_final = exc is not None and sockets.local_port is None
    error = APIConnectionError(message, error_code=code)
    error.__cause__ = exc
    return Failure(error, "verify" if is_final else "connect")


def _unix_failure(path: str, exc: Optional[Exception]) -> str:
    if exc is None:
        why = "this system has no Unix sockets"
    elif isinstance(exc, FileNotFoundError):
        why = "there is no such file; is the server running?"
    elif isinstance(exc, ConnectionRefusedError):
        why = "connection refused; is the server running?"
    else:
        why = word(exc, "strerror") or text_of(exc) or type(exc).__name__
    return f"cannot connect to sockets.uds={path!r}: {why}"


def _local_failure(
    sockets: SocketOptions, host: str, exc: Optional[Exception], port_taken: bool
) -> str:
    address, port = sockets.local_address, sockets.local_port
    names = [f"sockets.local_address={address!r}"] if address is not None else []
    names += [f"sockets.local_port={port}"] if port is not None else []
    given = " and ".join(names)
    if port_taken:
        why = "another connection has this port; use limits=Limits(max_connections=1)"
        return f"cannot connect from {given}: {why}"
    if exc is not None:
        return f"cannot connect from {given}: {word(exc, 'strerror') or text_of(exc)}"
    family = "IPv6" if ":" in (address or "") else "IPv4"
    return f"cannot connect to {host} from {given}: the host has no {family} address"
