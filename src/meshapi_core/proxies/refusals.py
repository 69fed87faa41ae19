"""The errors if a proxy opens no tunnel or forwards no request, and whether to ask it again.

    what the proxy did                                  error code       retried
    --------------------------------------------------  ---------------  -------
    it wants credentials, or other ones (407, 401, SOCKS)
                                                        proxy_auth       no
    it could not reach the server (502, 503, 504, SOCKS 1, 3 to 6), or failed itself (500)
                                                        proxy_connect    yes
    it refused for another reason                       proxy_connect    no
    it closed the connection                            proxy_connect    yes
    what it sent is neither HTTP nor SOCKS5             proxy_connect    no

`meshapi_core.failures` has those of a proxy that cannot be connected to: `proxy_refused`,
`proxy_tls`. A proxy that forwards responds with errors of its own, too. To a program they are those
of a server, with the same classes and retries: only the message says whose they are.

Source: https://wiki.squid-cache.org/Features/CustomErrors (squid's words for its errors),
    https://github.com/tinyproxy/tinyproxy/blob/1.11.1/src/reqs.c (a 401 for a wrong password);
    both as observed with squid 5.7 and tinyproxy 1.11.1
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Optional

from meshapi_core.errors import APIConnectionError, MeshAPIError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Stage

__all__ = [
    "A_PROXY",
    "OwnResponse",
    "ask_for_credentials",
    "early_bytes",
    "hint_for_clients",
    "name_proxy",
    "no_tunnel",
    "not_passed_on",
    "other_methods",
    "own_response",
    "refused",
    "wants_credentials",
]

A_PROXY: Final = "the proxy "
"""How the names of all proxies begin in errors."""

# What HTTP clients say. Without a password, or against its rules, a proxy will never open a
# connection.
# The last three are httpcore's words for what a SOCKS proxy says.
_SAYS_PASSWORD = (
    r"AuthenticationRequired|Invalid username/password|NO ACCEPTABLE METHODS"
    r"|Requested .* from proxy server"
)
_FINAL = re.compile(rf"(?:^|\D)(?:401|403|407)(?:\D|$)|{_SAYS_PASSWORD}")
_WANTS_PASSWORD = re.compile(rf"(?:^|\D)(?:401|407)(?:\D|$)|{_SAYS_PASSWORD}")
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,29}(?![^\s,])")
_GIVE_PASSWORD = "; give the HTTP client's proxy a user name and a password"
_NOT_ACCEPTED = "; it did not accept the user name and the password that it was given"

_MISSING, _WRONG = 407, 401
_MEANINGS: Final = {_MISSING: "Proxy Authentication Required", _WRONG: "Unauthorized"}

# The title of squid's pages does not say what is wrong; a header does.
_SQUID_ERROR = re.compile(r"(ERR_[A-Z0-9_]{1,40})(?: \d+)?")
_SQUID: Final = {
    "ERR_ACCESS_DENIED": "its rules do not allow this server or port",
    "ERR_CANNOT_FORWARD": "it could not forward the request",
    "ERR_CONNECT_FAIL": "it could not connect to the server",
    "ERR_DNS_FAIL": "it could not resolve the server's host name",
    "ERR_READ_ERROR": "its connection to the server broke",
    "ERR_READ_TIMEOUT": "the server did not respond to it",
    "ERR_TOO_BIG": "the request is larger than it allows",
    "ERR_ZERO_SIZE_OBJECT": "the server closed the connection without a response",
}


class OwnResponse(NamedTuple):
    """What is known about a response that a proxy made itself.

    Fields:
        reason: why, in words; "" if it does not say.
        code: the proxy's word for it; "" if it has none.
        passed_on: whether another proxy has passed it on, so that it is not from the first one.
    """

    reason: str = ""
    code: str = ""
    passed_on: bool = False


def own_response(headers: Mapping[str, str]) -> Optional[OwnResponse]:
    """What is known about a response that a proxy made itself; None for any other.

    Args:
        headers: of the response, with lower-case names.
    """
    via = headers.get("via", "")
    squid = _SQUID_ERROR.fullmatch(headers.get("x-squid-error", ""))
    if squid is not None:
        code = squid[1]
        return OwnResponse(_SQUID.get(code, ""), code, passed_on="," in via)
    # It adds Via to what it passes on, and not to what it makes.
    return OwnResponse() if _is_of_tinyproxy(headers) and not via else None


def _is_of_tinyproxy(headers: Mapping[str, str]) -> bool:
    return headers.get("server", "").startswith("tinyproxy")


def wants_credentials(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a proxy that forwards responds that it wants other credentials, or any.

    A 407 is always a proxy's (RFC 9110, section 15.5.8). A 401 usually comes from the gateway, and
    is about the token; but tinyproxy responds with one to a wrong password.
    """
    if status != _WRONG:
        return status == _MISSING
    challenge = headers.get("www-authenticate")
    if challenge is None:
        return "proxy-authenticate" in headers
    own = own_response(headers)
    return own is not None and not own.passed_on and challenge.lower().startswith("basic ")


