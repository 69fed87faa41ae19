"""The settings of a client as a value that can be pickled: they name secrets, and hold none."""

import os
import re
import sys
from inspect import isclass, isroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn, Optional, Union

from msgspec import Struct

from meshapi._connections import DEFAULT_LIMITS, DEFAULT_SOCKETS, ConnectionArguments
from meshapi._settings import NOT_GIVEN, TOKEN_VARIABLES, Environment, NotGiven, custom_headers
from meshapi_core import (
    Extras,
    InvalidParamsError,
    Limits,
    MeshAPIConfig,
    Proxy,
    RetryPolicy,
    Secret,
    Service,
    SocketOptions,
    Timeout,
    TLSSettings,
    TokenSource,
    may_be_secret,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ClientSettings", "config_of_settings", "connections_of_settings", "settings_of"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = "a token as text, which is not pickled"
_TO_DO = (
    "set MESHAPI_TOKEN to it here and in the other process, or write"
    " settings(token_variable='NAME'), or token=function, with a function of a module"
)


class ClientSettings(Struct, frozen=True, kw_only=True):
    """What another process needs to make the same client; `client.settings()` returns it.

    It can be pickled. Secrets are not in it: the process that makes the client gets the token from
    a variable or a function, secret headers from `MESHAPI_CUSTOM_HEADERS`, and the proxy, if none
    was given, from its own environment.

    Fields:
        token: the name of the variable that has the token, or the function that returns it, which
            is pickled as the names of its module and of itself.
        headers: the names of headers that come from `MESHAPI_CUSTOM_HEADERS`.
        base_url, timeout, retry, service, idempotency_key: as in `MeshAPIConfig`.
        extras: headers, query parameters and body fields, none of them secret.
        limits, proxy, tls, sockets: as the arguments of the client.
    """

    token: Any
    headers: tuple[str, ...] = ()
    base_url: str
    timeout: Timeout
    retry: RetryPolicy
    service: Service
    idempotency_key: Optional[str] = None
    extras: Extras = Extras()
    limits: Limits = DEFAULT_LIMITS
    proxy: Union[None, Proxy, NotGiven] = NOT_GIVEN
    tls: Union[None, str, tuple[str, str]] = None
    sockets: SocketOptions = DEFAULT_SOCKETS

    def __repr__(self) -> str:
        name = getattr(self.token, "__qualname__", self.token)
        return f"<ClientSettings {self.base_url} with the token of {name}>"

    def __rich_repr__(self) -> list[Any]:
        return [repr(self)]


# What a client says


def settings_of(
    config: MeshAPIConfig, arguments: ConnectionArguments, token_variable: object
) -> ClientSettings:
    """Return the settings of a client.

    Args:
        config, arguments: of the client.
        token_variable: the name of a variable, hidden (`hidden_token`); None to find it.

    Raises:
        InvalidParamsError: something cannot be carried to another process.
    """
    _refuse_objects(arguments)
    environment = Environment(os.environ)
    extras, names = _public_extras(config.extras, environment)
    return ClientSettings(
        token=_token_place(config, token_variable, environment),
        headers=names,
        base_url=str(config.base_url),
        timeout=config.time_limits,
        retry=config.retry_policy,
        service=config.service,
        idempotency_key=config.idempotency_key,
        extras=extras,
        limits=arguments.limits,
        proxy=_public_proxy(arguments.proxy),
        tls=_public_tls(arguments.tls),
        sockets=arguments.sockets,
    )


def _refuse(field: str, got: str, hint: str) -> NoReturn:
    raise InvalidParamsError(field, "", f"{got}, which is not pickled", hint)


def _refuse_objects(arguments: ConnectionArguments) -> None:
    """Refuse what belongs to this process."""
    for name, value in (
        ("transport", arguments.transport),
        ("httpx_client", arguments.http_client),
        ("middleware", arguments.middleware or None),
        ("hooks", arguments.hooks),
        ("open_telemetry", arguments.open_telemetry),
    ):
        if value is not None:
            _refuse(name, "an object of this process", "take the settings of a client without it")


def _token_place(config: MeshAPIConfig, variable: object, environment: Environment) -> Any:
    """Return where another process finds the token of a client."""
    if variable is not None:
        return _checked_variable(config, variable, environment)
    if config.source is not None:
        return _checked_function(config.source.function)
    for name in TOKEN_VARIABLES:
        if config.known_token == environment.get(name).strip():
            return name
    raise InvalidParamsError("token", "a variable or a function of a module", _LITERAL, _TO_DO)


def _checked_variable(config: MeshAPIConfig, variable: object, environment: Environment) -> str:
    expected = "the name of the variable that has the client's token"
    if not isinstance(variable, Secret):
        got = variable.__name__ if isinstance(variable, type) else type_name(variable)
        raise InvalidParamsError("token_variable", expected, got)
    if not _VARIABLE.fullmatch(variable) or config.token == variable:
        raise InvalidParamsError("token_variable", expected, "other text")
    value = Secret(environment.get(variable).strip())
    # Where it is not set, only the other process has it.
    if value and value != config.token:
        raise InvalidParamsError("token_variable", expected, "a variable with another value")
    return variable.reveal()


def _checked_function(function: "Callable[[], object]") -> "Callable[[], object]":
    """Return a function of a module; other callables may hold the token, and are refused."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", "")
    if (isroutine(function) or isclass(function)) and module != "__main__":
        found: object = sys.modules.get(str(module))
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is function:
            return function
    got = "one of the main program" if module == "__main__" else "another one"
    hint = "move it to the top level of a module that the other process can import, too"
    raise InvalidParamsError("token", "a function of a module", got, hint)


def _public_extras(extras: Extras, environment: Environment) -> tuple[Extras, tuple[str, ...]]:
    """Return what is not secret of the extras, and the names of headers in the environment."""
    if not extras.headers and not extras.query:
        return extras, ()
    headers = dict(extras.headers or {})
    theirs = custom_headers(environment)
    known = {name.lower(): value for name, value in theirs.items()}
    names: list[str] = []
    for name, value in (extras.headers or {}).items():
        if value is None or not may_be_secret(name):
            continue
        if known.get(name) != value:
            hint = "set it in MESHAPI_CUSTOM_HEADERS, here and in the other process"
            _refuse(f"default_headers[{name!r}]", "a value that may be a secret", hint)
        names.append(name)
        del headers[name]
    for name in extras.query or {}:
        if may_be_secret(name):
            hint = "take the settings of a client without it"
            _refuse(f"default_query[{name!r}]", "a value that may be a secret", hint)
    public = Extras(headers=headers, query=extras.query, body=extras.body)
    return public, tuple(names)


def _public_proxy(proxy: object) -> Union[None, Proxy, NotGiven]:
    if proxy is None or isinstance(proxy, NotGiven):
        return proxy
    known = proxy if isinstance(proxy, Proxy) else Proxy.of(proxy)
    if known.username is not None:
        hint = "set MESHAPI_PROXY, here and in the other process"
        _refuse("proxy", "one with a user name", hint)
    return known


def _public_tls(tls: object) -> Union[None, str, tuple[str, str]]:
    settings = TLSSettings.of(tls)
    if settings.context is not None:
        _refuse("tls", "an SSLContext", "write the paths of its files")
    if settings.password is not None:
        _refuse("tls[2]", "a password", "use a key file without one, readable by the program only")
    if settings.certificate is not None and settings.key is not None:
        return settings.certificate, settings.key
    return settings.authorities


# What another process makes of it


def config_of_settings(settings: ClientSettings) -> MeshAPIConfig:
    """Return the configuration, with the token and the headers that this process has.

    Raises:
        InvalidParamsError: it does not have them.
    """
    environment = Environment(os.environ)
    extras = settings.extras
    if settings.headers:
        extras = Extras(headers=_secret_headers(settings, environment)).merged(extras)
    return MeshAPIConfig(
        base_url=settings.base_url,
        token=_token(settings.token, environment),
        timeout=settings.timeout,
        retry=settings.retry,
        service=settings.service,
        idempotency_key=settings.idempotency_key,
        extras=extras,
    )


def connections_of_settings(settings: ClientSettings) -> dict[str, Any]:
    """Return the arguments of a client that are about connections."""
    names = ("limits", "proxy", "tls", "sockets")
    return {name: getattr(settings, name) for name in names}


def _secret_headers(settings: ClientSettings, environment: Environment) -> dict[str, Secret]:
    theirs = {name.lower(): value for name, value in custom_headers(environment).items()}
    for name in settings.headers:
        if name not in theirs:
            field = "MESHAPI_CUSTOM_HEADERS (environment)"
            expected = f"a line with the header {name}, as in the process that made the settings"
            raise InvalidParamsError(field, expected, "none", "set it in this process, too")
    return {name: theirs[name] for name in settings.headers}


def _token(place: Any, environment: Environment) -> Any:
    if not isinstance(place, str):
        return TokenSource(place)
    token = Secret(environment.get(place).strip())
    if token:
        return token
    hint = f"set {place} in this process, too"
    raise InvalidParamsError(f"{place} (environment)", "the token", "nothing", hint)
