"""Arguments that a client does not accept, and what to write instead.

This module is loaded only when such an argument is given.
"""

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, Final

from meshapi_core import InvalidParamsError, no_such_parameter

__all__ = ["of_clients", "of_options"]

# Names in other libraries, folded: in lower case, without underscores.

_TOKEN: Final = "accesstoken apikey auth authtoken bearertoken key secretkey".split()
_BASE_URL: Final = "apibase azureendpoint baseuri endpoint host server url".split()
_AUTHORITIES: Final = "cabundle cacert cacerts cafile capath".split()
_TLS: Final = "context ssl sslcontext tlscontext".split()
_VERIFY: Final = "insecure sslverify verify verifyssl".split()
_CERTIFICATE: Final = "cert certificate clientcert clientcertificate".split()
_SOCKETS: Final = {
    "happyeyeballsdelay": "happy_eyeballs_delay",
    "localaddr": "local_address",
    "localaddress": "local_address",
    "localport": "local_port",
    "sourceaddress": "local_address",
    "sourceport": "local_port",
    "tcpkeepalive": "keep_alive",
    "tcpnodelay": "no_delay",
    "uds": "uds",
    "unixsocket": "uds",
}
_PROXY: Final = "httpproxy httpsproxy proxies proxyurl socks socksproxy".split()
_HTTP_CLIENT: Final = "client httpclient requestssession session".split()
_OF_HTTPX: Final = "app cookies defaultencoding eventhooks followredirects".split()
_HEADERS: Final = "defaultheaders extraheaders headers".split()
_QUERY: Final = "defaultquery extraquery params query".split()
_RETRIES: Final = "maxnetworkretries numretries retries".split()
_TIMEOUTS: Final = {
    "connecttimeout": "connect",
    "pooltimeout": "pool",
    "readtimeout": "read",
    "writetimeout": "write",
}
_LIMITS: Final = {
    "keepaliveexpiry": "keepalive_expiry",
    "maxconnections": "max_connections",
    "maxkeepaliveconnections": "max_keepalive",
    "poolmaxsize": "max_connections",
    "poolsize": "max_connections",
}
_LOGGING: Final = "debug log logger logging loglevel verbose".split()
_HOOKS: Final = "on_request on_response on_retry on_error on_event".split()
_IN_HEADERS: Final = {
    "organization": "openai-organization",
    "project": "openai-project",
    "stripeaccount": "stripe-account",
}
_OF_CALLS: Final = (
    "maxtokens messages model models reasoningeffort stream system temperature tools topp".split()
)
_IN_A_CALL: Final = "pass it to the method: client.chat.completions.create(...)"


def of_clients(
    number: int, names: Sequence[str], init: Any, field: str, http_client: str
) -> InvalidParamsError:
    """Return the error for arguments that a client does not accept.

    Args:
        number: the number of positional arguments.
        names: the unknown keywords.
        init: `__init__` of the client.
        field: the name of its parameter for an HTTP client.
        http_client: the class of such an HTTP client.
    """
    if not names:
        return InvalidParamsError("positional arguments", "none", str(number), "write token=...")
    return no_such_parameter(names[0], _names(init), instead=_for_clients(field, http_client))


