"""What the two clients have in common: the same resources, the same options."""

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
    """The token, or that of the environment; of one that is no text the type alone.

    Bytes may be the right token in the wrong type: they must not stay in a caller's frame, as
    error trackers show its locals. `config_of` refuses them by their type.
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
    # Not `replace`, after which older versions of msgspec check nothing.
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
    # By what it can do: `ssl` is loaded by the first https call.
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
    """What error messages of one of the clients say.

    Fields:
        kind: of the transports that it takes.
        close: their method that closes them.
        field: its argument for an HTTP client.
        http_client: the class of that.
    """

    kind: str
    close: str
    field: str
    http_client: str


_HTTP_CLIENTS: Final = frozenset({"AsyncClient", "Client", "ClientSession", "Session"})


def check_transport(transport: object, http_client: object, hints: TransportHints) -> None:
    if transport is None:
        return
    # Either it sends, or it has connections of our own.
    send = getattr(transport, "send", None) or getattr(transport, "connections", None)
    fits = callable(send) and callable(getattr(transport, hints.close, None))
    # They have such methods, but of other requests.
    is_client = any(base.__name__ in _HTTP_CLIENTS for base in type(transport).__mro__)
    # A plain function may still return an awaitable, so only the blocking side can be sure.
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
        raise TypeError(f"{hints.field}: given beside transport; leave one of them out")


def warn_of_unused(
    sender: Optional[str], limits: Limits, ssl_context: object, hints: TransportHints
) -> None:
    """Warn of options for connections of the client's own where `sender` sends the requests.

    They are used for realtime sessions then, and for nothing else.
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
                f"{name}: used only for realtime sessions, as {sender} sends the requests;"
                f" pass it to {to} as well",
                ParamsWarning,
                # The line that makes the client.
                stacklevel=3,
            )


def refuse_unknown(number: int, names: Sequence[str], init: Any, hints: TransportHints) -> NoReturn:
    """Raise for the first argument that a client does not take.

    Args:
        number: of the positional arguments, all of which are too many.
        names: of the keywords that it does not know.
        init: its `__init__`.
    """
    from meshapi._unknown_arguments import of_clients

    raise of_clients(number, names, init, hints.field, hints.http_client)


class Client(Resources[R_co]):
    """What both clients do alike."""

    _config: MeshAPIConfig
    # What the client closes: its sockets, and a transport over an HTTP client of the caller's.
    _own: tuple[Any, ...]
    _sockets: Any
    _transport: Any

    def _send_over(self, sockets: T, transport: Optional[T], over_http_client: Optional[T]) -> None:
        """Send requests over the first of these that is there, from the right.

        The sockets are there in any case, for realtime sessions; they open nothing by themselves.
        """
        self._sockets = sockets
        self._own = (sockets,) if over_http_client is None else (sockets, over_http_client)
        given = transport if over_http_client is None else over_http_client
        self._transport = sockets if given is None else given
        self._runner = self._new_runner()

    def _new_runner(self) -> R_co:
        """Return what runs calls by the client's config, on its transport."""
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
        """Return a client with other options on the same connections; this one stays as it is.

        It is cheap: make one for a single call, `client.with_options(timeout=5).models.list()`.
        Only the client that it came from closes the connections.

        Args:
            timeout, max_retries, retry: as for the client; what is not given stays.
            extra_headers: replace ours of the same name; None removes ours. They never go to
                signed URLs. With `accept-encoding` you may ask for compressed responses.
            extra_query: query parameters of every request; booleans and lists as elsewhere.
            extra_body: members of every JSON or form body, for what the gateway knows and the
                parameters do not.
                All three add to those of this client.

        Raises:
            InvalidParamsError, TypeError, ValueError: an option is not usable.
        """
        # First of all: the locals of a frame that raises are shown by error trackers.
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
        # Also of a client whose `__init__` raised, which error trackers show.
        config: Optional[MeshAPIConfig] = vars(self).get("_config")
        where = "(not made)" if config is None else config.base_url
        return f"<{type(self).__name__} {where}>"

    def __reduce__(self) -> Any:
        # `copy` and `deepcopy` ask for it, too.
        raise TypeError(
            "a client cannot be copied or pickled, as it holds a token and connections; for other"
            " options on the same connections use with_options()"
        )
