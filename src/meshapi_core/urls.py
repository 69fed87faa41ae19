"""The parsing of URLs: of the base URL that a user configures, and of those that the gateway sends.

Python's `urlsplit` accepts nearly any text. This module refuses a URL whose host name cannot be
looked up, or that other software would take for another server.

Source: https://www.rfc-editor.org/rfc/rfc3986 (sections 3 and 3.2.2),
    https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4,
    https://www.rfc-editor.org/rfc/rfc4291#section-2.2 (IPv6)
"""

import re
from functools import lru_cache
from typing import Optional, Union
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from meshapi_core._secret import Secret, SecretURL
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Origin
from meshapi_core.service import VERSION_PATH

__all__ = ["BaseURL", "parse_base_url", "parse_url", "server_of"]

# The characters of RFC 3986, section 3.2.2, without percent-encoding, in labels of the length that
# RFC 1035, section 2.3.4, allows: for other names resolvers raise errors that are not OSErrors.
_NAME = re.compile(r"(?:[A-Za-z0-9_~!$&'()*+,;=-]{1,63}(?:\.|\Z))+")
_LONGEST_NAME = 253

# No port, an empty one, or one of ASCII digits.
_PORT = re.compile(r":[0-9]*\Z|\A[^:]*\Z|\]\Z")
_IN_BRACKETS = re.compile(r"\[([^\[\]%]*)(?:%[A-Za-z0-9._~-]+)?\](?::.*)?")
_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.|\Z)){4}(?<!\.)")


class BaseURL(Struct, frozen=True):
    """A parsed base URL: the server, and the prefix of every endpoint's path."""

    origin: Origin
    prefix: str

    def __str__(self) -> str:
        return f"{self.origin}{self.prefix}"