def _for_clients(field: str, http_client: str) -> Mapping[str, str]:
    over_httpx = f"write {field}={http_client}"
    prefix = "Async" if field.startswith("async") else ""
    return {
        **dict.fromkeys(_TOKEN, "write token=..."),
        **dict.fromkeys(_BASE_URL, "write base_url=..."),
        "websocketbaseurl": "realtime sessions use base_url",
        **dict.fromkeys(_AUTHORITIES, 'write tls="ca.pem", the path of a CA file or folder'),
        **dict.fromkeys(
            _TLS, 'write tls=..., an ssl.SSLContext, or "ca.pem", the path of a CA file or folder'
        ),
        **dict.fromkeys(
            _VERIFY,
            "certificates are always verified; for a private CA or a self-signed server, write"
            ' tls="ca.pem", the path of its certificate',
        ),
        **dict.fromkeys(_CERTIFICATE, 'write tls=("certificate.pem", "key.pem")'),
        "socketoptions": "write sockets=meshapi.SocketOptions(...)",
        **{name: f"write sockets=meshapi.SocketOptions({to}=...)" for name, to in _SOCKETS.items()},
        **dict.fromkeys(_PROXY, "write proxy=..."),
        "trustenv": "write proxy=None to ignore the environment's proxies",
        "mounts": f"write proxy=..., or {field}={http_client}(mounts=...)",
        **dict.fromkeys(_HTTP_CLIENT, f"{over_httpx}(...)"),
        **dict.fromkeys(["asynchttpxclient", "httpxclient"], f"{over_httpx}(...)"),
        **dict.fromkeys(["interceptors", "middlewares"], "write middleware=[fn]"),
        **dict.fromkeys(_OF_HTTPX, f"{over_httpx}(...), which takes it"),
        **{
            name: f"write transport=meshapi.transports.{prefix}HTTPCoreTransport({name}=...)"
            for name in ("http1", "http2")
        },
        **dict.fromkeys(_HEADERS, "write default_headers=..."),
        **dict.fromkeys(_QUERY, "write default_query=..."),
        **dict.fromkeys(["appinfo", "appname"], 'write user_agent="name/1.0"'),
        "meshversion": "write api_version=...",
        "idempotencykey": "use client.with_options(idempotency_key=...)",
        "requestid": "use client.with_options(request_id=...)",
        **dict.fromkeys(_LOGGING, 'set MESHAPI_LOG=debug, or configure the logger "meshapi"'),
        **{name.replace("_", ""): f"write hooks=meshapi.Hooks({name}=...)" for name in _HOOKS},
        **{
            name.replace("_", ""): f'write open_telemetry={{"{name}": ...}}'
            for name in ("tracer_provider", "meter_provider")
        },
        "config": f"use {prefix}MeshAPI.from_config(...)",
        "extrabody": "use client.with_options(extra_body=...)",
        **{
            name: f'write default_headers={{"{header}": "..."}}'
            for name, header in _IN_HEADERS.items()
        },
        **_of_options(),
        **{name: f"write limits=meshapi.Limits({to}=...)" for name, to in _LIMITS.items()},
    }


_CONFIGURED = frozenset(
    "base_url token timeout max_retries retry default_headers default_query user_agent"
    " api_version".split()
)


def of_options(names: Sequence[str], client: Any) -> InvalidParamsError:
    """Return the error for arguments that `with_options` does not accept.

    Args:
        names: the unknown keywords.
        client: the class of the client.
    """
    known = _names(client.with_options)
    # With `with_raw_response`, the class is not one that a program can make.
    name = client.__name__.replace("RawMeshAPI", "MeshAPI")
    return no_such_parameter(names[0], known, instead=_for_options(name))


def of_configuration(connections: dict[str, Any]) -> None:
    """Refuse arguments beside a configuration that are part of it.

    Args:
        connections: the arguments; emptied if one is refused, as it may be secret.

    Raises:
        InvalidParamsError: there is one.
    """
    name = next((each for each in connections if each in _CONFIGURED), "")
    if name:
        connections.clear()
        hint = f"write MeshAPIConfig({name}=...)"
        if name in ("timeout", "max_retries", "retry"):
            hint += f", or from_config(config).with_options({name}=...)"
        raise InvalidParamsError(name, "", "is part of the configuration", hint)


def _for_options(client: str) -> Mapping[str, str]:
    new = f"create a new client: {client}"
    return {
        **dict.fromkeys([*_TOKEN, "token"], f"{new}(token=...)"),
        **dict.fromkeys([*_BASE_URL, "baseurl"], f"{new}(base_url=...)"),
        **dict.fromkeys(
            "asynchttpxclient hooks httpxclient limits middleware opentelemetry proxy sockets"
            " sslcontext tls transport".split(),
            f"{new}(...)",
        ),
        "useragent": 'write extra_headers={"user-agent": "..."}',
        "apiversion": 'write extra_headers={"x-mesh-version": "..."}',
        **dict.fromkeys(_HEADERS, "write extra_headers=..."),
        **dict.fromkeys(_QUERY, "write extra_query=..."),
        **dict.fromkeys(["body", "json"], "write extra_body=..."),
        **{
            name: f'write extra_headers={{"{header}": "..."}}'
            for name, header in _IN_HEADERS.items()
        },
        **_of_options(),
    }


def _of_options() -> Mapping[str, str]:
    """Return the advice that clients and `with_options` share."""
    return {
        **{name: f"write timeout=meshapi.Timeout({to}=...)" for name, to in _TIMEOUTS.items()},
        **dict.fromkeys(["requesttimeout", "timeoutseconds"], "write timeout=..."),
        **dict.fromkeys(_RETRIES, "write max_retries=..."),
        **dict.fromkeys(_OF_CALLS, _IN_A_CALL),
    }


def _names(function: Any) -> list[str]:
    declared = signature(function).parameters.values()
    return [one.name for one in declared if one.kind is Parameter.KEYWORD_ONLY]
