"""Requests that are changed on their way, by middleware, and what follows from a change."""

from collections.abc import Mapping
from typing import Any, Optional

from msgspec import Struct, structs

from meshapi_core._json_kinds import value_name
from meshapi_core._secret import Secret, SecretURL
from meshapi_core.calls import MAX_BODY_SIZE, too_large
from meshapi_core.config import Timeout
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.extras import checked_headers, hidden_values, may_be_secret
from meshapi_core.headers import Headers
from meshapi_core.machines.timer import earliest
from meshapi_core.messages import Origin, Request
from meshapi_core.redaction import secrets_in_query
from meshapi_core.urls import parse_url

__all__ = [
    "GatheredBody",
    "PassedAttempt",
    "with_body",
    "with_headers",
    "with_origin",
    "with_url",
]


def with_headers(request: Request, headers: Mapping[str, Optional[str]]) -> Request:
    """See `Request.with_headers`."""
    # Before anything can raise: error trackers show the locals of frames that raise.
    headers = hidden_values(headers)
    given = checked_headers(headers, "headers")
    kept = (pair for pair in request.headers if pair[0].lower() not in given)
    added = [(name, value) for name, value in given.items() if value is not None]
    secrets = (value for name, value in added if may_be_secret(name))
    return structs.replace(request, headers=(*kept, *added), secrets=(*request.secrets, *secrets))


def with_url(request: Request, url: str) -> Request:
    """See `Request.with_url`."""
    url = _hidden_url(url)
    origin, target = _parsed("url", url)
    # Of the target's type, so that a URL with a key in it is not shown.
    secrets = secrets_in_query(target) if "?" in target else ()
    return structs.replace(
        request,
        origin=origin,
        target=target,
        named_by=_named_by(request, origin),
        secrets=(*request.secrets, *secrets),
    )


def with_origin(request: Request, url: str) -> Request:
    """See `Request.with_origin`."""
    url = _hidden_url(url)
    origin, target = _parsed("url", url)
    if target.reveal() != "/":
        hint = "to change the path as well, use with_url()"
        raise InvalidParamsError("url", "the URL of a server", "a URL with a path or query", hint)
    return structs.replace(request, origin=origin, named_by=_named_by(request, origin))


def with_body(request: Request, body: bytes) -> Request:
    """See `Request.with_body`."""
    _check_bytes(body)
    return structs.replace(request, body=body)


def _check_bytes(body: object) -> None:
    if not isinstance(body, bytes):
        hint = "write x.encode()" if isinstance(body, str) else ""
        raise InvalidParamsError("body", "bytes", value_name(body), hint)


def _hidden_url(url: object) -> Any:
    return SecretURL(url) if isinstance(url, str) else type(url)


def _parsed(field: str, url: Any) -> tuple[Origin, Secret]:
    if not isinstance(url, str):
        raise InvalidParamsError(field, "str", url.__name__)
    try:
        found = parse_url(url)
    except ResponseDecodeError:
        found = None
    if found is None:
        # Outside the handler: that error is about a response.
        hint = "begin it with https:// or http://"
        raise InvalidParamsError(field, "an absolute URL", "another str", hint)
    return found


def _named_by(request: Request, origin: Origin) -> Optional[Origin]:
    # The program names the server now, so its address need not be public: it is compared with
    # itself. But an upload to a signed URL stays one.
    return None if request.named_by is None else origin


class PassedAttempt(Struct, frozen=True):
    """One attempt on its way through middleware.

    Fields:
        original: the request of the call.
        number: counts the attempts from 0.
        timeout: the limits of its phases.
        deadline: when the whole call runs out of time; None is never.
        head: the seconds that one request and the head of its response may take, for a client
            without phases.
    """

    original: Request
    number: int
    timeout: Timeout
    deadline: Optional[float] = None
    head: Optional[float] = None

    @property
    def request(self) -> Request:
        """The request as the first middleware gets it."""
        if not self.number:
            return self.original
        return structs.replace(self.original, attempt=self.number)

    def secrets_of(self, request: Request) -> tuple[str, ...]:
        """What errors must not show of a changed request, beyond what the call knows.

        These are the values of its new headers, unless their names say that they are harmless, and
        of its new query parameters.
        """
        original = self.original
        before = {(name.lower(), str.__str__(value)) for name, value in original.headers}
        found = list(request.secrets)
        for name, value in request.headers:
            plain = str.__str__(value)
            if (name.lower(), plain) not in before and may_be_secret(name):
                found.append(Secret(plain))
        target = request.plain_target
        if target != original.plain_target and "?" in target:
            found += secrets_in_query(target)
        known = set(original.secrets)
        return tuple(each for each in found if each not in known)

    def head_until(self, now: float) -> Optional[float]:
        """When the head of a response is due that is asked for now."""
        return earliest(None if self.head is None else now + self.head, self.deadline)

    def read_until(self, now: float) -> Optional[float]:
        """When the next piece of a body is due that is waited for now."""
        read = self.timeout.read
        return earliest(None if read is None else now + read, self.deadline)


class GatheredBody:
    """The pieces of a body, to be put together.

    Args:
        status, headers: those of the response, for errors.
    """

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take a piece.

        Raises:
            ResponseDecodeError: the body is too large to be kept in memory.
        """
        self._size += len(piece)
        if self._size > MAX_BODY_SIZE:
            self._pieces.clear()
            raise too_large(self._status, self._headers)
        self._pieces.append(piece)

    def joined(self) -> bytes:
        """The whole body."""
        return b"".join(self._pieces)
