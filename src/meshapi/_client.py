"""What the two clients have in common: resources, options, checks of arguments."""

import os
import warnings
from collections.abc import Mapping, Sequence
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, Final, NamedTuple, NoReturn, Optional, TypeVar, Union

import msgspec
from typing_extensions import Never, Self

from meshapi._resources import Resources
from meshapi_core import (
    DEFAULT_BASE_URL,
    Extras,
    Limits,
    MeshAPIConfig,
    ParamsWarning,
    RetryPolicy,
    Secret,
    Timeout,
    check_kind,
    hidden_values,
    type_name,
)
from meshapi_core.endpoints import R_co

T = TypeVar("T")

DEFAULT_LIMITS = Limits()


def secret_of(token: object) -> Union[Secret, type]:
    """The token, given or from the environment; if it is not a str, only its type.

    Bytes may be the right token in the wrong type. They must not stay in a caller's frame, because
    error trackers show its locals. `config_of` refuses the type.
    """
    if token is None:
        token = os.environ.get("MESHAPI_TOKEN")
    if token is None:
        raise ValueError(
            "token: not given, and MESHAPI_TOKEN is not set; write token=... or set it"
        )
    return Secret(token) if isinstance(token, str) else type(token)


def config_of(
    base_url: Optional[str],
    token: Union[Secret, type],
    timeout: Union[None, float, Timeout],
    max_retries: int,
    retry: Optional[RetryPolicy],
) -> MeshAPIConfig:
    if not isinstance(token, Secret):
        hint = "; write x.decode()" if token is bytes else ""
        raise TypeError(f"token: expected str, got {token.__name__}{hint}")
    if base_url is None:
        base_url = os.environ.get("MESHAPI_BASE_URL") or DEFAULT_BASE_URL
    return MeshAPIConfig(
        base_url=base_url, token=token, timeout=timeout, max_retries=max_retries, retry=retry
    )


class _Unchanged(Enum):
    AS_BEFORE = "as before"


_UNCHANGED: Final = _Unchanged.AS_BEFORE


def _changed(
    config: MeshAPIConfig,
    timeout: Union[None, float, Timeout, _Unchanged],
    max_retries: Optional[int],
    retry: Optional[RetryPolicy],
    extras: Extras,
) -> MeshAPIConfig:
    policy = config.retry_policy if retry is None else retry
    check_kind("retry", policy, RetryPolicy, optional=True)
    if max_retries is not None:
        policy = msgspec.structs.replace(policy, max_retries=max_retries)
    # Not `replace`, which runs no checks in older versions of msgspec.
    return MeshAPIConfig(
        base_url=config.base_url,
        token=config.token,
        timeout=config.timeout if timeout is _UNCHANGED else timeout,
        max_retries=policy.max_retries,
        retry=policy,
        extras=config.extras.merged(extras),
        service=config.service,
    )


def check_connecting(limits: object, ssl_context: object) -> None:
    check_kind("limits", limits, Limits)
    # By a method, not by class: `ssl` is not imported before the first https call.
    if ssl_context is not None and not callable(getattr(ssl_context, "wrap_bio", None)):
        hint = ""
        if isinstance(ssl_context, str) or hasattr(ssl_context, "__fspath__"):
            hint = "; write ssl.create_default_context(cafile=x)"
        elif ssl_context is True:
            hint = "; leave it out"
        elif ssl_context is False:
            hint = "; pass a context with check_hostname=False and verify_mode=ssl.CERT_NONE"
        kind = type_name(ssl_context)
        raise TypeError(f"ssl_context: expected ssl.SSLContext or None, got {kind}{hint}")


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


_HTTP_CLIENTS: Final = frozenset({"AsyncClient", "Client", "ClientSession", "Session"})
_HTTP_LIBRARIES: Final = frozenset({"aiohttp", "httpx", "httpx2", "niquests", "requests"})


def _is_http_client(kind: type) -> bool:
    """Whether a class is an HTTP library's client; a transport may have the same name."""
    return any(
        base.__name__ in _HTTP_CLIENTS and base.__module__.partition(".")[0] in _HTTP_LIBRARIES
        for base in kind.__mro__
    )


def check_transport(transport: object, http_client: object, hints: TransportHints) -> None:
    if transport is None:
        return
    # A transport has `send`; our own pools have `connections` instead.
    send = getattr(transport, "send", None) or getattr(transport, "connections", None)
    fits = callable(send) and callable(getattr(transport, hints.close, None))
    # HTTP clients have methods of these names, too, but for requests of their own.
    is_client = _is_http_client(type(transport))
    # Only the blocking side can be sure: a plain `def send` may still return an awaitable.
    if not fits or is_client or (hints.close == "close" and iscoroutinefunction(send)):
        kind = type_name(transport)
        hint = ""
        if is_client:
            hint = f"; write {hints.field}=..."
        elif kind.startswith("httpx"):
            hint = f"; write {hints.field}={hints.http_client}(transport=...)"
        raise TypeError(
            f"transport: expected {hints.kind} transport, with send() and {hints.close}(), got"
            f" {kind}{hint}"
        )
    if http_client is not None:
        raise TypeError(f"{hints.field}: given together with transport; leave one of them out")


