"""The arguments of the clients that are about connections: their checks and their defaults."""

import os
import warnings
from collections.abc import Callable, Sequence
from inspect import Signature, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union

from meshapi._settings import NOT_GIVEN, NotGiven
from meshapi_core import (
    InvalidParamsError,
    Limits,
    ParamsWarning,
    Proxies,
    Proxy,
    Secret,
    SocketOptions,
    check_kind,
    type_name,
)

if TYPE_CHECKING:
    import ssl
    from os import PathLike

    from typing_extensions import TypeAlias

    _Path: TypeAlias = Union[str, PathLike[str]]
    TLSArgument: TypeAlias = Union[
        ssl.SSLContext,
        _Path,
        tuple[_Path, _Path],
        tuple[_Path, _Path, Union[str, bytes]],
    ]
    """What the argument `tls` of a client takes."""

DEFAULT_LIMITS = Limits()
DEFAULT_SOCKETS = SocketOptions()


def hidden_proxy(proxy: object) -> Union[None, Secret, Proxy, NotGiven, type]:
    """The argument, as error trackers may show it; if it is of a wrong type, only the type."""
    if proxy is None or isinstance(proxy, (Proxy, NotGiven)):
        return proxy
    return Secret(proxy) if isinstance(proxy, str) else type(proxy)


def proxies_of(
    proxy: Union[None, str, Proxy, NotGiven, type],
    sockets: SocketOptions,
    *,
    reads_environment: bool,
) -> Proxies:
    if sockets.uds is not None:
        # Every connection goes to the Unix socket. The environment's proxies are for TCP.
        if proxy is not None and not isinstance(proxy, NotGiven):
            got = "given together with sockets.uds, to which all connections go"
            raise InvalidParamsError("proxy", "", got, "leave one of them out")
        return Proxies()
    if isinstance(proxy, NotGiven) and reads_environment:
        return Proxies.of_environment(os.environ)
    if proxy is None or isinstance(proxy, NotGiven):
        return Proxies()
    if isinstance(proxy, type):
        hint = "write x.decode()" if proxy is bytes else ""
        raise InvalidParamsError("proxy", "a URL, a Proxy or None", proxy.__name__, hint)
    return Proxies.through(proxy)


def check_connecting(limits: object, sockets: object) -> None:
    check_kind("limits", limits, Limits)
    check_kind("sockets", sockets, SocketOptions)


def is_network(transport: object) -> bool:
    """Whether a transport sends nothing itself, but has a network for the client's connections."""
    return (
        transport is not None
        and (hasattr(transport, "network") or hasattr(transport, "async_network"))
        and not (hasattr(transport, "send") or hasattr(transport, "connections"))
    )


def network_of(transport: object, name: str, default: Callable[[], Any]) -> Callable[[], Any]:
    """Return the function that finds the network by which a client waits and tells the time.

    Args:
        transport: of the client, or None.
        name: of the transport's method that is such a function, if it has a network.
        default: otherwise.
    """
    found = getattr(transport, name, None)
    return found if callable(found) else default


def connections_of(
    arguments: "ConnectionArguments", reads_environment: bool
) -> "tuple[ConnectionArguments, Proxies, bool]":
    """Return how a client opens connections, over which proxies, and whether on a given network.

    On that, nothing is between the client and the server: no proxies, no TLS, no Unix sockets.
    """
    if is_network(arguments.transport):
        return arguments._replace(tls=None, sockets=DEFAULT_SOCKETS), Proxies(), True
    proxies = proxies_of(arguments.proxy, arguments.sockets, reads_environment=reads_environment)
    return arguments, proxies, False


class TransportHints(NamedTuple):
    """The words of one of the clients for error messages.

    Fields:
        kind: the kind of transport that the client takes.
        close: the name of the transport's closing method.
        field: the client's parameter for an HTTP client.
        http_client: the class of that HTTP client.
    """

    kind: str
    close: str
    field: str
    http_client: str

    @property
    def is_async(self) -> bool:
        """Whether they are those of the async client."""
        return self.close == "aclose"


