"""What a transport over `httpcore` or `httpcore2` has to know of these libraries.

`httpcore2` continues `httpcore`; it needs Python 3.11 or later. Neither is imported before a
transport is made.

Source: https://www.encode.io/httpcore/connection-pools/, https://www.encode.io/httpcore/proxies/
"""

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, Optional, Union

from meshapi_backends._http_clients.requests import Pairs
from meshapi_backends._http_clients.sockets import shut_down
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_core import Limits, OpenBody, Proxy, Request, Secret, check_kind


class HiddenBytes(bytes):
    """Bytes that no log and no traceback with locals shows: a token, or a proxy's password."""

    def __repr__(self) -> str:
        return "b'***'"

    __str__ = __repr__


class Options(NamedTuple):
    """What a transport was made with, checked.

    Fields:
        library: the module `httpcore` or `httpcore2`.
        proxy: the proxy, as an object of theirs.
        secrets: what no error may show of the proxy's credentials.
    """

    library: Any
    http1: bool
    http2: bool
    proxy: Any
    secrets: tuple[str, ...]
    uds: Optional[str]
    local_address: Optional[str]
    tls: TLSSource
    limits: Limits

    @property
    def has_tls_proxy(self) -> bool:
        """Whether the connection to the proxy has TLS."""
        return self.proxy is not None and bool(self.proxy.url.scheme == b"https")


class Contexts(NamedTuple):
    """TLS contexts: one for servers, and one for an https proxy, because httpcore changes them.

    Only a caller's own context is both.
    """

    server: Any
    proxy: Any


def hidden_proxy(proxy: object) -> Union[None, Secret, Proxy, type]:
    """The argument, as error trackers may show it; if it is of a wrong type, only the type."""
    if proxy is None or isinstance(proxy, Proxy):
        return proxy
    return Secret(str.__str__(proxy)) if isinstance(proxy, str) else type(proxy)


def one_proxy(
    proxy: Union[None, Secret, Proxy, type], socks: Union[None, Secret, Proxy, type]
) -> Optional[Proxy]:
    """The one proxy of two arguments, of which `socks` may lack its scheme.

    Args:
        proxy, socks: from `hidden_proxy`.

    Raises:
        TypeError, ValueError: both are given, or one cannot be used. The message does not show it.
    """
    if socks is None:
        return None if proxy is None else _read_proxy("proxy", proxy)
    if proxy is not None:
        raise TypeError("socks: given together with proxy; leave one of them out")
    if isinstance(socks, Secret) and "://" not in socks:
        # Joined, not formatted: a formatted `Secret` is asterisks.
        socks = Secret("socks5://" + socks)
    found = _read_proxy("socks", socks)
    if not found.is_socks:
        raise ValueError("socks: expected socks5://host:port; write proxy=... for other proxies")
    return found


def _read_proxy(field: str, proxy: Union[Secret, Proxy, type]) -> Proxy:
    if isinstance(proxy, type):
        hint = "; write x.decode()" if proxy is bytes else ""
        raise TypeError(f"{field}: expected a URL, a Proxy or None, got {proxy.__name__}{hint}")
    return proxy if isinstance(proxy, Proxy) else Proxy.of(proxy, field=field)


def options_of(
    name: str,
    library: Any,
    http1: bool,
    http2: bool,
    proxy: Optional[Proxy],
    uds: Optional[str],
    local_address: Optional[str],
    tls: Any,
    limits: Limits,
) -> Options:
    """Check the arguments of a transport.

    Args:
        name: the class of the transport, for messages.
        library: a module to use; None takes `httpcore2` if it can be imported, else `httpcore`.

    Raises:
        ImportError: a package is missing; the message says which extra installs it.
        TypeError, ValueError: an argument cannot be used. No password is in the message.
    """
    check_kind("limits", limits, Limits)
    if not http1 and not http2:
        raise ValueError("http1: False needs http2=True")
    source = TLSSource.of(tls)
    if uds is not None and proxy is not None:
        raise TypeError("uds: given together with proxy; leave one of them out")
    socks = proxy is not None and proxy.scheme.startswith("socks")
    library = library or _library(name, "socks" if socks else "http2")
    if http2:
        _h2(name)
    made, secrets = (None, ()) if proxy is None else (_proxy(name, library, proxy), proxy.secrets)
    return Options(library, http1, http2, made, secrets, uds, local_address, source, limits)


def _library(name: str, extra: str) -> Any:
    # Each is imported when a transport is made, and not before.
    try:
        import httpcore2
    except ImportError:
        try:
            import httpcore
        except ImportError as exc:
            raise _missing("httpcore", extra, name) from exc
        return httpcore
    return httpcore2


def _h2(name: str) -> Any:
    try:
        import h2
    except ImportError as exc:
        raise _missing("h2", "http2", f"{name}(http2=True)") from exc
    _hide_header_tables()
    return h2