def warn_of_unused(
    sender: Optional[str], limits: Limits, ssl_context: object, hints: TransportHints
) -> None:
    """Warn of options for the client's own connections if `sender` sends the requests instead.

    Such options are then used for realtime sessions only.
    """
    if sender is None:
        return
    for name, is_given in (
        ("ssl_context", ssl_context is not None),
        ("limits", limits != DEFAULT_LIMITS),
    ):
        if is_given:
            argument = "verify" if name == "ssl_context" else name
            to = (
                f"{hints.http_client}({argument}=...)" if sender == hints.field else "the transport"
            )
            warnings.warn(
                f"{name}: used for realtime sessions only, because {sender} sends the requests;"
                f" pass it to {to} as well",
                ParamsWarning,
                # So that the warning names the line that makes the client.
                stacklevel=3,
            )


def refuse_unknown(number: int, names: Sequence[str], init: Any, hints: TransportHints) -> NoReturn:
    """Raise TypeError for the first argument that a client does not take.

    Args:
        number: the number of positional arguments; the client takes none.
        names: the keywords that the client does not know.
        init: the client's `__init__`.
        hints: the words for the message.
    """
    from meshapi._unknown_arguments import of_clients

    raise of_clients(number, names, init, hints.field, hints.http_client)


class Client(Resources[R_co]):
    """What both clients have in common."""

    _config: MeshAPIConfig
    # What the client closes: its own connections, and a transport over an injected HTTP client.
    _own: tuple[Any, ...]
    _sockets: Any
    _transport: Any

    def _send_over(
        self,
        sockets: T,
        transport: Optional[T],
        over_http_client: Optional[T],
        middleware: tuple[Any, ...] = (),
    ) -> None:
        """Send requests over an HTTP client if given, else a transport if given, else sockets.

        In either case through the middleware, if there is any.

        Realtime sessions always use the sockets, which open nothing before they are used.
        """
        self._sockets = sockets
        self._own = (sockets,) if over_http_client is None else (sockets, over_http_client)
        given = transport if over_http_client is None else over_http_client
        self._transport = sockets if given is None else given
        if middleware:
            self._transport = self._behind(middleware)
        self._runner = self._new_runner()

    def _behind(self, middleware: tuple[Any, ...]) -> Any:
        """Return the client's transport, behind middleware."""
        raise NotImplementedError

    def _new_runner(self) -> R_co:
        """Return a runner for the client's config and transport."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: Union[None, float, Timeout, _Unchanged] = _UNCHANGED,
        max_retries: Optional[int] = None,
        retry: Optional[RetryPolicy] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        **unknown: Never,
    ) -> Self:
        """Return a client with other options on the same connections; this one is unchanged.

        It is cheap: make one for a single call, `client.with_options(timeout=5).models.list()`.
        Only the client that it came from closes the connections.

        Args:
            timeout, max_retries, retry: as for the client; those not given stay as they are.
            extra_headers: headers that replace ours of the same name; a value of None removes ours.
                They are never sent to signed URLs. With `accept-encoding` you can ask for
                compressed responses.
            extra_query: query parameters of every request; booleans and lists are sent as in the
                parameters of methods.
            extra_body: fields of every JSON or form body, for what no parameter covers.
                All three are added to those of this client.

        Raises:
            InvalidParamsError, TypeError, ValueError: an option cannot be used.
        """
        # Before anything can raise: error trackers show the locals of frames that raise.
        extra_headers, extra_query = hidden_values(extra_headers), hidden_values(extra_query)
        if unknown:
            names = [*unknown]
            unknown.clear()
            from meshapi._unknown_arguments import of_options

            raise of_options(names, type(self))
        extras = Extras(headers=extra_headers, query=extra_query, body=extra_body)
        twin = object.__new__(type(self))
        twin._config = _changed(self._config, timeout, max_retries, retry, extras)
        twin._own, twin._sockets, twin._transport = (), self._sockets, self._transport
        twin._runner = twin._new_runner()
        return twin

    def __repr__(self) -> str:
        # Works without `_config`, too: error trackers show clients whose `__init__` raised.
        config: Optional[MeshAPIConfig] = vars(self).get("_config")
        where = "(not made)" if config is None else config.base_url
        return f"<{type(self).__name__} {where}>"

    def __reduce__(self) -> Any:
        # `copy` and `deepcopy` ask for it, too.
        raise TypeError(
            "a client cannot be copied or pickled, because it holds a token and connections; for"
            " other options on the same connections use with_options()"
        )