_HTTP_CLIENTS: Final = frozenset({"AsyncClient", "Client", "ClientSession", "Session"})
_HTTP_LIBRARIES: Final = frozenset({"aiohttp", "httpx", "httpx2", "niquests", "requests"})


def _is_http_client(kind: type) -> bool:
    """Whether a class is an HTTP library's client; a transport may have the same name."""
    return any(
        base.__name__ in _HTTP_CLIENTS and base.__module__.partition(".")[0] in _HTTP_LIBRARIES
        for base in kind.__mro__
    )


# What to do with a session of aiohttp's, by the name of the transport's closing method.
_OF_AIOHTTP: Final = {
    "aclose": "; write transport=AiohttpTransport(session), from meshapi.transports",
    "close": "; use AsyncMeshAPI(transport=AiohttpTransport(session)) for it",
}


def _of_class(kind: type) -> str:
    """What to do with the class of a transport."""
    if not hasattr(kind, "send"):
        return ""
    try:
        signature(kind).bind()
    except (TypeError, ValueError):
        return f"; write {kind.__name__}(...)"
    return f"; write {kind.__name__}()"


def _check_parameters(transport: object, send: Any) -> None:
    names = ["timeout", "deadline", "fresh"]
    names += ["until", "sent"] if getattr(transport, "tells_sent", False) else []
    names += ["attempt", "hide"] if getattr(transport, "changes_requests", False) else []
    try:
        parameters = signature(send)
    except (TypeError, ValueError):
        return  # it does not tell
    try:
        parameters.bind(None, **dict.fromkeys(names))
    except TypeError:
        shown = parameters.replace(return_annotation=Signature.empty)
        raise TypeError(
            f"the transport {type_name(transport)}: expected send(request, *, {', '.join(names)}),"
            f" got send{shown}; add **options"
        ) from None


def check_transport(transport: object, http_client: object, hints: TransportHints) -> None:
    if transport is None:
        return
    # A transport has `send`; our own pools have `connections` instead, and others a network.
    network = "async_network" if hints.is_async else "network"
    send = next(
        (
            getattr(transport, name)
            for name in ("send", "connections", network)
            if hasattr(transport, name)
        ),
        None,
    )
    fits = callable(send) and callable(getattr(transport, hints.close, None))
    # HTTP clients have methods of these names, too, but for requests of their own.
    is_client = _is_http_client(type(transport))
    # Only the blocking side can be sure: a plain `def send` may still return an awaitable.
    is_class = isinstance(transport, type)
    if not fits or is_class or is_client or (hints.close == "close" and iscoroutinefunction(send)):
        kind = type_name(transport)
        hint = ""
        if kind.startswith("aiohttp") and is_client:
            hint = _OF_AIOHTTP[hints.close]
        elif is_client:
            hint = f"; write {hints.field}=..."
        elif isinstance(transport, type):
            hint = _of_class(transport)
        elif kind.startswith("httpx"):
            hint = f"; write {hints.field}={hints.http_client}(transport=...)"
        raise TypeError(
            f"transport: expected {hints.kind} transport, with send() and {hints.close}(), got"
            f" {kind}{hint}"
        )
    if hasattr(transport, "send"):
        _check_parameters(transport, send)
    if http_client is not None:
        raise TypeError(f"{hints.field}: given together with transport; leave one of them out")


# What only the client's own connections use -> the argument for it of a transport of httpx's.
_OF_HTTPX: Final = {
    "limits": "limits=httpx.Limits(...)",
    "proxy": "proxy=...",
    "sockets": "transport=...",
    "tls": "verify=...",
}


def options_given(**arguments: tuple[object, object]) -> list[str]:
    """The names of arguments that differ from their defaults; each is (value, default)."""
    return [name for name, (value, default) in arguments.items() if value != default]


