"""The errors if a proxy opens no tunnel, and whether to ask it again.

    what the proxy did                                  error code       retried
    --------------------------------------------------  ---------------  -------
    it wants credentials, or other ones (407, SOCKS)    proxy_auth       no
    it could not reach the server (502, 503, 504, SOCKS 1, 3 to 6), or failed itself (500)
                                                        proxy_connect    yes
    it refused for another reason                       proxy_connect    no
    it closed the connection                            proxy_connect    yes
    what it sent is neither HTTP nor SOCKS5             proxy_connect    no

`meshapi_core.failures` has those of a proxy that cannot be connected to: `proxy_refused`,
`proxy_tls`.
"""

import re

from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Stage

__all__ = [
    "ask_for_credentials",
    "early_bytes",
    "no_tunnel",
    "not_passed_on",
    "other_methods",
    "refused",
]

# What HTTP clients say. Without a password, or against its rules, a proxy will never open a
# connection.
_FINAL = re.compile(r"(?:^|\D)(?:401|403|407)(?:\D|$)|AuthenticationRequired")
_WANTS_PASSWORD = re.compile(r"(?:^|\D)407(?:\D|$)|AuthenticationRequired")
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,29}(?![^\s,])")
_GIVE_PASSWORD = "; give the HTTP client's proxy a user name and a password"


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


def no_tunnel(where: str, reason: str) -> Failure:
    """The failure if an HTTP client says that a proxy opens no tunnel.

    Args:
        where: what the proxy is called; "" if it is not known.
        reason: what the client says.
    """
    credentials = _WANTS_PASSWORD.search(reason) is not None
    again = _FINAL.search(reason) is None
    reason += _GIVE_PASSWORD if credentials else ""
    return refused(where or "the proxy", reason, again=again, credentials=credentials)


def not_passed_on(where: str, hint: str) -> Failure:
    """The failure if a proxy responds with a 407 instead of the server.

    Args:
        where: what the proxy is called; "" if it is not known.
        hint: what to do, to be appended; "" is about HTTP clients.
    """
    message = (
        f"{where or 'the proxy'} did not pass the request on: 407 Proxy Authentication Required"
    )
    error = APIConnectionError(message + (hint or _GIVE_PASSWORD), error_code="proxy_auth")
    return Failure(error, "verify")


def early_bytes() -> Failure:
    """The failure if bytes came out of a tunnel before anything was sent into it."""
    # As on a connection of our own: see `HTTP11Connection.send`.
    error = ProtocolError("the server sent bytes before the request", error_code="desync")
    return Failure(error, "connect")