def _hide_header_tables() -> None:
    """Keep the token out of the log of hpack, which up to 4.1 logs each header at DEBUG."""
    logger = logging.getLogger("hpack")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _socksio(name: str) -> Any:
    try:
        import socksio
    except ImportError as exc:
        raise _missing("socksio", "socks", f"{name} with a SOCKS proxy") from exc
    return socksio


def _missing(package: str, extra: str, what: str) -> ImportError:
    return ImportError(
        f"{what} needs the package {package}, which is not installed: in a checkout,"
        f" pip install '.[{extra}]'"
    )


def _proxy(name: str, library: Any, proxy: Proxy) -> Any:
    """The proxy as an object of the library's."""
    if proxy.is_socks:
        _socksio(name)
    address = library.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/")
    auth = None
    if proxy.username is not None:
        given = (proxy.username, proxy.password or "")
        auth = tuple(HiddenBytes(str.encode(each, "utf-8", "replace")) for each in given)
    made = library.Proxy(address, auth=auth)
    made.headers = [(key, HiddenBytes(value)) for key, value in made.headers]
    return made


def pool_of(options: Options, pool_class: str, backend: Any, tls: Optional[Contexts]) -> Any:
    """A pool of theirs; without contexts, only for plain connections."""
    limits = options.limits
    if tls is not None and options.has_tls_proxy:
        options.proxy.ssl_context = tls.proxy
    return getattr(options.library, pool_class)(
        ssl_context=None if tls is None else tls.server,
        proxy=options.proxy,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive,
        keepalive_expiry=limits.keepalive_expiry,
        http1=options.http1,
        http2=options.http2,
        local_address=options.local_address,
        uds=options.uds,
        network_backend=backend,
    )


def make_contexts(options: Options) -> Contexts:
    """The TLS contexts of a transport. Reads files, so not in an event loop.

    Raises:
        TransportError: a certificate cannot be loaded.
    """
    source = options.tls
    return Contexts(
        source.make_separate(), source.make_separate() if options.has_tls_proxy else None
    )


def body_of(request: Request) -> Union[bytes, OpenBody]:
    """The body of a request, whose files are open."""
    assert isinstance(request.body, (bytes, OpenBody)), "open a StreamedBody before you send it"
    return request.body


def make_request(options: Options, request: Request, body: Any, extensions: Any) -> Any:
    """Return one of our requests as a request of httpcore's.

    Args:
        body: an iterable over the body.
        extensions: time limits, and what is told on the way.
    """
    library, origin, content = options.library, request.origin, request.body
    headers: Pairs = [(b"Host", origin.authority.encode("ascii"))]
    for name, value in request.raw_headers:
        headers.append((name, HiddenBytes(value)))
    if content or request.method in ("POST", "PUT", "PATCH"):
        headers.append((b"Content-Length", b"%d" % len(body_of(request))))
    if origin.host.endswith("."):
        # The dot of a fully qualified name, which certificates and SNI do not have.
        extensions["sni_hostname"] = origin.host[:-1]
    target = HiddenBytes(request.plain_target.encode("ascii"))
    url = library.URL(
        scheme=origin.scheme.encode("ascii"),
        host=origin.host.encode("ascii"),
        port=origin.port,
        target=target,
    )
    return library.Request(
        request.method.encode("ascii"), url, headers=headers, content=body, extensions=extensions
    )


def sibling(exc: Exception, name: str) -> Exception:
    """Another exception of the library that has raised one."""
    made: Exception = getattr(sys.modules[type(exc).__module__.partition(".")[0]], name)(str(exc))
    return made


class Use:
    """The connection that one exchange uses.

    Attributes:
        connect_limit: the seconds for which a handshake with a SOCKS proxy may wait.
        is_negotiating: the exchange is in that handshake.
        stream: the network stream on which the exchange has last written.
    """

    def __init__(self, connect_limit: Callable[[], Optional[float]]) -> None:
        self.connect_limit = connect_limit
        self.is_negotiating = False
        self.stream: Any = None
        self._ended = False

    def note(self, step: str) -> None:
        """Take the name of a step that httpcore reports."""
        if "setup_socks5_connection." in step:
            self.is_negotiating = step.endswith(".started")

    def take(self, stream: Any) -> None:
        """Note which stream is used."""
        self.stream = stream
        if self._ended:
            self.end()

    def end(self) -> bool:
        """Shut the connection down; False if there is none, or other calls share it."""
        self._ended = True
        stream = self.stream
        if stream is None or stream.shared:
            return False
        return shut_down(stream.get_extra_info("socket"))

    @property
    def shared(self) -> bool:
        """Whether the exchange goes over HTTP/2, where other calls share the connection."""
        return self.stream is not None and bool(self.stream.shared)


CURRENT_USE: "ContextVar[Optional[Use]]" = ContextVar("meshapi_httpcore_use", default=None)
