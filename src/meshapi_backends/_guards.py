"""What tests put between clients and the network: blocks and recorders.

While the network is blocked, the core is asked whether a connection is allowed.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Optional

from typing_extensions import Protocol

from meshapi_backends._failures import TransportError, mark_foreign
from meshapi_core import Origin, SocketOptions, TokenSource

if TYPE_CHECKING:
    from meshapi_core import NetworkGuard

__all__ = ["GUARDS", "RECORDERS", "check_connection", "check_request"]

GUARDS: "Final[list[NetworkGuard]]" = []
"""Those of the `block_network()` blocks that are open; the last one decides, for all threads."""


class Recorder(Protocol):
    """Records what all clients send and get, and may respond by itself."""

    records: bool
    """Whether a request that it cannot respond to is sent. If not, no client needs a token."""

    token: TokenSource
    """What stands for a token then, each time another one."""

    middleware: Mapping[str, Any]
    """The function for each kind of client: "Middleware" and "AsyncMiddleware"."""

    def session(self) -> "SessionTap":
        """Return what is told of one realtime session."""
        ...


class SessionTap(Protocol):
    """Is told what one realtime session sends and receives, and may play the gateway.

    Attributes:
        streams: makes the network stream to what plays the gateway, on a network; a function for
            each kind of client: "NetworkStream" and "AsyncNetworkStream".
    """

    streams: Mapping[str, Callable[[Any], Any]]

    def upgrading(self, session: Any) -> Any:
        """Return what decides on the attempts to connect, in place of the session's exchange."""
        ...

    @property
    def is_played(self) -> bool:
        """Whether the present attempt leads to a stream of `streams`, and not to the gateway."""
        ...

    def tapped(self, machine: Any) -> Any:
        """Return the machine of an upgraded connection, in place of a `RealtimeConnection`."""
        ...


RECORDERS: Final[list[Recorder]] = []
"""Those that are open; the last one gets the calls that begin."""

_VARIABLE: Final = "MESHAPI_BLOCK_NETWORK"


def check_connection(
    origin: Origin,
    place: Any = None,
    sockets: Optional[SocketOptions] = None,
    network: Any = None,
) -> None:
    """Raise unless a server may be connected to.

    Args:
        origin: the server.
        place: the `Route` to it, if there may be a proxy on the way.
        sockets: where the connection goes instead, if they name a Unix socket.
        network: opens the connection; one that is `offline` may connect to every server.

    Raises:
        TransportError: it may not.
        InvalidParamsError: the variable is neither 1 nor 0.
    """
    guard = GUARDS[-1] if GUARDS else _of_environment()
    if guard is None or (sockets is not None and sockets.uds is not None):
        return
    if getattr(network, "offline", False):
        return
    proxy = getattr(place, "proxy", None)
    on_the_way: Optional[Origin] = None if proxy is None else proxy.origin
    refusal = guard.refusal(origin, on_the_way, os.environ.get("PYTEST_CURRENT_TEST", ""))
    if refusal is not None:
        raise TransportError(refusal)


def check_request(origin: Origin, transport: Any) -> None:
    """Raise unless a transport may send to a server, or opens no connections (`offline`)."""
    if (GUARDS or _VARIABLE in os.environ) and not getattr(transport, "offline", False):
        check_connection(origin)


def _of_environment() -> "Optional[NetworkGuard]":
    text = os.environ.get(_VARIABLE)
    if not text:
        return None
    # Imported on first use: few programs block the network.
    from meshapi_core import NetworkGuard

    try:
        return NetworkGuard.of_variable(text)
    except ValueError as exc:
        mark_foreign(exc)
        raise