def refuse_beside_http_client(
    http_client: object, transport: object, names: Sequence[str], hints: TransportHints
) -> None:
    """Refuse options of the client's own connections if an HTTP client sends the requests.

    Beside a transport of the caller's they are used for realtime sessions, and a warning says so.

    Args:
        http_client, transport: the client's arguments.
        names: of the options that are given; see `options_given`.
        hints: the words for the message.

    Raises:
        TypeError: an HTTP client is given, and such an option.
    """
    if http_client is not None and names:
        name = names[0]
        raise TypeError(
            f"{name}: given together with {hints.field}, which opens its own connections; write"
            f" {hints.field}={hints.http_client}({_OF_HTTPX[name]}); for realtime sessions, make"
            f" another client with {name}=..."
        )
    if transport is not None:
        for name in names:
            warnings.warn(
                f"{name}: used for realtime sessions only, because transport sends the requests;"
                " pass it to the transport as well",
                ParamsWarning,
                # So that the warning names the line that makes the client.
                stacklevel=5,
            )


class ConnectionArguments(NamedTuple):
    """The arguments of a client that are not in its configuration; secrets in them are hidden."""

    limits: Limits
    proxy: Union[None, str, Proxy, NotGiven, type]
    tls: object
    sockets: SocketOptions
    transport: Any
    http_client: Any
    middleware: Any
    hooks: Any
    open_telemetry: object

    def kept(self) -> "ConnectionArguments":
        """Return them without the limits: where nothing was passed, one object for all clients."""
        rest = self._replace(limits=DEFAULT_LIMITS)
        is_plain = all(one is other for one, other in zip(rest, _PLAIN))
        return _PLAIN if is_plain else rest

    def check(self, hints: TransportHints, *, reads_environment: bool) -> None:
        """Raise unless a client can use them together.

        Args:
            hints: the words for the messages.
            reads_environment: whether the client takes a proxy from the environment.

        Raises:
            TypeError, ValueError: an argument is of a wrong kind, or does not go with another.
        """
        check_connecting(self.limits, self.sockets)
        check_transport(self.transport, self.http_client, hints)
        given = options_given(
            limits=(self.limits, DEFAULT_LIMITS),
            proxy=(self.proxy, NOT_GIVEN),
            tls=(self.tls, None),
            sockets=(self.sockets, DEFAULT_SOCKETS),
        )
        if is_network(self.transport):
            return
        if given:
            refuse_beside_http_client(self.http_client, self.transport, given, hints)
        if reads_environment and (self.transport is not None or self.http_client is not None):
            self._warn_of_proxy("transport" if self.http_client is None else hints.field)

    def _warn_of_proxy(self, sender: str) -> None:
        # Like `proxy=`. The other variables are for programs at large, and no reason to warn.
        if isinstance(self.proxy, NotGiven) and os.environ.get("MESHAPI_PROXY", "").strip():
            warnings.warn(
                f"MESHAPI_PROXY: used for realtime sessions only, because {sender} sends the"
                f" requests; pass the proxy to the {sender} as well",
                ParamsWarning,
                stacklevel=5,
            )

    def functions(self, hints: TransportHints) -> tuple[Any, ...]:
        """The middleware, checked."""
        if self.middleware == ():
            return ()
        from meshapi._middleware import checked_middleware

        return checked_middleware(self.middleware, of_async=hints.is_async)


def tracing_of(open_telemetry: object) -> Any:
    """Return what traces the calls of a client; None where `open_telemetry=` was not given."""
    if open_telemetry is None:
        return None
    from meshapi.telemetry.options import settings_of

    settings = settings_of(open_telemetry)
    try:
        from meshapi.telemetry.spans import Telemetry
    except ModuleNotFoundError as exc:
        raise ImportError(
            f"open_telemetry: needs {exc.name}: in a checkout, pip install '.[otel]'",
            name=exc.name,
        ) from exc
    return Telemetry(settings)


_PLAIN: Final = ConnectionArguments(
    DEFAULT_LIMITS, NOT_GIVEN, None, DEFAULT_SOCKETS, None, None, (), None, None
)
"""What a client has that is given nothing."""
