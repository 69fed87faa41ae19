"""What a client is configured with, as values: where, who, how long, how many."""

import re
from functools import cached_property, lru_cache
from typing import Optional, Union
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._secret import Secret, SecretURL
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.extras import Extras
from meshapi_core.messages import Origin
from meshapi_core.retries import RetryPolicy
from meshapi_core.service import DEFAULT_BASE_URL, MESHAPI, VERSION_PATH, Service

_LONGEST = 2_000_000
"""Seconds, some 23 days: sockets count milliseconds in 31 bits and overflow soon after."""


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Raise TypeError or ValueError unless the value is a number of seconds that can be waited.

    Args:
        zero: only for the message: whether the caller takes 0 as well.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected seconds, got {type(value).__name__}")
    # Not the value itself in the message: an int may have more digits than Python prints.
    if not 0 < value <= _LONGEST:
        least = "0 or more" if zero else "more than 0"
        raise ValueError(f"{name}: expected {least} and at most {_LONGEST} seconds")


def check_timeout(name: str, value: object, *, zero: bool = False) -> None:
    """Raise unless the value is None or `check_seconds` accepts it."""
    if value is not None:
        check_seconds(name, value, zero=zero)


def check_count(name: str, value: object, least: int) -> None:
    """Raise TypeError or ValueError unless the value is an int of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_kind(name: str, value: object, kind: type, *, optional: bool = False) -> None:
    """Raise TypeError unless the value is of that kind, or None where that is optional."""
    if isinstance(value, kind) or (optional and value is None):
        return
    expected = f"{kind.__name__} or None" if optional else kind.__name__
    raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


class Timeout(Struct, frozen=True, kw_only=True):
    """How long each part of a call may take, in seconds; None is without limit.

    Fields:
        connect: open one connection, TLS included.
        read: wait for an answer, or for more of it: for the head as a whole; for the next KiB
            of a whole answer; for the next byte of a stream; for the body of an error as a whole.
            `meshapi_core.machines.pace` has the table.
        write: send the next bytes of a request.
        pool: wait for a free connection.
        idle: time between two events of a stream; comments and pings do not count as events.
        total: the whole call, with its retries, the waits between them, and the body.

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

    @classmethod
    def of(cls, value: Union[None, float, "Timeout"]) -> "Timeout":
        """A number of seconds (or None) for each of connect, read, write and pool."""
        if isinstance(value, Timeout):
            return value
        check_timeout("timeout", value)
        return cls(connect=value, read=value, write=value, pool=value)


class Limits(Struct, frozen=True, kw_only=True):
    """How many connections a client keeps.

    Fields:
        max_connections: open at once; further calls wait for `Timeout.pool`.
        max_keepalive: open but idle; the longest idle one is closed first.
        keepalive_expiry: seconds that an idle connection may be used again.
    """

    max_connections: int = 1000
    max_keepalive: int = 100
    keepalive_expiry: float = 15.0

    def __post_init__(self) -> None:
        check_count("limits.max_connections", self.max_connections, 1)
        check_count("limits.max_keepalive", self.max_keepalive, 0)
        check_seconds("limits.keepalive_expiry", self.keepalive_expiry)


# What RFC 3986 section 3.2.2 allows, less percent-encoding, in labels as RFC 1035 section 2.3.4
# limits them: others fail in the resolver, with errors that are no network errors.
_NAME = re.compile(r"(?:[A-Za-z0-9_~!$&'()*+,;=-]{1,63}(?:\.|\Z))+")
_LONGEST_NAME = 253

# No port, an empty one, or one of ASCII digits.
_PORT = re.compile(r":[0-9]*\Z|\A[^:]*\Z|\]\Z")
_IN_BRACKETS = re.compile(r"\[([^\[\]%]*)(?:%[A-Za-z0-9._~-]+)?\](?::.*)?")
_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.|\Z)){4}(?<!\.)")


class BaseURL(Struct, frozen=True):
    """A base URL taken apart: the server, and the path that every endpoint's path follows."""

    origin: Origin
    prefix: str

    def __str__(self) -> str:
        return f"{self.origin}{self.prefix}"