def hint_for_clients(*, given: bool, headers: Optional[Headers] = None) -> str:
    """What to do about an HTTP client's proxy that wants a user name and a password, or other ones.

    Args:
        given: whether it was given some.
        headers: those of its 407, where they are known.
    """
    if not given:
        return _GIVE_PASSWORD
    return ("" if headers is None else other_methods(headers)) or _NOT_ACCEPTED


def ask_for_credentials(*, given: bool, variable: str) -> str:
    """What to do about a proxy that wants a user name and a password, or other ones."""
    place = f"in {variable}" if variable else "in its URL"
    if given:
        return f"; check the user name and the password {place}"
    return f"; write a user name and a password {place}: http://user:password@..."


def other_methods(headers: Headers) -> str:
    """What to say if a proxy wants credentials, but not by Basic authentication; otherwise "".

    Args:
        headers: those of its 407.
    """
    wanted = headers.get_all("proxy-authenticate")
    found = [_METHOD.match(value) for value in wanted]
    names = list(dict.fromkeys(each[0] for each in found if each is not None))
    if not names or any("basic" in value.lower() for value in wanted):
        return ""
    return f"; it asks for {' or '.join(names[:3])}, and this client offers Basic only"


def refused(where: str, reason: str, *, again: bool, credentials: bool = False) -> Failure:
    """The failure if a proxy opens no tunnel.

    Args:
        where: what the proxy is called.
        reason: what it said, and what to do.
        again: whether another attempt may succeed.
        credentials: whether it is about the user name and the password.
    """
    code = "proxy_auth" if credentials else "proxy_connect"
    error = APIConnectionError(f"{where} did not open a connection: {reason}", error_code=code)
    stage: Stage = "connect" if again else "verify"
    return Failure(error, stage)


def no_tunnel(where: str, reason: str, *, given: bool = False) -> Failure:
    """The failure if an HTTP client says that a proxy opens no tunnel.

    Args:
        where: what the proxy is called; "" if it is not known.
        reason: what the client says.
        given: whether the proxy was given a user name and a password.
    """
    credentials = _WANTS_PASSWORD.search(reason) is not None
    again = _FINAL.search(reason) is None
    reason += hint_for_clients(given=given) if credentials else ""
    return refused(where or "the proxy", reason, again=again, credentials=credentials)


def not_passed_on(where: str, hint: str, status: int = _MISSING) -> Failure:
    """The failure if a proxy that wants credentials responds instead of the server.

    Args:
        where: what the proxy is called; "" if it is not known.
        hint: what to do, to be appended; "" is for HTTP clients that gave it none.
        status: of its response, 407 or 401.
    """
    reason = f"{status} {_MEANINGS[status]}"
    message = f"{where or 'the proxy'} did not pass the request on: {reason}"
    error = APIConnectionError(
        message + (hint or hint_for_clients(given=False)), error_code="proxy_auth"
    )
    return Failure(error, "verify")


def name_proxy(error: MeshAPIError, where: str) -> None:
    """Add to the error of a connection that broke, or did not speak HTTP, that a proxy was there.

    Args:
        where: what the proxy is called.
    """
    if error.error_code in ("disconnected", "reset", "bad_response") and where not in error.message:
        error.message += f"; the connection was to {where}"
        error.args = (error.message,)


def early_bytes() -> Failure:
    """The failure if bytes came out of a tunnel before anything was sent into it."""
    # As on a connection of our own: see `HTTP11Connection.send`.
    error = ProtocolError("the server sent bytes before the request", error_code="desync")
    return Failure(error, "connect")
