"""The conventions of a service, as a value: its URL, its authentication, its headers.

Here is everything that distinguishes MeshAPI from other services that speak OpenAI's protocol. A
client of another service passes its own `Service` to `MeshAPIConfig`, and everything else (calls,
retries, limits, errors) works unchanged.
"""

import re
from typing import Any, Optional

from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._json_kinds import value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core._version import __version__
from meshapi_core.errors import InvalidParamsError
from meshapi_core.extras import check_field_name, is_field_value
from meshapi_core.queries import Pairs
from meshapi_core.targets import check_path

__all__ = ["DEFAULT_BASE_URL", "MAX_MARKER", "MESHAPI", "VERSION_PATH", "Service"]

DEFAULT_BASE_URL = "https://api.meshapi.ai"
"""The base URL of MeshAPI."""

VERSION_PATH = "/v1"
"""The prefix of the paths of all endpoints, in this package and in packages that use it."""

MAX_MARKER = 64
"""The most bytes of an `end_marker`, which is a word, not a sentence."""

_IS_MARKER = re.compile(rb"[!-~]{1,%d}" % MAX_MARKER).fullmatch

_OURS = frozenset({"accept", "accept-encoding", "user-agent"})


class Service(Struct, frozen=True, kw_only=True, repr_omit_defaults=True, metaclass=NamedFields):
    """One service and its conventions. The defaults are OpenAI's conventions.

        ACME = Service(name="Acme", auth_header="api-key", auth_prefix="")
        config = MeshAPIConfig(service=ACME, base_url="https://acme.example/v1", token=...)

    Fields:
        name: the service's name in errors.
        base_url: the default base URL; None if each config must set one.
        path_prefix: replaces the `/v1` at the beginning of each endpoint's path, after the base
            URL. "" where the base URL has the version itself (`https://host/v1`, or
            `https://host/v1beta/openai`), as OpenAI's does; "/v1" where not, as with MeshAPI.
        auth_header: the header that carries the token.
        auth_prefix: what precedes the token in it, with the space: "Bearer ", or "".
        user_agent: the value of the User-Agent header.
        headers: further headers of every request; none of them is a secret.
        idempotency_header: the header for the idempotency key of a POST, which is the same in all
            attempts of a call; None if the service supports none.
        end_marker: the data of the event that ends a stream; None where there is no such event.

    Raises:
        InvalidParamsError: a field is not usable.
    """

    name: str
    base_url: Optional[str] = None
    path_prefix: str = ""
    auth_header: str = "authorization"
    auth_prefix: str = "Bearer "
    user_agent: str = f"meshapi-core/{__version__}"
    headers: Pairs = ()
    idempotency_header: Optional[str] = "idempotency-key"
    end_marker: Optional[bytes] = b"[DONE]"

    def __post_init__(self) -> None:
        _check_value("name", self.name)
        if self.path_prefix != "":
            _check_prefix(self.path_prefix)
        force_setattr(self, "auth_header", _field_name("auth_header", self.auth_header))
        if self.idempotency_header is not None:
            name = _field_name("idempotency_header", self.idempotency_header)
            force_setattr(self, "idempotency_header", name)
        _check_value("auth_prefix", self.auth_prefix, whole=False)
        _check_value("user_agent", self.user_agent)
        force_setattr(self, "headers", self._checked_headers())
        if self.end_marker is not None and not _is_marker(self.end_marker):
            expected = f"1 to {MAX_MARKER} bytes of ASCII without white space, or None"
            raise InvalidParamsError("service.end_marker", expected, value_name(self.end_marker))

    def placed(self, path: str) -> str:
        """An endpoint's path, as it is appended to this service's base URL."""
        if path.startswith(f"{VERSION_PATH}/"):
            return self.path_prefix + path[len(VERSION_PATH) :]
        return path

    def _checked_headers(self) -> Pairs:
        taken = {self.auth_header, self.idempotency_header, *_OURS}
        checked: list[tuple[str, str]] = []
        # For callers without a type checker.
        given: Any = self.headers
        if type(given) is not tuple:
            hint = "write headers=((name, value),)"
            raise InvalidParamsError("service.headers", "pairs of str", value_name(given), hint)
        for pair in self.headers:
            if len(pair) != 2:
                raise InvalidParamsError("service.headers", "pairs of str", value_name(pair))
            name = _field_name("headers", pair[0])
            if name in taken:
                raise InvalidParamsError(
                    f"service.headers[{name!r}]", "a header that is not set yet", "its name again"
                )
            _check_value(f"headers[{name!r}]", pair[1])
            taken.add(name)
            checked.append((name, pair[1]))
        return tuple(checked)


def _check_prefix(prefix: object) -> None:
    check_path("service.path_prefix", prefix)
    if str(prefix).endswith("/") or "?" in str(prefix):
        expected = "a path without a trailing slash and without a query"
        raise InvalidParamsError("service.path_prefix", expected, value_name(prefix, show=True))


def _field_name(field: str, name: object) -> str:
    return check_field_name(f"service.{field}", name)


def _check_value(field: str, value: object, *, whole: bool = True) -> None:
    """Raise unless a header can carry the value or, unless `whole`, one that begins with it."""
    if not isinstance(value, str):
        raise InvalidParamsError(f"service.{field}", "str", value_name(value))
    if not is_field_value(value if whole else f"{value}x") or (whole and not value):
        got = value_name(value, show=True)
        raise InvalidParamsError(f"service.{field}", "text that a header can carry", got)


def _is_marker(marker: object) -> bool:
    return isinstance(marker, bytes) and _IS_MARKER(marker) is not None


MESHAPI = Service(
    name="MeshAPI",
    base_url=DEFAULT_BASE_URL,
    path_prefix=VERSION_PATH,
    user_agent=f"meshapi-python/{__version__}",
    headers=(("x-meshapi-sdk", f"python/{__version__}"),),
)
"""The service that this library is made for."""