@lru_cache(maxsize=128)
def parse_base_url(url: str, path_prefix: str = VERSION_PATH) -> BaseURL:
    """The origin and path prefix of a gateway's base URL.

    Args:
        path_prefix: what its endpoints add (`Service.path_prefix`).

    Raises:
        ValueError: not http or https, no host, or parts that a base URL cannot have (user
            information, query, fragment, white space, what endpoints add at its end).
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"base_url: expected http:// or https://, got {parts.scheme[:20]!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url: user information is not allowed in it")
    if "?" in url or "#" in url:
        raise ValueError("base_url: a query or fragment is not allowed in it")
    if not parts.hostname:
        raise ValueError("base_url: it has no host")
    bracketed = "[" in parts.netloc or "]" in parts.netloc
    if bracketed and not _is_bracketed_ipv6(parts.netloc):
        raise ValueError("base_url: only an IPv6 address may stand in brackets")
    prefix = parts.path.rstrip("/")
    if path_prefix and prefix.endswith(path_prefix):
        raise ValueError(f"base_url: must not end in {path_prefix}, which every endpoint adds")
    if not prefix.isascii():
        raise ValueError("base_url: its path is not percent-encoded")
    return BaseURL(_origin(parts, bracketed=bracketed), prefix)


def parse_url(url: str) -> tuple[Origin, Secret]:
    """The server and the target (path and query) of an absolute URL that the gateway gave.

    Raises:
        ResponseDecodeError: it is no http(s) URL that can be asked. The message does not show it:
            such URLs carry their permission in the query.
    """
    # First of all: the locals of a frame that raises are shown by error trackers.
    url = SecretURL(url)
    try:
        found = _parsed_url(url)
    except ValueError:
        found = None
    if found is None:
        # Outside of the handler, where the parts of the URL would be in the context.
        message = "the answer holds a URL that is none"
        raise ResponseDecodeError(message, error_code="parse_error")
    return found


def _parsed_url(url: str) -> Optional[tuple[Origin, Secret]]:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    bracketed = "[" in parts.netloc or "]" in parts.netloc
    if bracketed and not _is_bracketed_ipv6(parts.netloc):
        return None
    origin = _origin(parts, bracketed=bracketed)
    target = Secret((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return (origin, target) if target.isascii() else None


def _split(url: str) -> SplitResult:
    if any(ord(c) <= 0x20 or ord(c) == 0x7F for c in url):
        raise ValueError("base_url: white space or a control character in it")
    try:
        return urlsplit(url)
    except ValueError:
        # Its message may quote the user information.
        raise ValueError("base_url: it is not a URL") from None


def _origin(parts: SplitResult, *, bracketed: bool) -> Origin:
    assert parts.hostname is not None
    # What does not belong there is never quoted: after `user:pass/word@host` it is a password.
    try:
        # Python 3.9 also takes digits of other scripts, and underscores between them.
        port = parts.port if _PORT.search(parts.netloc) else -1
    except ValueError:
        port = -1
    if port == -1:
        raise ValueError("base_url: its port is no number from 1 to 65535")
    host = parts.hostname if parts.hostname.isascii() else _idna(parts.hostname)
    if not bracketed and not _is_name(host):
        raise ValueError(
            "base_url: its host is none: labels of 1 to 63 characters without white space or"
            " punctuation, with a dot between them"
        )
    if port == 0:
        raise ValueError("base_url: nothing listens on port 0")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return Origin(parts.scheme, host, port)


# Characters that the two standards of international names encode differently, so that they lead to
# different servers (RFC 5895, https://www.unicode.org/reports/tr46/#Deviations).
_AMBIGUOUS = {"\u00df": "sharp s", "\u03c2": "final sigma", "\u200c": "ZWNJ", "\u200d": "ZWJ"}


def _idna(host: str) -> str:
    for character, name in _AMBIGUOUS.items():
        if character in host:
            raise ValueError(
                f"base_url: its host has U+{ord(character):04X} ({name}) in it, which can be"
                " encoded in two ways: give the host's ASCII form, which begins with xn--"
            )
    try:
        return host.encode("idna").decode("ascii")
    except ValueError:
        # Not its message, and not the host: after `user:pass/word@host` it is a password.
        raise ValueError(
            "base_url: its host is no international domain name that Python can encode: give its"
            " ASCII form, which begins with xn--"
        ) from None


def _is_name(host: str) -> bool:
    short = len(host) - host.endswith(".") <= _LONGEST_NAME
    return short and _NAME.fullmatch(host) is not None


def _is_bracketed_ipv6(netloc: str) -> bool:
    match = _IN_BRACKETS.fullmatch(netloc)
    return match is not None and _is_ipv6(match[1])


def _is_ipv6(address: str) -> bool:
    head, gap, tail = address.partition("::")
    groups = [group for part in (head, tail) if part for group in part.split(":")]
    if groups and address.endswith(groups[-1]) and _IPV4.fullmatch(groups[-1]):
        groups[-1:] = ["0", "0"]
    fits = len(groups) < 8 if gap else len(groups) == 8
    return fits and all(map(_GROUP.fullmatch, groups))


class MeshAPIConfig(Struct, frozen=True, kw_only=True, dict=True):
    """Everything about a gateway that a request needs; its repr shows no token.

    Fields:
        base_url: http(s) URL of the gateway, without `/v1` unless the service has it there; a path
            prefix is kept. Where it is not given, the service's own.
        token: the API key; sent as a Bearer token unless the service wants it otherwise.
        timeout: seconds for each phase, or a `Timeout`.
        max_retries: attempts beyond the first.
        retry: the whole retry policy; where it is given, `max_retries` is not used.
        extras: headers, query parameters and body members to add to each request.
        service: whose gateway it is: MeshAPI's, or another that speaks the same protocol.

    Raises:
        TypeError, ValueError: a field is not usable. The token is never part of the message.
    """

    base_url: str = DEFAULT_BASE_URL
    token: str
    timeout: Union[None, float, Timeout] = 60.0
    max_retries: int = 3
    retry: Optional[RetryPolicy] = None
    extras: Extras = Extras()
    service: Service = MESHAPI

    def __post_init__(self) -> None:
        # First of all: where a field is refused, the traceback's locals show `self`.
        force_setattr(self, "token", _hidden(self.token))
        checked_token(self.token)
        check_kind("service", self.service, Service)
        force_setattr(self, "base_url", _checked_base_url(self.base_url, self.service))
        force_setattr(self, "timeout", Timeout.of(self.timeout))
        check_count("max_retries", self.max_retries, 0)
        force_setattr(self, "retry", _checked_policy(self.retry, self.max_retries))
        check_kind("extras", self.extras, Extras)

    # Each is asked for by every call, and worked out by the first one.

    @cached_property
    def location(self) -> BaseURL:
        """The base URL taken apart."""
        return parse_base_url(self.base_url, self.service.path_prefix)

    @cached_property
    def time_limits(self) -> Timeout:
        """The timeout with every phase spelled out."""
        return Timeout.of(self.timeout)

    @cached_property
    def retry_policy(self) -> RetryPolicy:
        """The policy in force."""
        return self.retry or RetryPolicy(max_retries=self.max_retries)


def _checked_policy(policy: object, max_retries: int) -> RetryPolicy:
    if policy is None:
        return RetryPolicy(max_retries=max_retries)
    if not isinstance(policy, RetryPolicy):
        raise TypeError(f"retry: expected RetryPolicy or None, got {type(policy).__name__}")
    return policy


def _checked_base_url(url: object, service: Service) -> str:
    if url == DEFAULT_BASE_URL:
        # It was not given, or might as well not have been: no other service is there, and its
        # token has no business there.
        if service.base_url is None:
            raise ValueError(f"base_url: expected the URL of {service.name}, got nothing")
        url = service.base_url
    if not isinstance(url, str):
        raise TypeError(f"base_url: expected str, got {type(url).__name__}")
    url = url.rstrip("/")
    parse_base_url(url, service.path_prefix)
    return url


def checked_token(token: object) -> Secret:
    """The token as a `Secret`.

    Raises:
        TypeError, ValueError: it is no str, is empty, or holds white space or another character
            that a header cannot carry. The message never shows it.
    """
    secret = _hidden(token)
    del token  # the locals of what raises are shown by error trackers
    if not isinstance(secret, Secret):
        raise TypeError(f"token: expected str, got {type(secret).__name__}")
    if not secret:
        raise ValueError("token: it is empty")
    if not all(0x21 <= ord(c) <= 0x7E for c in secret):
        raise ValueError(
            "token: white space, a control character or a non-ASCII character in it"
            " (a trailing newline from a file or a shell is the usual cause)"
        )
    return secret


def _hidden(token: object) -> object:
    if isinstance(token, Secret):
        return token
    if isinstance(token, str):
        return Secret(str.__str__(token))
    # Bytes may be the right token in the wrong type: what remains is the name of the type.
    return type(type(token).__name__, (), {})()