@lru_cache(maxsize=128)
def parse_base_url(url: str, path_prefix: str = VERSION_PATH) -> BaseURL:
    """The origin and path prefix of a gateway's base URL.

    Args:
        path_prefix: what the client adds to it for each endpoint (`Service.path_prefix`).

    Raises:
        ValueError: the scheme is not http or https, the host is missing, or there are parts that a
            base URL must not have (user information, a query, a fragment, white space, or at its
            end the path that the client adds).
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"base_url: {_scheme_fault(url)}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "base_url: it has a user name or a password in it; leave them out, and write token=..."
        )
    if "?" in url or "#" in url:
        raise ValueError(
            "base_url: it has a query or a fragment; leave it out, or use"
            " client.with_options(extra_query=...)"
        )
    if not parts.hostname:
        raise ValueError(
            f"base_url: it has no host name; write {parts.scheme}://, then the host name"
        )
    bracketed = "[" in parts.netloc or "]" in parts.netloc
    if bracketed and not _is_bracketed_ipv6(parts.netloc):
        raise ValueError("base_url: only an IPv6 address may be in brackets; leave them out")
    prefix = parts.path.rstrip("/")
    for added in filter(None, (path_prefix, _ENDPOINT)):
        if prefix.endswith(added):
            raise ValueError(f"base_url: it ends in {added}, which the client adds; leave it out")
    if not prefix.isascii():
        raise ValueError("base_url: its path is not percent-encoded; use urllib.parse.quote()")
    return BaseURL(_origin(parts, bracketed=bracketed), prefix)


# Often copied along with the base URL.
_ENDPOINT = "/chat/completions"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LONGEST_SHOWN = 60
# Servers that usually have no certificate: localhost, IP addresses, names with a port.
_LOCAL = re.compile(r"localhost\b|[0-9.]+(?::|/|\Z)|\[|[^/]*:[0-9]+")


def _scheme_fault(url: str) -> str:
    """Return what is wrong with the scheme of a URL, and what to write."""
    scheme = _SCHEME.match(url)
    if scheme is not None:
        other = {"ws": "http", "wss": "https"}.get(scheme[1].lower())
        hint = f"; write {other}://, also for realtime sessions" if other else ""
        return f"expected http:// or https://, got {scheme[1][:20]}://{hint}"
    if not url:
        return "expected an http:// or https:// URL, got an empty string"
    if _is_ipv6(url):
        return f"{url!r} has no scheme; write http://[{url}]"
    rest = _MISSPELT.sub("", url)
    if len(url) > _LONGEST_SHOWN or not (_IS_SHOWN.fullmatch(url) and _IS_HOST.match(rest)):
        # Not shown: there may be a password before an @, or all of it may be a token.
        return "it has no scheme; write http:// or https:// before it"
    return f"{url!r} has no scheme; write {'http' if _LOCAL.match(rest) else 'https'}://{rest}"


# `http//host`, `//host`
_MISSPELT = re.compile(r"\A(?:https?)?:?/+")

# No user information, no query.
_IS_SHOWN = re.compile(r"[A-Za-z0-9._~:/\[\]-]+")

# A name with a dot or a port, and no underscore.
_IS_HOST = re.compile(r"localhost\b|\[|[A-Za-z0-9-]+(?:\.|:[0-9]+(?:/|\Z))")


def parse_url(url: str) -> tuple[Origin, Secret]:
    """The server and the target (path and query) of an absolute URL that the gateway sent.

    Raises:
        ResponseDecodeError: it is not an http(s) URL that a request can be sent to. The message
            does not show it, because the query of a signed URL grants access.
    """
    # This comes first: where a later line raises, error trackers show the locals.
    url = SecretURL(url)
    try:
        found = _parsed_url(url)
    except ValueError:
        found = None
    if found is None:
        # Raised outside the handler, so that its context has no exception that quotes the URL.
        message = "the response contains a URL that is not valid"
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


def server_of(url: str) -> Union[str, tuple[SplitResult, Origin]]:
    """The parts of an http(s) URL, and its server; or what is wrong, in words that do not quote it.

    Raises nothing: where a line raises, error trackers show the locals.
    """
    try:
        parts = _split(url)
        if not parts.hostname or "@" in parts.netloc:
            return "it has no host name"
        bracketed = "[" in parts.netloc or "]" in parts.netloc
        if bracketed and not _is_bracketed_ipv6(parts.netloc):
            return "only an IPv6 address may be in brackets; leave them out"
        return parts, _origin(parts, bracketed=bracketed)
    except ValueError as exc:
        return str(exc).partition(": ")[2]


def _split(url: str) -> SplitResult:
    if any(ord(c) <= 0x20 or ord(c) == 0x7F for c in url):
        raise ValueError("base_url: it contains whitespace or a control character; write x.strip()")
    try:
        return urlsplit(url)
    except ValueError:
        # Its message may quote the user information.
        raise ValueError("base_url: it is not a URL") from None


def _origin(parts: SplitResult, *, bracketed: bool) -> Origin:
    assert parts.hostname is not None
    # Messages never quote a port or host: in `user:pass/word@host` it would be a password.
    try:
        # Python 3.9 also accepts digits of other scripts, and underscores between digits.
        port = parts.port if _PORT.search(parts.netloc) else -1
    except ValueError:
        port = -1
    if port == -1:
        raise ValueError("base_url: its port is not a number from 1 to 65535")
    host = parts.hostname if parts.hostname.isascii() else _idna(parts.hostname)
    if not bracketed and not _is_name(host):
        raise ValueError(
            "base_url: its host name is not valid; write labels of 1 to 63 letters, digits and"
            " hyphens, with dots between them"
        )
    if port == 0:
        raise ValueError("base_url: nothing listens on port 0")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return Origin(parts.scheme, host, port)


# Characters that IDNA 2003 and IDNA 2008 encode differently, so that the names lead to different
# servers (https://www.unicode.org/reports/tr46/#Deviations).
_AMBIGUOUS = {"\u00df": "sharp s", "\u03c2": "final sigma", "\u200c": "ZWNJ", "\u200d": "ZWJ"}


def _idna(host: str) -> str:
    for character, name in _AMBIGUOUS.items():
        if character in host:
            raise ValueError(
                f"base_url: its host name contains U+{ord(character):04X} ({name}), which can be"
                " encoded in two ways; write the ASCII form of the name, which begins with xn--"
            )
    try:
        return host.encode("idna").decode("ascii")
    except ValueError:
        # Neither the codec's message nor the host is shown: in `user:pass/word@host` it would be a
        # password.
        raise ValueError(
            "base_url: its host name is not an international domain name that Python can encode;"
            " write its ASCII form, which begins with xn--"
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
