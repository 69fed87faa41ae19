"""A proxy as a value: its address, and a user name and a password for it. No I/O.

Source: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1 (user information),
    https://www.rfc-editor.org/rfc/rfc7617#section-2 (no colon in a user name),
    https://www.rfc-editor.org/rfc/rfc1929#section-2 (255 bytes)
"""

import re
from typing import Any, Final, Optional, Union
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._json_kinds import type_name
from meshapi_core._named_fields import NamedFields
from meshapi_core._secret import Secret
from meshapi_core.errors import InvalidParamsError
from meshapi_core.messages import Origin
from meshapi_core.urls import server_of

__all__ = ["NONE", "SCHEMES", "Proxy"]

SCHEMES: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Schemes of proxies -> their default ports."""

NONE: Final = ("none", "direct")
"""What `MESHAPI_PROXY` says for no proxy, in lower case. They are not taken for hosts."""

_SOCKS = ("socks5", "socks5h")
_EXPECTED = "a URL such as http://user:password@proxy.example:3128"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LONGEST_IN_SOCKS = 255


class Proxy(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """A proxy: its address, and the credentials for it.

    Its repr, str and pickle have the address only. (A copy in the same process is complete.)

    Fields:
        scheme: "http", or "https" for TLS to the proxy; "socks5", or "socks5h" for a proxy that
            looks host names up itself.
        host: its name, or an IP address without brackets.
        port: its port.
        username, password: the credentials for it, as plain text; they become `Secret`s. A password
            needs a user name.

    Raises:
        InvalidParamsError: a field cannot be used. The message never shows the credentials.
    """

    scheme: str
    host: str
    port: int
    username: Optional[str] = None
    password: Optional[str] = None

    def __post_init__(self) -> None:
        # This comes first: where a later line raises, the traceback's locals show `self`.
        given: tuple[type, type] = type(self.username), type(self.password)
        force_setattr(self, "username", _hidden(self.username))
        force_setattr(self, "password", _hidden(self.password))
        for name, kind in zip(("username", "password"), given):
            if kind is not type(None) and not issubclass(kind, str):
                raise InvalidParamsError(f"proxy.{name}", "str or None", kind.__name__)
        if self.scheme not in SCHEMES:
            raise InvalidParamsError("proxy.scheme", _schemes(), type_name(self.scheme))
        host = _checked_host(self.scheme, self.host, self.port)
        force_setattr(self, "host", host)
        if not host:
            expected = "a host name or an IP address, and a port from 1 to 65535"
            raise InvalidParamsError("proxy", expected, "something else")
        fault = _fault_of(self.scheme, self.username, self.password)
        if fault:
            raise InvalidParamsError("proxy", "", fault)

    @classmethod
    def of(cls, url: object, *, field: str = "proxy") -> "Proxy":
        """The proxy at a URL: `http://user:password@10.0.0.1:3128`, `socks5h://[2001:db8::1]:1080`.

        The scheme may be missing, and is http then. Without a port, the port is 80 for http, 443
        for https and 1080 for SOCKS. In the user name and the password, characters that mean
        something in a URL are percent-encoded: `@` is `%40`, `:` is `%3A`, `/` is `%2F`.

        Args:
            url: the URL, a str.
            field: what to call it in errors.

        Raises:
            InvalidParamsError: it is not the URL of a proxy. The message does not show it.
        """
        if not isinstance(url, str):
            hint = "write x.decode()" if isinstance(url, bytes) else ""
            kind = type_name(url)
            del url
            raise InvalidParamsError(field, _EXPECTED, kind, hint)
        # This comes first: where a later line raises, error trackers show the locals.
        url = Secret(str.__str__(url))
        if url.reveal().lower() in NONE:
            hint = "write proxy=None" if field == "proxy" else f"unset {field}"
            raise InvalidParamsError(field, _EXPECTED, repr(url.reveal()), f"for no proxy, {hint}")
        found = _read(url)
        if isinstance(found, str):
            raise InvalidParamsError(field, "", found)
        scheme, origin, username, password = found
        return cls(
            scheme=scheme, host=origin.host, port=origin.port, username=username, password=password
        )

    @property
    def origin(self) -> Origin:
        """Where to connect to: the scheme is https if the proxy speaks TLS."""
        return Origin("https" if self.scheme == "https" else "http", self.host, self.port)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5, and not HTTP."""
        return self.scheme in _SOCKS

    @property
    def looks_names_up(self) -> bool:
        """Whether the proxy resolves host names, and not this side."""
        return self.scheme != "socks5"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may show."""
        name, password = self.username, self.password
        if name is None:
            return ()
        # A user name without a password is a token.
        return (password or name, _basic(name, password or ""))

    @property
    def authorization(self) -> "Optional[tuple[str, str]]":
        """The header that an HTTP proxy asks for; None without a user name."""
        if self.username is None:
            return None
        # Not formatted: a formatted `Secret` is asterisks.
        return "proxy-authorization", Secret("Basic " + _basic(self.username, self.password or ""))

    def __str__(self) -> str:
        return str(_written(self.scheme, self.host, self.port))

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    def __rich_repr__(self) -> list[Any]:
        # Without this, rich would show all fields in place of the repr.
        return [str(self)]

    def __copy__(self) -> "Proxy":
        return self

    def __deepcopy__(self, memo: object) -> "Proxy":
        return self

    def __reduce__(self) -> Any:
        return Proxy.of, (str(self),)


def _checked_host(scheme: str, host: str, port: object) -> str:
    """The host in its ASCII form; "" if it is none. Raises nothing: it may hold a password."""
    url = _written(scheme, host, port)
    found = _read(Secret(url)) if isinstance(url, str) else ""
    return "" if isinstance(found, str) or found[2] is not None else found[1].host


def _written(scheme: object, host: object, port: object) -> object:
    if not isinstance(host, str) or not isinstance(port, int) or isinstance(port, bool):
        return None
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _read(
    url: Secret,
) -> "Union[str, tuple[str, Origin, Optional[Secret], Optional[Secret]]]":
    """The parts of a URL; or what is wrong with it. Raises nothing, as the locals are secrets."""
    text = url.reveal()
    found = _SCHEME.match(text)
    scheme = "http" if found is None else found[1].lower()
    if scheme not in SCHEMES:
        return f"expected {_schemes()}, got {scheme[:20]}://{_HINTS.get(scheme, '')}"
    rest = text if found is None else text[found.end() :]
    end = next(position for position, c in enumerate(f"{rest}/") if c in "/?#")
    authority, tail = rest[:end], rest[end:]
    user, _, place = authority.rpartition("@")
    server = server_of(f"http://{place}{tail}")
    if isinstance(server, str):
        hint = "; percent-encode / ? # in the user name and password" if "@" in rest else ""
        return f"{server}{hint}"
    parts, origin = server
    if tail not in ("", "/"):
        return f"expected {_EXPECTED}, got one with a path, a query or a fragment"
    port = SCHEMES[scheme] if parts.port is None else parts.port
    name, colon, word = user.partition(":")
    try:
        # "@" and ":@" are what is left of a template without values: no credentials.
        given = bool(name or word)
        username = Secret(unquote_to_bytes(name).decode("utf-8")) if given else None
        password = Secret(unquote_to_bytes(word).decode("utf-8")) if given and colon else None
    except UnicodeError:
        return "its user name or password is not percent-encoded UTF-8"
    fault = _fault_of(scheme, username, password)
    return fault or (scheme, Origin("http", origin.host, port), username, password)


_HINTS = {
    "socks": "; write socks5:// or socks5h://",
    "socks4": "; this client speaks SOCKS5 only",
    "socks4a": "; this client speaks SOCKS5 only",
}


def _schemes() -> str:
    *most, last = (f"{scheme}://" for scheme in SCHEMES)
    return f"{', '.join(most)} or {last}"


def _hidden(text: object) -> Optional[Secret]:
    if text is None or isinstance(text, Secret):
        return text
    # Bytes may be the right password in the wrong type: nothing of them is kept.
    return Secret(str.__str__(text) if isinstance(text, str) else "")


def _fault_of(scheme: str, username: Optional[str], password: Optional[str]) -> str:
    """What is wrong with credentials; "" if nothing is."""
    if username is None:
        return "" if password is None else "it has a password, but no user name"
    name, word = str.__str__(username), str.__str__(password or "")
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in name + word):
        return "its user name or password contains a control character"
    if scheme in _SOCKS:
        longest = max(len(name.encode("utf-8", "replace")), len(word.encode("utf-8", "replace")))
        if longest > _LONGEST_IN_SOCKS:
            return f"SOCKS allows at most {_LONGEST_IN_SOCKS} bytes of user name and password each"
        return "" if name else "SOCKS needs a user name that is not empty"
    return "its user name contains a colon, which HTTP does not allow" if ":" in name else ""


def _basic(username: str, password: str) -> Secret:
    from binascii import b2a_base64

    # Joined, not formatted: a formatted `Secret` is asterisks.
    pair = ":".join((str.__str__(username), str.__str__(password))).encode("utf-8", "replace")
    return Secret(b2a_base64(pair, newline=False).decode("ascii"))
