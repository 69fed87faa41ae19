"""What a client is configured with, as values: URL, token, time limits, retries, connections."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from msgspec import Struct
from msgspec.structs import force_setattr
from typing_extensions import Self, TypeAlias

from meshapi_core._checks import check_count, check_kind, check_seconds, check_timeout
from meshapi_core._computed import computed
from meshapi_core._copies import copied
from meshapi_core._json_kinds import type_name, value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core._secret import Secret, SecretURL
from meshapi_core.errors import InvalidParamsError
from meshapi_core.extras import Extras, is_field_value
from meshapi_core.queries import Pairs
from meshapi_core.retries import RetryPolicy
from meshapi_core.retry_quota import RetryQuota
from meshapi_core.service import DEFAULT_BASE_URL, MESHAPI, Service
from meshapi_core.tokens import TokenSource, hidden_token, token_fault
from meshapi_core.urls import BaseURL, parse_base_url

__all__ = ["Limits", "MeshAPIConfig", "Timeout"]


if TYPE_CHECKING:
    Token: TypeAlias = Union[str, Callable[[], object]]
else:
    # msgspec reads the types of the fields, and knows no functions.
    Token = Any


class Timeout(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """How long each part of a call may take, in seconds; None sets no limit.

    Fields:
        connect: to open one connection, TLS included.
        read: to wait for a response, or for more of it: for the head as a whole; for the next KiB
            of a whole response; for the next byte of a stream; for the body of an error as a whole.
            `meshapi_core.machines.pace` has the table.
        write: to send the next bytes of a request.
        pool: to wait for a free connection.
        idle: from one event of a stream to the next; comments and pings do not count as events.
        total: for the whole call, with its retries, the waits between them, and the body.

    Raises:
        TypeError, ValueError: a field is neither None nor a number of seconds above 0 and up to
            two million.
    """

    connect: Optional[float] = 60.0
    read: Optional[float] = 60.0
    write: Optional[float] = 60.0
    pool: Optional[float] = 60.0
    idle: Optional[float] = None
    total: Optional[float] = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            check_timeout(f"timeout.{name}", getattr(self, name))

    @staticmethod
    def of(value: Union[None, float, "Timeout"]) -> "Timeout":
        """Return a `Timeout` with these seconds for each of connect, read, write and pool."""
        if isinstance(value, Timeout):
            return value
        check_timeout("timeout", value)
        # Checked once, not by the constructor for each field.
        made = copied(_DEFAULTS)
        for name in ("connect", "read", "write", "pool"):
            force_setattr(made, name, value)
        return made


_DEFAULTS = Timeout()


class Limits(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """How many connections a client keeps.

    Fields:
        max_connections: the most that are open at once; further calls wait up to `Timeout.pool`.
        max_keepalive: the most that are open and idle; the one that has been idle longest is closed
            first.
        keepalive_expiry: the seconds for which an idle connection may be used again.
    """

    max_connections: int = 1000
    max_keepalive: int = 1000
    keepalive_expiry: float = 15.0

    def __post_init__(self) -> None:
        check_count("limits.max_connections", self.max_connections, 1)
        check_count("limits.max_keepalive", self.max_keepalive, 0)
        check_seconds("limits.keepalive_expiry", self.keepalive_expiry)


class MeshAPIConfig(Struct, frozen=True, kw_only=True, dict=True, metaclass=NamedFields):
    """Everything about a gateway that a request needs; its repr shows no token.

    Fields:
        base_url: http(s) URL of the gateway, without `/v1`, unless the base URLs of the service
            have it; a path prefix is kept. The default is the service's own.
        token: the API key; sent as a Bearer token, unless the service wants it in another form. Or
            a function that returns it: then a machine asks its host to call it (`GetToken`), once
            for each call, and once more if the gateway refuses the token.
        timeout: seconds for each phase, or a `Timeout`.
        max_retries: attempts after the first one; beside `retry`, the policy's number replaces it.
        retry: the whole retry policy. By default, it is one with `max_retries`.
        extras: headers, query parameters and body members to add to each request.
        service: the service of the gateway: MeshAPI, or another that speaks the same protocol.
        idempotency_key: the key of every POST, instead of one that is drawn for each call.
        retry_quota: what all calls with this configuration pay their retries from; None sets no
            quota. Two configurations with the same `RetryQuota` share it.

    Raises:
        TypeError, ValueError: a field is not usable. The token is never part of the message.
    """

    base_url: str = DEFAULT_BASE_URL
    token: Token
    timeout: Union[None, float, Timeout] = 60.0
    max_retries: int = 3
    retry: Optional[RetryPolicy] = None
    extras: Extras = Extras()
    service: Service = MESHAPI
    idempotency_key: Optional[str] = None
    retry_quota: Optional[RetryQuota] = None

    def __post_init__(self) -> None:
        # This comes first: where a later line raises, the traceback's locals show `self`.
        force_setattr(self, "token", _hidden(self.token))
        if isinstance(self.base_url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            force_setattr(self, "base_url", SecretURL(self.base_url))
        _check_token(self.token)
        check_kind("service", self.service, Service)
        force_setattr(self, "base_url", _checked_base_url(self.base_url, self.service))
        force_setattr(self, "timeout", Timeout.of(self.timeout))
        check_count("max_retries", self.max_retries, 0)
        policy = _checked_policy(self.retry, self.max_retries)
        force_setattr(self, "retry", policy)
        force_setattr(self, "max_retries", policy.max_retries)
        check_kind("extras", self.extras, Extras)
        _check_key(self.idempotency_key)
        check_kind("retry_quota", self.retry_quota, RetryQuota, optional=True)

    # Checks of single fields, with the errors that the constructor raises.

    @staticmethod
    def check_base_url(url: str) -> None:
        """Raise unless it is the base URL of a gateway."""
        _checked_base_url(url, MESHAPI)

    @staticmethod
    def check_idempotency_key(key: object) -> None:
        """Raise unless the key is None, or text that a header can carry."""
        _check_key(key)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "a MeshAPIConfig cannot be pickled, because it holds a token; for another process,"
            " pickle client.settings()"
        )

    def with_token(self, token: str) -> Self:
        """Return the same configuration with another token."""
        given = hidden_token(token)
        del token
        _check_token(given)
        return self.changed({"token": given})

    def with_one_attempt(self) -> Self:
        """Return the same configuration without retries."""
        policy = self.retry_policy.limited(0)
        return self.changed({"retry": policy, "max_retries": policy.max_retries})

    def changed(self, fields: dict[str, Any]) -> Self:
        """Return a copy with some fields changed, whose values must have been checked.

        It costs a tenth of a new one. Anybody else makes a new one.
        """
        changed = copied(self)
        for name, value in fields.items():
            force_setattr(changed, name, value)
        kept = vars(changed)
        for name, value in vars(self).items():
            # What was computed from a field that is changed is computed again.
            if name in _FROM and _FROM[name].isdisjoint(fields):
                kept[name] = value
        return changed

    @property
    def source(self) -> Optional[TokenSource]:
        """The function that returns tokens; None if the token is known."""
        token: object = self.token
        return token if isinstance(token, TokenSource) else None

    @property
    def known_token(self) -> Secret:
        """The token.

        Raises:
            TypeError: the configuration has a function instead; see `with_token`.
        """
        token: object = self.token
        if isinstance(token, Secret):
            return token
        raise TypeError(
            "token: this configuration has a function that returns it; call it, and use"
            " config.with_token(...)"
        )

    # Every call needs these; the first one computes them.

    @computed
    def location(self) -> BaseURL:
        """The parsed base URL."""
        return parse_base_url(self.base_url, self.service.path_prefix)

    @computed
    def time_limits(self) -> Timeout:
        """The time limit of each phase."""
        return Timeout.of(self.timeout)

    @computed
    def auth_field(self) -> tuple[str, str]:
        """The name and value of the header that carries the token; the value is a `Secret`."""
        service = self.service
        return service.auth_header, Secret(service.auth_prefix + self.known_token)

    @computed
    def further_fields(self) -> Pairs:
        """The other headers that all calls have in common."""
        return (
            # Compressing JSON gains little, and would hold back the events of a stream. A response
            # that is compressed nevertheless, or because the caller's headers allow it, is decoded.
            ("accept-encoding", "identity"),
            ("user-agent", self.service.user_agent),
            *self.service.headers,
        )

    @computed
    def retry_policy(self) -> RetryPolicy:
        """The retry policy that applies."""
        return _checked_policy(self.retry, self.max_retries)


# What is computed, and from which fields.
_FROM = {
    "location": frozenset({"base_url", "service"}),
    "time_limits": frozenset({"timeout"}),
    "auth_field": frozenset({"service", "token"}),
    "further_fields": frozenset({"service"}),
    "retry_policy": frozenset({"max_retries", "retry"}),
}


def _hidden(token: object) -> object:
    if isinstance(token, TokenSource) or not callable(token):
        return token if isinstance(token, TokenSource) else hidden_token(token)
    return TokenSource(token)


def _checked_policy(policy: object, max_retries: int) -> RetryPolicy:
    if policy is None:
        return RetryPolicy(max_retries=max_retries)
    check_kind("retry", policy, RetryPolicy, optional=True)
    return cast("RetryPolicy", policy)


def _checked_base_url(url: object, service: Service) -> str:
    if url == DEFAULT_BASE_URL:
        # The default, even if it was passed: no other service is at this URL, and none may send its
        # token there.
        if service.base_url is None:
            raise ValueError(
                f"base_url: expected the URL of {service.name}, got nothing; write base_url=..."
            )
        url = service.base_url
    if not isinstance(url, str):
        hint = "; write str(x)" if type(url).__name__ == "URL" else ""
        hint = "; write x.decode()" if isinstance(url, bytes) else hint
        raise TypeError(f"base_url: expected str, got {type_name(url)}{hint}")
    url = url.rstrip("/")
    try:
        parse_base_url(url, service.path_prefix)
        return url
    except ValueError as exc:
        fault = str(exc)
    # Raised here, because the frames of the parser have parts of the URL: a password, perhaps.
    del url
    raise ValueError(fault)


def _check_token(token: object) -> None:
    """Raise unless the token can be sent, or is a function; the message never shows it.

    Args:
        token: what `hidden_token` returned.
    """
    fault = None if isinstance(token, TokenSource) else token_fault(token)
    if fault is not None:
        expected, got, hint = fault
        what = f"expected {expected}, got {got}" if expected else got
        kind = ValueError if isinstance(token, Secret) else TypeError
        raise kind(f"token: {what}{'; ' if hint else ''}{hint}")


def _check_key(key: object) -> None:
    if key is None:
        return
    if not isinstance(key, str):
        raise InvalidParamsError("idempotency_key", "str or None", value_name(key))
    if not key or not key.isascii() or not is_field_value(key):
        expected = "text that a header can carry"
        raise InvalidParamsError("idempotency_key", expected, value_name(key, show=True))
