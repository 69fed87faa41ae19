"""What the two clients have in common: the same resources, the same options."""

import os
from collections.abc import Mapping
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, Final, Optional, Union, cast

import msgspec
from typing_extensions import Self

from meshapi._resources import Resources
from meshapi_core import (
    DEFAULT_BASE_URL,
    Extras,
    Limits,
    MeshAPIConfig,
    RetryPolicy,
    Secret,
    Timeout,
    hidden_values,
)
from meshapi_core.endpoints import R_co

DEFAULT_LIMITS = Limits()


def secret_of(token: object) -> Secret:
    if token is None:
        token = os.environ.get("MESHAPI_TOKEN")
    if token is None:
        raise ValueError("token: not given, and MESHAPI_TOKEN is not set")
    if isinstance(token, str):
        return Secret(token)
    # Bytes may be the right token in the wrong type. The config refuses this by the same name.
    return cast("Secret", type(type(token).__name__, (), {})())


def config_of(
    base_url: Optional[str],
    token: Secret,
    timeout: Union[None, float, Timeout],
    max_retries: int,
    retry: Optional[RetryPolicy],
) -> MeshAPIConfig:
    if base_url is None:
        base_url = os.environ.get("MESHAPI_BASE_URL") or DEFAULT_BASE_URL
    return MeshAPIConfig(
        base_url=base_url, token=token, timeout=timeout, max_retries=max_retries, retry=retry
    )


class _AsBefore(Enum):
    AS_BEFORE = "as before"


_AS_BEFORE: Final = _AsBefore.AS_BEFORE


def _changed(
    config: MeshAPIConfig,
    timeout: Union[None, float, Timeout, _AsBefore],
    max_retries: Optional[int],
    retry: Optional[RetryPolicy],
    extras: Extras,
) -> MeshAPIConfig:
    policy = config.retry_policy if retry is None else retry
    _check_policy(policy)
    if max_retries is not None:
        policy = msgspec.structs.replace(policy, max_retries=max_retries)
    # Not `replace`, after which older versions of msgspec check nothing.
    return MeshAPIConfig(
        base_url=config.base_url,
        token=config.token,
        timeout=config.timeout if timeout is _AS_BEFORE else timeout,
        max_retries=policy.max_retries,
        retry=policy,
        extras=config.extras.merged(extras),
        service=config.service,
    )


def _check_policy(policy: object) -> None:
    if not isinstance(policy, RetryPolicy):
        raise TypeError(f"retry: expected RetryPolicy or None, got {type(policy).__name__}")


def check_connecting(limits: object, ssl_context: object) -> None:
    if not isinstance(limits, Limits):
        raise TypeError(f"limits: expected Limits, got {type(limits).__name__}")
    # By what it can do: `ssl` is loaded by the first https call.
    if ssl_context is not None and not callable(getattr(ssl_context, "wrap_bio", None)):
        kind = type(ssl_context).__name__
        raise TypeError(f"ssl_context: expected ssl.SSLContext or None, got {kind}")


def check_transport(transport: object, side: str, close: str) -> None:
    if transport is None:
        return
    # Either it sends, or it has connections of our own.
    send = getattr(transport, "send", None) or getattr(transport, "connections", None)
    fits = callable(send) and callable(getattr(transport, close, None))
    # A function that is none may still return an awaitable, so that only one side is sure.
    if not fits or (side == "a blocking" and iscoroutinefunction(send)):
        kind = type(transport).__name__
        raise TypeError(
            f"transport: expected {side} transport, with send() and {close}(), got {kind}"
        )


def check_one(transport: object, field: str) -> None:
    if transport is not None:
        raise TypeError(f"{field}: expected nothing beside transport, which sends the requests")


class Client(Resources[R_co]):
    """What both clients do alike."""

    _config: MeshAPIConfig
    _own: tuple[Any, ...]
    _sockets: Any
    _transport: Any

    def _new_runner(self) -> R_co:
        """Return what runs calls by the client's config, on its transport."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: Union[None, float, Timeout, _AsBefore] = _AS_BEFORE,
        max_retries: Optional[int] = None,
        retry: Optional[RetryPolicy] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
    ) -> Self:
        """Return a client with other options on the same connections; this one stays as it is.

        It is cheap: make one for a single call, `client.with_options(timeout=5).models.list()`.
        Only the client that it came from closes the connections.

        Args:
            timeout, max_retries, retry: as for the client; what is not given stays.
            extra_headers: replace ours of the same name; None removes ours. They never go to
                signed URLs. With `accept-encoding` you may ask for compressed answers.
            extra_query: query parameters of every request; booleans and lists as elsewhere.
            extra_body: members of every JSON or form body, for what the gateway knows and the
                parameters do not.
                All three add to those of this client.

        Raises:
            InvalidParamsError, TypeError, ValueError: an option is not usable.
        """
        # First of all: the locals of a frame that raises are shown by error trackers.
        extra_headers, extra_query = hidden_values(extra_headers), hidden_values(extra_query)
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
        raise TypeError("a client cannot be pickled: it holds a token and connections")
